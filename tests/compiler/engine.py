"""Rules that mean little, and a way to run them, for tests of the rewrite engine."""

from __future__ import annotations

from typing import Any, ClassVar

import onnx

from burnish.ir import Model, to_proto
from burnish.match import Match
from burnish.passdef import Context, Fuel, Pass, Remark
from burnish.rewrite import Rule
from burnish.target import Target
from burnish.text import parse_model


class NegNeg(Rule):
    """``Neg(Neg(x)) => x``."""

    name: ClassVar[str] = "neg-neg"

    def before(self, op: Any, x: Any) -> Any:
        return op.Neg(op.Neg(x, _name="inner"), _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


class ReluNegToElu(Rule):
    """``Neg(Relu(x)) => Elu(Abs(x))``: of no meaning, but of two new nodes."""

    name: ClassVar[str] = "relu-neg-to-elu"

    def before(self, op: Any, x: Any) -> Any:
        return op.Neg(op.Relu(x))

    def after(self, op: Any, m: Match) -> Any:
        return op.Elu(op.Abs(m["x"]))


def apply(item: Pass, text: str, *, opset: int = 20, fuel: int | None = None) -> tuple[Model, Any]:
    """Run one pass; the result is valid ONNX. Also gives the remarks."""
    model = parse_model(text, opset=opset)
    ctx = Context.of(model, Target(), Fuel(fuel))
    item.run(model, ctx)
    onnx.checker.check_model(to_proto(model), full_check=True)
    return model, ctx.take_remarks()


def whys(remarks: tuple[Remark, ...]) -> list[str]:
    return [remark.why for remark in remarks if remark.kind == "declined"]
