"""Equal initializers: equal bytes, and nobody may tell them apart."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.support import run_passes

from burnish.driver import optimize
from burnish.ir import Array, scopes

PASS = "merge-initializers"


def _left(*arrays: Array) -> int:
    """How many of the given initializers, each an operand of Equal, remain."""
    names = [f"w{index}" for index in range(len(arrays))]
    nodes = [helper.make_node("Identity", [name], [f"y_{name}"]) for name in names]
    outputs = [
        helper.make_tensor_value_info(
            f"y_{name}", helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in zip(names, arrays, strict=True)
    ]
    held = [numpy_helper.from_array(array, name) for name, array in zip(names, arrays, strict=True)]
    graph = helper.make_graph(nodes, "g", [], outputs, held)
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    return len(optimize(source, passes=PASS).model.graph.initializers)


@pytest.mark.parametrize("size", [1, 3, 5000])
def test_equal_bytes_become_one_at_any_size(size: int) -> None:
    one = np.arange(size, dtype=np.float32)
    assert _left(one, one.copy(), one + 1, one.copy()) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, ml_dtypes.bfloat16])
def test_zeros_of_either_sign_stay_apart(dtype: Any) -> None:
    zero = np.array([0.0], dtype)
    assert _left(zero, -zero) == 2
    assert _left(zero, zero.copy(), -zero) == 2


def test_nan_equals_itself_bit_by_bit() -> None:
    nan = np.array([np.nan], np.float32)
    other = np.array([0x7FC00001], np.uint32).view(np.float32)
    assert _left(nan, nan.copy()) == 1
    assert _left(nan, other) == 2


def test_type_and_shape_count() -> None:
    one = np.array([1, 2], np.int32)
    assert _left(one, one.astype(np.int64), one.reshape(1, 2), one.view(np.float32)) == 4


def test_strings() -> None:
    one = np.array(["ab", "c"], dtype=object)
    assert _left(one, np.array(["ab", "c"], dtype=object)) == 1
    assert _left(one, np.array(["a", "bc"], dtype=object)) == 2


def test_overridable_initializers_stay() -> None:
    text = """g (float[2] x, float[2] w) => (float[2] y)
    <float[2] v = {1, 2}, float[2] w = {1, 2}> {
        a = Add(x, v)
        y = Mul(a, w)
    }"""
    model, _ = run_passes(text, PASS)
    assert list(model.graph.initializers) == ["v", "w"]


def test_an_initializer_that_is_an_output_stays() -> None:
    held = [numpy_helper.from_array(np.ones(2, np.float32), name) for name in "vw"]
    x, y, w = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xyw")
    graph = helper.make_graph([helper.make_node("Add", ["x", "v"], ["y"])], "g", [x], [y, w], held)
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    done = optimize(source, passes=PASS)
    assert [value.name for value in done.model.graph.outputs] == ["y", "w"]
    assert list(done.model.graph.initializers) == ["v", "w"]


def test_readers_in_subgraphs_follow() -> None:
    text = """g (bool c, float[2] x) => (float[2] y) <float[2] v = {1, 2}, float[2] w = {1, 2}> {
        a = Add(x, v)
        y = If (c) <
            then_branch = yes () => (float[2] p) <float[2] k = {1, 2}, float[2] l = {1, 2}> {
                d = Mul(a, w) e = Mul(d, k) p = Mul(e, l) },
            else_branch = no () => (float[2] q) { q = Sub(a, w) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert [list(scope.graph.initializers) for scope in scopes(model)] == [["v"], ["k"], []]


def test_external_weights_are_merged_and_stay_outside(tmp_path: Any) -> None:
    weight = np.arange(4096, dtype=np.float32)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [4096]) for name in "xy")
    nodes = [helper.make_node("Add", ["x", "v"], ["a"]), helper.make_node("Mul", ["a", "w"], ["y"])]
    held = [numpy_helper.from_array(weight, name) for name in "vw"]
    graph = helper.make_graph(nodes, "g", [x], [y], held)
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "model.onnx"
    onnx.save(source, path, save_as_external_data=True, size_threshold=0, location="w.bin")
    done = optimize(path, passes=PASS)
    (kept,) = done.model.graph.initializers.values()
    assert kept.const_value is not None
    np.testing.assert_array_equal(kept.const_value.numpy(), weight)
