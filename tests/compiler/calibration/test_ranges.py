"""From statistics to ranges: every method clips as it says, and codes lose what was expected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.calibration import (
    METHODS,
    TensorStatistics,
    check_method,
    choose_range,
    expected_error,
    range_of,
)
from burnish.errors import InputError
from burnish.ir import Array
from burnish.quantization import Scheme, code_type, parameters_for_range, round_trip

UNSIGNED = Scheme(code_type("uint8"))
SYMMETRIC = Scheme(code_type("int8"), symmetric=True)
FOUR = Scheme(code_type("uint4"))
WIDE = Scheme(code_type("int16"), symmetric=True)
SCHEMES = [UNSIGNED, SYMMETRIC, FOUR, WIDE]


def normal(count: int = 100_000) -> Array:
    return np.random.default_rng(0).standard_normal(count).astype(np.float32)


def outlier() -> Array:
    return np.append(normal(), np.float32(60))


def lost(array: Array, low: float, high: float, scheme: Scheme) -> float:
    decoded = round_trip(array, parameters_for_range(low, high, scheme))
    return float(np.mean((decoded.astype(np.float64) - array) ** 2))


TENSORS = {
    "normal": normal(),
    "relu": np.maximum(normal(), 0),
    "swish": normal() * 3 / (1 + np.exp(-3 * normal())),
    "outlier": outlier(),
    "positive": np.random.default_rng(1).random(5000).astype(np.float32) + 5,
    "few": normal(200),
    "laplace": np.random.default_rng(2).laplace(size=50_000).astype(np.float32),
}


@pytest.mark.parametrize("scheme", SCHEMES[:2])
def test_entropy_really_clips(scheme: Scheme) -> None:
    low, high = range_of(TensorStatistics.of(outlier()), "entropy", scheme)
    assert 2.5 < high < 6
    assert -6 < low < -2.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", TENSORS)
def test_the_expected_error_is_what_codes_lose(name: str, scheme: Scheme) -> None:
    array = TENSORS[name]
    statistics = TensorStatistics.of(array)
    for method in METHODS:
        low, high = range_of(statistics, method, scheme)
        expected = expected_error(statistics, low, high, scheme)
        # Few elements do not lie as evenly within the steps of fine codes.
        slack = 0.5 if array.size < 1000 else 0.1
        assert expected == pytest.approx(lost(array, low, high, scheme), rel=slack)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", TENSORS)
def test_mse_loses_least(name: str, scheme: Scheme) -> None:
    array = TENSORS[name]
    statistics = TensorStatistics.of(array)
    best = lost(array, *range_of(statistics, "mse", scheme), scheme)
    for method in METHODS:
        assert best <= 1.02 * lost(array, *range_of(statistics, method, scheme), scheme)


@pytest.mark.parametrize("scheme", [UNSIGNED, SYMMETRIC, FOUR])
def test_mse_is_near_the_best_of_a_fine_grid(scheme: Scheme) -> None:
    array = TENSORS["laplace"]
    found = lost(array, *range_of(TensorStatistics.of(array), "mse", scheme), scheme)
    top = float(np.abs(array).max())
    grid = [lost(array, -top * share, top * share, scheme) for share in np.linspace(0.2, 1, 81)]
    assert found <= 1.02 * min(grid)


def test_percentiles_leave_out_so_much() -> None:
    array = normal()
    statistics = TensorStatistics.of(array)
    for percent in (99.0, 99.9, 99.99):
        low, high = range_of(statistics, f"percentile-{percent}", UNSIGNED)
        tails = [(100 - percent) / 2, 100 - (100 - percent) / 2]
        assert np.percentile(array, tails) == pytest.approx([low, high], abs=0.05)
        low, high = range_of(statistics, f"percentile-{percent}", SYMMETRIC)
        assert high == pytest.approx(np.percentile(np.abs(array), percent), abs=0.05)
        assert low == -high
    assert range_of(statistics, "percentile", UNSIGNED) == range_of(
        statistics, "percentile-99.99", UNSIGNED
    )
    assert range_of(statistics, "percentile-100", UNSIGNED) == pytest.approx(
        range_of(statistics, "minmax", UNSIGNED), abs=1e-6
    )


def test_minmax_and_the_moving_average() -> None:
    found = TensorStatistics()
    for top in (1.0, 3.0):
        found = found.merge(TensorStatistics.of(np.array([-top, 0, top], np.float32)))
    assert range_of(found, "minmax", UNSIGNED) == (-3, 3)
    low, high = range_of(found, "moving-average", UNSIGNED)
    assert 1.9 < high < 2.1
    assert low == -high


def test_auto_clips_only_where_it_pays() -> None:
    even = TensorStatistics.of(np.random.default_rng(0).random(10_000).astype(np.float32))
    assert choose_range(even, UNSIGNED).method == "minmax"
    tailed = TensorStatistics.of(TENSORS["laplace"])
    choice = choose_range(tailed, FOUR)
    assert choice.high < 0.7 * tailed.maximum
    assert choice.errors["minmax"] > 2 * choice.errors[choice.method]
    assert range_of(tailed, "auto", FOUR) == (choice.low, choice.high)


def test_auto_can_be_judged_by_something_else() -> None:
    statistics = TensorStatistics.of(normal())
    wanted = range_of(statistics, "percentile-99.9", UNSIGNED)

    def error(low: float, high: float) -> float:
        return 1 + abs(high - wanted[1])

    choice = choose_range(statistics, UNSIGNED, error)
    assert choice.errors["percentile-99.9"] == 1
    assert choice.errors[choice.method] <= 1.05
    assert choice.high == pytest.approx(wanted[1], abs=0.06)


@settings(deadline=None)
@given(
    st.lists(st.floats(-100, 100, width=32, allow_subnormal=False), min_size=1, max_size=40),
    st.sampled_from(METHODS),
    st.sampled_from(SCHEMES),
)
def test_a_range_lies_within_what_was_seen(
    numbers: list[float], method: str, scheme: Scheme
) -> None:
    statistics = TensorStatistics.of(np.array(numbers, np.float32))
    low, high = range_of(statistics, method, scheme)
    slack = 1e-6 * max(map(abs, numbers))
    assert statistics.minimum - slack <= low <= high <= statistics.maximum + slack
    assert np.isfinite(parameters_for_range(low, high, scheme).scale).all()


@pytest.mark.parametrize("number", [0.0, 2.5, -1e-30])
@pytest.mark.parametrize("method", METHODS)
def test_a_constant_is_its_range(number: float, method: str) -> None:
    statistics = TensorStatistics.of(np.full(9, number, np.float32))
    for scheme in SCHEMES:
        low, high = range_of(statistics, method, scheme)
        assert (low, high) == pytest.approx((number, number), rel=1e-6)


@pytest.mark.parametrize("method", ["max", "percentile-", "percentile-x", "percentile-50", ""])
def test_an_unknown_method_is_refused(method: str) -> None:
    with pytest.raises(InputError, match=r"range method|percent"):
        check_method(method)


def test_what_has_no_range_says_why() -> None:
    with pytest.raises(InputError, match="no element of it was seen"):
        range_of(TensorStatistics(empty=3), "mse", UNSIGNED)
    masked = TensorStatistics.of(np.array([0, -np.inf], np.float32))
    with pytest.raises(InputError, match="infinite"):
        choose_range(masked, UNSIGNED)
