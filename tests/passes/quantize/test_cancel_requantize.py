"""Codes to numbers and back: every code, every scale that may lose one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import Array

PASS = "cancel-requantize"


def _model(scale: np.ndarray, codes: np.ndarray, zero: int) -> onnx.ModelProto:
    kind = helper.np_dtype_to_tensor_dtype(codes.dtype)
    point = np.full(scale.shape, zero, dtype=codes.dtype)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"], axis=0),
        helper.make_node("QuantizeLinear", ["x", "s2", "z"], ["r"], axis=0),
        helper.make_node("Identity", ["r"], ["y"]),
    ]
    initializers = [
        numpy_helper.from_array(array, name)
        for name, array in (("s", scale), ("s2", scale.copy()), ("z", point))
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("q", kind, codes.shape)], [info("y", kind, codes.shape)], initializers
    )
    opsets = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize("zero", [0, 3, 127])
@pytest.mark.parametrize("scale", [1.0, 0.1, 3e-7, 1.17e-37, 1.3e36, 1 / 3])
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16])
def test_every_code_survives_or_it_stays(kind: type, scale: float, zero: int) -> None:
    numbers = np.iinfo(kind)
    codes: Array = np.arange(numbers.min, numbers.max + 1).astype(kind)
    source = _model(np.array(scale, dtype=np.float32), codes, zero)
    done = optimize(source, passes=PASS)
    survives = scale * (numbers.max - numbers.min) <= float(np.finfo(np.float32).max)
    assert (ops(done.model) == ["Identity"]) == survives
    if survives:
        np.testing.assert_array_equal(run_model(source, {"q": codes})["y"], codes)


@pytest.mark.parametrize("scale", [0.0, np.inf, np.nan, 1e-40])
def test_scales_that_lose_the_code(scale: float) -> None:
    codes = np.arange(4).astype(np.uint8)
    done = optimize(_model(np.array(scale, dtype=np.float32), codes, 0), passes=PASS)
    assert len(ops(done.model)) == 3
    assert "lose the code" in reasons(done.records)[0]


@pytest.mark.parametrize(("kind", "gone"), [(np.uint8, True), (np.uint16, False)])
def test_half_precision_holds_8_bits(kind: type, gone: bool) -> None:
    codes: Array = np.arange(4).astype(kind)
    done = optimize(_model(np.array(0.1, dtype=np.float16), codes, 0), passes=PASS)
    assert (len(ops(done.model)) == 1) == gone


def test_scales_of_channels_are_compared_by_value() -> None:
    codes = np.arange(6).astype(np.uint8).reshape(3, 2)
    done = optimize(_model(np.array([0.1, 0.2, 0.3], np.float32), codes, 1), passes=PASS)
    assert ops(done.model) == ["Identity"]


@pytest.mark.parametrize(
    "then",
    [
        "QuantizeLinear(x, t, z)",
        "QuantizeLinear(x, s, w)",
        "QuantizeLinear(x, s)",
        "QuantizeLinear(x, s, i)",
        "QuantizeLinear <axis = 0> (x, v, vz)",
    ],
)
def test_other_parameters_stay(then: str) -> None:
    kind = "int8" if ", i)" in then else "uint8"
    text = f"""g (uint8[2] q) => ({kind}[2] y) <float s = {{0.5}}, float t = {{0.25}},
        uint8 z = {{3}}, uint8 w = {{4}}, int8 i = {{3}}, float[2] v = {{0.5, 0.25}},
        uint8[2] vz = {{3, 3}}> {{
        x = DequantizeLinear(q, s, z) y = {then} }}"""
    model, records = run_passes(text, PASS)
    assert len(ops(model)) == 2
    assert reasons(records) == ["it changes scale, zero point, axis or type"]


def test_another_axis_stays() -> None:
    text = """g (uint8[2,2] q) => (uint8[2,2] y) <float[2] s = {0.5, 0.25}, uint8[2] z = {0, 0}> {
        x = DequantizeLinear <axis = 0> (q, s, z) y = QuantizeLinear <axis = 1> (x, s, z) }"""
    model, _ = run_passes(text, PASS)
    assert len(ops(model)) == 2
    text = text.replace("axis = 1", "axis = -2")
    assert ops(run_passes(text, PASS)[0]) == ["Identity"]


def test_no_zero_point_is_zero() -> None:
    text = """g (uint8[2] q) => (uint8[2] y) <float s = {0.5}, uint8 z = {0}> {
        x = DequantizeLinear(q, s) r = QuantizeLinear(x, s, z) y = Identity(r) }"""
    assert ops(run_passes(text, PASS)[0]) == ["Identity"]


def test_the_other_order_rounds() -> None:
    text = """g (float[2] x) => (float[2] y) <float s = {0.5}, uint8 z = {0}> {
        q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"""
    assert ops(run_passes(text, PASS)[0]) == ["QuantizeLinear", "DequantizeLinear"]


def test_numbers_that_others_read_stay_for_them() -> None:
    text = """g (uint8[2] q) => (uint8[2] y, float[2] n) <float s = {0.5}, uint8 z = {0}> {
        x = DequantizeLinear(q, s, z) r = QuantizeLinear(x, s, z) y = Identity(r) n = Neg(x) }"""
    assert ops(run_passes(text, PASS)[0]) == ["DequantizeLinear", "Identity", "Neg"]


def test_a_scale_known_only_at_run_time_may_be_0() -> None:
    text = """g (uint8[2] q, float s) => (uint8[2] y) {
        x = DequantizeLinear(q, s) y = QuantizeLinear(x, s) }"""
    model, records = run_passes(text, PASS)
    assert len(ops(model)) == 2
    assert "lose the code" in reasons(records)[0]


def test_eight_bit_floats_stay() -> None:
    info = helper.make_tensor_value_info
    zero = helper.make_tensor("z", TensorProto.FLOAT8E5M2, [], [0.0])
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"]),
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [info("q", TensorProto.FLOAT8E5M2, [2])],
        [info("y", TensorProto.FLOAT8E5M2, [2])],
        [numpy_helper.from_array(np.array(0.5, np.float32), "s"), zero],
    )
    opsets = [helper.make_opsetid("", 19)]
    done = optimize(helper.make_model(graph, opset_imports=opsets, ir_version=9), passes=PASS)
    # The code of an infinity saturates.
    assert len(ops(done.model)) == 2
