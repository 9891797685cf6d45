"""What loading understands, keeps and leaves alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.corpus import CORPUS

from burnish import ir
from burnish.errors import ModelError
from burnish.loading import load
from burnish.saving import to_proto
from burnish.serial.sparse import SparseTensor

FLOAT = TensorProto.FLOAT


def value(name: str, shape: list[int | str | None] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, [2] if shape is None else shape)


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    *,
    opset: int = 20,
    ir_version: int = 10,
    **graph: Any,
) -> onnx.ModelProto:
    main = helper.make_graph(nodes, "g", inputs, outputs, **graph)
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(main, opset_imports=imports, ir_version=ir_version)


def with_weight(*, ir_version: int) -> onnx.ModelProto:
    return model(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [value("x"), value("w")],
        [value("y")],
        opset=8,
        ir_version=ir_version,
        initializer=[helper.make_tensor("w", FLOAT, [2], [1, 2])],
    )


def dims_of(values: Iterable[Any]) -> list[list[object]]:
    return [[dim if isinstance(dim, int) else dim.value for dim in item.shape] for item in values]


def test_every_kind_of_source_gives_the_same_model(tmp_path: Path) -> None:
    proto = with_weight(ir_version=10)
    path = tmp_path / "m.onnx"
    onnx.save(proto, path)
    sources = [path, str(path), proto.SerializeToString(), proto, ir.from_proto(proto)]
    written = {to_proto(load(source)).SerializeToString(deterministic=True) for source in sources}
    assert len(written) == 1


def test_sources_are_not_changed() -> None:
    proto = with_weight(ir_version=3)
    before = proto.SerializeToString()
    given = ir.from_proto(proto)
    load(proto)
    loaded = load(given, input_shapes={"x": [2]})
    assert proto.SerializeToString() == before
    assert len(given.graph.inputs) == 2
    assert loaded is not given


def test_initializers_that_are_inputs_become_constants_before_ir_4() -> None:
    old = load(with_weight(ir_version=3))
    assert [item.name for item in old.graph.inputs] == ["x"]
    assert old.ir_version >= 8
    assert ir.constant(old.graph.initializers["w"]) is not None
    onnx.checker.check_model(to_proto(old), full_check=True)


def test_initializers_that_are_inputs_stay_overridable_from_ir_4_on() -> None:
    new = load(with_weight(ir_version=4))
    assert [item.name for item in new.graph.inputs] == ["x", "w"]
    assert new.ir_version == 4
    assert ir.constant(new.graph.initializers["w"]) is None


@pytest.mark.parametrize("opset", [1, 6, 7])
def test_old_opsets_load(opset: int) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    proto = model(nodes, [value("x")], [value("y")], opset=opset, ir_version=3)
    assert load(proto).opset_imports[""] == opset


def test_missing_domain_import_means_version_1() -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y")])
    del proto.opset_import[:]
    assert load(proto).opset_imports == {"": 1}


def test_only_custom_domains_need_no_default_import() -> None:
    node = helper.make_node("Odd", ["x"], ["y"], domain="my.ops", text="t", number=1.5)
    proto = model([node], [value("x")], [value("y")])
    del proto.opset_import[:]
    proto.opset_import.add(domain="my.ops", version=3)
    back = to_proto(load(proto))
    assert back.graph.node[0] == node
    assert [(item.domain, item.version) for item in back.opset_import] == [("my.ops", 3)]


def test_ai_onnx_is_the_default_domain() -> None:
    node = helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")
    proto = model([node], [value("x")], [value("y")])
    proto.opset_import[0].domain = "ai.onnx"
    loaded = load(proto)
    assert loaded.opset_imports == {"": 20}
    assert loaded.graph.node(0).domain == ""


def test_nodes_out_of_order_are_sorted() -> None:
    body = helper.make_graph([helper.make_node("Neg", ["late"], ["t"])], "b", [], [value("t")])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body),
        helper.make_node("Relu", ["early"], ["late"]),
        helper.make_node("Abs", ["x"], ["early"]),
    ]
    stored = [helper.make_tensor("c", TensorProto.BOOL, [], [True])]
    proto = model(nodes, [value("x")], [value("y")], initializer=stored)
    loaded = load(proto)
    assert [node.op_type for node in loaded.graph] == ["Abs", "Relu", "If"]
    onnx.checker.check_model(to_proto(loaded), full_check=True)


def test_nameless_and_equally_named_nodes_load() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="same"),
        helper.make_node("Relu", ["a"], ["b"], name="same"),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    loaded = load(model(nodes, [value("x")], [value("y")]))
    assert len(loaded.graph) == 3


def test_a_branch_may_return_an_outer_value() -> None:
    same = helper.make_graph([], "same", [], [value("x")])
    negated = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["n"])], "negated", [], [value("n")]
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=same, else_branch=negated)
    stored = [helper.make_tensor("c", TensorProto.BOOL, [], [True])]
    loaded = load(model([node], [value("x")], [value("y")], initializer=stored))
    branch = ir.attribute(loaded.graph.node(0), "then_branch")
    assert [inner.op_type for inner in branch] == ["Identity"]
    assert branch.node(0).inputs[0] is loaded.graph.inputs[0]
    onnx.checker.check_model(to_proto(loaded), full_check=True)


def test_captures_are_uses_of_the_outer_value() -> None:
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "x"], ["out"])], "b", [value("s")], [value("out")]
    )
    body.input.insert(0, helper.make_tensor_value_info("i", TensorProto.INT64, []))
    body.input.insert(1, helper.make_tensor_value_info("go", TensorProto.BOOL, []))
    body.node.insert(0, helper.make_node("Identity", ["go"], ["again"]))
    body.output.insert(0, helper.make_tensor_value_info("again", TensorProto.BOOL, []))
    loop = helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)
    stored = [helper.make_tensor("n", TensorProto.INT64, [], [3])]
    loaded = load(model([loop], [value("x")], [value("y")], initializer=stored))
    assert {node.op_type for node, _ in loaded.graph.inputs[0].uses()} == {"Loop", "Add"}


def test_weights_of_a_file_are_views_of_it(tmp_path: Path) -> None:
    data = np.arange(4096, dtype=np.float32)
    stored = [onnx.numpy_helper.from_array(data, "w")]
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"])]
    path = tmp_path / "m.onnx"
    onnx.save(model(nodes, [value("x", [4096])], [value("y", [4096])], initializer=stored), path)
    weight = load(path).graph.initializers["w"].const_value
    assert weight is not None
    array = weight.numpy()
    assert not array.flags.owndata
    assert not array.flags.writeable
    np.testing.assert_array_equal(array, data)
    path.unlink()  # the map outlives the name
    np.testing.assert_array_equal(weight.numpy(), data)


def test_external_data_stays_external_and_survives_chdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.arange(4096, dtype=np.float32)
    stored = [onnx.numpy_helper.from_array(data, "w")]
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"])]
    proto = model(nodes, [value("x", [4096])], [value("y", [4096])], initializer=stored)
    monkeypatch.chdir(tmp_path)
    onnx.save(proto, "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    weight = load("m.onnx").graph.initializers["w"].const_value
    assert isinstance(weight, ir.ExternalTensor)
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(weight.numpy(), data)


# --- sparse tensors, types


def sparse(name: str, *, coordinates: bool = False) -> onnx.SparseTensorProto:
    values = helper.make_tensor(name, FLOAT, [2], [5, 7])
    where = [[0, 1], [1, 2]] if coordinates else [1, 5]
    flat = np.array(where, dtype=np.int64)
    return helper.make_sparse_tensor(values, onnx.numpy_helper.from_array(flat), [2, 3])


DENSE = np.array([[0, 5, 0], [0, 0, 7]], dtype=np.float32)


@pytest.mark.parametrize("coordinates", [False, True])
def test_sparse_initializers_are_carried(coordinates: bool) -> None:
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    shape: list[int | str | None] = [2, 3]
    proto = model(nodes, [value("x", shape)], [value("y", shape)])
    proto.graph.sparse_initializer.append(sparse("w", coordinates=coordinates))
    loaded = load(proto)
    weight = loaded.graph.initializers["w"]
    assert isinstance(weight.const_value, SparseTensor)
    held = ir.constant_array(weight)
    assert held is not None
    np.testing.assert_array_equal(held, DENSE)
    back = to_proto(loaded)
    assert list(back.graph.sparse_initializer) == list(proto.graph.sparse_initializer)
    assert len(back.graph.initializer) == 0
    # Writers that know nothing of this write the dense form.
    plain = ir.to_proto(loaded)
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(plain.graph.initializer[0]), DENSE)


def test_sparse_constants_are_carried() -> None:
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["t"], sparse_value=sparse(""))], "b", [], [value("t")]
    )
    shape: list[int | str | None] = [2, 3]
    nodes = [
        helper.make_node("Constant", [], ["w"], sparse_value=sparse("")),
        helper.make_node("If", ["c"], ["v"], then_branch=inner, else_branch=inner),
        helper.make_node("Add", ["v", "w"], ["s"]),
        helper.make_node("Add", ["x", "s"], ["y"]),
    ]
    stored = [helper.make_tensor("c", TensorProto.BOOL, [], [True])]
    proto = model(nodes, [value("x", shape)], [value("y", shape)], initializer=stored)
    loaded = load(proto)
    held = ir.constant_array(loaded.graph.node(0).outputs[0])
    assert held is not None
    np.testing.assert_array_equal(held, DENSE)
    assert list(to_proto(loaded).graph.node) == nodes
    assert list(to_proto(loaded).graph.node) == nodes  # writing does not disturb the model


def test_sparse_attributes_of_custom_operators_are_carried() -> None:
    node = helper.make_node("Odd", ["x"], ["y"], domain="my", one=sparse("a"))
    many = helper.make_attribute("many", [sparse("b"), sparse("c")])
    node.attribute.append(many)
    proto = model([node], [value("x")], [value("y")])
    proto.opset_import.add(domain="my", version=1)
    assert list(to_proto(load(proto)).graph.node) == [node]


@pytest.mark.parametrize(
    "kind",
    [
        helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, ["n", 3])),
        helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, [2])),
        helper.make_optional_type_proto(
            helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, ["n"]))
        ),
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, []))
        ),
    ],
    ids=["sequence", "optional", "optional-sequence", "sequence-map"],
)
def test_types_of_inputs_and_outputs_survive(kind: onnx.TypeProto) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    proto = model(nodes, [helper.make_value_info("x", kind)], [helper.make_value_info("y", kind)])
    back = to_proto(load(load(proto)))
    assert back.graph.input[0] == proto.graph.input[0]
    assert back.graph.output[0] == proto.graph.output[0]


# --- binding dimensions


def chain() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Neg", ["a"], ["t"])], "b", [], [value("t", ["batch", "past+seq"])]
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body),
    ]
    inputs = [value("x", ["batch", "past+seq"]), value("p", ["past", None]), value("q", ["seq", 4])]
    return model(
        nodes,
        inputs,
        [value("y", ["batch", "past+seq"])],
        initializer=[helper.make_tensor("c", TensorProto.BOOL, [], [True])],
        value_info=[value("a", ["batch", "past+seq"])],
    )


def test_names_survive_when_nothing_is_bound() -> None:
    loaded = load(chain())
    assert dims_of(loaded.graph.inputs) == [["batch", "past+seq"], ["past", None], ["seq", 4]]
    assert dims_of(loaded.graph.outputs) == [["batch", "past+seq"]]


def test_bound_names_are_bound_everywhere() -> None:
    loaded = load(chain(), dims={"batch": 2, "past": 3}, input_shapes={"q": [5, 4]})
    assert dims_of(loaded.graph.inputs) == [[2, 8], [3, None], [5, 4]]
    assert dims_of(loaded.graph.outputs) == [[2, 8]]
    assert dims_of(loaded.graph.node(0).outputs) == [[2, 8]]
    branch = next(iter(ir.nested_graphs(loaded.graph.node(1))))
    assert dims_of(branch.outputs) == [[2, 8]]


def test_a_name_left_free_survives_binding_another() -> None:
    loaded = load(chain(), dims={"past": 3})
    assert dims_of(loaded.graph.inputs) == [["batch", "past+seq"], [3, None], ["seq", 4]]


def test_nameless_dims_are_bound_on_their_own() -> None:
    proto = model(
        [helper.make_node("Relu", ["x"], ["y"])],
        [value("x", ["?", "?", None, "-1"])],
        [value("y", ["?", "?", None, "-1"])],
    )
    loaded = load(proto, input_shapes={"x": [1, 3, 224, 225]})
    assert dims_of(loaded.graph.inputs) == [[1, 3, 224, 225]]
    assert dims_of(loaded.graph.outputs) == [["?", "?", None, "-1"]]


def test_an_input_without_a_shape_gets_one() -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], [value("x")], [value("y")])
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    assert dims_of(load(proto, input_shapes={"x": [2]}).graph.inputs) == [[2]]


@pytest.mark.parametrize(
    ("shapes", "dims", "parts"),
    [
        ({"z": [1]}, {}, ["no input 'z'", "x, p, q"]),
        ({}, {"bach": 1}, ["'bach'", "batch", "past", "seq"]),
        ({"q": [1, 2, 3]}, {}, ["'q'", "3 dimensions", "give 2 sizes"]),
        ({"q": [1, 5]}, {}, ["'q'", "[seq, 4]", "axis 1 is fixed"]),
        ({"q": [1, 4]}, {"seq": 2}, ["'seq' is already 2"]),
        ({"q": [1, 4], "p": [2, 9], "x": [1, 4]}, {}, ["'past+seq' is already 3"]),
        ({"q": [-1, 4]}, {}, ["negative"]),
        ({}, {"seq": -2}, ["'seq'", "-2"]),
    ],
)
def test_binding_refuses_in_one_line(
    shapes: dict[str, list[int]], dims: dict[str, int], parts: list[str]
) -> None:
    with pytest.raises(ModelError) as caught:
        load(chain(), input_shapes=shapes, dims=dims)
    text = str(caught.value)
    assert "\n" not in text
    for part in parts:
        assert part in text, text


# --- real models


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here")
def test_corpus_loads_and_keeps_its_interface() -> None:
    paths = sorted(CORPUS.glob("*/*.onnx"))
    assert paths
    for path in paths:
        proto = onnx.load(path)
        back = to_proto(load(path))
        stored = {item.name for item in proto.graph.initializer}
        kept = [i for i in proto.graph.input if proto.ir_version >= 4 or i.name not in stored]
        assert list(back.graph.input) == kept, path
        assert list(back.graph.output) == list(proto.graph.output), path
        assert len(back.graph.node) == len(proto.graph.node), path
