"""What loading keeps of a file's tensors and of the types it declares."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from burnish.ir import DataType, StoredTensor, convert_attributes
from burnish.loading import load
from burnish.saving import to_proto
from burnish.serial.declared import take_declared


def test_a_stored_tensor_says_what_its_proto_says() -> None:
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    held = StoredTensor(numpy_helper.from_array(array, "w"))
    assert (held.dtype, held.size, held.nbytes, held.name) == (DataType.FLOAT16, 6, 12, "w")
    assert tuple(held.shape) == (2, 3)
    assert np.array_equal(held.numpy(), array)


def test_the_array_of_a_small_stored_tensor_is_one_that_nobody_can_change() -> None:
    proto = helper.make_tensor("w", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    held = StoredTensor(proto)
    assert held.numpy() is held.numpy()
    with pytest.raises(ValueError, match="read-only"):
        held.numpy()[0] = 5


def test_strings_and_packed_types_are_stored_too() -> None:
    words = StoredTensor(helper.make_tensor("s", TensorProto.STRING, [2], [b"a", b"b"]))
    assert words.numpy().tolist() == [b"a", b"b"]
    halves = StoredTensor(helper.make_tensor("q", TensorProto.INT4, [3], [1, -2, 7]))
    assert (halves.nbytes, halves.numpy().astype(np.int32).tolist()) == (2, [1, -2, 7])


def _graph(*infos: onnx.ValueInfoProto) -> onnx.GraphProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
    nodes = [helper.make_node("Neg", ["x"], ["t"]), helper.make_node("Abs", ["t"], ["y"])]
    return helper.make_graph(nodes, "g", [x], [y], value_info=list(infos))


def test_plain_types_are_taken_out_and_given_to_the_values() -> None:
    info = helper.make_tensor_value_info("t", TensorProto.FLOAT, ["N", None, 3])
    assert take_declared(_graph(info)) == {"t": (DataType.FLOAT, ["N", None, 3])}
    proto = helper.make_model(_graph(info), opset_imports=[helper.make_opsetid("", 17)])
    model = load(proto)
    value = model.graph[0].outputs[0]
    assert value.dtype == DataType.FLOAT
    assert value.shape is not None
    assert [getattr(dim, "value", dim) for dim in value.shape] == ["N", None, 3]
    assert to_proto(model).graph.value_info[0] == info


def test_a_type_without_a_rank_has_no_shape() -> None:
    info = helper.make_tensor_value_info("t", TensorProto.FLOAT, None)
    assert take_declared(_graph(info)) == {"t": (DataType.FLOAT, None)}


def test_what_says_more_than_type_and_sizes_stays_in_the_proto() -> None:
    documented = helper.make_tensor_value_info("t", TensorProto.FLOAT, [2], doc_string="why")
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [2])
    denoted = helper.make_tensor_value_info("d", TensorProto.FLOAT, [2], shape_denotation=["C"])
    untyped = helper.make_tensor_value_info("u", TensorProto.UNDEFINED, [2])
    plain = helper.make_tensor_value_info("p", TensorProto.INT64, [])
    graph = _graph(documented, sequence, denoted, untyped, plain)
    assert take_declared(graph) == {"p": (DataType.INT64, [])}
    assert list(graph.value_info) == [documented, sequence, denoted, untyped]


def test_common_python_values_become_attributes_of_their_type() -> None:
    given = {"a": 1, "b": 0.5, "c": "x", "d": [1, 2], "e": (0.5, 1.5), "f": True, "g": [1, True]}
    found = {attr.name: (attr.type.name, attr.value) for attr in convert_attributes(given)}
    assert found["a"] == ("INT", 1)
    assert found["b"] == ("FLOAT", 0.5)
    assert found["c"] == ("STRING", "x")
    assert found["d"] == ("INTS", (1, 2))
    assert found["e"] == ("FLOATS", (0.5, 1.5))
    assert found["f"] == ("INT", True)
    assert found["g"][0] == "INTS"
