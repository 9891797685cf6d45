"""Division by a power of two is multiplication, to the last bit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, DataType, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.constants import no_large_copy

_RANGES = {
    DataType.FLOAT16: (-14, 15),
    DataType.BFLOAT16: (-126, 127),
    DataType.FLOAT: (-126, 127),
    DataType.DOUBLE: (-1022, 1023),
}
"""The exponents of the normal numbers of each type."""


def _are_powers(c: Array, dtype: DataType) -> bool:
    """Whether all elements are powers of two, and so are their reciprocals, in that type."""
    mantissa, exponent = np.frexp(c.astype(np.float64))
    low, high = _RANGES[dtype]
    # frexp gives 0.5 for a power of two, and an exponent one too large.
    usual = (exponent - 1 >= max(low, -high)) & (exponent - 1 <= min(high, -low))
    return bool(((np.abs(mantissa) == 0.5) & usual).all())


class MultiplyByReciprocal(Rule):
    """Multiply instead of dividing, where that gives the same bits.

    ``x / c => x * (1 / c)`` where c holds only powers of two of either sign.

    Before::

        agraph (float[N,3] x) => (float[N,3] y) {
            c = Constant <value = float[3] {8.0, -0.5, 2.0}> ()
            y = Div(x, c)
        }

    After::

        agraph (float[N,3] x) => (float[N,3] y) {
            c = Constant <value = float[3] {0.125, -2.0, 0.5}> ()
            y = Mul(x, c)
        }

    BITWISE: quotient and product are the same number before they are rounded. Both constants are
    normal numbers, because a processor may read others as zero. Other divisors have rounded
    reciprocals and stay, as do integers. Catalogue row E3. Source: IEEE 754-2019 section 5.4.1.
    """

    name: ClassVar[str] = "multiply-by-reciprocal"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, x: Any, c: Any) -> Any:
        return op.Div(x, c.constant)

    def when(self, m: Match) -> None:
        held = constant(m["c"])
        m.suppose(held is not None and held.dtype in _RANGES and held.size > 0)
        dtype = m.dtype("c")
        m.suppose(_are_powers(m.const("c").reshape(-1)[:1], dtype))
        m.require(_are_powers(m.const("c"), dtype), "not all divisors are powers of two")
        no_large_copy(m, m["c"])

    def after(self, op: Any, m: Match) -> Any:
        c, dtype = m.const("c"), m.dtype("c")
        reciprocal = (1.0 / c.astype(np.float64)).astype(c.dtype)
        kept = m.root.attributes.values()  # before opset 7, how to broadcast
        factor = op.constant(reciprocal, hint=m["c"].name, dtype=dtype)
        return op.Mul(m["x"], factor, _attributes=kept)
