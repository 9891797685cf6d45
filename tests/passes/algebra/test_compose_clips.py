"""Bounds in a row: their product for every pair of ranges, NaN, types, opsets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx import numpy_helper
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import constant_array, to_proto
from burnish.passdef import Exactness
from burnish.text import parse_model

PASS = "compose-clips"
_NUMBERS = np.array(
    [np.nan, np.inf, -np.inf, -9, -3, -1, -0.5, 0, 0.5, 1, 2, 5.5, 6, 7, 8, 9, 10, 11],
    dtype=np.float32,
)
_STEPS = (
    "Relu(%s)",
    "Clip(%s, zero, six)",
    "Clip(%s, eight, ten)",
    "Clip(%s, six, zero)",
    "Clip(%s, minus)",
    "Clip(%s, , six)",
    "Max(%s, minus)",
    "Min(six, %s)",
    "Max(eight, %s)",
    "Min(%s, minus)",
    "Max(%s, zero)",
)
_HEADER = """<float zero = {0.0}, float six = {6.0}, float eight = {8.0}, float ten = {10.0},
    float minus = {-3.0}>"""


@pytest.mark.parametrize(("inner", "outer"), itertools.product(_STEPS, _STEPS))
def test_every_pair_of_bounds_gives_the_same_numbers(inner: str, outer: str) -> None:
    text = f"""g (float[18] x) => (float[18] y) {_HEADER} {{
        t = {inner % "x"}
        y = {outer % "t"}
    }}"""
    source = to_proto(parse_model(text, opset=20))
    done = optimize(source, passes=PASS, allow=Exactness.FLOAT)
    before = run_model(source, {"x": _NUMBERS})["y"]
    after = run_model(to_proto(done.model), {"x": _NUMBERS})["y"]
    np.testing.assert_array_equal(before, after)
    assert len(ops(done.model)) == 1


def test_disjoint_ranges_leave_one_number() -> None:
    text = f"""g (float[4] x) => (float[4] y) {_HEADER} {{
        t = Clip(x, zero, six) y = Clip(t, eight, ten) }}"""
    model, _ = run_passes(text, PASS)
    (clip,) = model.graph
    assert [constant_array(bound) for bound in clip.inputs[1:]] == [8.0, 8.0]


def test_max_with_zero_is_relu() -> None:
    text = "g (float[2,3] x) => (float[2,3] y) <float[3] z = {0.0, 0.0, 0.0}> { y = Max(z, x) }"
    assert ops(run_passes(text, PASS)[0]) == ["Relu"]


@pytest.mark.parametrize(
    "text",
    [
        "g (float[1,3] x) => (float[2,3] y) <float[2,1] z = {0.0, 0.0}> { y = Max(x, z) }",
        "g (float[3] x) => (float[3] y) <float[3] z = {0.0, 1.0, 0.0}> { y = Max(x, z) }",
        "g (int64[3] x) => (int64[3] y) <int64 z = {0}> { y = Max(x, z) }",
        "g (float[3] x, float[3] w) => (float[3] y) <float z = {0.0}> { y = Max(x, z, w) }",
        "g (float[3] x) => (float[3] y) <float z = {1.0}> { y = Max(x, z) }",
    ],
)
def test_what_is_no_relu(text: str) -> None:
    assert ops(run_passes(text, PASS)[0]) == ["Max"]


def test_bounds_of_infinity_stay() -> None:
    text = """g (float[3] x) => (float[3] y) <float zero = {0.0}, float top = {0.0}> {
        t = Clip(x, zero) y = Min(t, top) }"""
    proto = to_proto(parse_model(text, opset=20))
    (top,) = (item for item in proto.graph.initializer if item.name == "top")
    top.CopyFrom(numpy_helper.from_array(np.array(np.inf, dtype=np.float32), "top"))
    done = optimize(proto, passes=PASS, allow=Exactness.FLOAT)
    # Whether Clip(x, 0) of inf is inf or the largest number depends on the runtime.
    assert ops(done.model) == ["Clip", "Min"]


def test_bounds_known_at_run_time_stay() -> None:
    text = """g (float[3] x, float high) => (float[3] y) {
        t = Relu(x) y = Clip(t, , high) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Relu", "Clip"]
    assert "not finite constants" in reasons(records)[0]


def test_two_runtime_operands_of_max_deserve_no_remark() -> None:
    text = "g (float[3] a, float[3] b) => (float[3] y) { t = Max(a, b) y = Relu(t) }"
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Max", "Relu"]
    assert reasons(records) == []


def test_an_inner_clip_with_other_readers_stays() -> None:
    text = f"""g (float[3] x) => (float[3] y, float[3] z, float[3] w) {_HEADER} {{
        t = Clip(x, zero, ten)
        y = Clip(t, zero, six)
        u = Relu(t)
        w = Exp(u)
        z = Neg(t) }}"""
    model, records = run_passes(text, PASS)
    # The Relu is implied, so it goes though t is shared; the second Clip is not.
    assert ops(model) == ["Clip", "Clip", "Exp", "Neg"]
    assert any("another reader" in why for why in reasons(records))


@pytest.mark.parametrize(
    ("source", "gone"),
    [
        ("Exp(x)", True),
        ("Abs(x)", True),
        ("Sqrt(x)", False),
        ("Mul(x, x)", True),
        ("Softmax(x)", True),
        ("Add(x, six)", False),
        ("Sub(x, x)", False),
        ("Tanh(x)", False),
    ],
)
def test_relu_of_what_is_never_negative(source: str, gone: bool) -> None:
    text = f"""g (float[2,3] x) => (float[2,3] y) {_HEADER} {{
        t = {source} u = Relu(t) y = Neg(u) }}"""
    assert ("Relu" not in ops(run_passes(text, PASS)[0])) == gone


def test_the_smallest_integer_has_no_absolute_value() -> None:
    text = "g (int32[3] x) => (int32[3] y) { t = Abs(x) u = Relu(t) y = Neg(u) }"
    assert "Relu" in ops(run_passes(text, PASS)[0])


def test_integers_need_a_clip_for_them() -> None:
    text = """g (int64[3] x) => (int64[3] y) <int64 a = {2}, int64 b = {5}> {
        t = Max(x, a) y = Min(t, b) }"""
    assert ops(run_passes(text, PASS, opset=12)[0]) == ["Clip"]


def test_older_opsets_have_the_bounds_as_attributes() -> None:
    text = """g (float[3] x) => (float[3] y) {
        t = Clip <min = -1.0, max = 3.0> (x) y = Relu(t) }"""
    model, _ = run_passes(text, PASS, opset=9)
    (clip,) = model.graph
    assert (clip.attributes["min"].value, clip.attributes["max"].value) == (0, 3.0)


def test_bounds_that_float32_does_not_hold() -> None:
    text = """g (double[3] x) => (double[3] y) <double a = {0.1}, double b = {0.7}> {
        t = Max(x, a) y = Min(t, b) }"""
    model, records = run_passes(text, PASS, opset=10)
    assert ops(model) == ["Max", "Min"]
    assert "float32" in reasons(records)[0]
    assert ops(run_passes(text, PASS, opset=12)[0]) == ["Clip"]


def test_half_precision_keeps_its_type() -> None:
    six = int(np.float16(6).view(np.uint16))  # ONNX text spells it as its bits
    text = f"""g (float16[3] x) => (float16[3] y) <float16 six = {{{six}}}> {{
        t = Relu(x) y = Clip(t, , six) }}"""
    source = to_proto(parse_model(text, opset=20))
    done = optimize(source, passes=PASS, allow=Exactness.FLOAT)
    assert ops(done.model) == ["Clip"]
    x = np.array([-1, 2, 9], dtype=np.float16)
    found = run_model(to_proto(done.model), {"x": x})["y"]
    assert found.dtype == np.float16
    assert found.tolist() == [0, 2, 6]
