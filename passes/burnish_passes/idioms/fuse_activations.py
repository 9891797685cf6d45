"""Activations that exporters spell out although ONNX has an operator for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.idioms.expressions import claim, number, polynomial, precision
from burnish_passes.idioms.kernels import require_activation

_ANCHORS = tuple(("", op_type) for op_type in ("Exp", "Sigmoid", "Softplus"))


class SigmoidByReciprocal(Rule):
    """``Reciprocal(1 + Exp(-x)) => Sigmoid(x)``."""

    def before(self, op: Any, x: Any, one: Any) -> Any:
        return op.Reciprocal(op.Add(op.Exp(op.Neg(x)), one.constant))

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(number(m["one"]) == 1)
        require_activation(m, m["x"], "Sigmoid", 6)
        return op.Sigmoid(m["x"])


class SigmoidByDivision(Rule):
    """``1 / (1 + Exp(-x)) => Sigmoid(x)``."""

    def before(self, op: Any, top: Any, x: Any, one: Any) -> Any:
        return op.Div(top.constant, op.Add(op.Exp(op.Neg(x)), one.constant))

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(number(m["one"]) == 1 == number(m["top"]))
        require_activation(m, m["x"], "Sigmoid", 6)
        return op.Sigmoid(m["x"])


class Swish(Rule):
    """``x * Sigmoid(alpha * x) => Swish(x, alpha)``."""

    def before(self, op: Any, x: Any, scaled: Any) -> Any:
        return op.Mul(x, op.Sigmoid(scaled, _shared=True))

    def after(self, op: Any, m: Match) -> Any:
        x = m["x"]
        line = polynomial(m, m["scaled"], [x])
        m.suppose(line is not None and line.keys() == {(1,)})
        assert line is not None
        require_activation(m, x, "Swish", 24)
        claim(m, x)
        alpha = line[(1,)]
        return op.Swish(x, alpha=None if alpha == 1 else alpha)


class Mish(Rule):
    """``x * Tanh(Softplus(x)) => Mish(x)``."""

    def before(self, op: Any, x: Any) -> Any:
        return op.Mul(x, op.Tanh(op.Softplus(x)))

    def after(self, op: Any, m: Match) -> Any:
        require_activation(m, m["x"], "Mish", 18)
        return op.Mish(m["x"])


class Softplus(Rule):
    """``Log(1 + Exp(x)) => Softplus(x)``."""

    def before(self, op: Any, x: Any, one: Any) -> Any:
        return op.Log(op.Add(op.Exp(x), one.constant))

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(number(m["one"]) == 1)
        require_activation(m, m["x"], "Softplus", 1)
        return op.Softplus(m["x"])


class SoftplusOrLine(Rule):
    """``Where(x > 20, x, Softplus(x)) => Softplus(x)``: the line is all one sees up there."""

    def before(self, op: Any, x: Any, bound: Any) -> Any:
        return op.Where(op.Greater(x, bound.constant), x, op.Softplus(x))

    def after(self, op: Any, m: Match) -> Any:
        bound = number(m["bound"])
        m.require(bound is not None, "the bound is not one number")
        assert bound is not None
        unit = precision(m, m["x"])
        m.require(
            bound > 1 and math.exp(-bound) <= unit * bound / 2,
            "Softplus differs from a line above the bound",
        )
        require_activation(m, m["x"], "Softplus", 1)
        return op.Softplus(m["x"])


@dataclass(frozen=True)
class FuseActivations(RuleSet):
    """Write activations made of exponentials as their operators.

    ``Log(1 + Exp(x)) => Softplus(x)`` and ``x * Tanh(Softplus(x)) => Mish(x)``:

    Before::

        <ir_version: 10, opset_import: ["": 18]>
        agraph (float[N,8] x) => (float[N,8] y) <float one = {1.0}> {
            a = Exp(x)
            b = Add(one, a)
            c = Log(b)
            d = Tanh(c)
            y = Mul(x, d)
        }

    After::

        <ir_version: 10, opset_import: ["": 18]>
        agraph (float[N,8] x) => (float[N,8] y) {
            y = Mish(x)
        }

    ``Where(x > 20, x, Softplus(x)) => Softplus(x)``, where the bound is so high that Softplus
    rounds to the line; ``1 / (1 + Exp(-x)) => Sigmoid(x)``:

    Before::

        agraph (float[N,8] x) => (float[N,8] y, float[N,8] z)
            <float bound = {20.0}, float one = {1.0}> {
            a = Softplus(x)
            b = Greater(x, bound)
            y = Where(b, x, a)
            c = Neg(x)
            d = Exp(c)
            e = Add(d, one)
            z = Div(one, e)
        }

    After::

        agraph (float[N,8] x) => (float[N,8] y, float[N,8] z) {
            y = Softplus(x)
            z = Sigmoid(x)
        }

    ``x * Sigmoid(alpha * x) => Swish(x, alpha)``, from opset 24 and where the target has a kernel.

    FLOAT. ONNX defines Softplus as this formula; where ``Exp`` overflows the formula is inf, and a
    runtime's kernel gives the true value. Not in double precision, for which runtimes have no
    kernels. Catalogue rows F3, F4. Source: ONNX operator specifications of Softplus, Mish, Swish.
    """

    name: ClassVar[str] = "fuse-activations"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (
        Softplus,
        SoftplusOrLine,
        SigmoidByReciprocal,
        SigmoidByDivision,
        Mish,
        Swish,
    )

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without exponentials."""
        if ctx.nodes(model, _ANCHORS):
            super().run(model, ctx)
