"""A negation next to an operator that has a negated form vanishes into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from burnish.ir import constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet

_OPPOSITE: Mapping[str, str] = MappingProxyType(
    {
        "Greater": "LessOrEqual",
        "GreaterOrEqual": "Less",
        "Less": "GreaterOrEqual",
        "LessOrEqual": "Greater",
    }
)

_LARGEST: Final = 4096
"""Elements of a constant that may be stored once more, negated."""


class SubtractNegated(Rule):
    """``x - Neg(y) => x + y``."""

    def before(self, op: Any, x: Any, y: Any) -> Any:
        return op.Sub(x, op.Neg(y))

    def when(self, m: Match) -> None:
        m.suppose(m.opset >= 7)  # before, operands broadcast to the first one

    def after(self, op: Any, m: Match) -> Any:
        return op.Add(m["x"], m["y"])


class AddNegated(Rule):
    """``x + Neg(y) => x - y``."""

    def before(self, op: Any, x: Any, y: Any) -> Any:
        return op.Add(x, op.Neg(y))

    def when(self, m: Match) -> None:
        m.suppose(m.opset >= 7)

    def after(self, op: Any, m: Match) -> Any:
        return op.Sub(m["x"], m["y"])


class MultiplyNegated(Rule):
    """``Neg(x) * Neg(y) => x * y`` and, of floats, ``Neg(x) / Neg(y) => x / y``."""

    def before(self, op: Any, x: Any, y: Any) -> Any:
        return op.either("Div", "Mul")(op.Neg(x, _name="left"), op.Neg(y, _name="right"))

    def when(self, m: Match) -> None:
        m.suppose(m.opset >= 7)
        if m.root.op_type == "Div":
            m.require(m.dtype("x").is_floating_point(), "the smallest integer has no negative")

    def after(self, op: Any, m: Match) -> Any:
        return getattr(op, m.root.op_type)(m["x"], m["y"])


class MultiplyNegatedByConstant(Rule):
    """``Neg(x) * c => x * -c`` and ``Neg(x) / c => x / -c``, of floats."""

    def before(self, op: Any, x: Any, c: Any) -> Any:
        return op.either("Div", "Mul")(op.Neg(x), c.constant)

    def when(self, m: Match) -> None:
        m.suppose(m.opset >= 7)
        held = constant(m["c"])
        m.suppose(held is not None and held.dtype.is_floating_point())
        small = held is not None and held.size <= _LARGEST
        m.require(small or len(m["c"].uses()) == 1, "a large constant would be stored twice")

    def after(self, op: Any, m: Match) -> Any:
        held = constant(m["c"])
        dtype = None if held is None else held.dtype
        return getattr(op, m.root.op_type)(m["x"], op.constant(-m.const("c"), dtype=dtype))


class NegateComparison(Rule):
    """``Not(x > y) => x <= y`` of integers; of floats NaN makes both false."""

    def before(self, op: Any, x: Any, y: Any) -> Any:
        return op.Not(op.either(*_OPPOSITE)(x, y, _name="comparison"))

    def when(self, m: Match) -> None:
        m.require(m.dtype("x").is_integer(), "NaN is neither greater nor less nor equal")
        m.require(m.opset >= 12, "LessOrEqual came with opset 12")

    def after(self, op: Any, m: Match) -> Any:
        return getattr(op, _OPPOSITE[m.node("comparison").op_type])(m["x"], m["y"])


@dataclass(frozen=True)
class AbsorbNegation(RuleSet):
    """Take a negation into the operator beside it.

    ``x - Neg(y) => x + y``, ``x + Neg(y) => x - y``, ``Neg(x) * Neg(y) => x * y``,
    ``Neg(x) * c => x * -c``; Div of floats like Mul; ``Not(i > j) => i <= j`` and its like, of
    integers.

    Before::

        agraph (float[2] x, float[2] y, int64[2] i, int64[2] j) => (float[2] z, bool[2] b) {
            two = Constant <value = float {2.0}> ()
            n = Neg(y)
            s = Sub(x, n)
            m = Neg(s)
            z = Mul(two, m)
            g = Greater(i, j)
            b = Not(g)
        }

    After::

        agraph (float[2] x, float[2] y, int64[2] i, int64[2] j) => (float[2] z, bool[2] b) {
            minus = Constant <value = float {-2.0}> ()
            s = Add(x, y)
            z = Mul(s, minus)
            b = LessOrEqual(i, j)
        }

    Floats are not ordered completely, because of NaN:

    Before::

        agraph (float[2] x, float[2] y) => (bool[2] b) {
            g = Greater(x, y)
            b = Not(g)
        }

    After::

        agraph (float[2] x, float[2] y) => (bool[2] b) {
            g = Greater(x, y)
            b = Not(g)
        }

    BITWISE: IEEE 754 defines ``x - y`` as ``x + (-y)``, rounds without regard to signs, and
    integers wrap the same. ``Neg(x - y)`` is not ``y - x``: of equal numbers it is -0.0. Catalogue
    row E9. Source: IEEE 754-2019 sections 5.4.1 and 6.3.
    """

    name: ClassVar[str] = "absorb-negation"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (
        SubtractNegated,
        AddNegated,
        MultiplyNegated,
        MultiplyNegatedByConstant,
        NegateComparison,
    )
