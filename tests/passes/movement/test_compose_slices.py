"""Slices of different axes join; others stay."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "compose-slices"
HEAD = """agraph (float[4,6,N] x) => (float[P,Q,R] y)
    <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] three = {3},
     int64[1] minus = {-1}, int64[1] last = {-3}, int64[1] far = {9223372036854775807}>"""


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
    ("body", "why"),
    [
        ("a = Slice(x, one, three, zero) y = Slice(a, one, two, zero)", "same axis"),
        ("a = Slice(x, one, three, zero) y = Slice(a, one, two, last)", "same axis"),
        ("a = Slice(x, zero, two, zero) y = Slice(a, one, three)", "same axis"),
    ],
)
def test_the_same_axis_stays(body: str, why: str) -> None:
    model, records = run_passes(f"{HEAD} {{ {body} }}", PASS)
    assert ops(model) == ["Slice", "Slice"]
    assert any(why in reason for reason in reasons(records))


def test_computed_bounds_stay() -> None:
    text = """agraph (float[4,6] x, int64[1] n) => (float[P,Q] y)
        <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}> {
        a = Slice(x, zero, n, zero)
        y = Slice(a, zero, two, one)
    }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Slice", "Slice"]
    assert any("n is not a constant" in reason for reason in reasons(records))


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
