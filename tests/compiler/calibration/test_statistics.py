"""What is kept of a tensor, against numpy on all batches at once."""

from __future__ import annotations

import math
from random import Random

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.calibration.histogram import BINS, Histogram
from burnish.calibration.statistics import (
    DECAY,
    HUGE,
    ChannelStatistics,
    TensorStatistics,
)
from burnish.errors import InputError
from burnish.ir import Array

# Without subnormal numbers, which runtimes flush to zero.
floats = st.floats(-(2.0**66), 2.0**66, width=32, allow_subnormal=False)
small = st.floats(-8, 8, width=32, allow_subnormal=False)
batches = st.lists(
    st.lists(st.one_of(small, floats, st.just(0.0)), max_size=30), min_size=1, max_size=6
)


def gathered(lists: list[list[float]]) -> TensorStatistics:
    found = TensorStatistics()
    for item in lists:
        found = found.merge(TensorStatistics.of(np.array(item, np.float32)))
    return found


def everything(lists: list[list[float]]) -> Array:
    return np.array([number for item in lists for number in item], np.float32)


@settings(deadline=None)
@given(batches)
def test_batch_by_batch_is_as_numpy_on_all_of_it(lists: list[list[float]]) -> None:
    found, numbers = gathered(lists), everything(lists)
    assert found.count == numbers.size
    assert found.empty == sum(not item for item in lists)
    assert found.batches + found.empty == len(lists)
    assert found.zeros == np.count_nonzero(numbers == 0)
    if not numbers.size:
        assert found.minimum > found.maximum
        assert found.histogram is None
        return
    wide = numbers.astype(np.float64)
    scale = np.abs(wide).max()
    assert (found.minimum, found.maximum) == (wide.min(), wide.max())
    assert found.mean == pytest.approx(wide.mean(), abs=1e-12 * scale)
    assert found.variance == pytest.approx(wide.var(), rel=1e-9, abs=1e-14 * scale**2)


@settings(deadline=None)
@given(batches)
def test_the_histogram_is_that_of_numpy_on_its_edges(lists: list[list[float]]) -> None:
    found, numbers = gathered(lists).histogram, everything(lists)
    if found is None:
        return
    counts, _ = np.histogram(numbers.astype(np.float64), found.edges)
    assert found.counts.tolist() == counts.tolist()
    assert len(found.counts) <= BINS
    assert found.counts[0] > 0
    assert found.counts[-1] > 0


@settings(deadline=None)
@given(batches, st.randoms(use_true_random=False))
def test_neither_order_nor_batches_change_the_histogram(
    lists: list[list[float]], rng: Random
) -> None:
    one = gathered(lists)
    shuffled = list(lists)
    rng.shuffle(shuffled)
    for other in (gathered(shuffled), gathered([everything(lists).tolist()])):
        assert (other.count, other.zeros) == (one.count, one.zeros)
        assert (other.minimum, other.maximum) == (one.minimum, one.maximum)
        if one.histogram is None:
            assert other.histogram is None
            continue
        assert other.histogram is not None
        assert (other.histogram.exponent, other.histogram.first) == (
            one.histogram.exponent,
            one.histogram.first,
        )
        assert np.array_equal(other.histogram.counts, one.histogram.counts)


@settings(deadline=None)
@given(batches, batches, batches)
def test_merging_is_associative(
    first: list[list[float]], second: list[list[float]], third: list[list[float]]
) -> None:
    a, b, c = (gathered(item) for item in (first, second, third))
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    assert (left.count, left.batches, left.empty) == (right.count, right.batches, right.empty)
    assert left.minimum == right.minimum
    if not left.count:
        return
    scale = max(abs(left.minimum), abs(left.maximum))
    assert left.mean == pytest.approx(right.mean, abs=1e-12 * scale)
    assert left.variance == pytest.approx(right.variance, rel=1e-9, abs=1e-14 * scale**2)
    assert left.moving_maximum == pytest.approx(right.moving_maximum, abs=1e-9 * scale)
    assert left.histogram is not None
    assert right.histogram is not None
    assert np.array_equal(left.histogram.counts, right.histogram.counts)


@settings(deadline=None)
@given(st.lists(small, min_size=2, max_size=50), floats)
def test_when_the_range_doubles_bins_keep_their_edges(numbers: list[float], far: float) -> None:
    before = TensorStatistics.of(np.array(numbers, np.float32)).histogram
    after = TensorStatistics.of(np.array([*numbers, far], np.float32)).histogram
    assert before is not None
    assert after is not None
    assert after.exponent >= before.exponent
    assert (after.edges / before.width == np.round(after.edges / before.width)).all()


@settings(deadline=None)
@given(st.lists(floats, min_size=2, max_size=20))
def test_there_are_enough_bins(numbers: list[float]) -> None:
    array = np.array(numbers, np.float32)
    found = TensorStatistics.of(array)
    assert found.histogram is not None
    # Numbers that agree in all but their last bits need fewer.
    if found.maximum - found.minimum > 1e-4 * max(-found.minimum, found.maximum) > 1e-30:
        assert len(found.histogram.counts) >= 2048


