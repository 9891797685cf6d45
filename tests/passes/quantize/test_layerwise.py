"""Rounding by what a layer computes: never worse than nearest codes, and exact where it can be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.passes.quantize.weights import correlated, draw

from burnish.ir import Array
from burnish.quantization import CODE_TYPES, Scheme, parameters_of
from burnish_passes.quantize import rounding
from burnish_passes.quantize.layerwise import damped, descend, gptq
from burnish_passes.quantize.rounding import (
    best_parameters,
    nearest,
    output_error,
    stored_as,
)

INT4 = Scheme(CODE_TYPES["int4"], True, 0, 32)
UINT4 = Scheme(CODE_TYPES["uint4"], False, 0, 32)


def _moments(width: int, rows: int = 400) -> Array:
    x = correlated(rows, width).astype(np.float64)
    return x.T @ x


@pytest.mark.parametrize("scheme", [INT4, UINT4])
@pytest.mark.parametrize("width", [32, 40, 100, 172])
@pytest.mark.parametrize("by_activity", [False, True])
def test_gptq_loses_much_less_than_nearest_codes(
    scheme: Scheme, width: int, by_activity: bool
) -> None:
    matrix, moments = draw(width, 24), _moments(width)
    simple = nearest(matrix, parameters_of(matrix, scheme))
    found = gptq(matrix, moments, scheme, damping=0.01, by_activity=by_activity)
    assert found.codes.min() >= scheme.lowest
    assert found.codes.max() <= scheme.highest
    before = output_error(matrix, simple.numbers, moments)
    assert output_error(matrix, found.numbers, moments) < 0.5 * before


def test_gptq_on_independent_inputs_is_rounding() -> None:
    # Nothing can make up for anything, so each number goes to its nearest code.
    matrix = draw(64, 8)
    found = gptq(matrix, np.eye(64), INT4, damping=0.01)
    expected = nearest(matrix, best_parameters(matrix, INT4))
    np.testing.assert_array_equal(found.codes, expected.codes)


def test_gptq_by_rows_is_that_of_the_paper() -> None:
    """With one block it is algorithm 1 without batches, written as in the paper."""
    matrix, moments = draw(24, 5), _moments(24)
    scheme = Scheme(CODE_TYPES["int4"], True, 0, 24)
    found = gptq(matrix, moments, scheme, damping=0.01)
    held = damped(moments, 0.01)
    step = found.parameters.scale[0].astype(np.float64)
    left = matrix.astype(np.float64)
    inverse = np.linalg.inv(held)
    for row in range(24):
        code = np.clip(np.rint(left[row] / step), -7, 7)
        np.testing.assert_array_equal(found.codes[row], code)
        error = (left[row] - code * step) / inverse[0, 0]
        left[row:] -= np.outer(inverse[:, 0], error)
        # Eliminate the row from what is left.
        inverse = inverse - np.outer(inverse[:, 0], inverse[0]) / inverse[0, 0]
        inverse = inverse[1:, 1:]


def test_inputs_that_are_always_zero_do_no_harm() -> None:
    moments = _moments(64)
    moments[[3, 40]] = 0
    moments[:, [3, 40]] = 0
    matrix = draw(64, 8)
    for found in (
        gptq(matrix, moments, INT4, damping=0.01),
        descend(matrix, moments, parameters_of(matrix, INT4), damping=0.01),
    ):
        assert np.isfinite(found.numbers).all()
        # They are rounded by themselves.
        assert (np.abs(found.numbers - matrix)[[3, 40]] < 0.6).all()


def test_moments_that_rounding_made_indefinite() -> None:
    # One sample, and next to no damping: the inverse is all rounding.
    x = 1e3 * draw(1, 64, seed=5).astype(np.float64)
    found = gptq(draw(64, 8), x.T @ x, INT4, damping=1e-18)
    assert np.isfinite(found.numbers).all()


def test_no_data_at_all_is_nearest_codes() -> None:
    matrix = draw(64, 8)
    parameters = parameters_of(matrix, INT4)
    found = descend(matrix, np.zeros((64, 64)), parameters, damping=0.01)
    np.testing.assert_array_equal(found.codes, nearest(matrix, parameters).codes)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.integers(2, 90), signed=st.booleans())
def test_descent_is_never_worse_and_rounds_up_or_down(seed: int, width: int, signed: bool) -> None:
    scheme = INT4 if signed else UINT4
    matrix, x = draw(width, 7, seed=seed), correlated(50, width, seed)
    moments = damped(x.T.astype(np.float64) @ x, 0.01)
    parameters = parameters_of(matrix, scheme)
    simple = nearest(matrix, parameters)
    found = descend(matrix, moments, parameters, damping=1e-9)
    before = output_error(matrix, simple.numbers, moments)
    assert output_error(matrix, found.numbers, moments) <= before * (1 + 1e-6)
    steps = np.repeat(parameters.scale, 32, axis=0)[:width]
    inside = (matrix >= np.repeat(parameters.low, 32, axis=0)[:width]) & (
        matrix <= np.repeat(parameters.high, 32, axis=0)[:width]
    )
    assert (np.abs(found.numbers - matrix)[inside] <= (steps * 1.0001)[inside]).all()


def test_descent_cannot_be_improved_by_one_code_and_is_near_the_best_of_all() -> None:
    matrix, x = draw(8, 1, seed=3), correlated(50, 8, seed=4)
    moments = x.T.astype(np.float64) @ x
    parameters = parameters_of(matrix, Scheme(CODE_TYPES["int4"], True, 0, 8))
    found = descend(matrix, moments, parameters, damping=1e-9)
    step = float(parameters.scale[0, 0])
    down = np.floor(matrix[:, 0].astype(np.float64) / step)
    errors = {}
    for choice in itertools.product((0, 1), repeat=8):
        codes = np.clip(down + choice, -7, 7)
        errors[tuple(codes)] = output_error(matrix, (codes * step)[:, None], moments)
    mine = output_error(matrix, found.numbers, moments)
    assert mine <= 1.5 * min(errors.values())
    for row in range(8):
        for codes in errors:
            if np.count_nonzero(np.array(codes) != found.codes[:, 0]) == 1:
                assert errors[codes] >= mine * (1 - 1e-6), row


def test_numbers_that_are_fixed_keep_the_nearest_code() -> None:
    matrix, moments = draw(48, 6), _moments(48)
    parameters = parameters_of(matrix, INT4)
    fixed = np.zeros(matrix.shape, bool)
    fixed[::2] = True
    found = descend(matrix, moments, parameters, damping=0.01, fixed=fixed)
    simple = nearest(matrix, parameters)
    np.testing.assert_array_equal(found.codes[::2], simple.codes[::2])
    assert (found.codes != simple.codes).any()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 80), signed=st.booleans())
def test_the_best_range_is_never_worse_than_the_whole(seed: int, rows: int, signed: bool) -> None:
    scheme = INT4 if signed else UINT4
    matrix = draw(rows, 5, seed=seed) ** 3  # with outliers
    lost = [
        float(((nearest(matrix, parameters).numbers - matrix) ** 2).sum())
        for parameters in (best_parameters(matrix, scheme), parameters_of(matrix, scheme))
    ]
    assert lost[0] <= lost[1] * (1 + 1e-5)


def test_columns_do_not_depend_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = draw(40, 9)
    whole = best_parameters(matrix, UINT4)
    monkeypatch.setattr(rounding, "_TOGETHER", 80)  # two columns at a time
    parts = best_parameters(matrix, UINT4)
    np.testing.assert_array_equal(parts.scale, whole.scale)
    np.testing.assert_array_equal(parts.zero_point, whole.zero_point)


def test_rows_that_count_more_lose_less() -> None:
    matrix = draw(32, 40) ** 3
    importance = np.full(32, 1e-3)
    importance[5] = 1.0
    plain, weighted = (
        nearest(matrix, best_parameters(matrix, INT4, chosen)).numbers - matrix
        for chosen in (None, importance)
    )
    assert np.square(weighted[5]).sum() < np.square(plain[5]).sum()


def test_scales_are_what_the_file_will_hold() -> None:
    matrix = draw(64, 8) * 1e-9
    parameters = stored_as(parameters_of(matrix, INT4), np.dtype(np.float16))
    assert (parameters.scale > 0).all()
    held = parameters.scale.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(held, parameters.scale)


def test_the_error_is_that_of_the_results() -> None:
    x, matrix = correlated(30, 16), draw(16, 4)
    off = matrix + 0.1 * draw(16, 4, seed=9)
    expected = np.square(x @ off - x @ matrix).sum() / np.square(x @ matrix).sum()
    wide = x.astype(np.float64)
    assert output_error(matrix, off, wide.T @ wide) == pytest.approx(expected, rel=1e-3)
