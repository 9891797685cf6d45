"""What was seen of a tensor, without keeping the tensor: every range method works from this.

Statistics of two sets of batches merge into those of both, so they are gathered batch by batch,
written down in between, and taken up again. Means and sums of squares merge as in Chan, Golub and
LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from burnish.calibration.histogram import Histogram, blocks
from burnish.errors import InputError
from burnish.ir import Array, DataType
from burnish.text import dtype_text

Part = TypeVar("Part", "Histogram", "ChannelStatistics")

__all__ = ["DECAY", "HUGE", "ChannelStatistics", "TensorStatistics"]

DECAY = 0.99
"""What a batch weighs in the moving averages, against the batch that came after it."""
HUGE = 2.0**100
"""Numbers of this size or more (1.3e30, and infinity) mean "masked out" in attention scores. No
code could serve them and the rest, so they are counted and else left out."""


@dataclass(frozen=True, eq=False)
class ChannelStatistics:
    """What was seen of each channel.

    Attributes:
        axis: which axis of the tensor counts channels, as it was asked for.
        minimum: the smallest number of each, float64 ``[C]``.
        maximum: the largest of each.
        mean: the mean of each.
        count: elements seen of each (of all, the same number).
    """

    axis: int
    minimum: Array
    maximum: Array
    mean: Array
    count: int

    @property
    def absolute_maximum(self) -> Array:
        """The largest size of each, float64 ``[C]``."""
        return np.maximum(-self.minimum, self.maximum)

    @classmethod
    def of(cls, array: Array, axis: int) -> ChannelStatistics:
        """Of one batch.

        Raises:
            InputError: when the array has no such axis.
        """
        if not -array.ndim <= axis < array.ndim:
            raise InputError(f"a value of rank {array.ndim} has no axis {axis}")
        channels = array.shape[axis]
        others = tuple(index for index in range(array.ndim) if index != axis % array.ndim)
        count = array.size // channels if channels else 0
        if not count:
            nothing = np.zeros(channels)
            return cls(axis, nothing + np.inf, nothing - np.inf, nothing, 0)
        low, high = (found(axis=others).astype(np.float64) for found in (array.min, array.max))
        return cls(axis, low, high, array.mean(axis=others, dtype=np.float64), count)

    def merge(self, other: ChannelStatistics) -> ChannelStatistics:
        """Of both.

        Raises:
            InputError: when they are of another number of channels.
        """
        if len(self.mean) != len(other.mean) or self.axis != other.axis:
            raise InputError(
                f"the number of channels along axis {self.axis} differs between samples "
                f"({len(self.mean)} and {len(other.mean)})"
            )
        count = self.count + other.count
        share = other.count / count if count else 0.0
        return ChannelStatistics(
            self.axis,
            np.minimum(self.minimum, other.minimum),
            np.maximum(self.maximum, other.maximum),
            self.mean + (other.mean - self.mean) * share,
            count,
        )


@dataclass(frozen=True, eq=False)
class TensorStatistics:
    """What was seen of a tensor over all samples.

    Attributes:
        count: elements seen, those of :attr:`huge` left out.
        huge: elements that are infinite, or :data:`HUGE` or more in size.
        batches: samples in which there was an element to see.
        empty: samples in which there was none.
        minimum: the smallest element; infinity when none was seen.
        maximum: the largest element; minus infinity when none was seen.
        mean: of the elements.
        squares: sum of the squared distances from the mean.
        zeros: elements that are zero.
        weighted_minimum: sum of the smallest elements of the batches; each weighs :data:`DECAY` to
            the power of the number of batches after it.
        weighted_maximum: the same of the largest.
        histogram: of the elements; None when none was seen.
        channels: by channel, where it was asked for.
    """

    count: int = 0
    huge: int = 0
    batches: int = 0
    empty: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    zeros: int = 0
    weighted_minimum: float = 0.0
    weighted_maximum: float = 0.0
    histogram: Histogram | None = None
    channels: ChannelStatistics | None = None

    @property
    def variance(self) -> float:
        """The variance of the elements (divided by their number); 0 when none was seen."""
        return self.squares / self.count if self.count else 0.0

    @property
    def moving_minimum(self) -> float:
        """The mean of the batches' smallest elements, the last batches weighing most."""
        return self.weighted_minimum / self._weight

    @property
    def moving_maximum(self) -> float:
        """The mean of the batches' largest elements, the last batches weighing most."""
        return self.weighted_maximum / self._weight

    @property
    def _weight(self) -> float:
        return (1 - DECAY**self.batches) / (1 - DECAY) if self.batches else 1.0

    @property
    def why_no_range(self) -> str:
        """Why there is no range to quantize to; empty when there is one."""
        if self.huge:
            return "it holds infinite numbers (or larger than 1e30): it is a mask, or overflowed"
        return "" if self.count else "no element of it was seen: it was empty in every sample"

    @classmethod
    def of(cls, array: Array, axis: int | None = None) -> TensorStatistics:
        """Of one batch.

        Args:
            array: floating-point numbers, any shape.
            axis: the axis of the channels to tell apart; None for not doing so.

        Raises:
            InputError: for other elements, or when there is a NaN.
        """
        numbers = _numbers(array)
        channels = None if axis is None else ChannelStatistics.of(numbers, axis)
        numbers = numbers.reshape(-1)
        if not numbers.size:
            return cls(empty=1, channels=channels)
        low, high, huge = float(numbers.min()), float(numbers.max()), 0
        if math.isnan(low):
            raise InputError("it holds NaN")
        if max(-low, high) >= HUGE:
            kept = numbers[np.abs(numbers) < HUGE]
            huge, numbers = numbers.size - kept.size, kept
            if not numbers.size:
                return cls(huge=huge, empty=1, channels=channels)
            low, high = float(numbers.min()), float(numbers.max())
        mean, squares = _moments(numbers)
        return cls(
            count=numbers.size,
            huge=huge,
            batches=1,
            minimum=low,
            maximum=high,
            mean=mean,
            squares=squares,
            zeros=numbers.size - int(np.count_nonzero(numbers)),
            weighted_minimum=low,
            weighted_maximum=high,
            histogram=Histogram.of(numbers, low, high),
            channels=channels,
        )

    def merge(self, other: TensorStatistics) -> TensorStatistics:
        """Of both; ``other`` came later.

        Raises:
            InputError: when the number of channels differs.
        """
        mean, squares = _merged(
            (self.count, self.mean, self.squares), (other.count, other.mean, other.squares)
        )
        fade = DECAY**other.batches
        return TensorStatistics(
            count=self.count + other.count,
            huge=self.huge + other.huge,
            batches=self.batches + other.batches,
            empty=self.empty + other.empty,
            minimum=min(self.minimum, other.minimum),
            maximum=max(self.maximum, other.maximum),
            mean=mean,
            squares=squares,
            zeros=self.zeros + other.zeros,
            weighted_minimum=self.weighted_minimum * fade + other.weighted_minimum,
            weighted_maximum=self.weighted_maximum * fade + other.weighted_maximum,
            histogram=_both(self.histogram, other.histogram),
            channels=_both(self.channels, other.channels),
        )


