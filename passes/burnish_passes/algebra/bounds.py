"""Clip, Relu, and Max and Min with a constant: functions that bound a value, and their product."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from burnish.ir import Array, DataType, Node, Value, attribute, constant, constant_array
from burnish.match import Match
from burnish_passes.proofs import is_filled_with, operand

__all__ = ["BOUNDING", "Bounds", "bounded", "emit_bounds"]

BOUNDING = ("Clip", "Max", "Min", "Relu")

Number: TypeAlias = int | float


@dataclass(frozen=True)
class Bounds:
    """The function ``min(max(x, low), high)``.

    Attributes:
        low: the lower bound, or None.
        high: the upper bound, or None; never below ``low``.
        clip: whether a bound that is absent is absent from a Clip. Runtimes then disagree whether
            an infinity passes or becomes the largest number, so such a Clip has to stay a Clip.
    """

    low: Number | None
    high: Number | None
    clip: bool

    @classmethod
    def of(cls, low: Number | None, high: Number | None, clip: bool) -> Bounds:
        """With ``low`` above ``high``, every result is ``high``."""
        if low is not None and high is not None:
            low = min(low, high)
        return cls(low, high, clip)

    def of_number(self, number: Number) -> Number:
        """The bounded ``number``."""
        if self.low is not None:
            number = max(number, self.low)
        return number if self.high is None else min(number, self.high)

    def after(self, inner: Bounds) -> Bounds:
        """These bounds applied to a value that has those of ``inner``.

        Both functions are monotone, so the product runs between the images of the inner bounds:
        ``Clip(8, 10)`` of ``Clip(0, 6)`` is ``Clip(8, 8)``.
        """
        low = self.low if inner.low is None else self.of_number(inner.low)
        high = self.high if inner.high is None else self.of_number(inner.high)
        return Bounds(low, high, self.clip or inner.clip)


def bounded(m: Match, node: Node) -> tuple[Value, Bounds] | None:
    """What a bounding operator is applied to, and the bounds; None when they are not known."""
    if node.op_type == "Relu":
        x = operand(node, 0)
        return None if x is None else (x, Bounds(0, None, False))
    if node.op_type == "Clip":
        return _clip(node)
    return _extremum(m, node)


def _clip(node: Node) -> tuple[Value, Bounds] | None:
    x = operand(node, 0)
    given: list[Number | None] = []
    for index, name in ((1, "min"), (2, "max")):
        bound = attribute(node, name)
        value = operand(node, index)
        if value is not None:
            bound = _number(value)
            if bound is None:
                return None
        given.append(bound)
    if x is None or not _finite(*given):
        return None
    return x, Bounds.of(given[0], given[1], True)


def _number(value: Value) -> Number | None:
    held = constant(value)
    if held is None or held.size != 1:
        return None
    array = held.numpy()
    element = array.reshape(-1)[0]
    return int(element) if array.dtype.kind in "iu" else float(element)


def _finite(*numbers: Number | None) -> bool:
    return all(number is None or math.isfinite(number) for number in numbers)


def _extremum(m: Match, node: Node) -> tuple[Value, Bounds] | None:
    """Max or Min of a value and a constant that leaves its shape alone."""
    if len(node.inputs) != 2:
        return None
    for x, other in (node.inputs, reversed(node.inputs)):
        array = constant_array(other)
        if array is None or x is None or array.size == 0 or array.dtype.kind in "OSU":
            continue
        first = array.reshape(-1)[0]
        if not is_filled_with(array, first) or not _keeps_shape(m, x, array):
            return None
        number: Number = int(first) if array.dtype.kind in "iu" else float(first)
        if not _finite(number):
            return None
        low = number if node.op_type == "Max" else None
        return x, Bounds(low, None if low is not None else number, False)
    return None


def _keeps_shape(m: Match, x: Value, array: Array) -> bool:
    if array.ndim == 0:
        return True
    shape = m.ctx.shapes.shape(x)
    if shape is None or array.ndim > len(shape):
        return False
    pairs = zip(reversed(array.shape), reversed(shape), strict=False)
    return all(size == 1 or size == dim for size, dim in pairs)


def emit_bounds(op: Any, m: Match, x: Value, bounds: Bounds) -> Value:
    """The operator that bounds ``x`` so; declines where the opset has none for its type."""
    dtype = m.ctx.shapes.dtype(x)
    if dtype is None:
        m.decline("the type is not known")
    made: Value
    if bounds.clip or (bounds.low is not None and bounds.high is not None):
        return _emit_clip(op, m, x, bounds, dtype)
    if bounds.low == 0 and dtype.is_floating_point():  # few runtimes know the Relu of integers
        made = op.Relu(x)
        return made
    if bounds.low is not None:
        made = op.Max(x, _constant(op, bounds.low, dtype))
    else:
        made = op.Min(x, _constant(op, bounds.high, dtype))
    return made


def _emit_clip(op: Any, m: Match, x: Value, bounds: Bounds, dtype: DataType) -> Value:
    m.require(dtype.is_floating_point() or m.opset >= 12, "Clip is for floats before opset 12")
    made: Value
    if m.opset < 11:
        m.require(m.opset >= 6, "Clip has other attributes before opset 6")
        low, high = (None if end is None else float(end) for end in (bounds.low, bounds.high))
        exact = all(end is None or float(np.float32(end)) == end for end in (low, high))
        m.require(exact, "before opset 11 the bounds of Clip are float32")
        made = op.Clip(x, min=low, max=high)
        return made
    operands = [
        None if bound is None else _constant(op, bound, dtype)
        for bound in (bounds.low, bounds.high)
    ]
    while operands and operands[-1] is None:
        operands.pop()
    made = op.Clip(x, *operands)
    return made


def _constant(op: Any, number: Number | None, dtype: DataType) -> Any:
    return op.constant(np.array(number, dtype=dtype.numpy()), dtype=dtype)
