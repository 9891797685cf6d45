"""What the generator of models may draw: arithmetic on shapes, and what it is for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from tests.passes.generate import Builder, Shape, Var, small
from tests.passes.generate_movement import movable, moved, ranked, reshaped

from burnish.ir import Array


def known(
    b: Builder, op: str, inputs: Sequence[Var], contents: Sequence[Array], **more: object
) -> Var:
    """A node on integers whose elements are known under each binding."""
    arrays = tuple(np.asarray(item, np.int64) for item in contents)
    shapes = [array.shape for array in arrays]
    made: Var = b.emit(op, inputs, [("int64", shapes, arrays)], safe=True, **more)[0]
    return made


def shape_of(b: Builder, x: Var) -> Var:
    if b.opset >= 15 and b.whole(0, 2) == 2:
        start, end = b.whole(-x.rank - 1, x.rank), b.whole(-1, x.rank + 1)
        found = [shape[start:end] for shape in x.shapes]
        return known(
            b, "Shape", [x], [np.array(item, np.int64) for item in found], start=start, end=end
        )
    return known(b, "Shape", [x], [np.array(shape, np.int64) for shape in x.shapes])


def vector(var: Var) -> bool:
    return var.contents is not None and var.rank == 1 and var.shapes[0][0] > 0


def contents(var: Var) -> tuple[Array, ...]:
    assert var.contents is not None
    return var.contents


def shape_node(b: Builder) -> None:
    """Shape, Size, or one more step of arithmetic on what they gave."""
    x = b.pick(movable)
    v = b.pick(vector)
    if v is None or b.whole(0, 2) == 0:
        if x is not None and b.whole(0, 4) == 4:
            known(b, "Size", [x], [np.array(math.prod(shape)) for shape in x.shapes])
        elif x is not None:
            shape_of(b, x)
        return
    arithmetic_step(b, v)


def arithmetic_step(b: Builder, v: Var) -> None:
    held, size = contents(v), v.shapes[0][0]
    step = b.whole(0, 6)
    if step == 0:
        index = b.constant(np.array(b.whole(0, size - 1)), plain=True)
        at = int(contents(index)[0])
        scalar = known(b, "Gather", [v, index], [array[at] for array in held], axis=0)
        row = [array[at : at + 1] for array in held]
        if b.opset < 13:
            known(b, "Unsqueeze", [scalar], row, axes=[0])
        else:
            known(b, "Unsqueeze", [scalar, b.ints([0])], row)
    elif step == 1 and b.opset >= 10:
        start, end = b.whole(0, size - 1), b.whole(1, size + 1)
        cut = [array[start:end] for array in held]
        known(b, "Slice", [v, b.ints([start]), b.ints([end])], cut)
    elif step == 2:
        op, function = b.choose((("Add", np.add), ("Mul", np.multiply), ("Sub", np.subtract)))
        factor = b.whole(0, 3)
        known(b, op, [v, b.ints([factor])], [function(array, factor) for array in held])
    elif step == 3:
        factor = b.whole(1, 3)
        known(
            b, "Div", [v, b.ints([factor])], [array // factor for array in map(np.abs, held)]
        ) if (all((array >= 0).all() for array in held)) else None
    elif step == 4:
        other = b.pick(vector) or v
        joined = zip(held, contents(other), strict=True)
        known(b, "Concat", [v, other], [np.concatenate(pair) for pair in joined], axis=0)
    elif step == 5:
        total = [np.prod(array, keepdims=True) for array in held]
        axes = {"axes": [0]} if b.opset < 18 else {}
        known(b, "ReduceProd", [v], total, keepdims=1, **axes)
    else:
        narrow = b.emit("Cast", [v], [("int32", v.shapes)], safe=True, to=6)[0]
        known(b, "Cast", [narrow], held, to=7)


def reshape_by_shape(b: Builder) -> None:
    """Shape, picks and products of it, Concat, Reshape: what exporters write."""
    x = b.pick(lambda var: ranked(var) and var.rank < 5)
    if x is None:
        return
    s = shape_of(b, x)
    if s.rank != 1 or s.shapes[0] != (x.rank,):
        s = known(b, "Shape", [x], [np.array(shape, np.int64) for shape in x.shapes])
    parts = [one_dim(b, s) for _ in range(b.whole(1, 3))]
    arrays = [np.concatenate(each) for each in zip(*map(contents, parts), strict=True)]
    if b.flip():
        arrays, parts = [np.append(array, -1) for array in arrays], [*parts, b.ints([-1])]
    shapes = [
        reshaped(shape, array.tolist()) for shape, array in zip(x.shapes, arrays, strict=True)
    ]
    target = known(b, "Concat", parts, arrays, axis=0)
    found = [shape for shape in shapes if shape is not None]
    if len(found) == len(shapes):
        moved(b, "Reshape", x, found, target)


def one_dim(b: Builder, s: Var) -> Var:
    """One element of a target shape."""
    held, size = contents(s), s.shapes[0][0]
    kind = b.whole(0, 3)
    if kind == 3:
        return b.ints([b.choose((-1, 1, 0, 4))])
    at = b.whole(0, size - 1)
    row = known(b, "Gather", [s, b.ints([at])], [array[at : at + 1] for array in held], axis=0)
    if kind == 0 and size > 1:
        other = b.whole(0, size - 1)
        second = known(
            b, "Gather", [s, b.ints([other])], [a[other : other + 1] for a in held], axis=0
        )
        pairs = zip(contents(row), contents(second), strict=True)
        return known(b, "Mul", [row, second], [one * two for one, two in pairs])
    return row


def use_shape(b: Builder) -> None:
    """Expand, ConstantOfShape, Tile, Range or Slice by computed integers."""
    v = b.pick(vector)
    if v is None:
        return
    held = contents(v)
    fits = all((array >= 0).all() and np.prod(array) <= 256 and len(array) < 6 for array in held)
    if not fits:
        return
    shapes: list[Shape] = [tuple(array.tolist()) for array in held]
    x = b.pick(lambda var: var.dtype == "float32")
    kind = b.whole(0, 2)
    if kind == 0:
        b.emit("ConstantOfShape", [v], [("float32", shapes)])
    elif kind == 1 and x is not None:
        try:
            out = [tuple(np.broadcast_shapes(*p)) for p in zip(x.shapes, shapes, strict=True)]
        except ValueError:
            return
        if small(out) and all(out):
            moved(b, "Expand", x, out, v)
    elif x is not None and x.rank == v.shapes[0][0]:
        out = [tuple(np.multiply(*pair).tolist()) for pair in zip(x.shapes, shapes, strict=True)]
        if small(out):
            moved(b, "Tile", x, out, v)


SHAPES: dict[str, Callable[[Builder], None]] = {
    "reshape_by_shape": reshape_by_shape,
    "shape_node": shape_node,
    "use_shape": use_shape,
}