def test_the_moving_average_forgets_slowly() -> None:
    found = TensorStatistics()
    for top in (1.0, 2.0, 4.0):
        found = found.merge(TensorStatistics.of(np.array([0, top], np.float32)))
    found = found.merge(TensorStatistics.of(np.zeros((0, 3), np.float32)))
    weights = np.array([DECAY**2, DECAY, 1.0])
    assert found.moving_maximum == pytest.approx((weights @ [1, 2, 4]) / weights.sum())
    assert found.moving_minimum == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_other_floating_point_types(dtype: type) -> None:
    array: Array = np.linspace(-3, 3, 100).astype(dtype)
    found = TensorStatistics.of(array)
    assert found.maximum == float(array.max())
    assert found.mean == pytest.approx(float(array.astype(np.float64).mean()), abs=1e-9)


@pytest.mark.parametrize(
    "array",
    [
        np.ones(3, np.int64),
        np.ones(3, bool),
        np.array(["a"]),
        np.array(["a"], object),
        np.ones(3, np.complex64),
        np.ones(3, ml_dtypes.int4),
    ],
)
def test_what_is_no_floating_point_number_is_refused(array: Array) -> None:
    with pytest.raises(InputError, match="only floating-point"):
        TensorStatistics.of(array)


def test_nan_is_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        TensorStatistics.of(np.array([1, np.nan, 2], np.float32))


def test_infinities_and_masks_are_counted_and_left_out() -> None:
    mask = np.finfo(np.float32).min
    found = TensorStatistics.of(np.array([1, -np.inf, mask, 2, HUGE], np.float32))
    assert (found.count, found.huge) == (2, 3)
    assert (found.minimum, found.maximum, found.mean) == (1, 2, 1.5)
    assert "infinite" in found.why_no_range
    alone = TensorStatistics.of(np.array([np.inf, -np.inf], np.float32))
    assert (alone.count, alone.huge) == (0, 2)
    assert alone.merge(found).huge == 5


def test_nothing_seen_has_no_range() -> None:
    found = TensorStatistics.of(np.zeros((0, 4), np.float32)).merge(TensorStatistics())
    assert found.count == 0
    assert "empty" in found.why_no_range
    assert not found.merge(TensorStatistics.of(np.ones(1, np.float32))).why_no_range


def test_many_elements_are_as_few() -> None:
    numbers = np.random.default_rng(3).normal(5, 2, 300_000).astype(np.float32)
    found = TensorStatistics.of(numbers.reshape(3, 100, 1000))
    wide = numbers.astype(np.float64)
    assert found.mean == pytest.approx(wide.mean(), rel=1e-12)
    assert found.variance == pytest.approx(wide.var(), rel=1e-12)
    assert found.histogram is not None
    assert found.histogram.counts.sum() == numbers.size


def test_equal_numbers_are_one_bin() -> None:
    found = Histogram.of(np.full(7, -2.5, np.float32), -2.5, -2.5)
    assert found.counts.tolist() == [7]
    assert found.edges[0] <= -2.5 < found.edges[1]
    assert math.isclose(found.centers[0], -2.5, rel_tol=1e-6)


def test_channels_along_an_axis() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((2, 3, size)).astype(np.float32) for size in (4, 0, 7)]
    found = TensorStatistics()
    for array in arrays:
        found = found.merge(TensorStatistics.of(array, axis=1))
    whole = np.concatenate(arrays, axis=2)
    assert found.channels is not None
    assert np.array_equal(found.channels.minimum, whole.min(axis=(0, 2)))
    assert np.array_equal(found.channels.absolute_maximum, np.abs(whole).max(axis=(0, 2)))
    assert np.allclose(found.channels.mean, whole.mean(axis=(0, 2)), atol=1e-7)


def test_channels_that_do_not_agree_are_refused() -> None:
    one = TensorStatistics.of(np.ones((2, 3), np.float32), axis=-1)
    with pytest.raises(InputError, match="differs between samples"):
        one.merge(TensorStatistics.of(np.ones((2, 4), np.float32), axis=-1))
    with pytest.raises(InputError, match="no axis 2"):
        ChannelStatistics.of(np.ones((2, 3)), 2)


def test_zeros_first_do_not_make_bins_coarse() -> None:
    tiny = np.linspace(-1e-20, 1e-20, 9, dtype=np.float32)
    found = TensorStatistics.of(np.zeros(5, np.float32)).merge(TensorStatistics.of(tiny))
    assert found.histogram is not None
    assert len(found.histogram.counts) >= 2048


def test_numbers_too_small_to_scale_are_below_zero() -> None:
    numbers = np.array([-1.2e-38, 1.2e-38, 3.4e10], np.float32)
    found = TensorStatistics.of(numbers).histogram
    assert found is not None
    assert found.first == -1
    assert found.counts[:2].tolist() == [1, 1]
