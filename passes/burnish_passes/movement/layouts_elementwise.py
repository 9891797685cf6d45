"""Other layouts of operators that act on each element, and of those that name an axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np

from burnish.ir import Value, attribute, constant, constant_array
from burnish.symbolic import Dim
from burnish_passes.movement.layouts import Anchor, Perm, Relayout, View
from burnish_passes.proofs import operand

__all__ = ["ELEMENTWISE", "Handler"]

Handler: TypeAlias = Callable[[View, Anchor], Relayout | None]

_UNARY: Final = (
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh Elu "
    "Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not "
    "Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan "
    "Tanh ThresholdedRelu"
)
_BROADCASTING: Final = (
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less "
    "LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor"
)


def _unary(view: View, anchor: Anchor) -> Relayout | None:
    return view.same(anchor) if anchor.upward or anchor.index == 0 else None


def _broadcasting(view: View, anchor: Anchor) -> Relayout | None:
    """Operands of full rank in the same layout; others first get the axes they lack."""
    rank = len(anchor.perm)
    result = view.result_shape()
    if view.opset < 7 or result is None or len(result) != rank:
        return None
    operands: list[Perm | None] = []
    shapes: dict[int, tuple[int, ...]] = {}
    unsqueezed: dict[int, tuple[int, ...]] = {}
    for index, value in enumerate(view.node.inputs):
        shape = view.shape(index)
        if value is None or shape is None:
            return None
        is_constant = constant(value) is not None
        if all(dim == 1 for dim in shape) and (is_constant or len(shape) < rank):
            operands.append(None)
        elif is_constant:
            operands.append(anchor.perm)
            shapes[index] = (1,) * (rank - len(shape)) + _static(shape)
        elif len(shape) == rank:
            operands.append(anchor.perm)
        else:
            axes = _added_axes(shape, anchor.perm)
            if axes is None or view.node.op_type == "PRelu":
                return None
            operands.append(None)
            unsqueezed[index] = axes
    return Relayout(tuple(operands), (anchor.perm,), shapes=shapes, unsqueezed=unsqueezed)


def _static(shape: Sequence[Dim]) -> tuple[int, ...]:
    return tuple(dim for dim in shape if isinstance(dim, int))


def _added_axes(shape: Sequence[Dim], perm: Perm) -> tuple[int, ...] | None:
    """Where Unsqueeze adds axes so that ``shape`` is in layout ``perm``, if its axes keep order."""
    missing = len(perm) - len(shape)
    own = [axis for axis in perm if axis >= missing]
    if own != sorted(own):
        return None
    return tuple(place for place, axis in enumerate(perm) if axis < missing)


def _axis_attribute(default: int | None, *, every: bool = False) -> Handler:
    """An operator whose ``axis`` is the only thing that names an axis.

    Args:
        default: what an absent axis is; None: it must be there.
        every: whether all inputs are operands like the first.
    """

    def relayout(view: View, anchor: Anchor) -> Relayout | None:
        axis = attribute(view.node, "axis", default)
        if axis is None or not (every or anchor.upward or anchor.index == 0):
            return None
        place = anchor.perm.index(axis % len(anchor.perm))
        changes: dict[str, Any] = {"attributes": {"axis": place}}
        if not every:
            return view.same(anchor, **changes)
        count = len(view.node.inputs)
        return Relayout((anchor.perm,) * count, (anchor.perm,), **changes)

    return relayout


def _softmax(view: View, anchor: Anchor) -> Relayout | None:
    """Before opset 13 it acts on all axes from ``axis`` on at once."""
    if view.opset >= 13:
        return _axis_attribute(-1)(view, anchor)
    last = len(anchor.perm) - 1
    if attribute(view.node, "axis", 1) % len(anchor.perm) != last or anchor.perm[-1] != last:
        return None
    return view.same(anchor)


def _quantize(view: View, anchor: Anchor) -> Relayout | None:
    if not (anchor.upward or anchor.index == 0) or attribute(view.node, "block_size", 0):
        return None
    scale = view.shape(1)
    if scale is None or len(scale) > 1:
        return None
    if not scale or view.opset < 13:
        return view.same(anchor) if scale == () else None
    axis = attribute(view.node, "axis", 1)
    rank = len(anchor.perm)
    if not -rank <= axis < rank:
        return view.same(anchor) if scale == (1,) else None
    return view.same(anchor, attributes={"axis": anchor.perm.index(axis % rank)})


def _cumulative(view: View, anchor: Anchor) -> Relayout | None:
    axis = view.ints("axis", 1)
    if axis is None or len(axis) != 1 or not (anchor.upward or anchor.index == 0):
        return None
    place = anchor.perm.index(axis[0] % len(anchor.perm))
    changes = view.changed_ints("axis", 1, [place])
    held = constant(operand(view.node, 1))
    if held is not None:
        changes["constants"][1] = changes["constants"][1].reshape(held.shape.numpy())
    return view.same(anchor, **changes)


def _slice(view: View, anchor: Anchor) -> Relayout | None:
    if not (anchor.upward or anchor.index == 0):
        return None
    rank = len(anchor.perm)
    axes = view.ints("axes", 3)
    if axes is None:
        if operand(view.node, 3) is not None:
            return None
        starts = attribute(view.node, "starts")
        count = view.shape(1) if starts is None else (len(starts),)
        if count is None or len(count) != 1 or not isinstance(count[0], int):
            return None
        axes = tuple(range(count[0]))
    places = [anchor.perm.index(axis % rank) for axis in axes]
    if view.opset < 10:
        return view.same(anchor, attributes={"axes": places})
    dtype = view.dtype(1)
    if dtype is None:
        return None
    return view.same(anchor, constants={3: np.array(places, dtype=dtype.numpy())})


def _pad(view: View, anchor: Anchor) -> Relayout | None:
    if not (anchor.upward or anchor.index == 0) or view.opset < 2:
        return None
    rank = len(anchor.perm)
    if operand(view.node, 3) is not None:
        axes = view.ints("", 3)
        if axes is None:
            return None
        places = [anchor.perm.index(axis % rank) for axis in axes]
        return view.same(anchor, **view.changed_ints("", 3, places))
    pads = view.ints("pads", 1)
    if pads is None or len(pads) != 2 * rank:
        return None
    before, behind = pads[:rank], pads[rank:]
    moved = [before[axis] for axis in anchor.perm] + [behind[axis] for axis in anchor.perm]
    return view.same(anchor, **view.changed_ints("pads", 1, moved))


def _per_axis(index: int) -> Handler:
    """Expand and Tile: input ``index`` has one number for each axis."""

    def relayout(view: View, anchor: Anchor) -> Relayout | None:
        given = view.ints("", index)
        source = view.shape(0)
        if given is None or source is None or not (anchor.upward or anchor.index == 0):
            return None
        if not len(source) == len(given) == len(anchor.perm):
            return None
        moved = [given[axis] for axis in anchor.perm]
        return view.same(anchor, **view.changed_ints("", index, moved))

    return relayout


def _resize(view: View, anchor: Anchor) -> Relayout | None:
    """Interpolation is left where runtimes have it: on the last axes."""
    node = view.node
    if (
        not (anchor.upward or anchor.index == 0)
        or view.opset < 10
        or _is_special(node.inputs, view)
    ):
        return None
    rank = len(anchor.perm)
    if attribute(node, "axes") is not None:
        return None
    index = 1 if view.opset == 10 else 2
    if view.opset > 10 and operand(node, 3) is not None:
        index = 3
    given = constant_array(operand(node, index))
    source = view.shape(0)
    if given is None or source is None or given.shape != (rank,):
        return None
    moved = given[list(anchor.perm)]
    if attribute(node, "mode", "nearest") != "nearest":
        sizes = [source[axis] for axis in anchor.perm] if index == 3 else [1] * rank
        resized = [place for place in range(rank) if moved[place] != sizes[place]]
        if any(place < 2 for place in resized):
            return None
    return view.same(anchor, constants={index: moved})


def _is_special(inputs: Sequence[Value | None], view: View) -> bool:
    """Whether a Resize has options that name axes, or that few runtimes have."""
    node = view.node
    if attribute(node, "coordinate_transformation_mode", "") == "tf_crop_and_resize":
        return True
    if attribute(node, "antialias", 0):
        return True
    if attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return True
    roi = inputs[1] if view.opset > 10 and len(inputs) > 1 else None
    if roi is None:
        return False
    held = constant_array(roi)
    return held is None or held.size > 0


ELEMENTWISE: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        **dict.fromkeys(_UNARY.split(), _unary),
        **dict.fromkeys(_BROADCASTING.split(), _broadcasting),
        "Concat": _axis_attribute(None, every=True),
        "CumSum": _cumulative,
        "DequantizeLinear": _quantize,
        "Expand": _per_axis(1),
        "Hardmax": _softmax,
        "LogSoftmax": _softmax,
        "Pad": _pad,
        "QuantizeLinear": _quantize,
        "Resize": _resize,
        "Slice": _slice,
        "Softmax": _softmax,
        "Split": _axis_attribute(0),
        "Tile": _per_axis(1),
    }
)
"""By operator type. Every operand and result of these has the same rank."""
