"""Models of any size, made in code: long chains, and large weights beside the model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

WIDTH = 16


def _links(index: int, before: str) -> tuple[list[onnx.NodeProto], str]:
    """Twelve nodes of which most can go: idle ops, shape arithmetic, transposes that cancel."""
    name = [f"v{index}_{step}" for step in range(12)]
    nodes = [
        helper.make_node("Identity", [before], [name[0]]),
        helper.make_node("Add", [name[0], f"bias{index % 7}"], [name[1]]),
        helper.make_node("Relu", [name[1]], [name[2]]),
        helper.make_node("Relu", [name[2]], [name[3]]),
        helper.make_node("Shape", [name[3]], [name[4]]),
        helper.make_node("Gather", [name[4], "first"], [name[5]], axis=0),
        helper.make_node("Unsqueeze", [name[5], "axes"], [name[6]]),
        helper.make_node("Concat", [name[6], "width"], [name[7]], axis=0),
        helper.make_node("Reshape", [name[3], name[7]], [name[8]]),
        helper.make_node("Transpose", [name[8]], [name[9]], perm=[1, 0]),
        helper.make_node("Transpose", [name[9]], [name[10]], perm=[1, 0]),
        helper.make_node("Sigmoid" if index % 2 else "Tanh", [name[10]], [name[11]]),
    ]
    return nodes, name[11]


def chain(nodes: int) -> onnx.ModelProto:
    """A chain of about ``nodes`` nodes over float32 ``[N, 16]``, N symbolic, opset 17."""
    made: list[onnx.NodeProto] = []
    last = "x"
    for index in range(max(1, nodes // 12)):
        links, last = _links(index, last)
        made.extend(links)
    made[-1].output[0] = "y"
    rng = np.random.default_rng(0)
    constants: dict[str, Array] = {
        "first": np.array(0, np.int64),
        "axes": np.array([0], np.int64),
        "width": np.array([WIDTH], np.int64),
        **{f"bias{index}": rng.standard_normal(WIDTH).astype(np.float32) for index in range(7)},
    }
    shape: list[str | int | None] = ["N", WIDTH]
    graph = helper.make_graph(
        made,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def heavy(folder: Path, layers: int, width: int = 2048) -> tuple[Path, int]:
    """Write a stack of linear layers with external weights; never more than one layer in memory.

    Every layer is MatMul, Add, Identity and Relu on float32 ``[N, width]``.

    Args:
        folder: an existing folder; ``heavy.onnx`` and ``heavy.data`` are written there.
        layers: each holds ``width * width + width`` float32 weights, about 16.8 MB at 2048.
        width: features.

    Returns:
        The model file, and the bytes of weights.
    """
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []
    last = "x"
    with (folder / "heavy.data").open("wb") as data:
        for index in range(layers):
            for name, shape in ((f"w{index}", (width, width)), (f"b{index}", (width,))):
                array = rng.standard_normal(shape, dtype=np.float32)
                tensors.append(_external(name, array, data.tell()))
                data.write(array.tobytes())
            out = "y" if index == layers - 1 else f"h{index}"
            nodes += [
                helper.make_node("MatMul", [last, f"w{index}"], [f"m{index}"]),
                helper.make_node("Add", [f"m{index}", f"b{index}"], [f"a{index}"]),
                helper.make_node("Identity", [f"a{index}"], [f"i{index}"]),
                helper.make_node("Relu", [f"i{index}"], [out]),
            ]
            last = out
        total = data.tell()
    shape_of: list[str | int | None] = ["N", width]
    graph = helper.make_graph(
        nodes,
        "heavy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape_of)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape_of)],
        tensors,
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    path = folder / "heavy.onnx"
    path.write_bytes(model.SerializeToString())
    return path, total


def _external(name: str, array: Array, offset: int) -> onnx.TensorProto:
    tensor = TensorProto(
        name=name,
        data_type=TensorProto.FLOAT,
        dims=array.shape,
        data_location=TensorProto.EXTERNAL,
    )
    for key, value in (("location", "heavy.data"), ("offset", offset), ("length", array.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor
