"""Declared types and shapes of intermediate values, read without onnx-ir, which is slow at it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import onnx

from burnish.ir import DataType, Graph, Shape, TensorType, outputs_of

__all__ = ["Declared", "declare", "holds_map", "read_type", "take_declared"]

_ELEMENT_TYPES: Final[Mapping[int, DataType]] = MappingProxyType(
    {kind.value: kind for kind in DataType if kind.value}
)

Declared: TypeAlias = "tuple[DataType, list[int | str | None] | None]"
"""Element type, and the sizes if the rank is declared."""


def take_declared(graph: onnx.GraphProto) -> dict[str, Declared]:
    """Take tensor types out of the value_info of ``graph``; what says more than that stays."""
    taken: dict[str, Declared] = {}
    kept: list[onnx.ValueInfoProto] = []
    for info in graph.value_info[:]:
        found = None if info.doc_string or info.metadata_props else read_type(info.type)
        if found is None:
            copy = onnx.ValueInfoProto()
            copy.CopyFrom(info)
            kept.append(copy)
        else:
            taken[info.name] = found
    if taken:
        graph.ClearField("value_info")
        graph.value_info.extend(kept)
    return taken


def read_type(kind: onnx.TypeProto) -> Declared | None:
    """A plain tensor type, or None when it is more than that."""
    tensor = kind.tensor_type
    dtype = _ELEMENT_TYPES.get(tensor.elem_type)
    if kind.WhichOneof("value") != "tensor_type" or kind.denotation or dtype is None:
        return None
    if not tensor.HasField("shape"):
        return dtype, None
    sizes: list[int | str | None] = []
    for dim in tensor.shape.dim[:]:
        if dim.denotation:
            return None
        which = dim.WhichOneof("value")
        sizes.append(None if which is None else getattr(dim, which))
    return dtype, sizes


def declare(graph: Graph, declared: Mapping[str, Declared]) -> None:
    """Give values of ``graph`` the types and shapes they declared; outputs have theirs already."""
    if not declared:
        return
    for value in outputs_of(graph):
        found = declared.get(value.name or "")
        if found is None or value.type is not None:
            continue
        dtype, sizes = found
        value.type = TensorType(dtype)
        if sizes is not None:
            value.shape = Shape(sizes, frozen=True)


def holds_map(kind: onnx.TypeProto) -> bool:
    """Whether a type is a map, or made of one."""
    which = kind.WhichOneof("value")
    if which in ("sequence_type", "optional_type"):
        return holds_map(getattr(kind, which).elem_type)
    return bool(which == "map_type")
