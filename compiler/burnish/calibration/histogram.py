"""Counts of numbers in bins that never move: the grid is the same for every tensor and batch.

Bins are as wide as a power of two and lie at its multiples. When numbers come that lie outside, the
width doubles, bins keep their edges, and each two neighbours' counts are added. The width is the
smallest at which all numbers seen fit into :data:`BINS` bins, so a histogram depends on the numbers
alone, not on their order or on how they came in batches, and merging two is exact. (Range doubling
as in NVIDIA's pytorch-quantization; the fixed grid is ours.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from burnish.ir import Array

__all__ = ["BINS", "BLOCK", "Histogram"]

BINS = 4096
"""The most bins; at least half as many span the numbers, unless they are (nearly) all equal."""
BLOCK = 1 << 15
"""Elements worked on at a time, so that what lies between the steps stays in the cache."""
_FINEST = -126
"""Exponent of the smallest width: float32 can hold its inverse."""
_DIGITS = 30
"""Widths are at least the largest size over two to this power: bin numbers are exact integers."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many numbers lie in each bin.

    Attributes:
        exponent: bins are ``2**exponent`` wide.
        first: bin ``i`` holds the numbers from ``(first + i) * width`` up to, and without,
            ``(first + i + 1) * width``.
        counts: int64, from the bin of the smallest number to that of the largest.
    """

    exponent: int
    first: int
    counts: Array

    @property
    def width(self) -> float:
        """The width of a bin."""
        return math.ldexp(1.0, self.exponent)

    @property
    def edges(self) -> Array:
        """Where bins begin, and where the last one ends: float64, one more than there are bins."""
        return (self.first + np.arange(len(self.counts) + 1)) * self.width

    @property
    def centers(self) -> Array:
        """The middle of each bin, float64."""
        return (self.first + 0.5 + np.arange(len(self.counts))) * self.width

    @classmethod
    def of(cls, numbers: Array, low: float, high: float) -> Histogram:
        """Count numbers.

        Args:
            numbers: finite float32 or float64, one axis, below 2**100 in size.
            low: the smallest of them.
            high: the largest of them.
        """
        exponent = _exponent(low, high)
        first, last = _bin(low, exponent), _bin(high, exponent)
        counts = np.zeros(last - first + 1, np.int64)
        inverse = numbers.dtype.type(math.ldexp(1.0, -exponent))
        for block in blocks(numbers):
            scaled = block * inverse
            bins = np.floor(scaled).astype(np.int64)
            if exponent > 0 and low < 0:
                bins -= (scaled == 0) & (block < 0)  # too small to be scaled
            bins -= first
            counts += np.bincount(bins, minlength=len(counts))
        return cls(exponent, first, counts)

    def merge(self, other: Histogram) -> Histogram:
        """The counts of both."""
        low = min(self._low(), other._low())
        high = max(self._high(), other._high())
        exponent = max(self.exponent, other.exponent)
        while not _fits(low, high, exponent):
            exponent += 1
        one, two = self._at(exponent), other._at(exponent)
        first = min(one.first, two.first)
        end = max(one.first + len(one.counts), two.first + len(two.counts))
        counts = np.zeros(end - first, np.int64)
        for part in (one, two):
            start = part.first - first
            counts[start : start + len(part.counts)] += part.counts
        return Histogram(exponent, first, counts)

    def _low(self) -> float:
        return self.first * self.width

    def _high(self) -> float:
        return (self.first + len(self.counts) - 1) * self.width

    def _at(self, exponent: int) -> Histogram:
        """With bins of ``2**exponent``: neighbours are added pairwise until they are so wide."""
        first, counts = self.first, self.counts
        for _ in range(exponent - self.exponent):
            ahead = first % 2
            behind = (ahead + len(counts)) % 2
            counts = np.pad(counts, (ahead, behind)).reshape(-1, 2).sum(axis=1)
            first //= 2
        return Histogram(exponent, first, counts)


def blocks(numbers: Array) -> Iterator[Array]:
    """Parts of an array of one axis that fit into the processor's cache."""
    for start in range(0, numbers.size, BLOCK):
        yield numbers[start : start + BLOCK]


def _bin(number: float, exponent: int) -> int:
    """The number of the bin that a number is in, on the grid of ``2**exponent``."""
    return math.floor(math.ldexp(number, -exponent))


def _fits(low: float, high: float, exponent: int) -> bool:
    return _bin(high, exponent) - _bin(low, exponent) < BINS


def _exponent(low: float, high: float) -> int:
    """The smallest at which the numbers from ``low`` to ``high`` fit."""
    exponent, largest = _FINEST, max(abs(low), abs(high))
    if largest > 0:
        exponent = max(exponent, math.frexp(largest)[1] - _DIGITS)
    if high > low:
        exponent = max(exponent, math.frexp((high - low) / BINS)[1] - 2)
    while not _fits(low, high, exponent):
        exponent += 1
    return exponent
