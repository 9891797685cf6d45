"""Tables of levels: as good as can be, exact where they can be, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.passes.quantize.weights import draw

from burnish.ir import Array
from burnish_passes.quantize.codebooks import Codebook, cluster, powers_of_two
from burnish_passes.quantize.compress_weights import packed_codes

NUMBERS = arrays.arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.floats(-8, 8, width=32, allow_subnormal=False),
)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.integers(2, 20))
def test_each_number_gets_its_nearest_level(array: Array, count: int) -> None:
    for found in (cluster(array, count), powers_of_two(array, max(count, 3))):
        assert len(found.levels) <= max(count, 3)
        assert (np.diff(found.levels) > 0).all()
        off = np.abs(array[:, None].astype(np.float64) - found.levels)
        mine = np.abs(array.astype(np.float64) - found.numbers)
        np.testing.assert_allclose(mine, off.min(axis=1), rtol=1e-5, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(NUMBERS, st.integers(2, 20))
def test_few_different_numbers_are_kept_exactly(array: Array, count: int) -> None:
    few = np.round(array)  # at most 17 different ones
    found = cluster(few, 17)
    np.testing.assert_array_equal(found.numbers, few)


def test_a_round_of_lloyd_changes_nothing_any_more() -> None:
    array = draw(4000).astype(np.float64)
    found = cluster(array, 8)
    means = [array[found.codes == code].mean() for code in range(8)]
    np.testing.assert_allclose(found.levels, means, rtol=2e-3)


def test_clusters_lose_less_than_even_steps() -> None:
    array = draw(4000)
    steps = np.linspace(array.min(), array.max(), 16)
    even = Codebook(steps, np.abs(array[:, None] - steps).argmin(axis=1))
    assert cluster(array, 16).lost(array) < 0.5 * even.lost(array)


def test_pruned_weights_stay_zero() -> None:
    array = draw(1000)
    array[::2] = 0
    found = cluster(array, 8)
    assert (found.numbers[::2] == 0).all()
    assert 0.0 in found.levels


def test_powers_of_two() -> None:
    found = powers_of_two(np.float32([3.1, -0.26, 0.0, 0.02]), 7)
    np.testing.assert_array_equal(found.levels, [-4, -2, -1, 0, 1, 2, 4])
    fine = powers_of_two(np.float32([4.0, -0.25, 0.0, 0.03125]), 19)
    np.testing.assert_array_equal(fine.numbers, [4.0, -0.25, 0.0, 0.03125])


def test_nothing_but_zeros() -> None:
    for found in (cluster(np.zeros(5), 4), powers_of_two(np.zeros(5), 5)):
        np.testing.assert_array_equal(found.levels, [0.0])


@pytest.mark.parametrize("levels", [2, 3, 4, 9, 16, 17, 256])
@pytest.mark.parametrize("size", [8, 12, 2, 7])
def test_packed_codes_unpack(levels: int, size: int) -> None:
    rng = np.random.default_rng(levels)
    codes = rng.integers(0, levels, (3, size))
    book = Codebook(np.sort(rng.normal(size=levels)).astype(np.float32), codes)
    packed, table = packed_codes(book, np.dtype(np.float32))
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(table[packed].reshape(codes.shape), book.numbers)
    if levels <= 16 and codes.size % 2 == 0:
        assert packed.size <= codes.size // 2
