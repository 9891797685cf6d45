"""Few numbers that stand for many: tables of levels, and codes into them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from burnish.ir import Array

__all__ = ["Codebook", "cluster", "powers_of_two"]

_ROUNDS = 300
_BINS = 2048


@dataclass(frozen=True, eq=False)
class Codebook:
    """Numbers as codes.

    Attributes:
        levels: float32, ascending.
        codes: int64, of the shape of the numbers.
    """

    levels: Array
    codes: Array

    @property
    def numbers(self) -> Array:
        """What the codes stand for."""
        return np.asarray(self.levels[self.codes])

    def lost(self, array: Array) -> float:
        """The energy of what ``array`` is off by, relative to its own."""
        size = float(np.square(array, dtype=np.float64).sum())
        off = float(np.square(self.numbers.astype(np.float64) - array).sum())
        return off / size if size else 0.0


def cluster(array: Array, count: int) -> Codebook:
    """The ``count`` levels that lose least, as far as Lloyd's iteration finds them.

    Args:
        array: finite numbers, at least one.
        count: how many levels, 2 or more; fewer come out when there are fewer numbers.

    Levels start as dense as the cube root of the numbers' density, which is best for many levels
    (Panter and Dite, "Quantization distortion in pulse-count modulation with nonuniform spacing of
    levels", 1951): on trained weights that ended with less lost than an even start or quantiles.
    When a good part of the numbers is zero (pruned), one level is exactly zero. Numbers are sorted
    once; then a round takes ``count`` binary searches. Source: Han, Mao, Dally, "Deep Compression:
    Compressing Deep Neural Networks with Pruning, Trained Quantization and Huffman Coding", 2016,
    section 3; Lloyd, "Least squares quantization in PCM", 1982.
    """
    ordered = np.sort(array.reshape(-1).astype(np.float64))
    different = ordered[np.r_[True, np.diff(ordered) > 0]]
    if len(different) <= count:
        return _coded(array, different)
    sums = np.r_[0.0, np.cumsum(ordered)]
    levels = _start(ordered, count)
    for _ in range(_ROUNDS):
        moved = _means(ordered, sums, levels)
        if np.array_equal(moved, levels):
            break
        levels = moved
    if np.count_nonzero(ordered == 0) * count > ordered.size:
        levels[np.argmin(np.abs(levels))] = 0.0
    return _coded(array, levels)


def _start(ordered: Array, count: int) -> Array:
    """Levels that part the cube root of the density evenly."""
    counts, edges = np.histogram(ordered, _BINS)
    heights = np.cumsum(np.cbrt(counts))
    shares = (np.arange(count) + 0.5) / count * heights[-1]
    return np.asarray(np.interp(shares, heights, (edges[1:] + edges[:-1]) / 2))


def _means(ordered: Array, sums: Array, levels: Array) -> Array:
    """The mean of the numbers nearest to each level; a level without numbers stays."""
    ends = np.searchsorted(ordered, (levels[:-1] + levels[1:]) / 2)
    bounds = np.r_[0, ends, len(ordered)]
    counts = np.diff(bounds)
    total = np.diff(sums[bounds])
    return np.where(counts > 0, total / np.maximum(counts, 1), levels)


def powers_of_two(array: Array, count: int) -> Codebook:
    """Zero, and powers of two of both signs: a product with one is a shift.

    Args:
        array: finite numbers, at least one.
        count: how many levels, 3 or more; an even number leaves one unused.

    The largest power is the one of the two around the largest number with which less is lost.
    Source: Miyashita, Lee, Murmann, "Convolutional Neural Networks using Logarithmic Data
    Representation", 2016.
    """
    largest = float(np.abs(array).max())
    if not largest:
        return _coded(array, np.zeros(1))
    above = int(np.ceil(np.log2(largest)))
    each = (count - 1) // 2
    tried = []
    for top in (above - 1, above):
        sizes = np.exp2(np.arange(top - each + 1, top + 1, dtype=np.float64))
        tried.append(_coded(array, np.r_[-sizes[::-1], 0.0, sizes]))
    return min(tried, key=lambda found: found.lost(array))


def _coded(array: Array, levels: Array) -> Codebook:
    """Each number gets the nearest level; of two equally near the smaller."""
    small = np.unique(levels.astype(np.float32))
    middle = (small[:-1].astype(np.float64) + small[1:]) / 2
    return Codebook(small, np.searchsorted(middle, array.astype(np.float64)))
