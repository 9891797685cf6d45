"""Models run on ONNX Runtime, else on the reference evaluator, and say which and why."""

from __future__ import annotations

import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from burnish.errors import ExecutionError, InputError, MissingDependency
from burnish.evaluate import Engine, Evaluator, run_model
from burnish.loading import load

FLOAT = TensorProto.FLOAT
ENGINES: tuple[Engine, ...] = ("ort", "reference")
TWO = np.array([1, -2], dtype=np.float32)


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    opset: int = 21,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def value(name: str, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [2])


def relu() -> onnx.ModelProto:
    nodes = [helper.make_node("Neg", ["x"], ["n"]), helper.make_node("Relu", ["n"], ["y"])]
    return model(nodes, [value("x")], [value("y")])


def test_every_kind_of_source_runs(tmp_path: Path) -> None:
    onnx.save(relu(), tmp_path / "m.onnx")
    for source in (relu(), relu().SerializeToString(), tmp_path / "m.onnx", load(relu())):
        np.testing.assert_array_equal(run_model(source, {"x": TWO})["y"], [0, 2])


def test_ort_is_asked_first_and_named() -> None:
    evaluator = Evaluator(relu())
    assert evaluator.engine.startswith("onnxruntime")
    assert evaluator.fallback == ""
    assert Evaluator(relu(), engine="reference").engine.startswith("onnx.reference")


def test_inner_values_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    weight = onnx.numpy_helper.from_array(TWO, "w")
    proto = relu()
    proto.graph.initializer.append(weight)
    proto.graph.node[0].op_type = "Add"
    proto.graph.node[0].input.append("w")
    onnx.save(proto, path, save_as_external_data=True, location="m.data", size_threshold=0)
    for engine in ENGINES:
        found = run_model(path, {"x": TWO}, outputs=["n"], engine=engine)
        assert list(found) == ["n"]
        np.testing.assert_array_equal(found["n"], TWO + TWO)
    with pytest.raises(InputError, match="no value 'ghost'"):
        Evaluator(relu(), outputs=["ghost"])


def test_the_reference_answers_where_ort_refuses() -> None:
    newest = model(relu().graph.node[:], [value("x")], [value("y")], onnx.defs.onnx_opset_version())
    newest.ir_version = onnx.IR_VERSION
    evaluator = Evaluator(newest)
    np.testing.assert_array_equal(evaluator.run({"x": TWO})["y"], [0, 2])
    assert evaluator.engine.startswith("onnx.reference")
    assert "onnxruntime" in evaluator.fallback
    assert "\n" not in evaluator.fallback
    with pytest.raises(ExecutionError, match="onnxruntime"):
        Evaluator(newest, engine="ort")


def test_without_ort_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "not installed" in Evaluator(relu()).fallback
    with pytest.raises(MissingDependency, match="pip install"):
        Evaluator(relu(), engine="ort")


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4"])
def test_types_numpy_does_not_have(name: str) -> None:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(getattr(ml_dtypes, name)))
    to = model([helper.make_node("Cast", ["x"], ["y"], to=kind)], [value("x")], [value("y", kind)])
    given = np.array([1, 2], dtype=np.float32)
    there = run_model(to, {"x": given})["y"]
    assert there.dtype == np.dtype(getattr(ml_dtypes, name))
    assert there.astype(np.float32).tolist() == [1, 2]
    back = model([helper.make_node("Cast", ["x"], ["y"], to=1)], [value("x", kind)], [value("y")])
    assert run_model(back, {"x": there})["y"].tolist() == [1, 2]


def test_strings_are_str_on_both_engines() -> None:
    text = TensorProto.STRING
    nodes = [helper.make_node("StringConcat", ["x", "x"], ["y"])]
    proto = model(nodes, [value("x", text)], [value("y", text)])
    for engine in ENGINES:
        for feed in (np.array([b"a", b"b"], dtype=object), np.array(["a", "b"])):
            found = run_model(proto, {"x": feed}, engine=engine)
            assert found["y"].tolist() == ["aa", "bb"]


@pytest.mark.parametrize("engine", ENGINES)
def test_sequences_and_optionals(engine: Engine) -> None:
    kind = helper.make_tensor_type_proto(FLOAT, [2])
    sequence = helper.make_value_info("y", helper.make_sequence_type_proto(kind))
    proto = model(
        [helper.make_node("SequenceConstruct", ["x", "x"], ["y"])], [value("x")], [sequence]
    )
    found = run_model(proto, {"x": TWO}, engine=engine)["y"]
    assert [item.tolist() for item in found] == [[1, -2], [1, -2]]
    optional = helper.make_value_info("x", helper.make_optional_type_proto(kind))
    has = model(
        [helper.make_node("OptionalHasElement", ["x"], ["y"])],
        [optional],
        [helper.make_tensor_value_info("y", TensorProto.BOOL, [])],
    )
    for given, expected in ((TWO, True), (None, False)):
        found = run_model(has, {"x": given}, engine=engine)["y"]
        assert bool(found) is expected


@pytest.mark.parametrize("engine", ENGINES)
def test_failures_are_one_line(engine: Engine) -> None:
    proto = model([helper.make_node("MatMul", ["x", "z"], ["y"], name="mm")], [], [value("y")])
    for name in ("x", "z"):
        proto.graph.input.append(helper.make_tensor_value_info(name, FLOAT, ["a", "b"]))
    del proto.graph.output[0].type.tensor_type.shape.dim[:]
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    bad = {"x": np.ones((2, 3), np.float32), "z": np.ones((2, 3), np.float32)}
    with pytest.raises(ExecutionError) as caught:
        run_model(proto, bad, engine=engine)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no input 'w'"):
        run_model(proto, {**bad, "w": TWO}, engine=engine)
    with pytest.raises(InputError, match="'z' is missing"):
        run_model(proto, {"x": TWO}, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_overridable_initializers_may_be_left_out(engine: Engine) -> None:
    proto = model([helper.make_node("Add", ["x", "w"], ["y"])], [value("x")], [value("y")])
    proto.graph.input.append(value("w"))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(TWO, "w"))
    one = Evaluator(proto, engine=engine)
    assert one.run({"x": TWO})["y"].tolist() == [2, -4]
    assert one.run({"x": TWO, "w": TWO * 0})["y"].tolist() == [1, -2]
