"""Adding nothing, multiplying by one, and their like vanish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.proofs import adds_nothing_to_the_shape, is_filled_with

_NEUTRAL: Mapping[str, float] = MappingProxyType(
    {
        "Add": 0,
        "And": 1,
        "BitwiseOr": 0,
        "BitwiseXor": 0,
        "Div": 1,
        "Mul": 1,
        "Or": 0,
        "Pow": 1,
        "Sub": 0,
        "Xor": 0,
    }
)
"""The element ``e`` with ``op(x, e) = x`` for every ``x``, floats and signed zeros aside."""


class DropNeutral(Rule):
    """``op(x, e) => x`` where ``e`` is filled with the neutral element."""

    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any, c: Any) -> Any:
        return op.either(*_NEUTRAL)(x, c.constant, _name="op")

    def when(self, m: Match) -> None:
        op_type, c = m.root.op_type, m.const("c")
        m.suppose(is_filled_with(c, _NEUTRAL[op_type]))
        if op_type in ("Add", "Sub") and c.dtype.kind not in "iu":
            # x + 0.0 makes +0.0 of -0.0; x + -0.0 and x - 0.0 keep every x.
            negative = np.signbit(c.astype(np.float64))
            m.require(
                bool(negative.all() if op_type == "Add" else not negative.any()),
                "it gives 0.0 for -0.0; eliminate-zero-addition ignores the sign of zero",
            )
        adds_nothing_to_the_shape(m, "x", c)

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


class DropSingleOperand(Rule):
    """``Sum(x) => x``, and the same for Mean, Max and Min of one operand."""

    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any) -> Any:
        return op.either("Sum", "Mean", "Max", "Min")(x)

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


@dataclass(frozen=True)
class EliminateNeutralElement(RuleSet):
    """Remove operators applied with their neutral element.

    ``x * 1``, ``x / 1``, ``x ** 1``, ``x + 0`` and ``x - 0`` of integers, ``x + -0.0`` and
    ``x - 0.0`` of floats, ``x and true``, ``x or false``, ``x xor false``, ``Sum(x)``,
    ``Mean(x)``, ``Max(x)``, ``Min(x)``: all ``=> x``.

    Before::

        agraph (float[N,3] x) => (float[N,3] y) {
            one = Constant <value = float[1] {1.0}> ()
            ones = Constant <value = float[3] {1.0, 1.0, 1.0}> ()
            a = Mul(one, x)
            b = Div(a, ones)
            c = Sum(b)
            y = Relu(c)
        }

    After::

        agraph (float[N,3] x) => (float[N,3] y) {
            y = Relu(x)
        }

    BITWISE: the sign of zero is kept. Catalogue row E1. Source: IEEE 754-2019 section 6.3.
    """

    name: ClassVar[str] = "eliminate-neutral-element"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (DropNeutral, DropSingleOperand)
