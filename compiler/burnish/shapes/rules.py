"""Rules for the shapes of outputs of the general operators: elementwise, movement, reductions.

A rule takes a ``NodeFacts`` and gives one shape per output, in order; None for an output whose
rank it cannot tell, and None (or fewer shapes than outputs) where it has nothing to say. A size it
cannot tell is a fresh unknown.

One assumption is shared with every peer: an element of a Reshape target that is an expression is
that size. Were it zero at run time, ONNX would read it as "copy the input's size", which differs
only for empty tensors reshaped to a shape with another, non-zero size in that place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from burnish.shapes.broadcast import broadcast, quotient
from burnish.shapes.facts import Facts, NodeFacts, Shape, ShapeRule, as_axis
from burnish.shapes.rules_movement import MOVEMENT_SHAPE_RULES
from burnish.symbolic import (
    Dim,
    ceildiv,
    exact_div,
    is_nonnegative,
    is_positive,
    maximum,
    product,
)

__all__ = ["GENERAL_RULES", "REDUCTIONS"]

Answer = list[Shape | None] | None


def _same(view: NodeFacts) -> Answer:
    return [view.shape(0)] * len(view.node.outputs)


def _first_only(view: NodeFacts) -> Answer:
    return [view.shape(0)]


def _elementwise(view: NodeFacts) -> Answer:
    if view.version < 7 and view.node.op_type not in ("Sum", "Mean", "Max", "Min"):
        return [view.shape(0)]
    return [broadcast(view, [view.shape(index) for index in range(len(view.inputs))])]


def _scalar(view: NodeFacts) -> Answer:
    return [()]


# ---- targets given as data -----------------------------------------------------------------------


def _target(view: NodeFacts, index: int, name: str = "") -> tuple[Dim, ...] | None:
    """The elements of a shape operand; all unknown when only their count is known."""
    if name and view.attribute(name) is not None:
        held: tuple[Dim, ...] = view.attribute(name)
        return held
    dims = view.dims(index)
    if dims is not None:
        return dims
    shape = view.shape(index)
    if shape is None or len(shape) != 1 or not isinstance(shape[0], int) or shape[0] > 64:
        return None
    return tuple(view.integer() for _ in range(shape[0]))


def _reshape(view: NodeFacts) -> Answer:
    target, shape = _target(view, 1, "shape"), view.shape(0)
    if target is None:
        return None
    copies = not view.attribute("allowzero", 0)
    dims: list[Dim] = []
    open_at = -1
    for index, wanted in enumerate(target):
        dim = wanted
        if wanted == 0 and copies:
            dim = shape[index] if shape is not None and index < len(shape) else view.size()
        elif wanted == -1:
            open_at, dim = index, 1
        elif not is_nonnegative(wanted):
            dim = view.size()
        dims.append(dim)
    if open_at >= 0:
        rest = None if shape is None else quotient(product(shape), product(dims))
        dims[open_at] = view.size() if rest is None else view.as_size(rest)
    elif shape is not None:
        _solve_one(view, dims, target, product(shape))
    return [tuple(dims)]


def _solve_one(view: NodeFacts, dims: list[Dim], target: tuple[Dim, ...], total: Dim) -> None:
    """Find the one size that is not known from the count of elements."""
    open_places = [
        index
        for index, wanted in enumerate(target)
        if wanted != 0 and dims[index] != wanted and not isinstance(dims[index], int)
    ]
    if len(open_places) != 1:
        return
    others = dims[: open_places[0]] + dims[open_places[0] + 1 :]
    rest = exact_div(total, product(others))
    if rest is not None and all(is_positive(dim) for dim in others):
        dims[open_places[0]] = view.as_size(rest)


def _expand(view: NodeFacts) -> Answer:
    target = _target(view, 1)
    sizes = None if target is None else tuple(map(view.as_size, target))
    return [broadcast(view, [view.shape(0), sizes])]


def _constant_of_shape(view: NodeFacts) -> Answer:
    target = _target(view, 0)
    return None if target is None else [tuple(map(view.as_size, target))]


def _tile(view: NodeFacts) -> Answer:
    shape, repeats = view.shape(0), view.dims(1)
    if shape is None or view.version < 6:
        return None
    if repeats is None or len(repeats) != len(shape):
        return [view.sizes(len(shape))]
    return [tuple(view.as_size(a * b) for a, b in zip(shape, repeats, strict=True))]


def _range(view: NodeFacts) -> Answer:
    given = [view.dims(index) for index in range(3)]
    flat = [dims[0] for dims in given if dims is not None and len(dims) == 1]
    # Runtimes count floating steps each with their own rounding, so those stay unknown.
    if len(flat) != 3:
        return [view.sizes(1)]
    start, limit, delta = flat
    if not isinstance(delta, int) or delta == 0:
        return [view.sizes(1)]
    count = ceildiv(limit - start, delta) if delta > 0 else ceildiv(start - limit, -delta)
    return [(view.as_size(maximum(count, 0)),)]


# ---- reductions and counts -----------------------------------------------------------------------


def _reduce(view: NodeFacts) -> Answer:
    shape, axes = view.shape(0), view.ints(1, "axes")
    if shape is None:
        return None
    keep = view.attribute("keepdims", 1)
    if axes is None and view.has(1) and view.shape(1) != (0,):
        return [view.sizes(len(shape))] if keep else None
    if not axes:
        if view.attribute("noop_with_empty_axes", 0):
            return [shape]
        axes = tuple(range(len(shape)))
    return [_without(shape, axes, keep)]


def _without(shape: Shape, axes: Sequence[int], keep: int) -> Shape:
    gone = {as_axis(axis, len(shape)) for axis in axes}
    if keep:
        return tuple(1 if axis in gone else dim for axis, dim in enumerate(shape))
    return tuple(dim for axis, dim in enumerate(shape) if axis not in gone)


def _arg_reduce(view: NodeFacts) -> Answer:
    shape = view.shape(0)
    if shape is None:
        return None
    return [_without(shape, (view.attribute("axis", 0),), view.attribute("keepdims", 1))]


def _top_k(view: NodeFacts) -> Answer:
    shape, counts = view.shape(0), view.dims(1)
    if shape is None:
        return None
    axis = as_axis(view.attribute("axis", -1), len(shape))
    if axis is None:
        return None
    count: Dim | None = view.attribute("k")
    if count is None:
        count = counts[0] if counts else view.size()
    return [(*shape[:axis], view.as_size(count), *shape[axis + 1 :])] * 2


def _one_hot(view: NodeFacts) -> Answer:
    shape, depth = view.shape(0), view.dims(1)
    if shape is None:
        return None
    axis = as_axis(view.attribute("axis", -1), len(shape) + 1)
    if axis is None:
        return None
    return [(*shape[:axis], view.as_size(depth[0]) if depth else view.size(), *shape[axis:])]


def _shape(view: NodeFacts) -> Answer:
    shape = view.shape(0)
    if shape is None:
        return [view.sizes(1)]
    bounds_given = slice(view.attribute("start", 0), view.attribute("end", len(shape)))
    return [(len(shape[bounds_given]),)]


def _non_zero(view: NodeFacts) -> Answer:
    shape = view.shape(0)
    return [(view.size() if shape is None or not shape else len(shape), view.size())]


def _if(view: NodeFacts) -> Answer:
    return [_agreed(view, branches) for branches in zip(*view.branches, strict=False)]


def _agreed(view: NodeFacts, branches: Sequence[Facts]) -> Shape | None:
    shapes = [branch.shape for branch in branches]
    known = [shape for shape in shapes if shape is not None]
    if len(known) != len(shapes) or len({len(shape) for shape in known}) != 1:
        return None
    return tuple(
        dims[0] if all(dim == dims[0] for dim in dims) else view.size()
        for dims in zip(*known, strict=True)
    )


_UNARY = frozenset(
    {
        "Abs",
        "Acos",
        "Acosh",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Bernoulli",
        "BitwiseNot",
        "Cast",
        "CastLike",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Cosh",
        "CumSum",
        "DequantizeLinear",
        "Dropout",
        "Elu",
        "Erf",
        "Exp",
        "EyeLike",
        "Floor",
        "Gelu",
        "GroupNormalization",
        "HardSigmoid",
        "HardSwish",
        "Hardmax",
        "Identity",
        "InstanceNormalization",
        "IsInf",
        "IsNaN",
        "LRN",
        "LeakyRelu",
        "Log",
        "LogSoftmax",
        "LpNormalization",
        "MeanVarianceNormalization",
        "Mish",
        "Neg",
        "Not",
        "PRelu",
        "QuantizeLinear",
        "RMSNormalization",
        "RandomNormalLike",
        "RandomUniformLike",
        "Reciprocal",
        "Relu",
        "ReverseSequence",
        "Round",
        "Scatter",
        "ScatterElements",
        "ScatterND",
        "Selu",
        "Shrink",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Softmax",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Swish",
        "Tan",
        "Tanh",
        "TensorScatter",
        "ThresholdedRelu",
        "Trilu",
    }
)
_BROADCAST = frozenset(
    {
        "Add",
        "And",
        "BitShift",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
        "Div",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Max",
        "Mean",
        "Min",
        "Mod",
        "Mul",
        "Or",
        "Pow",
        "Sub",
        "Sum",
        "Where",
        "Xor",
    }
)
REDUCTIONS = (
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
)
"""Operators that make one element of all along some axes."""

GENERAL_RULES: Mapping[str, ShapeRule] = MappingProxyType(
    {
        **MOVEMENT_SHAPE_RULES,
        **dict.fromkeys(_UNARY, _same),
        **dict.fromkeys(_BROADCAST, _elementwise),
        **dict.fromkeys(REDUCTIONS, _reduce),
        "RotaryEmbedding": _first_only,
        "ArgMax": _arg_reduce,
        "ArgMin": _arg_reduce,
        "ConstantOfShape": _constant_of_shape,
        "Expand": _expand,
        "If": _if,
        "NonZero": _non_zero,
        "OneHot": _one_hot,
        "Range": _range,
        "Reshape": _reshape,
        "Shape": _shape,
        "Size": _scalar,
        "Tile": _tile,
        "TopK": _top_k,
    }
)
