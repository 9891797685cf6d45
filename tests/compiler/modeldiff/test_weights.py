"""What is said of weights that differ."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from burnish.ir import Model, make_tensor, to_proto
from burnish.loading import load
from burnish.modeldiff import WeightDiff, diff_models
from burnish.modeldiff import distance as distances
from burnish.modeldiff.distance import arrangement, distance, loose_print

Array = np.ndarray[Any, np.dtype[Any]]
WEIGHT = np.arange(12, dtype=np.float32).reshape(3, 4)


def model(array: Array, name: str = "w", operator: str = "MatMul") -> Model:
    """One node that reads one weight."""
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", name], ["y"], name="product")],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, None])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, None])],
        [numpy_helper.from_array(array, name)],
    )
    opsets = [helper.make_opsetid("", 20)]
    return load(helper.make_model(graph, opset_imports=opsets, ir_version=10))


def only(before: Model, after: Model) -> WeightDiff:
    (found,) = diff_models(before, after).weights
    return found


def test_how_far_a_weight_moved() -> None:
    other = WEIGHT.copy()
    other[1, 1] += 0.5
    found = only(model(WEIGHT), model(other, "v"))
    assert (found.kind, found.how, found.names) == ("changed", "values", ("w", "v"))
    assert found.distance is not None
    assert (found.distance.elements, found.distance.changed) == (12, 1)
    assert found.distance.max_abs == 0.5
    assert found.distance.relative == pytest.approx(0.5 / 11)
    cosine = float((WEIGHT * other).sum() / np.linalg.norm(WEIGHT) / np.linalg.norm(other))
    assert found.distance.cosine == pytest.approx(cosine)
    assert "1 of 12 elements differ, by up to 0.5" in found.note


def test_a_transposed_weight_is_told_as_that() -> None:
    square = np.arange(16, dtype=np.float32).reshape(4, 4)
    found = only(model(square), model(np.ascontiguousarray(square.T), "v"))
    assert (found.how, found.note, found.distance) == ("layout", "the transpose of w", None)


def test_a_weight_in_another_shape_is_told_as_that() -> None:
    found = only(model(WEIGHT), model(WEIGHT.reshape(4, 3), "v"))
    assert (found.how, found.note) == ("layout", "a reshape of w")


def test_a_transposed_weight_is_found_where_its_reader_changed_too() -> None:
    text = diff_models(model(WEIGHT), model(np.ascontiguousarray(WEIGHT.T), "v", "Gemm"))
    assert [weight.note for weight in text.weights] == ["the transpose of w"]


def test_another_order_of_axes_is_told() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    one, other = make_tensor(array), make_tensor(np.ascontiguousarray(array.transpose(0, 2, 1)))
    assert arrangement(one, other) == "axes [0, 2, 1] of"
    assert arrangement(one, make_tensor(array + 1)) == ""


def test_strings_in_another_order_are_no_fault() -> None:
    words = np.array([[b"a", b"bc"], [b"def", b"g"]])
    one, other = make_tensor(words), make_tensor(words.T)
    assert arrangement(one, other) == "the transpose of"
    assert loose_print(one) == loose_print(other)
    assert distance(one, other).changed == 2


def test_another_type_is_told_with_its_error() -> None:
    array = np.linspace(0.1, 1, 12, dtype=np.float32).reshape(3, 4)
    half = array.astype(np.float16)
    found = only(model(array), model(half))
    assert found.how == "dtype"
    assert found.note.startswith("float32 as float16: ")
    assert found.distance is not None
    error = float(np.abs(array.astype(np.float64) - half.astype(np.float64)).max())
    assert found.distance.max_abs == pytest.approx(error)


def test_between_float_and_integer_only_the_direction_counts() -> None:
    array = np.linspace(-1, 1, 64, dtype=np.float32)
    found = distance(make_tensor(array), make_tensor(np.round(array * 127).astype(np.int8)))
    assert found.max_abs is None
    assert found.cosine == pytest.approx(1, abs=1e-3)


def test_numbers_that_are_none_are_counted_apart() -> None:
    one = np.array([1, np.nan, np.inf, 2, -0.0], np.float32)
    other = np.array([1, np.nan, 3, np.inf, 0.0], np.float32)
    found = distance(make_tensor(one), make_tensor(other))
    assert (found.changed, found.nonfinite, found.max_abs) == (3, 2, 0)
    assert math.isfinite(found.cosine or 0)


@given(
    size=st.integers(1, 50),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["float16", "float32", "float64", "int8", "int64"]),
)
def test_pieces_do_not_change_the_distance(size: int, seed: int, kind: str) -> None:
    """A weight is read a piece at a time; the sums are those of the whole."""
    chance = np.random.default_rng(seed)
    one, other = (chance.integers(-9, 9, size).astype(kind) for _ in range(2))
    whole = distance(make_tensor(one), make_tensor(other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "_PIECE", 7)
        assert distance(make_tensor(one), make_tensor(other)) == whole
    assert whole.changed == int((one != other).sum())
    assert whole.max_abs == float(np.abs(one.astype(float) - other.astype(float)).max())


def test_a_weight_that_only_came_or_went() -> None:
    found = diff_models(model(WEIGHT, operator="MatMul"), model(WEIGHT + 1, "v", "Gemm"))
    assert [(weight.kind, weight.names) for weight in found.weights] == [
        ("removed", ("w",)),
        ("added", ("v",)),
    ]


def test_a_small_constant_is_part_of_the_node_that_reads_it() -> None:
    half, double = (model(np.array([value], np.float32), operator="Mul") for value in (0.5, 2))
    found = diff_models(half, double)
    assert found.changed == (("y = Mul(x, float32[1] 0.5)", "y = Mul(x, float32[1] 2.0)"),)
    assert not found.weights


def test_one_of_two_equal_weights_that_changes_is_one_change() -> None:
    text = """<ir_version: 10, opset_import: ["": 20]>
    agraph (float[3] x) => (float[3] y) <float[3] a = {0, 0, 0}, float[3] b = {%s}> {
        t = Add(x, a)
        u = Relu(t)
        y = Add(u, b)
    }"""
    models = [load(onnx.parser.parse_model(text % held)) for held in ("0, 0, 0", "0, 0, 1")]
    found = diff_models(*models)
    assert [weight.names for weight in found.weights] == [("b", "b")]
    assert (len(found.changed), found.same, found.moved) == (1, 2, 1)


def test_weights_beside_the_model_are_compared(tmp_path: Path) -> None:
    for name, array in (("one", WEIGHT), ("two", WEIGHT + 1)):
        proto = onnx.ModelProto()
        proto.CopyFrom(onnx.helper.make_model(onnx.GraphProto()))
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 3])],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2, 4])],
            [numpy_helper.from_array(array, "w")],
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
        onnx.save(
            proto,
            tmp_path / f"{name}.onnx",
            save_as_external_data=True,
            location=f"{name}.data",
            size_threshold=0,
        )
    found = only(load(tmp_path / "one.onnx"), load(tmp_path / "two.onnx"))
    assert found.distance is not None
    assert (found.distance.changed, found.distance.max_abs) == (12, 1)


def test_the_value_an_input_has_by_default_is_a_weight() -> None:
    text = """<ir_version: 10, opset_import: ["": 20]>
    agraph (float[2] x, float[2] b = {1, %s}) => (float[2] y) { y = Add(x, b) }"""
    models = [load(onnx.parser.parse_model(text % last)) for last in (1, 3)]
    found = diff_models(*models)
    assert [(weight.names, weight.how) for weight in found.weights] == [(("b", "b"), "values")]
    assert not found.facts
    assert not diff_models(models[0], models[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_a_weight_that_is_quantized_is_compared_with_what_it_stands_for(axis: int) -> None:
    array = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    scale = np.abs(array).max(axis=1 - axis) / 127
    stored = np.round(array / np.expand_dims(scale, 1 - axis)).astype(np.int8)
    proto = to_proto(model(array))
    proto.graph.node.insert(
        0, helper.make_node("DequantizeLinear", ["q", "scale"], ["w"], axis=axis)
    )
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(
        [numpy_helper.from_array(stored, "q"), numpy_helper.from_array(scale, "scale")]
    )
    found = diff_models(model(array), load(proto))
    weight = found.weights[0]
    assert (weight.kind, weight.how) == ("changed", "quantized")
    assert weight.distance is not None
    assert weight.distance.max_abs is not None
    assert weight.distance.max_abs <= float(scale.max()) / 2 + 1e-6
    assert weight.note.startswith("integers now: ")
    assert found.moved == 1
