"""Steps of a reduction that make dimensions numbers, and numbers small."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from burnish.ir import Array
from burnish.reduction.case import Case, copied
from burnish.reduction.search import Search
from burnish.sample_files import is_plain

__all__ = ["bind_sizes", "declare_outputs", "redeclared", "shrink_sizes"]

_FLOATS = frozenset({onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16})


def bind_sizes(search: Search) -> None:
    """Make symbolic dimensions of inputs 1, or else the size that was fed."""
    for name in _symbols(search.best):
        for size in (1, None):
            if search.attempt(_bound(search.best, name, size)):
                break


def _symbols(case: Case) -> list[str]:
    """Names of input dimensions; "" stands for all that have none."""
    found = {
        dim.dim_param: None
        for info in case.graph.input
        for dim in info.type.tensor_type.shape.dim
        if not dim.HasField("dim_value")
    }
    return list(found)


def _bound(case: Case, name: str, size: int | None) -> Case | None:
    """The case where each dimension called ``name`` has ``size``, or None: the size it is fed."""

    def wanted(dim: onnx.TensorShapeProto.Dimension, fed: int | None) -> int | None:
        if dim.HasField("dim_value") or dim.dim_param != name:
            return None
        return fed if size is None else size

    return _resized(case, wanted, {})


def shrink_sizes(search: Search) -> None:
    """Make all input axes and weight axes of one size 1, or else 2; the largest size first."""
    for size in sorted(_static_sizes(search.best), reverse=True):
        for small in (1, 2):
            if small < size and search.attempt(_shrunk(search.best, size, small)):
                break


def _static_sizes(case: Case) -> set[int]:
    fed = (info.type.tensor_type.shape.dim for info in case.graph.input)
    sizes = {dim.dim_value for dims in fed for dim in dims}
    for held in case.graph.initializer:
        if held.data_type in _FLOATS:
            sizes.update(held.dims)
    return {size for size in sizes if size > 1}


def _shrunk(case: Case, size: int, small: int) -> Case | None:
    """The case where axes of ``size`` have ``small`` elements: the first ones."""
    cut: dict[str, Array] = {}
    for held in case.graph.initializer:
        if size not in held.dims or held.data_type not in _FLOATS:
            continue
        array = case.tensor(held.name)
        if array is not None and is_plain(array):
            cut[held.name] = _first(array, [small if n == size else n for n in array.shape])
    return _resized(case, lambda dim, _: small if dim.dim_value == size else None, cut)


def _first(array: Array, shape: list[int]) -> Array:
    return np.ascontiguousarray(array[tuple(slice(size) for size in shape)])


def _resized(
    case: Case,
    wanted: Callable[[onnx.TensorShapeProto.Dimension, int | None], int | None],
    tensors: Mapping[str, Array],
) -> Case | None:
    """The case with other sizes of inputs; what is fed is cut to them.

    Args:
        case: what to change.
        wanted: the new size of a dimension, given it and the size it is fed; None: as it is.
        tensors: weights that change too.

    Returns:
        The case, or None where a sample is smaller than the size wanted.
    """
    proto = copied(case.proto)
    feeds: list[dict[str, Any]] = [dict(each) for each in case.feeds]
    for info in proto.graph.input:
        dims = info.type.tensor_type.shape.dim
        fed = [each.get(info.name) for each in feeds]
        shapes = {each.shape for each in fed if isinstance(each, np.ndarray)}
        shape = shapes.pop() if len(shapes) == 1 else (None,) * len(dims)
        if len(shape) != len(dims):
            return None
        for dim, size in zip(dims, shape, strict=True):
            new = wanted(dim, size)
            if new is None:
                continue
            if size is not None and new > size:
                return None
            dim.Clear()
            dim.dim_value = new
        for each, value in zip(feeds, fed, strict=True):
            if isinstance(value, np.ndarray) and value.ndim == len(dims):
                sizes = [
                    dim.dim_value if dim.HasField("dim_value") else n
                    for dim, n in zip(dims, value.shape, strict=True)
                ]
                each[info.name] = _first(value, sizes)
    return redeclared(replace(case, feeds=tuple(feeds)).with_tensors(proto, tensors))


def declare_outputs(search: Search) -> None:
    """Declare of outputs what follows from the rest: cutting leaves names of lost dimensions."""
    search.attempt(redeclared(search.best))


def redeclared(case: Case) -> Case:
    """The case with the output shapes that follow from its nodes, and no shapes in between."""
    proto = copied(case.proto)
    del proto.graph.value_info[:]
    for info in proto.graph.output:
        if info.type.WhichOneof("value") == "tensor_type":
            info.type.tensor_type.ClearField("shape")
    bare = replace(case, proto=proto)
    found = {info.name: info for info in proto.graph.input}
    with contextlib.suppress(Exception):  # many unrelated classes, on models that make no sense
        inferred = onnx.shape_inference.infer_shapes(bare.without_weights())
        found = {info.name: info for info in inferred.graph.output} | found
    for info, before in zip(proto.graph.output, case.graph.output, strict=True):
        like = found.get(info.name, info)
        if like.type.tensor_type.HasField("shape"):
            info.type.CopyFrom(like.type)
        elif before.type.tensor_type.HasField("shape"):
            # An output must have a shape to be valid: of the rank it had.
            for _ in before.type.tensor_type.shape.dim:
                info.type.tensor_type.shape.dim.add()
    return bare
