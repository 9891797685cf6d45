"""Sums of two products in 16 bits, as processors without VNNI form them."""

from __future__ import annotations

import numpy as np

from burnish.ir import Array

__all__ = ["may_overflow"]

_LARGEST = 2**15 - 1


def may_overflow(codes: Array, axis: int) -> bool:
    """Whether two neighbouring products of these codes with codes up to 255 can exceed 16 bits.

    Args:
        codes: signed codes of a weight.
        axis: the axis of its outputs; products are summed along the others.

    Processors without VNNI sum such pairs in saturating int16 (instruction ``vpmaddubsw``).
    """
    rows = np.moveaxis(codes, axis, 0).reshape(codes.shape[axis], -1).astype(np.int64)
    if rows.shape[1] % 2:
        rows = np.pad(rows, ((0, 0), (0, 1)))
    pairs = rows.reshape(len(rows), -1, 2)
    most = np.maximum(pairs, 0).sum(axis=2).max(initial=0)
    least = np.minimum(pairs, 0).sum(axis=2).min(initial=0)
    return bool(255 * max(most, -least) > _LARGEST)
