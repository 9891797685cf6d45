"""The worklist: when it comes to rest, what stops it, and how much it looks at."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from tests.compiler.engine import NegNeg, apply
from tests.support import ops

from burnish import rewrite
from burnish.errors import PassError
from burnish.ir import Node, Scope, scopes
from burnish.match import Compiled, Match
from burnish.passdef import Context, Pass
from burnish.rewrite import Rule, RuleSet
from burnish.target import Target
from burnish.text import parse_model


class ReluToAbs(Rule):
    def before(self, op: Any, x: Any) -> Any:
        return op.Relu(x)

    def after(self, op: Any, m: Match) -> Any:
        return op.Abs(m["x"])


class AbsToRelu(Rule):
    def before(self, op: Any, x: Any) -> Any:
        return op.Abs(x)

    def after(self, op: Any, m: Match) -> Any:
        return op.Relu(m["x"])


class Undo(RuleSet):
    name: ClassVar[str] = "undo"
    rules: ClassVar[tuple[type[Rule], ...]] = (ReluToAbs, AbsToRelu)


def test_rules_that_undo_each_other_are_an_error() -> None:
    with pytest.raises(PassError, match="undo does not come to rest"):
        apply(Undo(), "agraph (float[2] x) => (float[2] y) { y = Relu (x) }")


class Broken(Rule):
    name: ClassVar[str] = "broken"

    def before(self, op: Any, x: Any) -> Any:
        return op.Relu(x)

    def after(self, op: Any, m: Match) -> Any:
        raise ZeroDivisionError("nothing")


def test_a_rule_that_raises_is_named_with_the_place() -> None:
    with pytest.raises(
        PassError, match=r"Relu\(y\): rule broken failed: ZeroDivisionError: nothing"
    ):
        apply(Broken(), "agraph (float[2] x) => (float[2] y) { y = Relu (x) }")


def test_fuel_stops_the_engine_after_so_many_rewrites() -> None:
    text = "agraph (float[2] x) => (float[2] y) { a = Relu (x) b = Relu (a) y = Relu (b) }"

    class Once(ReluToAbs):
        name: ClassVar[str] = "once"

    assert ops(apply(Once(), text, fuel=2)[0]) == ["Abs", "Abs", "Relu"]
    assert ops(apply(Once(), text, fuel=0)[0]) == ["Relu", "Relu", "Relu"]


class Quiet(Rule):
    name: ClassVar[str] = "quiet"

    def before(self, op: Any, x: Any) -> Any:
        return op.Relu(x)

    def when(self, m: Match) -> None:
        m.suppose(False)

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


def test_what_is_not_supposed_leaves_no_remark() -> None:
    _, remarks = apply(Quiet(), "agraph (float[2] x) => (float[2] y) { y = Relu (x) }")
    assert remarks == ()


def _count_visits(monkeypatch: pytest.MonkeyPatch, item: Pass, text: str) -> int:
    """How often the engine asked whether a pattern stands at a node."""
    asked = 0
    ask = rewrite.matches

    def counted(pattern: Compiled, node: Node, scope: Scope, ctx: Context) -> Any:
        nonlocal asked
        asked += 1
        return ask(pattern, node, scope, ctx)

    monkeypatch.setattr(rewrite, "matches", counted)
    model = parse_model(text)
    item.run(model, Context.of(model, Target()))
    monkeypatch.setattr(rewrite, "matches", ask)
    assert "Neg" not in ops(model)
    return asked


def _chain(length: int, op_type: str) -> str:
    lines = "\n".join(f"t{i + 1} = {op_type if i % 3 else 'Relu'} (t{i})" for i in range(length))
    return f"agraph (float[2] t0) => (float[2] y) {{ {lines}\n y = Relu (t{length}) }}"


def test_visits_grow_with_the_length_of_a_chain_not_its_square(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = _count_visits(monkeypatch, NegNeg(), _chain(201, "Neg"))
    long = _count_visits(monkeypatch, NegNeg(), _chain(2001, "Neg"))
    assert short >= 134
    assert long <= 11 * short


def test_all_scopes_are_indexed_by_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _count_visits(monkeypatch, NegNeg(), _chain(600, "Abs")) == 0


def test_a_rewrite_lets_its_neighbours_be_tried_again() -> None:
    lines = "\n".join(f"t{i + 1} = Neg (t{i})" for i in range(100))
    model, _ = apply(
        NegNeg(), f"agraph (float[2] t0) => (float[2] y) {{ {lines}\n y = Relu (t100) }}"
    )
    assert ops(model) == ["Relu"]


def test_constants_of_a_function_body_are_nodes() -> None:
    class AddOne(Rule):
        name: ClassVar[str] = "add-one"

        def before(self, op: Any, x: Any) -> Any:
            return op.Relu(x)

        def after(self, op: Any, m: Match) -> Any:
            return op.Add(m["x"], op.constant(np.array([1.0], dtype=np.float32)))

    model, _ = apply(
        AddOne(),
        """<ir_version: 10, opset_import: ["": 20, "f": 1]>
        agraph (float[2] x) => (float[2] y) { y = f.g (x) }
        <domain: "f", opset_import: ["": 20]>
        g (v) => (w) { w = Relu (v) }
        """,
    )
    (body,) = [scope.graph for scope in scopes(model) if scope.function is not None]
    assert [node.op_type for node in body] == ["Constant", "Add"]
    assert not body.initializers
