"""Constant nodes become initializers, where there can be initializers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.support import ops, run_passes

from burnish.driver import optimize
from burnish.ir import Array, scopes
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.verify import verify

PASS = "lift-constants"


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("value = float[2] {1, 2}", np.array([1, 2], np.float32)),
        ("value_float = 2.5", np.array(2.5, np.float32)),
        ("value_floats = [1.0, 2.0]", np.array([1, 2], np.float32)),
    ],
)
def test_every_spelling_of_numbers(attribute: str, expected: Array) -> None:
    text = f"g (float[2] x) => (float[2] y) {{ c = Constant <{attribute}> () y = Add(x, c) }}"
    model, _ = run_passes(text, PASS)
    held = model.graph.initializers["c"].const_value
    assert held is not None
    assert ops(model) == ["Add"]
    assert held.numpy().dtype == expected.dtype
    np.testing.assert_array_equal(held.numpy(), expected)


def test_integers_and_strings() -> None:
    text = """g (int64[2] x) => (int64[2] y, string[2] z, string w) {
        i = Constant <value_int = 3> ()
        j = Constant <value_ints = [4, 5]> ()
        s = Constant <value_strings = ["a", "b"]> ()
        t = Constant <value_string = "c"> ()
        a = Add(x, i)
        y = Add(a, j)
        z = Identity(s)
        w = Identity(t)
    }"""
    model, _ = run_passes(text, PASS)
    assert list(model.graph.initializers) == ["i", "j", "s", "t"]
    assert "Constant" not in ops(model)


def test_a_constant_that_is_an_output_stays_a_node() -> None:
    text = """g (float[2] x) => (float[2] y, float[2] c) {
        c = Constant <value = float[2] {1, 2}> ()
        y = Add(x, c)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Constant", "Add"]
    assert not model.graph.initializers


def test_subgraphs_get_their_own() -> None:
    text = """g (bool b, float[2] x) => (float[2] y) {
        k = Constant <value = float[2] {1, 2}> ()
        y = If (b) <
            then_branch = yes () => (float[2] p) {
                c = Constant <value = float[2] {3, 4}> () d = Add(x, k) p = Mul(d, c) },
            else_branch = no () => (float[2] q) { q = Constant <value = float[2] {5, 6}> () }>
    }"""
    model, _ = run_passes(text, PASS)
    found = {tuple(scope.graph.initializers) for scope in scopes(model)}
    assert found == {("k",), ("c",), ()}
    assert ops(model).count("Constant") == 1


def test_function_bodies_keep_their_constants() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "local": 1]>
    g (float[2] x) => (float[2] y) { y = local.shifted <by = 2.0> (x) }
    <domain: "local", opset_import: ["": 20]>
    shifted <by> (a) => (b) {
        c = Constant <value_float: float = @by> ()
        d = Constant <value = float[2] {1, 2}> ()
        e = Add(a, c)
        b = Mul(e, d)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count("Constant") == 2


def test_sparse_constants_become_sparse_initializers() -> None:
    values = onnx.helper.make_tensor("v", onnx.TensorProto.FLOAT, [1], [3.0])
    indices = onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [1], [1])
    sparse = onnx.helper.make_sparse_tensor(values, indices, [3])
    node = onnx.helper.make_node("Constant", [], ["c"], sparse_value=sparse)
    add = onnx.helper.make_node("Add", ["x", "c"], ["y"])
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [3]) for name in "xy")
    graph = onnx.helper.make_graph([node, add], "g", [x], [y])
    opset = onnx.helper.make_opsetid("", 17)
    source = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    result = to_proto(optimize(source, passes=PASS).model)
    assert [node.op_type for node in result.graph.node] == ["Add"]
    assert [item.values.name for item in result.graph.sparse_initializer] == ["c"]
    verdict = verify(source, result, exactness=Exactness.BITWISE)
    assert verdict.ok, verdict.text()
