"""From what was seen of a tensor to the range its codes shall span.

Methods, all from one pass over the data:

- ``minmax``: all that was seen.
- ``moving-average``: the mean of the batches' smallest and largest, later batches weighing more
  (Jacob et al., 2018).
- ``percentile-P``: all but ``100 - P`` percent of the elements; ``percentile`` is 99.99
  (Wu et al., "Integer Quantization for Deep Learning Inference", 2020).
- ``mse``: the range whose codes lie closest to the elements, in squared distance (Choukroun et al.,
  "Low-bit Quantization of Neural Networks for Efficient Inference", 2019).
- ``entropy``: the range whose codes tell most of the distribution: least Kullback-Leibler
  divergence (Migacz, "8-bit Inference with TensorRT", 2017), here of any code type.
- ``auto``: the one of these that clips least among those with nearly the least error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from burnish.calibration.losses import Loss, divergence, squared_error
from burnish.calibration.statistics import TensorStatistics
from burnish.errors import InputError
from burnish.ir import Array
from burnish.quantization import Scheme

__all__ = ["METHODS", "Choice", "check_method", "choose_range", "expected_error", "range_of"]

METHODS = (
    "minmax",
    "moving-average",
    "percentile-99.999",
    "percentile-99.99",
    "percentile-99.9",
    "mse",
    "entropy",
    "auto",
)
"""Names of methods; ``percentile-P`` takes any P above 50 and up to 100."""
CLOSE = 1.05
"""``auto`` takes a range whose error is up to so many times the least, when it clips less."""
_RATIOS = np.geomspace(1.0, 1 / 256, 81)
"""Shares of the whole range that are tried, each 7 % less than the one before."""
_FINE = 17
"""How many ranges are tried between the neighbours of the best."""

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Choice:
    """A range, and why it.

    Attributes:
        method: the method it is from.
        low: the smallest number.
        high: the largest number.
        errors: what the ranges of all methods were judged by, by method.
    """

    method: str
    low: float
    high: float
    errors: dict[str, float]


def check_method(method: str) -> str:
    """``method``, when there is such a one.

    Raises:
        InputError: when there is none.
    """
    if method not in (*METHODS, "percentile"):
        _percent(method)
    return method


def range_of(statistics: TensorStatistics, method: str, scheme: Scheme) -> Range:
    """The range that the codes of a tensor shall span.

    Args:
        statistics: what was seen of the tensor.
        method: one of :data:`METHODS`.
        scheme: the codes; one scale serves the whole tensor, whatever its axis.

    Returns:
        The smallest and the largest number, within what was seen.

    Raises:
        InputError: when there is no such method, or nothing was seen that has a range; ask
            :attr:`TensorStatistics.why_no_range` beforehand.
    """
    check_method(method)
    _check(statistics)
    scheme = replace(scheme, axis=None, block=None)
    if method == "minmax":
        return statistics.minimum, statistics.maximum
    if method == "moving-average":
        return statistics.moving_minimum, statistics.moving_maximum
    if method == "mse":
        return _search(statistics, scheme, squared_error)
    if method == "entropy":
        return _search(statistics, scheme, divergence)
    if method == "auto":
        choice = choose_range(statistics, scheme)
        return choice.low, choice.high
    return _percentile(statistics, _percent(method), scheme)


def choose_range(
    statistics: TensorStatistics,
    scheme: Scheme,
    error: Callable[[float, float], float] | None = None,
) -> Choice:
    """The range of the method that clips least among those with nearly the least error.

    Clipping pays where a few elements lie far out; where it does not pay clearly it is left, since
    the few may be what the network listens to.

    Args:
        statistics: what was seen of the tensor.
        scheme: the codes.
        error: judges a range, such as by what it does to the output of the layer; by default the
            squared error of the elements that the histogram lets one expect.

    Raises:
        InputError: when nothing was seen that has a range.
    """
    _check(statistics)
    scheme = replace(scheme, axis=None, block=None)
    ranges = {item: range_of(statistics, item, scheme) for item in METHODS if item != "auto"}

    def expected(low: float, high: float) -> float:
        return expected_error(statistics, low, high, scheme)

    judge = error or expected
    errors = {method: judge(*found) for method, found in ranges.items()}
    allowed = min(errors.values()) * CLOSE
    close = [item for item in METHODS if item in errors and errors[item] <= allowed]
    widest = max(close, key=lambda item: ranges[item][1] - ranges[item][0])
    return Choice(widest, *ranges[widest], errors)


def expected_error(statistics: TensorStatistics, low: float, high: float, scheme: Scheme) -> float:
    """The mean squared distance of elements from what their codes stand for, by the histogram.

    Args:
        statistics: what was seen of the tensor.
        low: the smallest number the codes shall span.
        high: the largest number.
        scheme: the codes.
    """
    loss = Loss.of(statistics, replace(scheme, axis=None, block=None))
    return float(squared_error(loss, np.array([low]), np.array([high]))[0])


def _check(statistics: TensorStatistics) -> None:
    if statistics.why_no_range:
        raise InputError(statistics.why_no_range, mend="leave it as it is, or give other data")


def _percent(method: str) -> float:
    """The number in ``percentile-99.9``."""
    known = f"choose from: {', '.join(METHODS)}"
    head, dash, number = method.partition("-")
    if head != "percentile" or (dash and not number):
        raise InputError(f"there is no range method '{method}'", mend=known)
    try:
        percent = float(number or 99.99)
    except ValueError:
        raise InputError(f"'{number}' is not a percentage", where=method, mend=known) from None
    if not 50 < percent <= 100:
        raise InputError("a percentile lies above 50, up to 100", where=method)
    return percent


def _percentile(statistics: TensorStatistics, percent: float, scheme: Scheme) -> Range:
    """The range of all elements but those furthest out: on both sides, or from zero."""
    assert statistics.histogram is not None
    edges, counts = statistics.histogram.edges, statistics.histogram.counts
    below = np.concatenate([[0], np.cumsum(counts)])
    outside = (100 - percent) / 100 * statistics.count
    if scheme.symmetric:
        sizes = np.unique(np.abs(edges))
        inside = np.interp(sizes, edges, below) - np.interp(-sizes, edges, below)
        reach = float(np.interp(statistics.count - outside, inside, sizes))
        low, high = -reach, reach
    else:
        low = float(np.interp(outside / 2, below, edges))
        high = float(np.interp(statistics.count - outside / 2, below, edges))
    return _within(statistics, low, high)


def _within(statistics: TensorStatistics, low: float, high: float) -> Range:
    """Cut to what was seen."""
    low, high = max(low, statistics.minimum), min(high, statistics.maximum)
    return (low, high) if low <= high else (statistics.minimum, statistics.maximum)


def _search(
    statistics: TensorStatistics,
    scheme: Scheme,
    judge: Callable[[Loss, Array, Array], Array],
) -> Range:
    """The range of least loss: both ends together first, then each end by itself."""
    loss = Loss.of(statistics, scheme)
    low, high = min(statistics.minimum, 0.0), max(statistics.maximum, 0.0)
    if scheme.symmetric:
        low, high = -max(-low, high), max(-low, high)
    if statistics.minimum == statistics.maximum:
        return statistics.minimum, statistics.maximum

    def best(shares: Array) -> Array:
        """The row of ``shares`` of both ends, ``[K, 2]``, of least loss; the first of equals."""
        losses = judge(loss, shares[:, 0] * low, shares[:, 1] * high)
        return np.asarray(shares[int(np.argmin(losses))])

    found = best(np.stack([_RATIOS, _RATIOS], axis=1))
    if not scheme.symmetric and low < 0 < high:
        for _ in range(2):
            for end in (0, 1):
                found = best(_varied(found, _RATIOS, [end]))
    for ends in [[0, 1]] if scheme.symmetric else [[0], [1]]:
        found = best(_varied(found, _around(found[ends[0]]), ends))
    return _within(statistics, float(found[0]) * low, float(found[1]) * high)


def _varied(found: Array, shares: Array, which: list[int]) -> Array:
    """Rows of ``found``, the columns ``which`` replaced by each of ``shares`` in turn."""
    rows = np.tile(found, (len(shares) + 1, 1))
    rows[1:, which] = shares[:, None]
    return rows


def _around(share: float) -> Array:
    step = _RATIOS[1] / _RATIOS[0]
    return np.linspace(min(1.0, share / step), share * step, _FINE)
