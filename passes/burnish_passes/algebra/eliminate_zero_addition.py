"""Adding or subtracting zero vanishes, whatever the sign of zero."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import adds_nothing_to_the_shape, is_filled_with


class EliminateZeroAddition(Rule):
    """Remove additions and subtractions of zero.

    ``x + 0 => x`` and ``x - 0 => x``, for floats too.

    Before::

        agraph (float[2,3] x) => (float[2,3] y) {
            zero = Constant <value = float {0.0}> ()
            t = Add(zero, x)
            y = Relu(t)
        }

    After::

        agraph (float[2,3] x) => (float[2,3] y) {
            y = Relu(x)
        }

    FLOAT: -0.0 stays -0.0 where ``-0.0 + 0.0`` gave 0.0; all other numbers are the same bits.
    What is exact in every bit is done by ``eliminate-neutral-element``. Catalogue row E1. Source:
    IEEE 754-2019 section 6.3.
    """

    name: ClassVar[str] = "eliminate-zero-addition"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any, c: Any) -> Any:
        return op.either("Add", "Sub")(x, c.constant, _name="op")

    def when(self, m: Match) -> None:
        m.suppose(is_filled_with(m.const("c"), 0.0))
        adds_nothing_to_the_shape(m, "x", m.const("c"))

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]
