"""Rules for the contents of small tensors: what Shape, Gather, Concat, Div ... compute.

A rule takes a ``NodeFacts`` whose inputs have known contents (except where it looks for itself) and
gives one object array of elements per output, None where it cannot tell. Shapes of the arrays are
the shapes of the outputs, so rank is never lost. Elements are ``int`` or ``Expr`` for integer and
boolean outputs, ``float`` for floating ones.

Integer arithmetic on symbols takes for granted that sizes and what is computed from them fit the
integer type of the model; numbers that do not fit become unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType

import numpy as np

from burnish.ir import Array
from burnish.shapes.elementwise import ELEMENTWISE_RULES
from burnish.shapes.facts import (
    MAX_ELEMENTS,
    ContentsRule,
    NodeFacts,
    as_axis,
)
from burnish.shapes.movement import MOVEMENT_RULES, contents_of, filled, objects
from burnish.symbolic import (
    Dim,
    maximum,
    minimum,
    product,
)

__all__ = ["CONTENTS_RULES"]


def _shape(view: NodeFacts) -> list[Array | None] | None:
    shape = view.shape(0)
    if shape is None:
        return None
    part = list(shape)[view.attribute("start", 0) : view.attribute("end", len(shape))]
    return [objects(part, (len(part),))]


def _size(view: NodeFacts) -> list[Array | None] | None:
    shape = view.shape(0)
    return None if shape is None else [objects([product(shape)], ())]


def _range(view: NodeFacts) -> list[Array | None] | None:
    held = contents_of(view)
    if held is None or len(held) != 3:
        return None
    cells = [dims[0] for each in held if (dims := each.dims()) is not None and len(dims) == 1]
    if len(cells) != 3:
        return None
    start, limit, delta = cells
    span = limit - start
    if not isinstance(span, int) or not isinstance(delta, int) or delta == 0:
        return None
    count: int = max(-(-span // delta), 0)
    if count > MAX_ELEMENTS:
        return None
    return [objects([start + delta * step for step in range(count)], (count,))]


def _constant_of_shape(view: NodeFacts) -> list[Array | None] | None:
    held = view.contents(0)
    shape = None if held is None else held.ints()
    if shape is None or any(size < 0 for size in shape) or prod(shape) > MAX_ELEMENTS:
        return None
    value = view.attribute("value")
    cell = 0.0 if value is None else value.numpy().reshape(-1)[0].item()
    return [filled(int(cell) if isinstance(cell, bool) else cell, shape)]


_REDUCTIONS: Mapping[str, Callable[[list[Dim]], Dim]] = MappingProxyType(
    {
        "ReduceSum": lambda dims: sum(dims, start=0),
        "ReduceProd": product,
        "ReduceMax": lambda dims: maximum(*dims),
        "ReduceMin": lambda dims: minimum(*dims),
    }
)


def _reduce(view: NodeFacts) -> list[Array | None] | None:
    held = view.contents(0)
    if held is None or held.dims() is None:
        return None
    cells = held.array()
    axes = view.ints(1, "axes")
    if axes is None and view.has(1):
        return None
    if not axes:
        if view.attribute("noop_with_empty_axes", 0):
            return [cells]
        axes = tuple(range(cells.ndim))
    chosen = {as_axis(axis, cells.ndim) for axis in axes}
    if None in chosen or 0 in cells.shape:
        return None
    kept = [axis for axis in range(cells.ndim) if axis not in chosen]
    last = cells.transpose([*kept, *(axis for axis in range(cells.ndim) if axis in chosen)])
    shape = tuple(cells.shape[axis] for axis in kept)
    rows = last.reshape(*shape, -1).reshape(int(np.prod(shape)), -1)
    answer = [_REDUCTIONS[view.node.op_type](row.tolist()) for row in rows]
    if view.attribute("keepdims", 1):
        shape = tuple(1 if axis in chosen else n for axis, n in enumerate(cells.shape))
    return [objects(answer, shape)]


def _non_zero(view: NodeFacts) -> list[Array | None] | None:
    held = view.contents(0)
    if held is None or not held.is_constant or held.rank == 0:
        return None
    where = np.array(np.nonzero(np.array(held.elements).reshape(held.shape)))
    return [objects(where.reshape(-1).tolist(), where.shape)]


CONTENTS_RULES: Mapping[str, ContentsRule] = MappingProxyType(
    {
        **ELEMENTWISE_RULES,
        **MOVEMENT_RULES,
        **dict.fromkeys(_REDUCTIONS, _reduce),
        "Shape": _shape,
        "Size": _size,
        "Range": _range,
        "ConstantOfShape": _constant_of_shape,
        "NonZero": _non_zero,
    }
)
