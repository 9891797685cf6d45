"""Negations beside operators: to the bit, with NaN, zeros and infinities."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import to_proto
from burnish.text import parse_model

PASS = "absorb-negation"
_SPECIAL = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -3.5, 3e38], dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("n = Neg(y) t = Sub(x, n)", "Add"),
        ("n = Neg(y) t = Add(x, n)", "Sub"),
        ("n = Neg(x) t = Add(n, y)", "Sub"),
        ("n = Neg(y) o = Neg(x) t = Mul(n, o)", "Mul"),
        ("n = Neg(y) o = Neg(x) t = Div(n, o)", "Div"),
        ("n = Neg(y) t = Mul(c, n)", "Mul"),
        ("n = Neg(y) t = Div(n, c)", "Div"),
    ],
)
def test_every_bit_stays(text: str, op: str) -> None:
    header = "g (float[8] x, float[8,1] y) => (float[a,b] t) <float c = {0.3}>"
    proto = to_proto(parse_model(f"{header} {{ {text} }}", opset=20))
    done = optimize(proto, passes=PASS)
    assert ops(done.model) == [op]
    feeds = {"x": _SPECIAL, "y": _SPECIAL[:, None].copy()}
    before, after = run_model(proto, feeds)["t"], run_model(to_proto(done.model), feeds)["t"]
    numbers = ~np.isnan(before)
    assert np.isnan(after).tolist() == np.isnan(before).tolist()
    assert before[numbers].tobytes() == after[numbers].tobytes()


@pytest.mark.parametrize(
    "text",
    [
        "n = Sub(x, y) t = Neg(n)",  # of equal numbers -0.0, but y - x is 0.0
        "n = Neg(y) t = Div(c, n)",
        "n = Neg(x) t = Sub(n, y)",
        "n = Neg(x) t = Pow(n, y)",
    ],
)
def test_what_stays(text: str) -> None:
    model, _ = run_passes(
        f"g (float[8] x, float[8] y) => (float[8] t) <float c = {{0.3}}> {{ {text} }}", PASS
    )
    assert len(ops(model)) == 2


@pytest.mark.parametrize(
    ("comparison", "opposite"),
    [
        ("Greater", "LessOrEqual"),
        ("GreaterOrEqual", "Less"),
        ("Less", "GreaterOrEqual"),
        ("LessOrEqual", "Greater"),
    ],
)
def test_integers_are_ordered_completely(comparison: str, opposite: str) -> None:
    text = "g (%s[4] x, %s[4] y) => (bool[4] t) { c = " + comparison + "(x, y) t = Not(c) }"
    assert ops(run_passes(text % ("int32", "int32"), PASS)[0]) == [opposite]
    model, records = run_passes(text % ("float", "float"), PASS)
    assert ops(model) == [comparison, "Not"]
    assert "NaN" in reasons(records)[0]


def test_the_opposite_has_to_exist() -> None:
    text = "g (int32[4] x, int32[4] y) => (bool[4] t) { c = Greater(x, y) t = Not(c) }"
    model, records = run_passes(text, PASS, opset=9)
    assert ops(model) == ["Greater", "Not"]
    assert "opset 12" in reasons(records)[0]


def test_integers_divide_as_they_are() -> None:
    text = "g (int32[4] x) => (int32[4] t) <int32 c = {3}> { n = Neg(x) t = Div(n, c) }"
    assert ops(run_passes(text, PASS)[0]) == ["Neg", "Div"]


def test_a_negation_with_another_reader_stays() -> None:
    text = "g (float[4] x) => (float[4] t, float[4] u) { n = Neg(x) t = Sub(x, n) u = Exp(n) }"
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Neg", "Sub", "Exp"]
    assert "another reader" in reasons(records)[0]
