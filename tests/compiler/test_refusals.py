"""Every model that cannot be used is refused in one line: what, where, and the mend."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from burnish.errors import ModelError
from burnish.loading import load

FLOAT = TensorProto.FLOAT


def value(name: str, shape: list[int | str] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, [4] if shape is None else shape)


def model(nodes: list[onnx.NodeProto], **graph: Any) -> onnx.ModelProto:
    main = helper.make_graph(nodes, "g", [value("x")], [value("y")], **graph)
    return helper.make_model(main, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def relu(a: str, b: str, name: str = "") -> onnx.NodeProto:
    return helper.make_node("Relu", [a], [b], name=name)


def external(location: str, *, offset: int = 0, length: int = 16) -> onnx.ModelProto:
    weight = TensorProto(name="w", data_type=FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, text in (("location", location), ("offset", offset), ("length", length)):
        weight.external_data.add(key=key, value=str(text))
    return model([helper.make_node("Add", ["x", "w"], ["y"])], initializer=[weight])


def refused(source: Any, *parts: str) -> str:
    """The message of the refusal: one line that holds every part."""
    with pytest.raises(ModelError) as caught:
        load(source)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.mend, text
    assert caught.value.exit_code == 2
    for part in parts:
        assert part in text, text
    return text


def write(path: Path, proto: onnx.ModelProto) -> Path:
    path.write_bytes(proto.SerializeToString())
    return path


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "no.onnx", "no.onnx", "no such file", "check the path")


def test_folder(tmp_path: Path) -> None:
    refused(str(tmp_path), str(tmp_path), "folder")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (random.Random(0).randbytes(5000), "not an ONNX model"),
        (random.Random(1).randbytes(100), "not an ONNX model"),
        (b"this is a text file, not a model\n" * 40, "not an ONNX model"),
        (b"\x1c\0\0\0TFL3" + bytes(200), "TensorFlow Lite"),
        (b"PK\x03\x04" + bytes(200), "zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"", "empty"),
        (b"\0" * 64, "not an ONNX model"),
    ],
)
def test_not_onnx(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "thing.onnx"
    path.write_bytes(data)
    refused(path, "thing.onnx", said)
    refused(data, said)


def test_other_protobuf_messages_are_not_models() -> None:
    tensor = helper.make_tensor("w", FLOAT, [4], [1, 2, 3, 4])
    refused(tensor.SerializeToString(), "not an ONNX model")
    refused(onnx.ModelProto(ir_version=10).SerializeToString(), "not an ONNX model")


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.99])
def test_truncated(tmp_path: Path, keep: float) -> None:
    weight = helper.make_tensor("w", FLOAT, [4096], bytes(4 * 4096), raw=True)
    data = model([relu("x", "y")], initializer=[weight]).SerializeToString()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[: int(len(data) * keep)])
    refused(path, "cut.onnx", "truncated", "again")


def test_damaged_inside() -> None:
    data = bytearray(model([relu("x", "y")]).SerializeToString())
    at = data.index(b"Relu") - 1
    data[at] = 0xFF
    with pytest.raises(ModelError):
        load(bytes(data))


def test_missing_external_data(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", external("w.bin"))
    refused(path, "m.onnx", "'w'", "w.bin", "missing", "beside the model")


def test_external_data_too_short(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(20))
    refused(write(tmp_path / "m.onnx", external("w.bin", offset=8)), "cut off", "20 bytes", "24")


def test_external_length_against_the_shape(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64))
    refused(write(tmp_path / "m.onnx", external("w.bin", length=32)), "length 32", "needs 16")
    refused(write(tmp_path / "m.onnx", external("w.bin", offset=-4)), "offset -4")


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(16))
    refused(write(folder / "m.onnx", external("../secret.bin")), "outside the model's folder")
    refused(write(folder / "m.onnx", external("a/../../secret.bin")), "outside")
    refused(write(folder / "m.onnx", external(str(secret))), "absolute path", str(secret))
    (folder / "link.bin").symlink_to(secret)
    refused(write(folder / "m.onnx", external("link.bin")), "link that leaves", "link.bin")
    os.link(secret, folder / "hard.bin")
    refused(write(folder / "m.onnx", external("hard.bin")), "hard link", "copy")


def test_symlink_to_a_folder_outside(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "w.bin").write_bytes(bytes(16))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "sub").symlink_to(tmp_path / "other")
    refused(write(tmp_path / "model" / "m.onnx", external("sub/w.bin")), "link that leaves")


def test_external_data_in_an_attribute_is_checked_too(tmp_path: Path) -> None:
    tensor = external("../w.bin").graph.initializer[0]
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["t"], value=tensor)], "b", [], [value("t")]
    )
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    proto = model([branch], initializer=[helper.make_tensor("c", TensorProto.BOOL, [], [True])])
    refused(write(tmp_path / "m.onnx", proto), "outside the model's folder")


def test_external_data_of_a_model_in_memory() -> None:
    refused(external("w.bin"), "'w'", "pass the model's path")


@pytest.mark.parametrize(
    "order", [lambda nodes: nodes, lambda nodes: nodes[::-1]], ids=["forward", "backward"]
)
def test_cycle_names_a_node_on_it(
    order: Callable[[list[onnx.NodeProto]], list[onnx.NodeProto]],
) -> None:
    nodes = [
        relu("x", "a", "before"),
        helper.make_node("Add", ["a", "c"], ["b"], name="first"),
        relu("b", "c", "second"),
        relu("c", "y", "after"),
    ]
    text = refused(model(order(nodes)), "cycle")
    assert "'first'" in text or "'second'" in text


def test_cycle_through_a_subgraph_capture() -> None:
    body = helper.make_graph([relu("y", "t")], "b", [], [value("t")])
    branch = helper.make_node("If", ["c"], ["y"], name="loopy", then_branch=body, else_branch=body)
    stored = [helper.make_tensor("c", TensorProto.BOOL, [], [True])]
    refused(model([branch], initializer=stored), "'loopy'", "cycle")


def test_two_producers() -> None:
    text = refused(model([relu("x", "y", "one"), relu("x", "y", "two")]), "'y'", "produced twice")
    assert "'one'" in text
    assert "'two'" in text


def test_duplicate_names() -> None:
    weight = helper.make_tensor("w", FLOAT, [1], [1])
    refused(model([relu("x", "y")], initializer=[weight, weight]), "two initializers", "'w'")
    refused(model([relu("x", "x")]), "'x'", "produced twice", "an input")
    refused(model([relu("x", "w")], initializer=[weight]), "an initializer")
    proto = model([relu("x", "y")])
    proto.graph.input.append(value("x"))
    refused(proto, "two graph inputs", "'x'")


def test_undefined_values() -> None:
    refused(model([relu("ghost", "y", "n")]), "'ghost'", "'n'", "nothing produces")
    refused(model([relu("x", "z")]), "graph output", "'y'")
    body = helper.make_graph([relu("ghost", "t")], "b", [], [value("t")])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    stored = [helper.make_tensor("c", TensorProto.BOOL, [], [True])]
    refused(model([branch], initializer=stored), "'ghost'")


def test_a_subgraph_value_is_not_seen_outside() -> None:
    body = helper.make_graph([relu("x", "inner")], "b", [], [value("inner")])
    branch = helper.make_node("If", ["c"], ["o"], then_branch=body, else_branch=body)
    stored = [helper.make_tensor("c", TensorProto.BOOL, [], [True])]
    refused(model([branch, relu("inner", "y", "out")], initializer=stored), "'inner'", "'out'")


def test_versions_from_the_future() -> None:
    known = onnx.defs.onnx_opset_version()
    proto = model([relu("x", "y")])
    proto.opset_import[0].version = known + 1
    refused(proto, f"opset {known + 1}", f"newer than {known}", "upgrade")
    proto.opset_import[0].domain = "ai.onnx"
    refused(proto, f"opset {known + 1}")
    proto = model([relu("x", "y")])
    proto.ir_version = onnx.IR_VERSION + 1
    refused(proto, f"IR version {onnx.IR_VERSION + 1}", "upgrade")


def test_weight_of_the_wrong_size() -> None:
    weight = helper.make_tensor("w", FLOAT, [4096], bytes(4 * 4096), raw=True)
    weight.dims[0] = 5000
    refused(model([relu("x", "y")], initializer=[weight]), "'w'", "16384 bytes", "20000")


def test_functions_that_call_themselves() -> None:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)]
    call = helper.make_node("F", ["a"], ["b"], domain="f")
    function = helper.make_function("f", "F", ["a"], ["b"], [call], opsets)
    proto = model([helper.make_node("F", ["x"], ["y"], domain="f")])
    proto.opset_import.add(domain="f", version=1)
    proto.functions.append(function)
    refused(proto, "'F'", "calls itself")
    proto.functions.append(function)
    refused(proto, "two functions", "'F'")


def test_sparse_indices_out_of_range() -> None:
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("w", FLOAT, [1], [1]), helper.make_tensor("", 7, [1], [9]), [4]
    )
    proto = model([helper.make_node("Add", ["x", "w"], ["y"])], sparse_initializer=[sparse])
    refused(proto, "'w'", "do not fit")
