"""Distances of pairs of values, gathered sample by sample."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from burnish.passdef import Exactness
from burnish.trace import statistics
from burnish.trace.statistics import Gap, why_not_compared
from burnish.verify.compare import Tolerance

FLOAT = Tolerance(Exactness.FLOAT)
Array = np.ndarray[Any, np.dtype[Any]]


def gap(*pairs: tuple[Any, Any], exactness: Exactness = Exactness.FLOAT) -> Gap:
    found = Gap(Tolerance(exactness))
    for reference, result in pairs:
        found.see(reference, result)
    return found


def f32(*items: float) -> Array:
    return np.array(items, dtype=np.float32)


def test_equal_values() -> None:
    found = gap((f32(1, -2), f32(1, -2)), (f32(0, 0), f32(0, 0)))
    assert not found.moved
    assert found.sqnr == math.inf
    assert found.cosine == 1.0
    assert found.elements == 4


def test_a_tenth_of_the_signal_is_twenty_decibels() -> None:
    found = gap((f32(1, 1, 1, 1), f32(1.1, 0.9, 1.1, 0.9)))
    assert found.sqnr == pytest.approx(20.0, abs=1e-4)
    assert found.cosine == pytest.approx(1 / math.sqrt(1.01), abs=1e-6)
    assert found.distance.max_abs == pytest.approx(0.1, rel=1e-5)
    assert found.distance.reason


def test_opposite_and_empty_signals() -> None:
    assert gap((f32(1, 2), f32(-1, -2))).cosine == pytest.approx(-1.0)
    assert gap((f32(0, 0), f32(1, 0))).sqnr == -math.inf
    assert gap((f32(0, 0), f32(1, 0))).cosine is None
    nothing = gap((f32(), f32()))
    assert (nothing.sqnr, nothing.cosine, nothing.moved) == (None, None, False)


@given(
    arrays.arrays(np.float64, (3, 7), elements=st.floats(-1e3, 1e3)),
    arrays.arrays(np.float64, (3, 7), elements=st.floats(-1, 1)),
)
def test_samples_and_chunks_add_up(signal: Array, noise: Array) -> None:
    result = signal + noise
    noise = result - signal
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "_CHUNK", 4)
        found = gap(*zip(signal, result, strict=True))
    power = float((noise**2).sum())
    if power == 0:
        assert found.sqnr == math.inf
    elif float((signal**2).sum()) > 0:
        wanted = 10 * math.log10(float((signal**2).sum()) / power)
        assert found.sqnr == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    assert found.distance.max_abs == pytest.approx(float(np.abs(noise).max()))


@pytest.mark.parametrize("exactness", list(Exactness))
@given(
    reference=arrays.arrays(np.float32, 23, elements=st.floats(-100, 100, width=32)),
    noise=arrays.arrays(np.float32, 23, elements=st.sampled_from([0.0, 0.0, 1e-6, 1e-3, 1.0])),
)
def test_a_value_in_parts_is_judged_as_a_whole(
    exactness: Exactness, reference: Array, noise: Array
) -> None:
    result = reference + noise
    whole = gap((reference, result), exactness=exactness).distance
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "_CHUNK", 5)
        parts = gap((reference, result), exactness=exactness).distance
    assert bool(parts.reason) == bool(whole.reason)
    assert parts.excess == pytest.approx(whole.excess)
    assert (parts.max_abs, parts.max_rel, parts.ulp) == (whole.max_abs, whole.max_rel, whole.ulp)
    if exactness == Exactness.FLOAT and np.isfinite(whole.excess):
        assert parts.reason.split(", ")[-1:] == whole.reason.split(", ")[-1:]


def test_nan_and_infinity_are_counted_on_both_sides() -> None:
    found = gap((f32(1, np.nan, np.inf, 4), f32(1, np.nan, np.inf, 4)))
    assert (found.nan, found.infinite) == ((1, 1), (1, 1))
    assert not found.moved
    assert found.sqnr == math.inf
    found = gap((f32(1, 2, 3), f32(np.nan, 2, -np.inf)))
    assert (found.nan, found.infinite) == ((0, 1), (0, 1))
    assert found.moved
    assert found.distance.reason


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_narrow_floats(dtype: Any) -> None:
    held = np.array([1, 2, -3], np.float32).astype(dtype)
    assert not gap((held, held.copy())).moved
    assert gap((held, -held)).distance.reason


def test_float_types_are_compared_on_the_grid_of_the_coarser() -> None:
    exact = np.array([1.0004, 2.0], np.float32)
    found = gap((exact, exact.astype(np.float16)), exactness=Exactness.BITWISE)
    assert not found.why
    assert found.cast
    assert not found.moved
    assert found.sqnr is not None
    assert 60 < found.sqnr < 90
    brain, half = ml_dtypes.bfloat16, np.float16
    found = gap((exact.astype(half), exact.astype(brain)), exactness=Exactness.BITWISE)
    assert not found.moved


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.uint64, np.int8])
def test_integers(dtype: Any) -> None:
    old, new = np.array([1, 2, 3], dtype), np.array([1, 2, 5], dtype)
    found = gap((old, new))
    assert found.distance.max_abs == 2
    assert found.moved
    assert found.distance.reason
    assert not gap((old, old)).moved


def test_booleans_and_complex_numbers() -> None:
    found = gap((np.array([True, False]), np.array([True, True])))
    assert found.distance.max_abs == 1
    assert found.moved
    assert not gap((np.array([True]), np.array([True]))).moved
    number = np.array([1 + 2j], np.complex64)
    assert gap((number, number)).sqnr == math.inf
    assert gap((number, number * 2)).sqnr == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("reference", "result", "why"),
    [
        (f32(1, 2), f32(1, 2, 3), "shape [3] here, [2] in the source"),
        (f32(1), np.array([1], np.int8), "int8 here, float32 in the source"),
        (np.array([1]), np.array([True]), "bool here, int64 in the source"),
        (np.array(["a"], object), np.array(["a"], object), "holds strings"),
        (np.array(["a"], object), f32(1), "numbers here, strings in the source"),
        ([f32(1)], [f32(1)], "holds a sequence"),
        (None, f32(1), "numbers here, nothing in the source"),
        ({1: 2.0}, {1: 2.0}, "holds a map"),
        (f32(1), f32(2), ""),
    ],
)
def test_what_is_not_compared(reference: Any, result: Any, why: str) -> None:
    assert why_not_compared(reference, result) == why
    found = gap((reference, result))
    assert found.why == why
    assert bool(found.elements) == (not why)


def test_values_too_large_to_square_have_no_ratio() -> None:
    huge = np.array([1e300], np.float64)
    found = gap((huge, huge * 0.5))
    assert found.sqnr is None
    assert found.cosine is None
    assert found.moved
