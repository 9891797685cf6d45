"""Slices join, of one axis or of several, unless a size nobody knows decides."""

from __future__ import annotations

import itertools

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import constant_array
from burnish.symbolic import symbol
from burnish_passes.movement.cuts import BACK, FRONT, Cut, compose

PASS = "compose-slices"
HEAD = """agraph (float[4,6,N] x) => (float[P,Q,R] y)
    <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] three = {3},
     int64[1] minus = {-1}, int64[1] last = {-3}, int64[1] far = {9223372036854775807},
     int64[1] back = {-9223372036854775807}, int64[2] starts = {1, 2}, int64[2] ends = {2, 4}>"""


@pytest.mark.parametrize(
    "body",
    [
        "a = Slice(x, zero, two, zero) y = Slice(a, one, three, one)",
        "a = Slice(x, one, far, minus, two) y = Slice(a, zero, three, last)",
        "a = Slice(x, minus, zero, one, minus) y = Slice(a, one, three, zero)",
    ],
)
def test_different_axes_join(body: str) -> None:
    model, _ = run_passes(f"{HEAD} {{ {body} }}", PASS)
    assert ops(model) == ["Slice"]


def test_three_in_a_row_join() -> None:
    body = (
        "a = Slice(x, zero, two, zero) b = Slice(a, one, three, one) y = Slice(b, zero, one, two)"
    )
    model, _ = run_passes(f"{HEAD} {{ {body} }}", PASS)
    assert ops(model) == ["Slice"]


@pytest.mark.parametrize(
    ("body", "axes"),
    [
        ("a = Slice(x, one, three, zero) y = Slice(a, one, two, zero)", 1),
        ("a = Slice(x, one, three, zero) y = Slice(a, one, two, last)", 1),
        ("a = Slice(x, minus, far, one) y = Slice(a, minus, back, one, minus)", 1),
        ("a = Slice(x, far, back, one, minus) y = Slice(a, last, far, one, two)", 1),
        ("a = Slice(x, zero, two, zero) y = Slice(a, starts, ends)", 2),
        # N is not known: clamping leaves these alone.
        ("a = Slice(x, one, far, two, two) y = Slice(a, one, three, minus)", 1),
        ("a = Slice(x, one, minus, two) y = Slice(a, one, far, two)", 1),
        ("a = Slice(x, one, far, two) y = Slice(a, one, minus, two)", 1),
    ],
)
def test_the_same_axis_is_composed(body: str, axes: int) -> None:
    model, _ = run_passes(f"{HEAD} {{ {body} }}", PASS)
    assert ops(model) == ["Slice"]
    where = constant_array(next(iter(model.graph)).inputs[3])
    assert where is not None
    assert len(where) == axes


@pytest.mark.parametrize(
    "body",
    [
        "a = Slice(x, last, far, two) y = Slice(a, one, two, two)",
        "a = Slice(x, one, far, two) y = Slice(a, minus, far, two)",
        "a = Slice(x, one, minus, two) y = Slice(a, one, two, two)",
        "a = Slice(x, one, far, two, two) y = Slice(a, one, minus, two)",
        "a = Slice(x, minus, back, two, minus) y = Slice(a, zero, two, two)",
    ],
)
def test_an_unknown_size_decides_what_both_take(body: str) -> None:
    model, records = run_passes(f"{HEAD} {{ {body} }}", PASS)
    assert ops(model) == ["Slice", "Slice"]
    assert any("axis 2 depends on its size" in reason for reason in reasons(records))


_BOUNDS = (FRONT, -4, -1, 0, 2, 5, BACK)


@pytest.mark.parametrize("steps", list(itertools.product((-2, 1, 3), repeat=2)))
def test_composition_takes_what_both_take(steps: tuple[int, int]) -> None:
    for bounds in itertools.product(_BOUNDS, repeat=4):
        first, then = Cut(bounds[0], bounds[1], steps[0]), Cut(bounds[2], bounds[3], steps[1])
        open_end = compose(symbol("N"), first, then)
        for size in (0, 1, 3, 6):
            middle = first.positions(size)
            expected = [middle[place] for place in then.positions(len(middle))]
            both = compose(size, first, then)
            assert both is not None
            assert list(both.positions(size)) == expected
            assert open_end is None or list(open_end.positions(size)) == expected


def test_steps_too_large_for_an_integer_stay() -> None:
    large = Cut(0, BACK, 2**40)
    assert compose(symbol("N"), large, large) is None


def test_computed_bounds_stay() -> None:
    text = """agraph (float[4,6] x, int64[1] n) => (float[P,Q] y)
        <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}> {
        a = Slice(x, zero, n, zero)
        y = Slice(a, zero, two, one)
    }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Slice", "Slice"]
    assert any("begins or ends is not known" in reason for reason in reasons(records))


def test_another_reader_keeps_the_first() -> None:
    text = """agraph (float[4,6] x) => (float[P,Q] y, float[R,S] z)
        <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}> {
        a = Slice(x, zero, two, zero)
        y = Slice(a, zero, two, one)
        z = Relu(a)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Slice", "Slice", "Relu"]


def test_attributes_of_old_opsets() -> None:
    text = """agraph (float[4,6] x) => (float[2,3] y) {
        a = Slice <starts = [0], ends = [2], axes = [0]> (x)
        y = Slice <starts = [1], ends = [4], axes = [1]> (a)
    }"""
    model, _ = run_passes(text, PASS, opset=9)
    assert ops(model) == ["Slice"]
    assert "axes" in next(iter(model.graph)).attributes
