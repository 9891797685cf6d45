"""Constant factors and offsets beside a linear operator, and what they do along one axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from burnish.ir import Array, Node, Value, constant, constant_array
from burnish.match import Match, Mismatch
from burnish_passes.linear.weights import norm_affine

__all__ = ["AFFINE", "Affine", "affine_before", "along_axis", "read_here_only", "sole_axis"]

AFFINE = ("Add", "BatchNormalization", "Div", "Mul", "Sub")
"""Operators that scale and shift, when their other operands are constants."""


@dataclass(frozen=True)
class Affine:
    """``x * factor + shift`` along one axis of ``x``; both are float64 of that axis's size."""

    x: Value
    factor: Array
    shift: Array


def sole_axis(m: Match, shape: tuple[int, ...], rank: int, axis: int) -> int:
    """The size along ``axis`` of a constant of that shape; declines when it has other axes.

    Args:
        m: the match.
        shape: the shape of the constant.
        rank: the rank of the other operand, to whose last axes the constant is aligned.
        axis: an axis of the other operand, counted from the front.
    """
    m.require(len(shape) <= rank, "the constant has more axes than the other operand")
    full = (1,) * (rank - len(shape)) + shape
    m.require(
        all(size == 1 for place, size in enumerate(full) if place != axis),
        "the constant acts along another axis",
    )
    return full[axis] if rank else 1


def along_axis(m: Match, x: Value, c: Array, axis: int, size: int) -> Array:
    """Constant ``c``, an operand beside ``x``, as float64[size] along ``axis`` of ``x``.

    Declines when it acts along other axes, or may enlarge ``x``.
    """
    shape = m.shape_of(x)
    axis %= max(len(shape), 1)
    length = sole_axis(m, tuple(c.shape), len(shape), axis)
    m.require(
        length == 1 or (length == size and shape[axis] == size),
        "the constant may enlarge the other operand",
    )
    spread: Array = np.broadcast_to(c.astype(np.float64).reshape(-1), (size,))
    return spread


def read_here_only(m: Match, node: Node) -> None:
    """Decline when the one result of ``node`` has two readers or is a graph output."""
    result = node.outputs[0]
    m.require(not result.is_graph_output(), f"{result.name} is a graph output")
    m.require(len(result.uses()) == 1, f"{result.name} has another reader")


def affine_before(m: Match, node: Node, axis: int, size: int) -> Affine:
    """What an operator of :data:`AFFINE` with constants does along ``axis`` of its operand.

    The pattern names it ``_shared``: whether others read it matters only once it has constants.

    Args:
        m: the match.
        node: the operator.
        axis: the axis that the linear operator behind it sums over; negative from the end.
        size: how many elements that axis has.
    """
    if node.op_type == "BatchNormalization":
        x = node.inputs[0]
        assert x is not None
        read_here_only(m, node)
        rank = len(m.shape_of(x))
        m.require(axis % rank == 1, "the channels are not the axis that is summed over")
        factor, shift = norm_affine(m, node)
        m.require(factor.shape == (size,), "the statistics do not fit the weights")
        return Affine(x, factor, shift)
    m.suppose(m.opset >= 7)  # broadcasting was another before
    left, right = node.inputs
    swapped = constant(right) is None
    x, held = (right, left) if swapped else (left, right)
    m.suppose(not swapped or node.op_type != "Div")
    array = constant_array(held)
    if x is None or array is None:
        raise Mismatch
    read_here_only(m, node)
    return _affine(m, node.op_type, x, along_axis(m, x, array, axis, size), swapped)


def _affine(m: Match, op_type: str, x: Value, c: Array, swapped: bool) -> Affine:
    one, zero = np.ones(c.shape), np.zeros(c.shape)
    if op_type == "Add":
        found = Affine(x, one, c)
    elif op_type == "Sub":
        found = Affine(x, -one, c) if swapped else Affine(x, one, -c)
    elif op_type == "Mul":
        found = Affine(x, c, zero)
    else:
        with np.errstate(all="ignore"):
            found = Affine(x, 1.0 / c, zero)
    finite = np.isfinite(found.factor).all() and np.isfinite(found.shift).all()
    m.require(bool(finite), "the constant gives a factor or offset that is not finite")
    return found