def _both(one: Part | None, other: Part | None) -> Part | None:
    if one is None or other is None:
        return one or other
    return one.merge(other)


def _numbers(array: Array) -> Array:
    """As float32 or float64."""
    if array.dtype in (np.float32, np.float64):
        return array
    dtype = DataType.STRING if array.dtype.kind in "OSU" else DataType.from_numpy(array.dtype)
    if not dtype.is_floating_point():
        name = dtype_text(dtype)
        raise InputError(f"it is {name}: only floating-point values have a range")
    return array.astype(np.float32)


def _moments(numbers: Array) -> tuple[float, float]:
    """Mean, and the sum of squared distances from it, gathered in float64."""
    found = (0, 0.0, 0.0)
    for block in blocks(numbers):
        wide = block.astype(np.float64)
        mean = float(wide.sum()) / wide.size
        wide -= mean
        np.multiply(wide, wide, out=wide)
        count = found[0] + wide.size
        found = (count, *_merged(found, (wide.size, mean, float(wide.sum()))))
    return found[1], found[2]


def _merged(one: tuple[int, float, float], other: tuple[int, float, float]) -> tuple[float, float]:
    """Mean and sum of squares of two sets, of each count, mean and sum of squares."""
    count = one[0] + other[0]
    if not count:
        return 0.0, 0.0
    share, distance = other[0] / count, other[1] - one[1]
    return one[1] + distance * share, one[2] + other[2] + distance * distance * one[0] * share
