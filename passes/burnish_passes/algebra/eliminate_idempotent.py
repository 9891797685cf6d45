"""Operators that change nothing the second time, or undo themselves, vanish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from burnish.ir import Value, attribute, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.proofs import as_result, operand

_WHOLE = frozenset({"Ceil", "Floor", "Round", "Sign"})
"""Their results are whole numbers, which rounding leaves alone."""

_LEAVES_ALONE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "Abs": frozenset({"Abs"}),
        "Ceil": _WHOLE,
        "Floor": _WHOLE,
        "Relu": frozenset({"Relu"}),
        "Round": _WHOLE,
        "Sign": frozenset({"Sign"}),
    }
)
"""``f: {g}`` with ``f(g(x)) = g(x)`` for every bit pattern of ``x``."""


class DropSecondUnary(Rule):
    """``f(g(x)) => g(x)`` where ``f`` leaves every result of ``g`` alone."""

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either(*_LEAVES_ALONE)(x, _name="inner", _shared=True)
        return op.either(*_LEAVES_ALONE)(inner, _name="outer")

    def when(self, m: Match) -> None:
        m.suppose(m.node("inner").op_type in _LEAVES_ALONE[m.root.op_type])

    def after(self, op: Any, m: Match) -> Any:
        return as_result(op, m, m.node("inner").outputs[0])


class DropSecondClip(Rule):
    """``Clip(Clip(x, a, b), a, b) => Clip(x, a, b)``."""

    def before(self, op: Any, x: Any) -> Any:
        return op.Clip(op.Clip(x, ..., _name="inner", _shared=True), ..., _name="outer")

    def when(self, m: Match) -> None:
        inner, outer = m.node("inner"), m.node("outer")
        for index, name in ((1, "min"), (2, "max")):
            equal = attribute(inner, name) == attribute(outer, name)
            equal = equal and _same_bound(operand(inner, index), operand(outer, index))
            m.require(equal, f"{name} of the two Clips differs")

    def after(self, op: Any, m: Match) -> Any:
        return as_result(op, m, m.node("inner").outputs[0])


def _same_bound(left: Value | None, right: Value | None) -> bool:
    if left is right:
        return True
    one, other = constant(left), constant(right)
    if one is None or other is None:
        return False
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


class DropInvolution(Rule):
    """``f(f(x)) => x`` for Neg, Not and BitwiseNot."""

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either("Neg", "Not", "BitwiseNot")(x, _name="inner", _shared=True)
        return op.either("Neg", "Not", "BitwiseNot")(inner, _name="outer")

    def when(self, m: Match) -> None:
        m.suppose(m.node("inner").op_type == m.root.op_type)

    def after(self, op: Any, m: Match) -> Any:
        return as_result(op, m, m["x"])


class DropNegBelowAbs(Rule):
    """``Abs(Neg(x)) => Abs(x)``."""

    def before(self, op: Any, x: Any) -> Any:
        return op.Abs(op.Neg(x, _shared=True))

    def after(self, op: Any, m: Match) -> Any:
        return op.Abs(m["x"])


class DropEqualOperands(Rule):
    """``op(x, x) => x`` for And, Or, Max, Min and their bitwise kin."""

    def before(self, op: Any, x: Any) -> Any:
        return op.either("And", "BitwiseAnd", "BitwiseOr", "Max", "Min", "Or")(x, x)

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


@dataclass(frozen=True)
class EliminateIdempotent(RuleSet):
    """Apply once what changes nothing the second time; drop what undoes itself.

    ``f(f(x)) => f(x)`` for Relu, Ceil, Floor, Round, Sign, Abs, and Clip with the same bounds;
    ``Neg(Neg(x)) => x`` and ``Not(Not(x)) => x``; ``Abs(Neg(x)) => Abs(x)``;
    ``Max(x, x) => x`` and the like.

    Before::

        agraph (float[4] x) => (float[4] y) {
            a = Relu(x)
            b = Relu(a)
            c = Neg(b)
            d = Neg(c)
            y = Sqrt(d)
        }

    After::

        agraph (float[4] x) => (float[4] y) {
            a = Relu(x)
            y = Sqrt(a)
        }

    Clips with other bounds stay:

    Before::

        agraph (float[4] x, float six, float eight, float ten, float zero) => (float[4] y) {
            a = Clip(x, zero, six)
            b = Clip(a, eight, ten)
            y = Relu(b)
        }

    After::

        agraph (float[4] x, float six, float eight, float ten, float zero) => (float[4] y) {
            a = Clip(x, zero, six)
            b = Clip(a, eight, ten)
            y = Relu(b)
        }

    BITWISE, NaN and signed zeros included. Catalogue rows E6 and E9. Source: ``f(y) = y`` for
    every ``y`` that ``f`` yields; IEEE 754-2019 section 5.5.1 (negate, abs).
    """

    name: ClassVar[str] = "eliminate-idempotent"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (
        DropSecondUnary,
        DropSecondClip,
        DropInvolution,
        DropNegBelowAbs,
        DropEqualOperands,
    )
