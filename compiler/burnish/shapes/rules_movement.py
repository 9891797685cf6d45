"""Rules for the shapes of outputs of operators that move, pick or join elements."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from burnish.shapes.facts import NodeFacts, Shape, ShapeRule, as_axis
from burnish.shapes.movement import slice_parts, slice_positions
from burnish.symbolic import (
    Dim,
    bounds,
    ceildiv,
    exact_div,
    floordiv,
    is_nonnegative,
    maximum,
    minimum,
    product,
)

__all__ = ["MOVEMENT_SHAPE_RULES"]

Answer = list[Shape | None] | None


def _transpose(view: NodeFacts) -> Answer:
    shape = view.shape(0)
    if shape is None:
        return None
    perm = view.attribute("perm", range(len(shape))[::-1])
    return [tuple(shape[axis] for axis in perm)]


def _squeeze(view: NodeFacts) -> Answer:
    shape, axes = view.shape(0), view.ints(1, "axes")
    if shape is None:
        return None
    if axes is None:
        if view.has(1):
            return None
        if any(dim != 1 and not _not_one(dim) for dim in shape):
            return None
        return [tuple(dim for dim in shape if dim != 1)]
    gone = {as_axis(axis, len(shape)) for axis in axes}
    return [tuple(dim for axis, dim in enumerate(shape) if axis not in gone)]


def _not_one(dim: Dim) -> bool:
    low, high = bounds(dim)
    return (low is not None and low > 1) or (high is not None and high < 1)


def _unsqueeze(view: NodeFacts) -> Answer:
    shape, axes = view.shape(0), view.ints(1, "axes")
    if shape is None or axes is None:
        return None
    rank = len(shape) + len(axes)
    ones = {as_axis(axis, rank) for axis in axes}
    rest = iter(shape)
    return [tuple(1 if axis in ones else next(rest) for axis in range(rank))]


def _flatten(view: NodeFacts) -> Answer:
    shape = view.shape(0)
    if shape is None:
        return None
    axis = view.attribute("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return [(view.as_size(product(shape[:axis])), view.as_size(product(shape[axis:])))]


def _concat(view: NodeFacts) -> Answer:
    shapes = [view.shape(index) for index in range(len(view.inputs))]
    known = [shape for shape in shapes if shape is not None]
    if not known:
        return None
    rank = len(known[0])
    axis = as_axis(view.attribute("axis", 1), rank)
    if axis is None:
        return None
    dims: list[Dim] = list(known[0])
    for shape in known[1:]:
        # Off the axis all are equal, so any number says more than a symbol.
        dims = [b if isinstance(b, int) else a for a, b in zip(dims, shape, strict=True)]
    if len(known) == len(shapes):
        dims[axis] = view.as_size(sum((shape[axis] for shape in known), start=0))
    else:
        dims[axis] = view.size()
    return [tuple(dims)]


def _split(view: NodeFacts) -> Answer:
    shape, count = view.shape(0), len(view.node.outputs)
    if shape is None:
        return None
    axis = as_axis(view.attribute("axis", 0), len(shape))
    if axis is None:
        return None
    parts: list[Dim]
    given = view.attribute("split")
    given = view.dims(1) if given is None else given
    if given is not None:
        parts = list(map(view.as_size, given))
    elif view.has(1):
        parts = list(view.sizes(count))
    elif view.attribute("num_outputs") is None:
        each = exact_div(shape[axis], count)
        parts = [floordiv(shape[axis], count) if each is None else each] * count
    else:
        chunk = ceildiv(shape[axis], count)
        parts = [view.as_size(chunk)] * (count - 1)
        parts.append(view.as_size(shape[axis] - chunk * (count - 1)))
    return [(*shape[:axis], part, *shape[axis + 1 :]) for part in parts]


def _slice(view: NodeFacts) -> Answer:
    shape = view.shape(0)
    if shape is None:
        return None
    try:
        starts, ends, axes, steps = slice_parts(view, len(shape))
    except LookupError:
        return [view.sizes(len(shape)) if view.ints(3, "axes") is None else _sliced_some(view)]
    dims = list(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        dims[axis] = _slice_length(view, dims[axis], start, end, step)
    return [tuple(dims)]


def _sliced_some(view: NodeFacts) -> Shape:
    shape = view.shape(0) or ()
    touched = {as_axis(axis, len(shape)) for axis in view.ints(3, "axes") or ()}
    return tuple(view.size() if axis in touched else dim for axis, dim in enumerate(shape))


_ENDLESS = 2**31 - 1


def _position(size: Dim, index: Dim) -> Dim | None:
    """Where ``index`` of a forward slice lands in ``0 .. size``; None when its sign is open."""
    if isinstance(index, int) and index >= _ENDLESS:
        return size
    sign = is_nonnegative(index)
    if sign is None:
        return None
    return minimum(index, size) if sign else maximum(size + index, 0)


def _slice_length(view: NodeFacts, size: Dim, start: Dim, end: Dim, step: int) -> Dim:
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int):
        return len(slice_positions(size, start, end, step))
    if step < 0:
        whole = start in (-1, _ENDLESS, 2**63 - 1) and isinstance(end, int) and end <= -_ENDLESS
        return view.as_size(ceildiv(size, -step)) if whole else view.size()
    if isinstance(start, int) and isinstance(end, int) and start < 0 and end >= _ENDLESS:
        length = minimum(-start, size)
    else:
        first, last = _position(size, start), _position(size, end)
        if first is None or last is None:
            return view.size()
        if last == size and is_nonnegative(start):
            first = start
        length = maximum(last - first, 0)
    return view.as_size(ceildiv(length, step))


def _gather(view: NodeFacts) -> Answer:
    data, where = view.shape(0), view.shape(1)
    if data is None or where is None:
        return None
    axis = as_axis(view.attribute("axis", 0), len(data))
    return None if axis is None else [(*data[:axis], *where, *data[axis + 1 :])]


def _gather_nd(view: NodeFacts) -> Answer:
    data, where = view.shape(0), view.shape(1)
    if data is None or not where or not isinstance(where[-1], int):
        return None
    return [(*where[:-1], *data[view.attribute("batch_dims", 0) + where[-1] :])]


def _indices_shape(view: NodeFacts) -> Answer:
    return [view.shape(1)]


MOVEMENT_SHAPE_RULES: Mapping[str, ShapeRule] = MappingProxyType(
    {
        "Concat": _concat,
        "Flatten": _flatten,
        "Gather": _gather,
        "GatherElements": _indices_shape,
        "GatherND": _gather_nd,
        "Slice": _slice,
        "Split": _split,
        "Squeeze": _squeeze,
        "Transpose": _transpose,
        "Unsqueeze": _unsqueeze,
    }
)
