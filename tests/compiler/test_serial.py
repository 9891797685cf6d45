"""Our own reader and writer of models agree with onnx-ir's, and leave to them what is rare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from burnish import ir
from burnish.loading import load
from burnish.saving import save
from burnish.saving import to_proto as saved_proto
from burnish.serial.building import build
from burnish.serial.encoding import encode, encode_hollow
from burnish.serial.rare import Rare
from burnish_models.zoo import all_models


def written(model: ir.Model) -> bytes:
    """``model`` in the wire format by onnx-ir and protobuf."""
    data: bytes = ir.to_proto(model).SerializeToString(deterministic=True)
    return data


def joined(model: ir.Model, at_least: int = 1 << 30) -> bytes:
    """``model`` in the wire format by our writer."""
    parts = encode(model, at_least=at_least)
    return b"".join(part if isinstance(part, bytes) else part.tobytes() for part in parts)


def rich() -> onnx.ModelProto:
    """A model with a bit of everything that the wire format has a field for."""
    inner = helper.make_graph(
        [helper.make_node("Add", ["x", "one"], ["sum"], name="inside")],
        "branch",
        [],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, None)],
        [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])],
        "other",
        [],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("If", ["c"], ["a"], then_branch=inner, else_branch=other, name="choice"),
        helper.make_node("Pad", ["a", "pads", "", "axes"], ["b"], mode="edge"),
        helper.make_node("Dropout", ["b"], ["d", ""]),
        helper.make_node("Odd", ["d"], ["e"], domain="mine", ints=[-1, 300, 1 << 40], f=-0.5),
        helper.make_node("Odd", ["e"], ["y"], domain="mine", texts=["a", "ü"], floats=[1.0, 2.5]),
        helper.make_node("SequenceConstruct", ["y"], ["s"]),
    ]
    nodes[1].doc_string = "why"
    nodes[1].metadata_props.add(key="z", value="1")
    nodes[1].metadata_props.add(key="a", value="2")
    nodes[3].attribute[0].doc_string = "many"
    graph = helper.make_graph(
        nodes,
        "rich",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, None]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None, doc_string="the answer"),
            helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor("pads", TensorProto.INT64, [2], [0, 1]),
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            numpy_helper.from_array(np.array(["a", "b"], dtype=object), "words"),
            helper.make_tensor("half", TensorProto.FLOAT16, [1], b"\0\x3c", raw=True),
        ],
        doc_string="all of it",
        value_info=[helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", 2, -1])],
    )
    graph.value_info[0].metadata_props.add(key="from", value="here")
    graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    graph.input[0].type.denotation = "IMAGE"
    graph.metadata_props.add(key="k", value="v")
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    model = helper.make_model(graph, opset_imports=imports, producer_name="me", ir_version=10)
    model.model_version, model.doc_string, model.domain = 7, "whole", "org"
    model.metadata_props.add(key="licence", value="none")
    return model


def plain() -> dict[str, onnx.ModelProto]:
    """Models that need nothing rare, by name."""
    protos = {model.name: ir.to_proto(load(model.proto())) for model in all_models()}
    found = {
        name: proto
        for name, proto in protos.items()
        if not proto.functions and not proto.graph.sparse_initializer
    }
    return {**found, "rich": rich()}


PLAIN = plain()


@pytest.mark.parametrize("name", PLAIN)
def test_a_model_is_read_as_onnx_ir_reads_it(name: str) -> None:
    proto = PLAIN[name]
    assert written(build(proto, {})) == written(ir.from_proto(proto))


@pytest.mark.parametrize("name", PLAIN)
def test_a_model_is_written_as_onnx_ir_writes_it(name: str) -> None:
    model = ir.from_proto(PLAIN[name])
    assert joined(model) == written(model)


def test_weights_left_out_are_missing_and_nothing_else() -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "big"], ["t"]), helper.make_node("Add", ["t", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [100])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [100])],
        [
            helper.make_tensor("w", TensorProto.FLOAT, [], [3.0]),
            helper.make_tensor("big", TensorProto.FLOAT, [100], bytes(400), raw=True),
        ],
    )
    model = ir.from_proto(helper.make_model(graph, ir_version=10))
    data, outside = encode_hollow(model, at_least=64)
    proto = onnx.ModelProto.FromString(data)
    assert list(outside) == [1]
    assert outside[1] is model.graph.initializers["big"].const_value
    assert not proto.graph.initializer[1].HasField("raw_data")
    proto.graph.initializer[1].raw_data = outside[1].tobytes()
    assert proto.SerializeToString(deterministic=True) == written(model)


def annotated() -> onnx.ModelProto:
    """A model whose intermediate value has a quantization annotation."""
    proto = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[2] x) => (float[2] y) <float scale = {0.5}> { t = Relu(x) y = Neg(t) }
    """)
    note = proto.graph.quantization_annotation.add(tensor_name="t")
    note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="scale")
    return proto


def test_quantization_annotations_of_inner_values_survive(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    save(load(annotated()), path)
    kept = onnx.load(path).graph.quantization_annotation
    assert kept == annotated().graph.quantization_annotation


def test_an_annotated_model_is_left_to_onnx_ir() -> None:
    with pytest.raises(Rare):
        encode(load(annotated()), at_least=0)


def test_functions_and_map_types_are_left_to_onnx_ir() -> None:
    proto = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 17, "f" : 1]>
        g (float[2] x) => (float[2] y) { y = f.twice(x) }
        <domain: "f", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) }
    """)
    with pytest.raises(Rare):
        build(proto, {})
    with pytest.raises(Rare):
        encode(load(proto), at_least=0)
    assert [function.name for function in saved_proto(load(proto)).functions] == ["twice"]


def test_numbers_that_do_not_fit_the_wire_are_refused() -> None:
    model = load(rich())
    next(iter(model.graph)).attributes["big"] = ir.Attr("big", ir.AttributeType.INT, 1 << 63)
    with pytest.raises(Rare):
        encode(model, at_least=0)


def test_value_info_tells_what_an_output_leaves_open() -> None:
    proto = onnx.parser.parse_model("""
        <ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg(x) }
    """)
    proto.graph.value_info.append(proto.graph.output[0])
    proto.graph.output[0].ClearField("type")
    (result,) = load(proto).graph.outputs
    assert result.dtype == ir.DataType.FLOAT
    assert result.shape == [2]
