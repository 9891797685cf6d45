"""Opset 7: broadcasting as in numpy instead of an operator's own, and no more test flags."""

from __future__ import annotations

import numpy as np

from burnish.ir import Value, constant_array
from burnish.symbolic import Dim
from burnish_passes.opset.draft import CannotRaise, Draft, Made, New, Operand, Place

__all__ = [
    "broadcast_as_numpy",
    "broadcast_slope",
    "drop_broadcast",
    "drop_output_sequence",
    "drop_test_flag",
    "upsample_had_two_scales",
]


def broadcast_as_numpy(draft: Draft, place: Place) -> None:
    """Add, And, Equal ... 7: the second operand stood at ``axis`` of the first, or at its end."""
    axis, allowed = draft.take("axis"), draft.take("broadcast", 0)
    if not allowed:
        return
    left, right = (_shape(draft.operand(index), place) for index in (0, 1))
    if len(right) > len(left):
        raise CannotRaise("its second operand has more axes than the first")
    if axis is None or all(dim == 1 for dim in right):
        return
    start = axis + len(left) if axis < 0 else axis
    draft.set_input(1, _widened(draft.operand(1), len(left) - start - len(right), place))


def broadcast_slope(draft: Draft, place: Place) -> None:
    """PRelu 7: a slope for each channel stood at axis 1 by itself."""
    x, slope = (_shape(draft.operand(index), place) for index in (0, 1))
    if all(dim == 1 for dim in slope) and len(slope) <= len(x):
        return
    if len(slope) != 1:
        raise CannotRaise("its slope is neither one number nor one for each channel")
    draft.set_input(1, _widened(draft.operand(1), len(x) - 2, place))


def drop_broadcast(draft: Draft, place: Place) -> None:
    """Gemm 7: the bias has at most two axes, and those broadcast from the end."""
    draft.take("broadcast")


def drop_test_flag(draft: Draft, place: Place) -> None:
    """BatchNormalization and Dropout 7 always test."""
    if not draft.take("is_test", 0):
        raise CannotRaise("it trains: it has no is_test")


def drop_output_sequence(draft: Draft, place: Place) -> None:
    """GRU, LSTM, RNN 7: the sequence is a result when somebody reads it."""
    wanted = draft.take("output_sequence", 0)
    sequence = draft.node.outputs[0]
    if not wanted and (sequence.uses() or sequence.is_graph_output()):
        raise CannotRaise("its sequence is read, and output_sequence is 0")


def upsample_had_two_scales(draft: Draft, place: Place) -> None:
    """Upsample 7."""
    raise CannotRaise("an experimental form")


def _shape(value: Operand, place: Place) -> tuple[Dim, ...]:
    shape = place.shapes.shape(value) if isinstance(value, Value) else None
    if shape is None:
        raise CannotRaise("the rank of an operand is not known")
    return shape


def _widened(operand: Operand, count: int, place: Place) -> Operand:
    """``operand`` with ``count`` axes of size 1 behind its own."""
    if count < 0:
        raise CannotRaise("its second operand does not fit the first")
    if count == 0:
        return operand
    held = constant_array(operand) if isinstance(operand, Value) else None
    if held is not None:
        return New(held.reshape(held.shape + (1,) * count), "widened")
    if place.to < 13:
        raise CannotRaise(f"its second operand needs {count} more axes")
    axes = New(np.arange(-count, 0, dtype=np.int64), "axes")
    return Made("Unsqueeze", (operand, axes))
