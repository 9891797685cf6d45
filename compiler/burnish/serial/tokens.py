"""Tokens: external tensors in a proto that stand for tensors kept outside it.

A token is told from real external data by its location, which starts with a NUL character: no file
name does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import onnx

from burnish.ir import (
    Array,
    AttributeType,
    DataType,
    ExternalTensor,
    Node,
    PackedTensor,
    Shape,
    Tensor,
    TensorProtocol,
)
from burnish.serial.wire import Buffer

__all__ = [
    "Held",
    "attribute_tensors",
    "byte_length",
    "mark",
    "nested_graphs",
    "set_token",
    "tensor_over",
    "token_of",
]

Held = dict[str, TensorProtocol]
"""``{token: tensor}``."""


def byte_length(data_type: int, dims: Sequence[int]) -> int:
    """Bytes of the raw data of a tensor."""
    return math.ceil(math.prod(dims) * DataType(data_type).bitwidth / 8)


def tensor_over(
    buffer: Buffer, offset: int, length: int, like: onnx.TensorProto | ExternalTensor
) -> TensorProtocol:
    """A tensor that reads its elements from ``buffer`` without copying them.

    Args:
        buffer: bytes or a memory map; kept alive by the tensor.
        offset: where the raw data starts, in bytes.
        length: its length in bytes; must be what dtype and dims ask for.
        like: gives dtype, dims and name.
    """
    if isinstance(like, onnx.TensorProto):
        dtype, dims = DataType(like.data_type), tuple(like.dims)
    else:
        dtype, dims = like.dtype, like.shape.numpy()
    if dtype.bitwidth < 8:
        packed: Array = np.frombuffer(buffer, np.uint8, length, offset)
        return PackedTensor(packed, dtype, shape=Shape(dims), name=like.name or None)
    element = np.dtype(dtype.numpy()).newbyteorder("<")
    array: Array = np.frombuffer(buffer, element, math.prod(dims), offset)
    return Tensor(array.reshape(dims), dtype=dtype, name=like.name or None)


def mark(held: Held, tensor: TensorProtocol) -> str:
    """Put ``tensor`` into ``held`` and return its token."""
    token = f"\0{len(held)}"
    held[token] = tensor
    return token


def token_of(proto: onnx.TensorProto) -> str | None:
    """The token that ``proto`` holds, or None when it holds data or names a file."""
    if proto.data_location == onnx.TensorProto.EXTERNAL:
        for entry in proto.external_data:
            if entry.key == "location" and entry.value.startswith("\0"):
                return str(entry.value)
    return None


def set_token(proto: onnx.TensorProto, token: str) -> None:
    """Make ``proto`` stand for what ``token`` names."""
    proto.data_location = onnx.TensorProto.EXTERNAL
    proto.external_data.add(key="location", value=token)


def nested_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The subgraphs of ``node``."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == onnx.AttributeProto.GRAPHS:
            yield from attribute.graphs


def attribute_tensors(node: Node) -> Iterator[TensorProtocol]:
    """The tensors that ``node`` holds as attributes."""
    for attr in node.attributes.values():
        if attr.is_ref():
            continue
        if attr.type == AttributeType.TENSOR:
            yield attr.value
        elif attr.type == AttributeType.TENSORS:
            yield from attr.value
