"""Writing models: same values, same bytes, whole files, weights of any size and type."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from burnish import ir
from burnish.errors import ModelError
from burnish.loading import load
from burnish.saving import save, to_proto

DTYPES = [
    *(
        np.dtype(name)
        for name in ["float32", "float64", "float16", "complex64", "complex128", "bool"]
    ),
    *(np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *(
        np.dtype(getattr(ml_dtypes, name))
        for name in ["bfloat16", "int4", "uint4", "int2", "uint2"]
    ),
    *(
        np.dtype(getattr(ml_dtypes, f"float8_{n}"))
        for n in ["e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz"]
    ),
    np.dtype(ml_dtypes.float8_e8m0fnu),
    np.dtype(ml_dtypes.float4_e2m1fn),
    np.dtype(object),
]


def holding(tensors: dict[str, ir.TensorProtocol]) -> ir.Model:
    """A model whose initializers are ``tensors``, each also an output."""
    values = [
        ir.Value(name=name, type=ir.TensorType(t.dtype), shape=ir.Shape(t.shape.numpy()))
        for name, t in tensors.items()
    ]
    for item, tensor in zip(values, tensors.values(), strict=True):
        item.const_value = tensor
    nodes = [ir.Node("", "Identity", [item]) for item in values]
    for number, node in enumerate(nodes):
        node.outputs[0].name = f"out{number}"
        node.outputs[0].type = values[number].type
        node.outputs[0].shape = values[number].shape
    outputs = [node.outputs[0] for node in nodes]
    graph = ir.Graph([], outputs, nodes=nodes, initializers=values, opset_imports={"": 23})
    return ir.Model(graph, ir_version=11)


def random_tensor(dtype: np.dtype[Any], shape: tuple[int, ...], seed: int) -> ir.TensorProtocol:
    rng = np.random.default_rng(seed)
    if dtype.kind == "O":
        words = [rng.bytes(int(rng.integers(0, 5))) for _ in range(int(np.prod(shape)))]
        array = np.empty(len(words), dtype=object)
        array[:] = words
        return ir.make_tensor(array.reshape(shape))
    if dtype.kind in "biufc":
        data = rng.bytes(int(np.prod(shape)) * dtype.itemsize)
        array = np.frombuffer(data, dtype).reshape(shape)
        return ir.make_tensor(array != 0 if dtype.kind == "b" else array)
    return ir.make_tensor(rng.integers(0, 4, shape).astype(np.float32).astype(dtype))


def same(one: ir.TensorProtocol, other: ir.TensorProtocol) -> bool:
    a, b = one.numpy(), other.numpy()
    if one.dtype != other.dtype or a.shape != b.shape:
        return False
    return list(a.flat) == list(b.flat) if a.dtype == object else a.tobytes() == b.tobytes()


@settings(max_examples=40, deadline=None)
@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 40), max_size=3)),
        min_size=1,
        max_size=4,
    ),
    seed=st.integers(0, 1000),
    beside=st.booleans(),
)
def test_tensors_of_every_type_survive(
    kinds: list[tuple[np.dtype[Any], list[int]]],
    seed: int,
    beside: bool,
) -> None:
    tensors = {f"t{i}": random_tensor(d, tuple(s), seed) for i, (d, s) in enumerate(kinds)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.onnx")
        written = save(holding(tensors), path, external_threshold=0 if beside else 1 << 40)
        assert len(written) == 1 + beside
        loaded = load(path)
        for name, tensor in tensors.items():
            held = loaded.graph.initializers[name].const_value
            assert held is not None
            assert same(tensor, held), name
        again = Path(folder, "again.onnx")
        save(loaded, again)
        other = load(again)
        for name, tensor in tensors.items():
            held = other.graph.initializers[name].const_value
            assert held is not None
            assert same(tensor, held), name
        onnx.load(path)  # any reader takes it


def big(seed: int = 0, count: int = 3) -> ir.Model:
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(50_000 + i).astype(np.float32) for i in range(count)]
    return holding({f"w{i}": ir.make_tensor(a) for i, a in enumerate(arrays)})


def test_bytes_are_those_protobuf_writes(tmp_path: Path) -> None:
    model = big()
    save(model, tmp_path / "m.onnx")
    data = (tmp_path / "m.onnx").read_bytes()
    assert data == to_proto(model).SerializeToString(deterministic=True)
    assert data == onnx.load(tmp_path / "m.onnx").SerializeToString(deterministic=True)


@pytest.mark.parametrize("threshold", [0, 1 << 40])
def test_the_same_model_gives_the_same_bytes(tmp_path: Path, threshold: int) -> None:
    first = save(big(), tmp_path / "m.onnx", external_threshold=threshold)
    before = [path.read_bytes() for path in first]
    again = save(load(tmp_path / "m.onnx"), tmp_path / "m.onnx", external_threshold=threshold)
    assert [path.read_bytes() for path in again] == before
    assert sorted(tmp_path.iterdir()) == sorted(first)


@pytest.mark.parametrize("threshold", [0, 1 << 40])
def test_overwriting_its_own_source_keeps_the_model_usable(tmp_path: Path, threshold: int) -> None:
    path = tmp_path / "m.onnx"
    save(big(count=3), path, external_threshold=threshold)
    model = load(path)
    expected = {f"w{i}": big(count=3).graph.initializers[f"w{i}"].const_value for i in (1, 2)}
    # Without w0 every other weight moves to another offset.
    ir.remove_node(model.graph.node(0))
    del model.graph.outputs[0]
    del model.graph.initializers["w0"]
    save(model, path, external_threshold=threshold)
    for held in (model, load(path)):
        for name, tensor in expected.items():
            now = held.graph.initializers[name].const_value
            assert now is not None
            assert tensor is not None
            assert same(tensor, now)
    save(model, tmp_path / "other.onnx")
    assert (tmp_path / "other.onnx").stat().st_size > 400_000


class _Broken:
    """A weight whose data cannot be read."""

    def __init__(self, like: ir.TensorProtocol) -> None:
        self.name, self.shape, self.dtype, self.nbytes = "w2", like.shape, like.dtype, like.nbytes
        self.doc_string = None
        self.metadata_props: dict[str, str] = {}

    def tobytes(self) -> bytes:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("threshold", [0, 1 << 40])
def test_a_failed_save_leaves_what_was_there(tmp_path: Path, threshold: int) -> None:
    path = tmp_path / "m.onnx"
    written = save(big(seed=1), path, external_threshold=threshold)
    before = [file.read_bytes() for file in written]
    model = big(seed=2)
    weight = model.graph.initializers["w2"]
    assert weight.const_value is not None
    weight.const_value = _Broken(weight.const_value)  # type: ignore[assignment]  # what save asks of it
    with pytest.raises(ModelError, match="No space left"):
        save(model, path, external_threshold=threshold)
    assert [file.read_bytes() for file in written] == before
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written"):
        save(big(), tmp_path / "no" / "m.onnx")


def test_external_weights_move_with_the_model(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    target.mkdir()
    save(big(), source / "m.onnx", external_threshold=0)
    save(load(source / "m.onnx"), target / "n.onnx", external_threshold=0)
    for path in source.iterdir():
        path.unlink()
    proto = onnx.load(target / "n.onnx")
    assert (target / "n.onnx.data").is_file()
    held = big().graph.initializers["w1"].const_value
    assert held is not None
    np.testing.assert_array_equal(
        onnx.numpy_helper.to_array(proto.graph.initializer[1]), held.numpy()
    )


def test_external_tensors_in_subgraphs_and_attributes_are_taken_along(tmp_path: Path) -> None:
    data = np.arange(4, dtype=np.float32)
    (tmp_path / "w.bin").write_bytes(data.tobytes())
    tensor = TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="w.bin")
    out = [helper.make_tensor_value_info("t", 1, [4])]
    one = helper.make_graph([helper.make_node("Constant", [], ["t"], value=tensor)], "a", [], out)
    two = helper.make_graph(
        [helper.make_node("Neg", ["w"], ["t"])], "b", [], out, initializer=[tensor]
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=one, else_branch=two)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("y", 1, [4])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    back = to_proto(load(tmp_path / "m.onnx"))
    branches = {attr.name: attr.g for attr in back.graph.node[0].attribute}
    constant = branches["then_branch"].node[0].attribute[0].t
    stored = branches["else_branch"].initializer[0]
    for found in (constant, stored):
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(found), data)


def test_models_over_2_gb_load_and_save(tmp_path: Path) -> None:
    """The weights are holes in a sparse file, so this costs neither disk nor, if right, memory."""
    size = 3 << 29  # 1.5 GiB each
    weights = []
    for number in range(2):
        weight = TensorProto(name=f"w{number}", data_type=TensorProto.UINT8, dims=[size])
        weight.data_location = TensorProto.EXTERNAL
        for key, text in (("location", "w.bin"), ("offset", number * size), ("length", size)):
            weight.external_data.add(key=key, value=str(text))
        weights.append(weight)
    nodes = [helper.make_node("BitwiseXor", ["w0", "w1"], ["y"])]
    out = [helper.make_tensor_value_info("y", TensorProto.UINT8, [size])]
    graph = helper.make_graph(nodes, "g", [], out, initializer=weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    with (tmp_path / "w.bin").open("wb") as file:
        file.truncate(2 * size)
        file.seek(2 * size - 1)
        file.write(b"\x2a")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = load(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="2 GB"):
        to_proto(model)
    held = model.graph.initializers["w1"].const_value
    assert held is not None
    assert held.numpy()[-1] == 0x2A
    # Only the last weight is written: the first is a gigabyte and a half of zeros to copy.
    model.graph.node(0).replace_input_with(0, model.graph.initializers["w1"])
    del model.graph.initializers["w0"]
    written = save(model, tmp_path / "n.onnx")
    assert len(written) == 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB
    assert load(tmp_path / "n.onnx").graph.initializers["w1"].const_value is not None
