"""What the generator of models may draw: arithmetic, casts, movement, linear operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tests.passes.generate import Builder, Shape, Var, broadcast, small

from burnish.ir import Array

SMOOTH_UNARY = ("Abs", "Identity", "Neg", "Relu", "Sigmoid", "Tanh")
UNARY = (*SMOOTH_UNARY, "Ceil", "Exp", "Floor", "Reciprocal", "Sign", "Sqrt")
IDEMPOTENT = ("Abs", "Ceil", "Floor", "Identity", "Neg", "Relu", "Sign")


def is_float(var: Var) -> bool:
    return var.dtype == "float32"


def filled(var: Var) -> bool:
    """Whether no binding makes it empty."""
    return all(0 not in shape for shape in var.shapes)


def scalar_like(b: Builder, var: Var) -> Var:
    """A constant that broadcasts into ``var``: often neutral for something."""
    shapes: list[Shape] = [(), (1,) * min(var.rank, 1), (1,) * var.rank]
    if var.rank and (size := var.fixed(var.rank - 1)):
        shapes += [(size,), (1,) * (var.rank - 1) + (size,)]
    if var.rank > 1 and (size := var.fixed(1)):
        shapes.append((size,) + (1,) * (var.rank - 2))
    if b.whole(0, 7) == 7:
        shapes.append((1,) * (var.rank + 1))
    shape = b.choose(shapes)
    array = np.full(shape, b.number(), np.float32)
    if array.size > 1 and b.whole(0, 3) == 3:
        array.reshape(-1)[0] = b.number()
    return b.constant(array)


def unary(b: Builder) -> None:
    x = b.pick(is_float)
    if x is not None:
        b.same(b.choose(SMOOTH_UNARY if b.smooth else UNARY), x)


def binary(b: Builder) -> None:
    x = b.pick(is_float)
    if x is None:
        return
    y = b.pick(lambda var: is_float(var) and fits(x, var))
    if y is None or b.flip():
        y = scalar_like(b, x)
    pair = [x, y] if b.flip() else [y, x]
    shapes = broadcast(*pair)
    ops = ("Add", "Sub", "Mul") if b.smooth else ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")
    if shapes is not None and small(shapes):
        b.emit(b.choose(ops), pair, [("float32", shapes)])


def fits(x: Var, y: Var) -> bool:
    shapes = broadcast(x, y)
    return shapes is not None and small(shapes)


def common_pair(b: Builder) -> None:
    """The same thing twice, perhaps with its operands exchanged."""
    x = b.pick(is_float)
    if x is None:
        return
    y = b.pick(lambda var: is_float(var) and fits(x, var)) or x
    op = b.choose(("Add", "Mul", "Sub"))
    shapes = broadcast(x, y)
    if shapes is None or not small(shapes):
        return
    one = b.emit(op, [x, y], [("float32", shapes)])[0]
    other = b.emit(op, [y, x] if b.flip() else [x, y], [("float32", shapes)])[0]
    if b.flip():
        b.same(b.choose(("Add", "Max")), one, other)


def whole_numbers(b: Builder) -> None:
    x = b.pick(lambda var: var.dtype in ("int64", "int32") and var.contents is None)
    if x is None:
        return
    op = b.choose(("Add", "Sub", "Mul"))
    constant = b.constant(np.array(b.choose((0, 1, 2, -1)), x.dtype))
    pair = [x, constant] if b.flip() else [constant, x]
    b.emit(op, pair, [(x.dtype, x.shapes)])


def logic(b: Builder) -> None:
    x = b.pick(lambda var: var.dtype == "bool")
    if x is None:
        return
    if b.flip():
        b.same("Not", b.same("Not", x) if b.flip() else x)
        return
    pair = [x, b.constant(np.array(b.flip()))]
    b.emit(b.choose(("And", "Or", "Xor")), pair if b.flip() else pair[::-1], [("bool", x.shapes)])


def number(b: Builder) -> Var:
    return b.constant(np.array(b.number(), np.float32))


def compare(b: Builder) -> None:
    x = b.pick(is_float)
    if x is not None:
        b.emit(b.choose(("Less", "Greater")), [x, number(b)], [("bool", x.shapes)])


def where(b: Builder) -> None:
    condition, x = b.pick(lambda var: var.dtype == "bool"), b.pick(is_float)
    if condition is None or x is None:
        return
    if b.whole(0, 2) == 0:
        condition = b.constant(np.array(b.flip()))
    shapes = broadcast(condition, x)
    if shapes is not None and small(shapes):
        b.emit("Where", [condition, x, number(b)], [("float32", shapes)])


def variadic(b: Builder) -> None:
    x = b.pick(is_float)
    if x is not None:
        op = b.choose(("Sum", "Mean", "Max", "Min"))
        b.emit(op, [x] * b.whole(1, 3), [("float32", x.shapes)])


def clip(b: Builder) -> None:
    x = b.pick(is_float)
    if x is None:
        return
    for _ in range(b.whole(1, 2)):
        low, high = b.choose(((0.0, 6.0), (-1.0, 1.0), (0.5, 0.5)))
        if b.opset < 11:
            x = b.same("Clip", x, min=low, max=high)
            continue
        bounds = [b.constant(np.array(item, np.float32)) for item in (low, high)]
        forms: list[list[Var | None]] = [[*bounds], [bounds[0]], [None, bounds[1]], []]
        x = b.same("Clip", x, *b.choose(forms))


def chain(b: Builder) -> None:
    """Operators that undo or repeat themselves."""
    x = b.pick(is_float)
    if x is None:
        return
    op = b.choose(("Abs", "Neg", "Relu", "Identity") if b.smooth else IDEMPOTENT)
    for _ in range(b.whole(2, 3)):
        x = b.same(op, x)


def softmax(b: Builder) -> None:
    x = b.pick(lambda var: is_float(var) and var.rank > 0 and filled(var))
    if x is not None:
        b.same(b.choose(("Softmax", "LogSoftmax")), x, axis=b.whole(0, x.rank - 1))


def reduce(b: Builder) -> None:
    x = b.pick(lambda var: is_float(var) and var.rank > 0 and filled(var))
    if x is None:
        return
    axis, keep = b.whole(0, x.rank - 1), b.whole(0, 1)
    shapes = [shape[:axis] + (1,) * keep + shape[axis + 1 :] for shape in x.shapes]
    written = axis - x.rank if b.opset >= 11 and b.flip() else axis
    result = [("float32", shapes)]
    if b.opset < 18:
        b.emit("ReduceMax", [x], result, axes=[written], keepdims=keep)
    else:
        b.emit("ReduceMax", [x, b.ints([written])], result, keepdims=keep)


def casts(b: Builder) -> None:
    """Casts in a row; from floats to integers only where every number fits."""
    x = b.pick(lambda var: var.dtype in ("float32", "int32", "int64", "bool"))
    if x is None:
        return
    safe = x.safe or x.dtype == "bool"
    for _ in range(b.whole(1, 3)):
        choices = ["float32", "float16", "float64"]
        if not b.smooth:
            choices += ["bool"]
        if safe:
            choices += ["int32", "int64", "int8", "uint8", "bool"]
        dtype = b.choose(choices)
        safe = safe or dtype == "bool"
        to = int(np_type(dtype))
        x = b.emit("Cast", [x], [(dtype, x.shapes)], safe=safe, to=to)[0]
    if x.dtype != "float32":
        b.emit("Cast", [x], [("float32", x.shapes)], safe=safe, to=1)


def np_type(dtype: str) -> int:
    return {
        "float32": 1,
        "uint8": 2,
        "int8": 3,
        "int32": 6,
        "int64": 7,
        "bool": 9,
        "float16": 10,
        "float64": 11,
    }[dtype]


def dropout(b: Builder) -> None:
    x = b.pick(is_float)
    if x is None:
        return
    mask = [("bool", x.shapes)] if b.opset >= 10 and b.whole(0, 3) == 3 else []
    results = [("float32", x.shapes), *mask]
    if b.opset < 12:
        b.emit("Dropout", [x], results, ratio=0.5)
        return
    ratio, training = b.constant(np.array(0.5, np.float32)), b.constant(np.array(False))
    forms: list[list[Var | None]] = [[], [ratio], [None, training], [ratio, training]]
    b.emit("Dropout", [x, *b.choose(forms)], results)


def random(b: Builder) -> None:
    x = b.pick(is_float)
    if x is None:
        return
    if b.flip():
        noise = b.same("RandomNormalLike", x)
    else:
        noise = b.emit("RandomUniform", [], [("float32", [(1,)] * len(x.shapes))], shape=[1])[0]
    b.emit("Mul", [x, noise], [("float32", [shape or noise.shapes[0] for shape in x.shapes])])


def signed_zeros(b: Builder) -> None:
    """Two initializers that are equal as numbers only."""
    x = b.pick(lambda var: is_float(var) and small(var.shapes))
    if x is not None:
        zeros = [b.constant(np.array([sign * 0.0], np.float32)) for sign in (1, b.choose((1, -1)))]
        shapes = [shape or (1,) for shape in x.shapes]
        for zero in zeros:
            op = "Add" if b.smooth else b.choose(("Add", "Mul", "Div", "Max"))
            b.emit(op, [x, zero], [("float32", shapes)])


def fold(b: Builder) -> None:
    """Arithmetic on constants alone, then used."""
    x = b.pick(is_float)
    if x is None:
        return
    left, right = (np.full((1,) * x.rank, b.number(), np.float32) for _ in range(2))
    shapes = [left.shape] * len(x.shapes)
    op = b.choose(("Add", "Mul", "Sub") if b.smooth else ("Add", "Mul", "Div", "Max"))
    made = b.emit(op, [b.constant(left), b.constant(right)], [("float32", shapes)])[0]
    b.emit("Mul", [x, made], [("float32", x.shapes)])


# --- linear operators


def weights(b: Builder, *shape: int) -> Array:
    rng = np.random.default_rng(b.whole(0, 9))
    return (rng.random(shape) - 0.5).astype(np.float32)


def convolution(b: Builder) -> None:
    x = b.pick(lambda v: is_float(v) and v.rank == 4 and (v.fixed(1) or 0) > 0 and filled(v))
    if x is None or any(min(shape[2:]) < 1 for shape in x.shapes):
        return
    channels, kernel, out = x.fixed(1) or 1, b.choose((1, 3)), b.whole(1, 4)
    pad = kernel // 2
    bias = [b.constant(weights(b, out), plain=True)] if b.flip() else []
    kernels = b.constant(weights(b, out, channels, kernel, kernel), plain=True)
    shapes = [(shape[0], out, *shape[2:]) for shape in x.shapes]
    pads = [pad] * 4
    made = b.emit("Conv", [x, kernels, *bias], [("float32", shapes)], pads=pads)[0]
    follow = b.whole(0, 3)
    if follow == 0:
        batch_norm(b, made, out)
    elif follow == 1:
        channelwise = b.constant(weights(b, *b.choose(((1, out, 1, 1), (out, 1, 1), (1,)))))
        pair = [made, channelwise] if b.flip() else [channelwise, made]
        b.emit(b.choose(("Add", "Mul", "Sub")), pair, [("float32", shapes)])


def batch_norm(b: Builder, x: Var, channels: int) -> None:
    scale, shift, mean = (b.constant(weights(b, channels), plain=True) for _ in range(3))
    var = b.constant(np.abs(weights(b, channels)) + 1, plain=True)
    b.same("BatchNormalization", x, scale, shift, mean, var)


def matmul(b: Builder) -> None:
    x = b.pick(lambda v: is_float(v) and v.rank in (2, 3) and (v.fixed(v.rank - 1) or 0) > 0)
    if x is None:
        return
    inner, width = x.fixed(x.rank - 1) or 1, b.whole(1, 4)
    shapes = [(*shape[:-1], width) for shape in x.shapes]
    if x.rank == 2 and b.flip():
        turned = b.whole(0, 1)
        w = b.constant(weights(b, *((width, inner) if turned else (inner, width))))
        c: Sequence[Var] = [b.constant(weights(b, *b.choose(((width,), (1, width), (1,)))))]
        operands = [x, w, *(c if b.opset < 11 or b.flip() else [])]
        y = b.emit("Gemm", operands, [("float32", shapes)], transB=turned)[0]
    else:
        y = b.emit("MatMul", [x, b.constant(weights(b, inner, width))], [("float32", shapes)])[0]
    if b.flip():
        bias = b.constant(weights(b, *b.choose(((width,), (1,), (1, width)))))
        pair = [y, bias] if b.flip() else [bias, y]
        b.emit(b.choose(("Add", "Mul")), pair, [("float32", shapes)])
    elif y.rank == 2 and b.flip() and filled(y):
        batch_norm(b, y, width)


ARITHMETIC: dict[str, Callable[[Builder], None]] = {
    "binary": binary,
    "casts": casts,
    "chain": chain,
    "clip": clip,
    "common_pair": common_pair,
    "dropout": dropout,
    "fold": fold,
    "logic": logic,
    "random": random,
    "signed_zeros": signed_zeros,
    "softmax": softmax,
    "unary": unary,
    "variadic": variadic,
    "where": where,
    "whole_numbers": whole_numbers,
}
ROUGH: dict[str, Callable[[Builder], None]] = {"compare": compare, "reduce": reduce}
LINEAR: dict[str, Callable[[Builder], None]] = {"convolution": convolution, "matmul": matmul}

__all__ = ["ARITHMETIC", "LINEAR", "ROUGH", "filled", "is_float"]
