"""Contents rules of operators that move, pick or repeat elements without computing on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from burnish.ir import Array
from burnish.shapes.facts import MAX_ELEMENTS, ContentsRule, NodeFacts, SymbolicTensor, as_axis

__all__ = ["MOVEMENT_RULES", "contents_of", "filled", "objects", "slice_parts", "slice_positions"]

Answer = list[Array | None] | None


def objects(cells: Iterable[Any], shape: tuple[int, ...]) -> Array:
    """An object array of ``shape`` with ``cells`` in row-major order."""
    cells = list(cells)
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array.reshape(shape)


def filled(cell: Any, shape: tuple[int, ...]) -> Array:
    """An object array of ``shape``, every element ``cell``."""
    array = np.empty(shape, dtype=object)
    array.fill(cell)
    return array


def contents_of(view: NodeFacts) -> list[SymbolicTensor] | None:
    """The contents of every input, or None when one is omitted or not known."""
    held = [view.contents(index) for index in range(len(view.inputs))]
    known = [each for each in held if each is not None]
    return known if known and len(known) == len(held) else None


def _first(view: NodeFacts) -> Array | None:
    held = view.contents(0)
    return None if held is None else held.array()


def _identity(view: NodeFacts) -> Answer:
    return [_first(view)]


def _gather(view: NodeFacts) -> Answer:
    data, where = view.contents(0), view.contents(1)
    if data is None or where is None or data.rank == 0:
        return None
    indices = where.ints()
    axis = as_axis(view.attribute("axis", 0), data.rank)
    if indices is None or axis is None:
        return None
    size = data.shape[axis]
    if any(not -size <= index < size for index in indices):
        return None
    if view.node.op_type == "Gather":
        picked = np.array(indices, dtype=np.int64).reshape(where.shape)
        return [np.asarray(np.take(data.array(), picked, axis), dtype=object)]
    if where.rank != data.rank:
        return None
    picked = np.array([index % size for index in indices], dtype=np.int64)
    return [np.take_along_axis(data.array(), picked.reshape(where.shape), axis)]


def slice_parts(view: NodeFacts, rank: int) -> tuple[list[Any], list[Any], list[int], list[int]]:
    """``starts, ends, axes, steps`` of a Slice; starts and ends hold dims.

    Raises:
        LookupError: one of them is not known, or an axis is out of range.
    """
    starts: Any
    ends: Any
    if view.version < 10:
        starts, ends = view.attribute("starts"), view.attribute("ends")
        axes, steps = view.attribute("axes"), None
    else:
        starts, ends = view.dims(1), view.dims(2)
        axes, steps = view.ints(3, ""), view.ints(4, "")
        if (view.has(3) and axes is None) or (view.has(4) and steps is None):
            raise LookupError
    if starts is None or ends is None:
        raise LookupError
    found = [as_axis(axis, rank) for axis in (range(len(starts)) if axes is None else axes)]
    counted = [axis for axis in found if axis is not None]
    strides = [1] * len(starts) if steps is None else list(steps)
    if not len(starts) == len(ends) == len(counted) == len(found) == len(strides) or 0 in strides:
        raise LookupError
    return list(starts), list(ends), counted, strides


def slice_positions(size: int, start: int, end: int, step: int) -> range:
    """The positions a Slice picks along an axis.

    ONNX moves a start before the front to the front even for a negative step, where Python picks
    nothing.
    """
    start, end = (at + size if at < 0 else at for at in (start, end))
    if size == 0:
        return range(0)
    if step > 0:
        return range(min(max(start, 0), size), min(max(end, 0), size), step)
    return range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step)


def _slice(view: NodeFacts) -> Answer:
    cells = _first(view)
    if cells is None:
        return None
    try:
        starts, ends, axes, steps = slice_parts(view, cells.ndim)
    except LookupError:
        return None
    index = [slice(None)] * cells.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if not isinstance(start, int) or not isinstance(end, int):
            return None
        positions = slice_positions(cells.shape[axis], start, end, step)
        stop: int | None = positions.stop if positions.stop >= 0 else None
        index[axis] = slice(positions.start, stop, step) if len(positions) else slice(0, 0)
    return [cells[tuple(index)]]


def _concat(view: NodeFacts) -> Answer:
    held = contents_of(view)
    if held is None:
        return None
    axis = as_axis(view.attribute("axis", 1), held[0].rank)
    if axis is None or any(each.rank != held[0].rank or not each.rank for each in held):
        return None
    if len(held) == 1:
        return [held[0].array()]
    return [np.concatenate([each.array() for each in held], axis)]


def _unsqueeze(view: NodeFacts) -> Answer:
    cells, axes = _first(view), view.ints(1, "axes")
    if cells is None or axes is None:
        return None
    return [np.expand_dims(cells, tuple(axes))]


def _squeeze(view: NodeFacts) -> Answer:
    cells, axes = _first(view), view.ints(1, "axes")
    if cells is None or (axes is None and view.has(1)):
        return None
    return [np.squeeze(cells, None if axes is None else tuple(axes))]


def _reshape(view: NodeFacts) -> Answer:
    cells, target = _first(view), view.ints(1, "shape")
    if cells is None or target is None:
        return None
    sizes = list(target)
    if not view.attribute("allowzero", 0):
        sizes = [cells.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return [cells.reshape(sizes)]


def _flatten(view: NodeFacts) -> Answer:
    cells = _first(view)
    if cells is None:
        return None
    axis = view.attribute("axis", 1)
    axis = axis + cells.ndim if axis < 0 else axis
    return [cells.reshape(int(np.prod(cells.shape[:axis])), int(np.prod(cells.shape[axis:])))]


def _expand(view: NodeFacts) -> Answer:
    cells, target = _first(view), view.ints(1, "")
    if cells is None or target is None:
        return None
    shape = np.broadcast_shapes(cells.shape, target)
    return [np.broadcast_to(cells, shape)] if np.prod(shape) <= MAX_ELEMENTS else None


def _tile(view: NodeFacts) -> Answer:
    cells, repeats = _first(view), view.ints(1, "")
    if cells is None or repeats is None or view.version < 6 or len(repeats) != cells.ndim:
        return None
    if np.prod([float(n) for n in repeats]) * cells.size > MAX_ELEMENTS:
        return None
    return [np.tile(cells, repeats)]


def _transpose(view: NodeFacts) -> Answer:
    cells = _first(view)
    if cells is None:
        return None
    return [cells.transpose(view.attribute("perm"))]


def _split(view: NodeFacts) -> Answer:
    cells, parts = _first(view), view.ints(1, "split")
    if cells is None or cells.ndim == 0:
        return None
    axis = as_axis(view.attribute("axis", 0), cells.ndim)
    if axis is None or (parts is None and view.has(1)):
        return None
    count, size = len(view.node.outputs), cells.shape[axis]
    if parts is None:
        chunk = -(-size // count)
        parts = tuple(max(0, min(chunk, size - chunk * index)) for index in range(count))
    if sum(parts) != size or len(parts) != count:
        return None
    return list(np.split(cells, np.cumsum(parts)[:-1], axis))


def _scatter(view: NodeFacts) -> Answer:
    held = contents_of(view)
    if held is None or len(held) != 3 or view.attribute("reduction", "none") != "none":
        return None
    indices = held[1].ints()
    if indices is None or not held[0].rank:
        return None
    cells, updates = held[0].array(), held[2].array()
    where = np.array(indices, dtype=np.int64).reshape(held[1].shape)
    if view.node.op_type == "ScatterND":
        for position in np.ndindex(*where.shape[:-1]):
            cells[tuple(where[position])] = updates[position]
        return [cells]
    axis = as_axis(view.attribute("axis", 0), cells.ndim)
    if axis is None or updates.shape != where.shape:
        return None
    for position in np.ndindex(*where.shape):
        target = list(position)
        target[axis] = int(where[position])
        cells[tuple(target)] = updates[position]
    return [cells]


MOVEMENT_RULES: Mapping[str, ContentsRule] = MappingProxyType(
    {
        "Identity": _identity,
        "Gather": _gather,
        "GatherElements": _gather,
        "Slice": _slice,
        "Concat": _concat,
        "Unsqueeze": _unsqueeze,
        "Squeeze": _squeeze,
        "Reshape": _reshape,
        "Flatten": _flatten,
        "Expand": _expand,
        "Tile": _tile,
        "Transpose": _transpose,
        "Split": _split,
        "Scatter": _scatter,
        "ScatterElements": _scatter,
        "ScatterND": _scatter,
    }
)
