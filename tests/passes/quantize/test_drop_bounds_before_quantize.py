"""Bounds before QuantizeLinear: which the saturation implies, at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import to_proto
from burnish.text import parse_model

PASS = "drop-bounds-before-quantize"


def _text(bound: str, kind: str, zero: int, more: str = "") -> str:
    return f"""g (float[N] x) => ({kind}[N] y) <float s = {{0.02}}, {kind} z = {{{zero}}}, {more}
        float lo = {{0.0}}, float six = {{6.0}}, float low = {{-2.56}}, float high = {{2.54}},
        float inside = {{2.52}}, float almost = {{5.095}}> {{
        b = {bound}
        y = QuantizeLinear(b, s, z)
    }}"""


@pytest.mark.parametrize(
    ("bound", "kind", "zero", "gone"),
    [
        ("Relu(x)", "uint8", 0, True),
        ("Relu(x)", "int8", -128, True),
        ("Relu(x)", "int8", 0, False),
        ("Relu(x)", "uint8", 128, False),
        ("Relu(x)", "uint16", 0, True),
        ("Clip(x, lo, six)", "uint8", 0, True),
        ("Clip(x, lo, six)", "uint8", 1, False),
        ("Clip(x, lo, six)", "uint16", 0, False),
        ("Clip(x, low, high)", "int8", 0, True),
        ("Clip(x, low, inside)", "int8", 0, False),
        ("Clip(x, , six)", "uint8", 7, True),
        ("Clip(x, lo)", "uint8", 0, True),
        ("Clip(x, six, lo)", "uint8", 0, False),
        ("Clip(x, lo, almost)", "uint8", 0, True),  # 254.75 rounds up
    ],
)
def test_what_saturation_implies(bound: str, kind: str, zero: int, gone: bool) -> None:
    source = to_proto(parse_model(_text(bound, kind, zero), opset=21))
    done = optimize(source, passes=PASS)
    assert (ops(done.model) == ["QuantizeLinear"]) == gone
    steps = np.linspace(-7, 7, 3001)
    x = np.concatenate([steps, [0.0, -0.0, np.inf, -np.inf, 1e30]]).astype(np.float32)
    np.testing.assert_array_equal(
        run_model(source, {"x": x})["y"], run_model(to_proto(done.model), {"x": x})["y"]
    )


@pytest.mark.parametrize(
    ("kind", "bound", "gone"),
    [
        ("float16", "Relu(x)", True),
        ("float16", "Clip(x, , high)", False),  # 254.75 in float16, which divides less exactly
        ("float16", "Clip(x, , higher)", True),
        ("float", "Clip(x, , high)", True),
    ],
)
def test_a_quotient_may_be_off(kind: str, bound: str, gone: bool) -> None:
    numbers = [0.5, 127.375, 128.0]
    if kind == "float16":  # ONNX text spells these as their bits
        numbers = np.array(numbers, dtype=np.float16).view(np.uint16).tolist()
    half, high, higher = numbers
    text = f"""g ({kind}[N] x) => (uint8[N] y)
        <{kind} s = {{{half}}}, {kind} high = {{{high}}}, {kind} higher = {{{higher}}}> {{
        b = {bound} y = QuantizeLinear(b, s) }}"""
    done = optimize(parse_model(text, opset=21), passes=PASS)
    assert (len(ops(done.model)) == 1) == gone


def test_every_channel_has_to_agree() -> None:
    text = """g (float[2,2] x) => (uint8[2,2] y) <float[2] s = {0.5, 0.25}, uint8[2] z = {0, %s}> {
        b = Relu(x) y = QuantizeLinear <axis = 0> (b, s, z) }"""
    assert ops(run_passes(text % "0", PASS)[0]) == ["QuantizeLinear"]
    model, records = run_passes(text % "1", PASS)
    assert ops(model) == ["Relu", "QuantizeLinear"]
    assert "above the least code" in reasons(records)[0]


def test_a_relu_that_others_read_stays() -> None:
    text = _text("Relu(x)", "uint8", 0).replace("[N] y)", "[N] y, float[N] b)")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Relu", "QuantizeLinear"]
    assert "graph output" in reasons(records)[0]


def test_a_scale_known_only_at_run_time_may_be_negative() -> None:
    text = """g (float[2] x, float s) => (uint8[2] y) { b = Relu(x) y = QuantizeLinear(b, s) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Relu", "QuantizeLinear"]
    assert "known only when the model runs" in reasons(records)[0]


def test_a_negative_scale() -> None:
    text = """g (float[2] x) => (uint8[2] y) <float s = {-0.5}> {
        b = Relu(x) y = QuantizeLinear(b, s) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Relu", "QuantizeLinear"]
    assert "not positive" in reasons(records)[0]


def test_bounds_known_only_at_run_time() -> None:
    text = """g (float[2] x, float high) => (uint8[2] y) <float s = {0.5}> {
        b = Clip(x, , high) y = QuantizeLinear(b, s) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Clip", "QuantizeLinear"]
    assert "max of the Clip" in reasons(records)[0]
