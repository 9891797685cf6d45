"""A product with a reciprocal is a quotient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.proofs import adds_nothing_to_the_shape, is_filled_with


class DivideByOperand(Rule):
    """``y * Reciprocal(x) => y / x``."""

    def before(self, op: Any, x: Any, y: Any) -> Any:
        return op.Mul(y, op.Reciprocal(x), _name="product")

    def when(self, m: Match) -> None:
        m.suppose(m.opset >= 7)

    def after(self, op: Any, m: Match) -> Any:
        return op.Div(m["y"], m["x"])


class DivideByDivisor(Rule):
    """``y * (1 / x) => y / x``."""

    def before(self, op: Any, x: Any, y: Any, one: Any) -> Any:
        return op.Mul(y, op.Div(one.constant, x, _name="reciprocal"), _name="product")

    def when(self, m: Match) -> None:
        m.suppose(m.opset >= 7 and is_filled_with(m.const("one"), 1.0))
        m.require(m.dtype("x").is_floating_point(), "a quotient of integers is rounded to zero")
        adds_nothing_to_the_shape(m, "x", m.const("one"))

    def after(self, op: Any, m: Match) -> Any:
        return op.Div(m["y"], m["x"])


@dataclass(frozen=True)
class FuseReciprocal(RuleSet):
    """Divide instead of multiplying by a reciprocal.

    ``y * (1 / x) => y / x``, the reciprocal spelled as Div or Reciprocal.

    Before::

        agraph (float[N,3] x, float[N,3] y) => (float[N,3] z) {
            one = Constant <value = float {1.0}> ()
            r = Div(one, x)
            s = Mul(r, y)
            t = Reciprocal(x)
            z = Mul(s, t)
        }

    After::

        agraph (float[N,3] x, float[N,3] y) => (float[N,3] z) {
            s = Div(y, x)
            z = Div(s, x)
        }

    FLOAT: one rounding instead of two. Not of integers, where ``1 / x`` is 0. Catalogue row E4.
    Source: IEEE 754-2019 section 5.4.1.
    """

    name: ClassVar[str] = "fuse-reciprocal"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (DivideByOperand, DivideByDivisor)
