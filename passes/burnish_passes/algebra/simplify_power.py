"""A power with a small constant exponent becomes the operator made for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from burnish.ir import Array, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.algebra.signs import is_nonnegative
from burnish_passes.proofs import adds_nothing_to_the_shape, is_filled_with

_EXPONENTS: Final = (2.0, 0.5, -1.0)


@dataclass(frozen=True)
class SimplifyPower(Rule):
    """Square, take the root, or invert, instead of raising to 2, 0.5, or -1.

    ``x ** 2 => x * x``, ``x ** -1 => Reciprocal(x)``, and ``x ** 0.5 => Sqrt(x)`` where ``x`` is
    known not to be negative.

    Before::

        agraph (float[2,3] x) => (float[2,3] y) {
            two = Constant <value = float {2.0}> ()
            half = Constant <value = float {0.5}> ()
            minus = Constant <value = float {-1.0}> ()
            a = Pow(x, two)
            b = Pow(a, half)
            y = Pow(b, minus)
        }

    After::

        agraph (float[2,3] x) => (float[2,3] y) {
            a = Mul(x, x)
            b = Sqrt(a)
            y = Reciprocal(b)
        }

    FLOAT: a runtime's power may be off by an ulp where the product is not. Below 0 the root is
    another function than the power: ``(-inf) ** 0.5`` is inf and its root NaN, and ``-0.0 ** 0.5``
    is 0.0 while its root is -0.0. So the root needs a proof: ``x`` comes from a square, Abs, Exp
    and the like. Integers stay, as runtimes raise them in floating point. Catalogue row E5.
    Source: IEEE 754-2019 section 9.2.1.
    """

    name: ClassVar[str] = "simplify-power"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any, c: Any) -> Any:
        return op.Pow(x, c.constant)

    def when(self, m: Match) -> None:
        exponent = _exponent(m)
        m.suppose(exponent in _EXPONENTS)
        m.suppose(m.dtype("x").is_floating_point())
        adds_nothing_to_the_shape(m, "x", m.const("c"))
        if exponent == 0.5:
            m.require(is_nonnegative(m["x"], strictly=True), "x may be negative, or -0.0")

    def after(self, op: Any, m: Match) -> Any:
        exponent, x = _exponent(m), m["x"]
        if exponent == 2.0:
            return op.Mul(x, x)
        return op.Sqrt(x) if exponent == 0.5 else op.Reciprocal(x)


def _exponent(m: Match) -> float | None:
    """The one exponent of all elements, or None."""
    held = constant(m["c"])
    if held is None or held.size == 0 or m.opset < 7:
        return None
    array: Array = m.const("c")
    first = float(array.reshape(-1)[0])
    return first if first in _EXPONENTS and is_filled_with(array, first) else None
