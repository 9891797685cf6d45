"""How much the codes of a range lose of a tensor, by its histogram, for many ranges at once.

Codes are steps on the number line, each standing for the cell of numbers that round to it. What a
cell holds is a difference of two running sums over the histogram, so a range costs as many
operations as it has codes, not as the histogram has bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from burnish.calibration.statistics import TensorStatistics
from burnish.ir import Array
from burnish.quantization import Scheme, parameters_for_range

__all__ = ["Loss", "divergence", "squared_error"]

_MOST_CELLS = 4096
"""Of more codes than this, each is taken to lose what a step loses on average."""
_UNSEEN = 0.5
"""Elements that a place is taken to hold in which none was seen."""


@dataclass(frozen=True, eq=False)
class Loss:
    """The histogram of a tensor without its zeros, which every range keeps as they are.

    Attributes:
        scheme: the codes.
        total: elements, zeros included.
        edges: where bins begin and the last one ends, float64 ``[B + 1]``; the outer two are the
            smallest and the largest element.
        counts: elements in each bin, float64 ``[B]``.
        width: of a bin, the outer two apart.
        first: the number of the first bin on the grid of all.
    """

    scheme: Scheme
    total: int
    edges: Array
    counts: Array
    width: float
    first: int

    @classmethod
    def of(cls, statistics: TensorStatistics, scheme: Scheme) -> Loss:
        """Of a tensor of which an element was seen."""
        found = statistics.histogram
        assert found is not None
        edges, counts = found.edges, found.counts.astype(np.float64)
        if found.first <= 0 <= found.first + len(counts) - 1:
            counts[-found.first] -= statistics.zeros
        # The outer bins are only as wide as there are elements; never quite without width.
        least = found.width * 1e-6
        edges[0] = min(statistics.minimum, edges[1] - least)
        edges[-1] = max(statistics.maximum, edges[-2] + least)
        return cls(scheme, statistics.count, edges, counts, found.width, found.first)

    @property
    def cells(self) -> int:
        """How many codes there are."""
        return self.scheme.highest - self.scheme.lowest + 1

    def codes(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Step, and the numbers that the codes stand for.

        Args:
            low: smallest number of each range ``[K]``.
            high: largest number.

        Returns:
            ``[K, 1]``, and ``[K, codes]`` from the smallest up; of many codes only the ends.
        """
        found = parameters_for_range(low, high, self.scheme)
        scale = found.scale.astype(np.float64)[:, None]
        numbers = np.arange(self.scheme.lowest, self.scheme.highest + 1)
        if len(numbers) > _MOST_CELLS:
            numbers = numbers[[0, -1]]
        return scale, (numbers - found.zero_point[:, None]) * scale

    def places(self, numbers: Array) -> Array:
        """The bin each number lies in, or the nearest."""
        found = np.floor(numbers * (1 / self.width)).astype(np.int64) - self.first
        return np.clip(found, 0, len(self.counts) - 1)


def squared_error(loss: Loss, low: Array, high: Array) -> Array:
    """The mean squared distance of elements from the numbers their codes stand for.

    Elements are taken to lie evenly within a bin.

    Args:
        loss: the tensor.
        low: smallest number of each range ``[K]``.
        high: largest number.

    Returns:
        One for each range ``[K]``.
    """
    step, stand = loss.codes(low, high)
    bounds = (stand[:, :-1] + stand[:, 1:]) / 2
    few = stand.shape[1] == loss.cells
    if not few:
        bounds = stand  # below, between, above
        stand = np.concatenate([stand[:, :1], np.zeros_like(step), stand[:, 1:]], axis=1)
    held = np.stack([np.diff(part, axis=1) for part in _integrals(loss, bounds)])
    squares = held[2] - 2 * stand * held[1] + stand**2 * held[0]
    if not few:
        squares[:, 1] = held[0][:, 1] * step[:, 0] ** 2 / 12
    return np.asarray(np.maximum(squares, 0.0).sum(axis=1) / loss.total)


def _integrals(loss: Loss, bounds: Array) -> list[Array]:
    """Number, sum and sum of squares of the elements below each bound, and of all: ``[K, N + 2]``."""
    edges = loss.edges
    density = loss.counts / np.diff(edges)
    lowest, highest = np.full((len(bounds), 1), edges[0]), np.full((len(bounds), 1), edges[-1])
    ends = np.clip(np.concatenate([lowest, bounds, highest], axis=1), edges[0], edges[-1])
    places = loss.places(ends)
    slopes = density[places]
    # Of density d, the integrals of d, d x and d x**2 up to x: d x, d x**2 / 2, d x**3 / 3.
    found, height, power = [], edges, ends
    for exponent in (1, 2, 3):
        before = _running(density * np.diff(height))[:-1]
        found.append((before - density * height[:-1])[places] + slopes * power)
        height, power = (
            height * edges * exponent / (exponent + 1),
            power * ends * exponent / (exponent + 1),
        )
    return found


def divergence(loss: Loss, low: Array, high: Array) -> Array:
    """The Kullback-Leibler divergence of what codes tell from how elements are distributed.

    As Migacz has it: of the elements, those outside of the range count in its outer bins; of the
    codes, each spreads the elements inside evenly over those bins of its cell that hold any. What
    the range cuts off is thus missing at its ends, and what steps blur is missing inside.

    Args:
        loss: the tensor.
        low: smallest number of each range ``[K]``.
        high: largest number.

    Returns:
        One for each range ``[K]``, in nats.
    """
    step, stand = loss.codes(low, high)
    counts = loss.counts
    everything = counts.sum()
    if not everything:
        return np.zeros(len(low))
    bounds = [stand[:, :1] - step / 2, (stand[:, :-1] + stand[:, 1:]) / 2, stand[:, -1:] + step / 2]
    # A bin belongs to the cell that its middle lies in.
    cells = np.ceil(np.concatenate(bounds, axis=1) / loss.width - 0.5).astype(np.int64)
    cells = np.clip(cells - loss.first, 0, len(counts))
    sums = _running(counts)
    held = np.diff(sums[cells], axis=1)
    inside = np.maximum(held.sum(axis=1), _UNSEEN)
    if stand.shape[1] < loss.cells:  # every bin has a code of its own: only cutting loses
        return np.asarray(np.log(everything / inside))
    filled = np.maximum(np.diff(_running(counts > 0)[cells], axis=1), 1)
    own = np.diff(_running(_times_log(counts))[cells[:, [0, -1]]], axis=1)[:, 0]
    told = (held * np.log(np.maximum(held, _UNSEEN) / filled)).sum(axis=1)
    for end, outermost in ((0, cells[:, 0]), (-1, cells[:, -1] - 1)):
        cut = sums[outermost] if end == 0 else everything - sums[outermost + 1]
        there = counts[np.clip(outermost, 0, len(counts) - 1)]
        own = own + _times_log(there + cut) - _times_log(there)
        level = np.where(there > 0, held[:, end] / filled[:, end], _UNSEEN)
        told = told + cut * np.log(np.maximum(level, _UNSEEN))
    # sum p log(p / q), with p = own / everything and q = told / inside
    return np.asarray((own - told) / everything - np.log(everything / inside))


def _running(numbers: Array) -> Array:
    """The sum of all before each place, and of all."""
    return np.concatenate([[0.0], np.cumsum(numbers)])


def _times_log(numbers: Array) -> Array:
    return np.asarray(numbers * np.log(np.maximum(numbers, 1.0)))
