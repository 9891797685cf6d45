"""Quantizing a constant happens at compile time, dequantizing it never does (rows D16, G5, G6)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from tests.support import ops

from burnish.driver import optimize
from burnish.ir import constant
from burnish.text import parse_model

LEVEL = "O2"


def _weight(
    weights: np.ndarray, scale: np.ndarray, zero: np.ndarray, opset: int = 21, **attributes: Any
) -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("QuantizeLinear", ["w", "s", "z"], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], **attributes),
        helper.make_node("Add", ["x", "d"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [info("x", onnx.TensorProto.FLOAT, weights.shape)],
        [info("y", onnx.TensorProto.FLOAT, weights.shape)],
        [
            numpy_helper.from_array(array, name)
            for name, array in zip("wsz", (weights, scale, zero), strict=True)
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def _codes(proto: onnx.ModelProto) -> np.ndarray:
    done = optimize(proto, passes=LEVEL)
    assert ops(done.model) == ["DequantizeLinear", "Add"]
    (node,) = (node for node in done.model.graph if node.op_type == "DequantizeLinear")
    held = constant(node.inputs[0])
    assert held is not None
    return np.asarray(held.numpy())


def test_halves_round_to_even_and_the_rest_saturates() -> None:
    weights = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, 126.5, 127.5], dtype=np.float32)
    codes = _codes(_weight(weights, np.array(1, np.float32), np.array(0, np.int8)))
    assert codes.tolist() == [0, 2, 2, 0, -2, 127, -128, 126, 127]


def test_the_zero_point_is_added_after_rounding() -> None:
    weights = np.array([0.5, 1.5, 2.5, -7], dtype=np.float32)
    codes = _codes(_weight(weights, np.array(1, np.float32), np.array(3, np.uint8)))
    assert codes.tolist() == [3, 5, 5, 0]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scales_of_channels(axis: int) -> None:
    weights = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    scale = np.array([0.5, 2.0, 4.0][: weights.shape[axis]], dtype=np.float32)
    codes = _codes(_weight(weights, scale, np.zeros(scale.shape, np.int8), axis=axis))
    spread = scale.reshape(-1, 1) if axis == 0 else scale
    assert codes.tolist() == np.rint(weights / spread).astype(np.int8).tolist()


def test_scales_of_blocks() -> None:
    weights = np.arange(8, dtype=np.float32).reshape(4, 2)
    scale = np.array([[1, 2], [0.5, 4]], dtype=np.float32)
    codes = _codes(_weight(weights, scale, np.zeros((2, 2), np.int8), axis=0, block_size=2))
    assert codes.tolist() == np.rint(weights / np.repeat(scale, 2, axis=0)).tolist()


def test_the_file_shrinks() -> None:
    weights = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    proto = _weight(weights, np.array(0.01, np.float32), np.array(0, np.int8))
    done = optimize(proto, passes=LEVEL)
    held = sum(
        value.const_value.nbytes
        for value in done.model.graph.initializers.values()
        if value.const_value is not None
    )
    assert held < weights.nbytes / 3


def test_a_dequantized_weight_is_not_computed_even_behind_a_view() -> None:
    text = """g (float[3,2] x) => (float[3,2] y)
        <int8[2,3] w = {1, 2, 3, 4, 5, 6}, float s = {0.5}, int64[2] shape = {3, 2}> {
        d = DequantizeLinear(w, s) r = Reshape(d, shape) y = Add(x, r) }"""
    done = optimize(parse_model(text, opset=20), passes=LEVEL)
    assert "DequantizeLinear" in ops(done.model)
