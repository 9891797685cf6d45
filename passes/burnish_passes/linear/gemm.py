"""What Gemm can say, and the addend it takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from burnish.ir import Array, Attr, DataType, Node
from burnish.match import Match
from burnish.symbolic import Dim
from burnish_passes.constants import not_larger

__all__ = ["added_up", "fits_product", "gemm_takes", "other_attributes"]

_GEMM_TYPES = frozenset({DataType.FLOAT, DataType.DOUBLE, DataType.FLOAT16})


def gemm_takes(m: Match, dtype: DataType) -> bool:
    """Whether runtimes compute Gemm in that type at the model's opset."""
    return dtype in _GEMM_TYPES or (dtype == DataType.BFLOAT16 and m.opset >= 13)


def fits_product(addend: Sequence[Dim | None], product: Sequence[Dim | None]) -> bool:
    """Whether an addend of that shape provably never enlarges a product of that shape."""
    if len(addend) > len(product):
        return False
    fits = zip(reversed(addend), reversed(product), strict=False)
    return all(size is not None and (size == 1 or size == whole) for size, whole in fits)


def added_up(m: Match, *parts: Array) -> Array:
    """The sum of constants; declines when broadcasting makes it larger than each of them."""
    not_larger(m, *parts)
    total: Array = np.sum(np.broadcast_arrays(*parts), axis=0)
    return total


def other_attributes(node: Node, *replaced: str) -> list[Attr]:
    """The attributes of ``node`` without those that are given anew."""
    return [attr for name, attr in node.attributes.items() if name not in replaced]
