"""Random models of Transposes and of operators that Transposes can pass."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from burnish.ir import Array

Tensor = tuple[str, tuple[int, ...]]
"""A float value: its name and shape."""
LARGEST = 3000


class Layouts:
    """Builds one model; what it draws comes from ``draw``.

    The first axis of each input is symbolic in half of the models; it is 2 when they run.
    """

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.opset = draw.choice((10, 12, 13, 17, 18, 20))
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.values: list[Tensor] = []
        self.count = 0
        self.symbolic = draw.random() < 0.5

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def constant(self, array: Array) -> str:
        name = f"c{self.name()}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def floats(self, shape: Sequence[int]) -> str:
        values = [self.draw.choice((-1.5, -1.0, 0.5, 1.0, 2.0)) for _ in range(math.prod(shape))]
        return self.constant(np.array(values, dtype=np.float32).reshape(shape))

    def node(
        self, op: str, inputs: Sequence[str], shapes: Sequence[Sequence[int]], **attributes: object
    ) -> list[Tensor]:
        names = [self.name() for _ in shapes]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return [(name, tuple(shape)) for name, shape in zip(names, shapes, strict=True)]

    def emit(self, op: str, inputs: Sequence[str], shape: Sequence[int], **more: object) -> Tensor:
        made = self.node(op, inputs, [shape], **more)[0]
        self.values.append(made)
        return made

    def with_axes(
        self, op: str, x: str, shape: Sequence[int], axes: list[int], since: int, **more: object
    ) -> Tensor:
        """``axes`` as attribute or as input, as the opset has it."""
        if self.opset < since:
            return self.emit(op, [x], shape, axes=axes, **more)
        return self.emit(op, [x, self.ints(*axes)], shape, **more)

    def pick(self, least: int = 1) -> Tensor:
        fits = [value for value in self.values[-6:] if len(value[1]) >= least]
        return self.draw.choice(fits or self.values[:1])

    def axis(self, rank: int) -> int:
        axis = self.draw.randrange(rank)
        return axis - rank if self.draw.random() < 0.3 and self.opset >= 13 else axis


def transpose(b: Layouts) -> None:
    x, shape = b.pick(2)
    rank = len(shape)
    usual = [[0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]]
    perm = b.draw.choice(usual) if b.draw.random() < 0.8 else b.draw.sample(range(rank), rank)
    b.emit("Transpose", [x], [shape[axis] for axis in perm], perm=perm)


def unary(b: Layouts) -> None:
    x, shape = b.pick()
    b.emit(b.draw.choice(("Relu", "Neg", "Abs", "Sigmoid")), [x], shape)


def with_constant(b: Layouts) -> None:
    x, shape = b.pick()
    full = [b.draw.choice((1, size)) for size in shape]
    c = b.floats(full[b.draw.randrange(len(shape) + 1) :])
    b.emit(b.draw.choice(("Add", "Mul", "Sub")), b.draw.sample([x, c], 2), shape)


def with_other(b: Layouts) -> None:
    x, shape = b.pick()
    fits = [
        name
        for name, other in b.values
        if len(other) <= len(shape)
        and all(
            one in (1, size) for one, size in zip(reversed(other), reversed(shape), strict=False)
        )
    ]
    b.emit(b.draw.choice(("Add", "Sub", "Max")), [x, b.draw.choice(fits)], shape)


def where(b: Layouts) -> None:
    x, shape = b.pick()
    mask = b.node("Greater", [x, b.floats(shape[-1:])], [shape])[0][0]
    b.emit("Where", [mask, x, b.floats(())], shape)


def concat(b: Layouts) -> None:
    x, shape = b.pick()
    axis = b.draw.randrange(len(shape))
    rest = shape[:axis] + shape[axis + 1 :]
    fits = [
        (name, other[axis])
        for name, other in b.values
        if len(other) == len(shape) and other[:axis] + other[axis + 1 :] == rest
    ]
    extra = (b.floats(shape), shape[axis])
    y, size = extra if b.draw.random() < 0.2 and not b.symbolic else b.draw.choice(fits)
    made = [*shape[:axis], shape[axis] + size, *shape[axis + 1 :]]
    b.emit("Concat", [x, y], made, axis=axis)


def split(b: Layouts) -> None:
    x, shape = b.pick()
    axis = b.axis(len(shape))
    size = shape[axis]
    if size < 2 or axis % len(shape) == 0:
        return
    parts = [list(shape), list(shape)]
    parts[0][axis], parts[1][axis] = 1, size - 1
    if b.opset < 13:
        b.values += b.node("Split", [x], parts, axis=axis, split=[1, size - 1])
    else:
        b.values += b.node("Split", [x, b.ints(1, size - 1)], parts, axis=axis)


def cut(b: Layouts) -> None:
    x, shape = b.pick(2)
    axis = b.draw.randrange(1, len(shape))
    made = [*shape[:axis], min(2, shape[axis]), *shape[axis + 1 :]]
    b.emit("Slice", [x, b.ints(0), b.ints(2), b.ints(axis)], made)


def pad(b: Layouts) -> None:
    x, shape = b.pick()
    before = [b.draw.randrange(2) for _ in shape]
    behind = [b.draw.randrange(2) for _ in shape]
    made = [sum(item) for item in zip(before, shape, behind, strict=True)]
    if b.opset < 11:
        b.emit("Pad", [x], made, pads=before + behind)
    else:
        b.emit("Pad", [x, b.ints(*before, *behind)], made)


def reduce(b: Layouts) -> None:
    x, shape = b.pick()
    axes = sorted(b.draw.sample(range(len(shape)), b.draw.randrange(1, len(shape) + 1)))
    keeps = b.draw.randrange(2)
    made = [
        1 if axis in axes else size for axis, size in enumerate(shape) if keeps or axis not in axes
    ]
    op = b.draw.choice(("ReduceMean", "ReduceMax", "ReduceSum"))
    b.with_axes(op, x, made, axes, 13 if op == "ReduceSum" else 18, keepdims=keeps)
    if not made:
        b.values.pop()


def argmax(b: Layouts) -> None:
    x, shape = b.pick(2)
    axis, keeps = b.draw.randrange(1, len(shape)), b.draw.randrange(2)
    made = [*shape[:axis], *[1] * keeps, *shape[axis + 1 :]]
    found = b.node("ArgMax", [x], [made], axis=axis, keepdims=keeps)[0][0]
    b.emit("Cast", [found], made, to=1)


def squeeze(b: Layouts) -> None:
    x, shape = b.pick(2)
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    if ones:
        axis = b.draw.choice(ones)
        b.with_axes("Squeeze", x, shape[:axis] + shape[axis + 1 :], [axis], 13)


def unsqueeze(b: Layouts) -> None:
    x, shape = b.pick()
    axis = b.draw.randrange(len(shape) + 1)
    if len(shape) < 4:
        b.with_axes("Unsqueeze", x, [*shape[:axis], 1, *shape[axis:]], [axis], 13)


def softmax(b: Layouts) -> None:
    x, shape = b.pick()
    b.emit(b.draw.choice(("Softmax", "LogSoftmax")), [x], shape, axis=b.axis(len(shape)))


def quantize(b: Layouts) -> None:
    x, shape = b.pick(2)
    axis = b.draw.randrange(1, len(shape))
    each = b.opset >= 13 and b.draw.random() < 0.5
    size = (shape[axis],) if each else ()
    scale = b.constant(np.full(size, 0.5, dtype=np.float32))
    zero = b.constant(np.zeros(size, dtype=np.int8))
    where = {"axis": axis} if each else {}
    y = b.node("QuantizeLinear", [x, scale, zero], [shape], **where)[0][0]
    b.emit("DequantizeLinear", [y, scale, zero], shape, **where)


def resize(b: Layouts) -> None:
    x, shape = b.pick(3)
    scales = [1.0, *[b.draw.choice((1.0, 1.0, 2.0)) for _ in shape[1:]]]
    made = [int(size * scale) for size, scale in zip(shape, scales, strict=True)]
    given = b.constant(np.array(scales, dtype=np.float32))
    if math.prod(made) < LARGEST:
        roi = "" if b.opset >= 13 else b.constant(np.zeros(0, dtype=np.float32))
        b.emit("Resize", [x, given] if b.opset < 11 else [x, roi, given], made, mode="nearest")


def gather(b: Layouts) -> None:
    x, shape = b.pick(2)
    axis = b.draw.randrange(1, len(shape))
    rank = b.draw.randrange(3 if len(shape) < 4 else 2)
    c = b.constant(np.zeros((1, 2)[:rank], dtype=np.int64))
    b.emit("Gather", [x, c], [*shape[:axis], *(1, 2)[:rank], *shape[axis + 1 :]], axis=axis)


def tile(b: Layouts) -> None:
    x, shape = b.pick(2)
    by = [1, *[b.draw.choice((1, 1, 2)) for _ in shape[1:]]]
    if math.prod(shape) * math.prod(by) >= LARGEST:
        return
    made = [size * many for size, many in zip(shape, by, strict=True)]
    if b.draw.random() < 0.5:
        b.emit("Tile", [x, b.ints(*by)], made)
    else:
        made = [many if size == 1 else size for size, many in zip(shape, by, strict=True)]
        wanted = [1 if many == 1 else size for size, many in zip(made, by, strict=True)]
        b.emit("Expand", [x, b.ints(*wanted)], made)


def cumulate(b: Layouts) -> None:
    x, shape = b.pick(2)
    if b.opset >= 11:
        axis = b.constant(np.array(b.axis(len(shape)), dtype=np.int64))
        b.emit("CumSum", [x, axis], shape)


def reshape(b: Layouts) -> None:
    x, shape = b.pick()
    start = b.draw.randrange(len(shape))
    made = list(shape)
    kind = b.draw.randrange(3)
    if kind == 0:
        made[start : start + 2] = [math.prod(shape[start : start + 2])]
    elif kind == 1 and shape[start] % 2 == 0 and len(shape) < 4 and start > 0:
        made[start : start + 1] = [2, shape[start] // 2]
    elif len(shape) < 4:
        made.insert(start, 1)
    target = [-1, *made[1:]] if made[0] != 1 else made
    b.emit("Reshape", [x, b.ints(*target)], made)


def remember(b: Layouts) -> None:
    """Bring an old value back to mind, so that branches meet."""
    b.values.append(b.draw.choice(b.values))


MAKERS: tuple[Callable[[Layouts], None], ...] = (
    *(transpose,) * 12,
    *(unary,) * 3,
    *(with_constant,) * 2,
    *(with_other,) * 3,
    *(concat,) * 2,
    *(where, split, cut, pad, reduce, argmax, squeeze, unsqueeze, softmax, quantize, resize),
    *(gather, tile, cumulate, reshape, reshape, remember),
)


def model(draw: random.Random) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """A model and inputs for it."""
    b = Layouts(draw)
    inputs, feeds = [], {}
    for shape in ((2, 3, 4, 6), (2, 4, 6, 3), (2, 3, 1), (3,))[: draw.randrange(1, 5)]:
        name = f"x{len(inputs)}"
        dims = [
            "N" if b.symbolic and len(shape) > 1 and not axis else size
            for axis, size in enumerate(shape)
        ]
        inputs.append(helper.make_tensor_value_info(name, 1, dims))
        b.values.append((name, shape))
        feeds[name] = np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)
    for _ in range(draw.randrange(2, 16)):
        draw.choice(MAKERS)(b)
    read = {name for node in b.nodes for name in node.input}
    made = list(dict.fromkeys(name for node in b.nodes for name in node.output))
    wanted = [name for name in made if name not in read or draw.random() < 0.05]
    if not wanted:
        wanted = [b.emit("Identity", ["x0"], b.values[0][1])[0]]
    graph = helper.make_graph(b.nodes, "g", inputs, [], b.constants)
    opsets = [helper.make_opsetid("", b.opset)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    known = onnx.shape_inference.infer_shapes(proto)
    types = {info.name: info for info in known.graph.value_info}
    for name in wanted:
        held = types[name].type.tensor_type
        sizes = [None] * len(held.shape.dim)
        proto.graph.output.append(helper.make_tensor_value_info(name, held.elem_type, sizes))
    return proto, feeds
