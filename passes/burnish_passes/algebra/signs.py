"""What the sign of a value can be, as far as the operators that compute it tell."""

from __future__ import annotations

from typing import Final

import numpy as np

from burnish.ir import Node, Value, attribute, constant, constant_array

__all__ = ["is_nonnegative"]

_DEEPEST: Final = 8
_LARGEST: Final = 4096
"""Constants of more elements are not read: a sign is not worth reading weights from disk."""

_POSITIVE: Final = frozenset(
    {"Abs", "Exp", "ReduceL1", "ReduceL2", "ReduceSumSquare", "Sigmoid", "Softmax"}
)
"""Floating-point operators that yield nothing below 0, nor -0.0."""
_NO_LESS_THAN_ZERO: Final = frozenset({"HardSigmoid", "Relu", "Softplus"})
"""Operators that yield nothing below 0; runtimes disagree about -0.0."""
_KEEPS: Final = frozenset(
    {"AveragePool", "Ceil", "Expand", "Flatten", "Floor", "Gather", "GlobalAveragePool"}
    | {"GlobalMaxPool", "Identity", "MaxPool", "ReduceMax", "ReduceMean", "ReduceMin"}
    | {"ReduceSum", "Reshape", "Round", "Slice", "Split", "Sqrt", "Squeeze", "Tile"}
    | {"Transpose", "Unsqueeze"}
)
"""Operators whose first result is not negative when their first operand is not."""
_KEEPS_WHEN_ALL: Final = frozenset({"Add", "Concat", "Max", "Mean", "Min", "Mul", "Sum"})


def is_nonnegative(value: Value | None, *, strictly: bool = False, depth: int = _DEEPEST) -> bool:
    """Whether every element of a floating-point value is at least 0, or NaN.

    Args:
        value: what is asked about.
        strictly: whether -0.0 counts as negative too.
        depth: how many operators to look back.
    """
    if value is None or depth == 0:
        return False
    held = constant(value)
    if held is not None:
        return held.size <= _LARGEST and _has_no_sign(value, strictly)
    node = value.producer()
    if node is None or node.domain != "" or value is not node.outputs[0]:
        return False
    return _computes_nonnegative(node, strictly, depth - 1)


def _has_no_sign(value: Value, strictly: bool) -> bool:
    array = constant_array(value)
    if array is None or array.dtype.kind in "OSUb":
        return False
    numbers = array.astype(np.float64)
    return not bool(np.any(np.signbit(numbers) if strictly else numbers < 0))


def _computes_nonnegative(node: Node, strictly: bool, depth: int) -> bool:
    kind = node.op_type
    if kind in _POSITIVE:
        return True
    if kind in _NO_LESS_THAN_ZERO:
        return not strictly
    if kind in _KEEPS:
        return is_nonnegative(node.inputs[0], strictly=strictly, depth=depth)
    if kind in _KEEPS_WHEN_ALL:
        if kind == "Mul" and len(node.inputs) == 2 and node.inputs[0] is node.inputs[1]:
            return True
        return all(is_nonnegative(item, strictly=strictly, depth=depth) for item in node.inputs)
    if kind == "Pow":
        power = constant_array(node.inputs[1])
        return power is not None and power.size == 1 and float(power.reshape(-1)[0]) == 2.0
    if kind == "Clip" and not strictly:
        return _lower_bound_is_nonnegative(node)
    return False


def _lower_bound_is_nonnegative(node: Node) -> bool:
    """Clip yields its upper bound where the bounds are the wrong way round, so both count."""
    low, high = attribute(node, "min"), attribute(node, "max")
    given = [bound for bound in (low, high) if bound is not None]
    for value in node.inputs[1:]:
        if value is not None:
            array = constant_array(value)
            if array is None or array.size != 1:
                return False
            given.append(float(array.reshape(-1)[0]))
    has_low = low is not None or (len(node.inputs) > 1 and node.inputs[1] is not None)
    return has_low and all(bound >= 0 for bound in given)
