"""Half of a table of cosines or sines whose two halves are equal.

``rotate-half`` multiplies by tables of full width, each angle written twice; RotaryEmbedding takes
each angle once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from burnish.ir import Value, attribute, constant_array, make_tensor
from burnish.match import Match
from burnish_passes.idioms.attention_scores import made_by, scalar_of

__all__ = ["half_width"]

_ELEMENTWISE = ("Cast", "Cos", "Sin")


def half_width(op: Any, m: Match, value: Value) -> Value | None:
    """The first half of ``value`` along its last axis, if the second provably equals it."""
    array = constant_array(value) if value.const_value is not None else None
    if array is not None:
        return _half_of_constant(op, value, array)
    node = made_by(m, value, *_ELEMENTWISE, "Concat", "Gather", "Mul")
    if node is None or node.inputs[0] is None:
        return None
    if node.op_type == "Concat":
        left, right = node.inputs[0], node.inputs[1] if len(node.inputs) == 2 else None
        rank = len(m.shape_of(value))
        last = attribute(node, "axis") in (-1, rank - 1)
        return left if last and left is right else None
    if node.op_type == "Mul":
        left, right = node.inputs
        if scalar_of(right) is None:
            left, right = right, left
        if left is None or scalar_of(right) is None:
            return None
        inner = half_width(op, m, left)
        return None if inner is None else op.Mul(inner, right)
    if node.op_type == "Gather" and attribute(node, "axis", 0) != 0:
        return None
    inner = half_width(op, m, node.inputs[0])
    if inner is None:
        return None
    build = getattr(op, node.op_type)
    made: Value = build(inner, *node.inputs[1:], _attributes=node.attributes.values())
    return made


def _half_of_constant(op: Any, value: Value, array: np.ndarray[Any, Any]) -> Value | None:
    width = array.shape[-1] if array.ndim else 1
    half = width // 2
    if width % 2 or array.ndim < 2 or not np.array_equal(array[..., :half], array[..., half:]):
        return None
    dtype = value.const_value.dtype if value.const_value is not None else None
    made: Value = op.constant(make_tensor(np.ascontiguousarray(array[..., :half]), dtype))
    return made
