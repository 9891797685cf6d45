"""What the generator of models may draw: movement of data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from tests.passes.generate import Builder, Shape, Var, small


def movable(var: Var) -> bool:
    return var.dtype in ("float32", "int64", "int32", "bool") and var.contents is None


def ranked(var: Var) -> bool:
    return movable(var) and var.rank > 0


def axis_as_written(b: Builder, axis: int, rank: int) -> int:
    return axis - rank if b.opset >= 11 and b.flip() else axis


def moved(
    b: Builder, op: str, x: Var, shapes: Sequence[Shape], *others: Var, **more: object
) -> Var:
    made: Var = b.emit(op, [x, *others], [(x.dtype, shapes)], safe=x.safe, **more)[0]
    return made


def transpose(b: Builder) -> None:
    x = b.pick(ranked)
    if x is None:
        return
    for _ in range(b.whole(1, 2)):
        perm = list(range(x.rank))
        if b.flip():
            perm.reverse()
        for _ in range(b.whole(0, 2)):
            one, other = b.whole(0, x.rank - 1), b.whole(0, x.rank - 1)
            perm[one], perm[other] = perm[other], perm[one]
        written = None if perm == list(range(x.rank))[::-1] and b.flip() else perm
        shapes = [tuple(shape[axis] for axis in perm) for shape in x.shapes]
        x = moved(b, "Transpose", x, shapes, perm=written)


def reshaped(shape: Shape, target: Sequence[int], allowzero: bool = False) -> Shape | None:
    """What Reshape gives, or None when it may not."""
    sizes = list(target)
    for axis, size in enumerate(sizes):
        if size == 0 and not allowzero:
            if axis >= len(shape):
                return None
            sizes[axis] = shape[axis]
    total = math.prod(shape)
    if -1 in sizes:
        rest = math.prod(size for size in sizes if size != -1)
        if sizes.count(-1) > 1 or rest <= 0 or total % rest:
            return None
        sizes[sizes.index(-1)] = total // rest
    return tuple(sizes) if math.prod(sizes) == total else None


def reshape(b: Builder) -> None:
    x = b.pick(movable)
    if x is None:
        return
    for _ in range(b.whole(1, 2)):
        target = [b.choose((0, -1, 1, 2, 3, 4)) for _ in range(b.whole(1, 4))]
        shapes = [reshaped(shape, target) for shape in x.shapes]
        if None in shapes:
            target = b.choose(([-1], [0] * x.rank, [0, -1], [-1, 1], [1, -1], [0, 0, -1]))
            shapes = [reshaped(shape, target) for shape in x.shapes]
        found = [shape for shape in shapes if shape is not None]
        if len(found) < len(shapes) or not target:
            return
        allowzero = 1 if b.opset >= 14 and 0 not in target and b.whole(0, 5) == 5 else None
        x = moved(b, "Reshape", x, found, b.ints(target), allowzero=allowzero)


def with_axes(b: Builder, op: str, x: Var, shapes: Sequence[Shape], axes: list[int]) -> Var:
    if b.opset < 13:
        return moved(b, op, x, shapes, axes=axes)
    return moved(b, op, x, shapes, b.ints(axes))


def squeeze(b: Builder) -> None:
    x = b.pick(lambda var: movable(var) and any(var.fixed(axis) == 1 for axis in range(var.rank)))
    if x is None:
        return
    axes = [axis for axis in range(x.rank) if x.fixed(axis) == 1]
    axes = [b.choose(axes)] if b.flip() else axes
    shapes = [
        tuple(size for axis, size in enumerate(shape) if axis not in axes) for shape in x.shapes
    ]
    with_axes(b, "Squeeze", x, shapes, [axis_as_written(b, axis, x.rank) for axis in axes])


def unsqueeze(b: Builder) -> None:
    x = b.pick(lambda var: movable(var) and var.rank < 5)
    if x is None:
        return
    count = b.whole(1, 2)
    axes = sorted({b.whole(0, x.rank + count - 1) for _ in range(count)})
    rank = x.rank + len(axes)
    axes = [axis for axis in axes if axis < rank]
    if len(axes) + x.rank != rank:
        return
    shapes = []
    for shape in x.shapes:
        sizes = list(shape)
        for axis in axes:
            sizes.insert(axis, 1)
        shapes.append(tuple(sizes))
    written = [axis_as_written(b, axis, rank) for axis in axes]
    with_axes(b, "Unsqueeze", x, shapes, written[::-1] if b.flip() else written)


def flatten(b: Builder) -> None:
    x = b.pick(ranked)
    if x is not None and x.dtype == "float32":
        axis = b.whole(0, x.rank)
        shapes = [(math.prod(shape[:axis]), math.prod(shape[axis:])) for shape in x.shapes]
        moved(b, "Flatten", x, shapes, axis=axis)


def slices(b: Builder) -> None:
    x = b.pick(ranked)
    if x is None:
        return
    axis = b.whole(0, x.rank - 1)
    step = b.choose((1, 1, 2, -1)) if b.opset >= 10 else 1
    ends = (2, 1, 9, -1, 2**63 - 1) if step > 0 else (0, -(2**63) + 1)
    start, end = (b.choose((0, 0, 1, -2)) if step > 0 else b.choose((-1, 2))), b.choose(ends)
    shapes = [
        (*shape[:axis], len(range(shape[axis])[start:end:step]), *shape[axis + 1 :])
        for shape in x.shapes
    ]
    if b.opset < 10:
        moved(b, "Slice", x, shapes, axes=[axis], starts=[start], ends=[end])
        return
    axes = b.ints([axis_as_written(b, axis, x.rank)])
    moved(b, "Slice", x, shapes, b.ints([start]), b.ints([end]), axes, b.ints([step]))


def concat(b: Builder) -> None:
    x = b.pick(ranked)
    if x is None:
        return
    axis = b.whole(0, x.rank - 1)

    def joins(var: Var) -> bool:
        return (
            (var.dtype, var.rank) == (x.dtype, x.rank)
            and var.contents is None
            and all(
                one[:axis] + one[axis + 1 :] == other[:axis] + other[axis + 1 :]
                for one, other in zip(var.shapes, x.shapes, strict=True)
            )
        )

    parts = [x, *(b.pick(joins) or x for _ in range(b.whole(0, 2)))]
    totals = [sum(part.shapes[index][axis] for part in parts) for index in range(len(x.shapes))]
    shapes = [
        (*shape[:axis], total, *shape[axis + 1 :])
        for shape, total in zip(x.shapes, totals, strict=True)
    ]
    if small(shapes):
        written = axis_as_written(b, axis, x.rank)
        b.emit("Concat", parts, [(x.dtype, shapes)], safe=all(p.safe for p in parts), axis=written)


def split(b: Builder) -> None:
    x = b.pick(lambda v: movable(v) and any((v.fixed(a) or 0) > 1 for a in range(v.rank)))
    if x is None:
        return
    axis = b.choose([axis for axis in range(x.rank) if (x.fixed(axis) or 0) > 1])
    size = x.fixed(axis) or 2
    first = b.whole(0, size) if b.opset >= 13 else b.whole(1, size - 1)
    sizes = [size // 2] * 2 if size % 2 == 0 and b.flip() else [first, size - first]
    results = [
        (x.dtype, [(*shape[:axis], part, *shape[axis + 1 :]) for shape in x.shapes])
        for part in sizes
    ]
    written = axis_as_written(b, axis, x.rank)
    even = sizes[0] == sizes[1] and b.flip()
    if b.opset < 13:
        given = None if even else sizes
        parts = b.emit("Split", [x], results, safe=x.safe, axis=written, split=given)
    elif even:
        count = 2 if b.opset >= 18 else None
        parts = b.emit("Split", [x], results, safe=x.safe, axis=written, num_outputs=count)
    else:
        parts = b.emit("Split", [x, b.ints(sizes)], results, safe=x.safe, axis=written)
    if b.flip():
        ordered = parts if b.whole(0, 3) else parts[::-1]
        b.emit("Concat", ordered, [(x.dtype, x.shapes)], safe=x.safe, axis=axis)


def gather(b: Builder) -> None:
    x = b.pick(lambda v: ranked(v) and any(min(s[a] for s in v.shapes) for a in range(v.rank)))
    if x is None:
        return
    axis = b.choose([a for a in range(x.rank) if min(shape[a] for shape in x.shapes)])
    size = min(shape[axis] for shape in x.shapes)
    low = -size if b.opset >= 11 else 0
    picked = [b.whole(low, size - 1) for _ in range(b.whole(1, 3))]
    array = np.array(picked[0] if b.flip() else picked, np.int64)
    shapes = [shape[:axis] + array.shape + shape[axis + 1 :] for shape in x.shapes]
    if small(shapes):
        indices = b.constant(array, plain=True)
        moved(b, "Gather", x, shapes, indices, axis=axis_as_written(b, axis, x.rank))


def expand(b: Builder) -> None:
    x = b.pick(lambda var: movable(var) and var.rank < 4)
    if x is None:
        return
    target = [b.choose((1, 1, 2, 3)) for _ in range(b.whole(0, x.rank + 1))] or [1]
    try:
        shapes = [tuple(np.broadcast_shapes(shape, tuple(target))) for shape in x.shapes]
    except ValueError:
        shapes, target = list(x.shapes), [1]
        if x.rank == 0:
            return
    if small(shapes):
        moved(b, "Expand", x, shapes, b.ints(target))


def tile(b: Builder) -> None:
    x = b.pick(lambda var: ranked(var) and var.dtype != "bool")
    if x is None:
        return
    times = [b.choose((1, 1, 2)) for _ in range(x.rank)]
    shapes = [tuple(np.multiply(shape, times).tolist()) for shape in x.shapes]
    if small(shapes):
        moved(b, "Tile", x, shapes, b.ints(times))


def pad(b: Builder) -> None:
    x = b.pick(lambda var: ranked(var) and var.dtype == "float32")
    if x is None:
        return
    pads = [b.choose((0, 0, 1)) for _ in range(2 * x.rank)]
    pairs = list(zip(pads[: x.rank], pads[x.rank :], strict=True))
    shapes = [
        tuple(size + sum(pair) for size, pair in zip(shape, pairs, strict=True))
        for shape in x.shapes
    ]
    if not small(shapes):
        return
    if b.opset < 11:
        moved(b, "Pad", x, shapes, pads=pads)
    else:
        moved(b, "Pad", x, shapes, b.ints(pads))


MOVEMENT: dict[str, Callable[[Builder], None]] = {
    "concat": concat,
    "expand": expand,
    "flatten": flatten,
    "gather": gather,
    "pad": pad,
    "reshape": reshape,
    "slices": slices,
    "split": split,
    "squeeze": squeeze,
    "tile": tile,
    "transpose": transpose,
    "unsqueeze": unsqueeze,
}
