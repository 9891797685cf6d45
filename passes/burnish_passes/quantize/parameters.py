"""Scale, zero point and axis of QuantizeLinear and DequantizeLinear, and when two agree."""

from __future__ import annotations

from typing import Final

import numpy as np

from burnish.ir import Array, DataType, Node, Value, attribute, constant, constant_array
from burnish.match import Match
from burnish_passes.proofs import operand

__all__ = [
    "code_range",
    "code_type",
    "codes_survive",
    "is_per_tensor",
    "offsets",
    "quantized_axis",
    "reads_codes",
    "same_parameters",
    "scales",
]

_BITS: Final = {
    DataType.INT4: 4,
    DataType.UINT4: 4,
    DataType.INT8: 8,
    DataType.UINT8: 8,
    DataType.INT16: 16,
    DataType.UINT16: 16,
}
_SIGNED: Final = frozenset({DataType.INT4, DataType.INT8, DataType.INT16})


def code_type(m: Match, node: Node) -> DataType | None:
    """The element type of the codes a Quantize- or DequantizeLinear makes or reads."""
    value = node.outputs[0] if node.op_type == "QuantizeLinear" else operand(node, 0)
    return None if value is None else m.ctx.shapes.dtype(value)


def code_range(dtype: DataType | None) -> tuple[int, int] | None:
    """The least and greatest code of an integer type; None for other types."""
    bits = None if dtype is None else _BITS.get(dtype)
    if bits is None:
        return None
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype in _SIGNED else (0, 2**bits - 1)


def scales(node: Node) -> Array | None:
    """The scale as a constant array, or None."""
    return constant_array(operand(node, 1))


def offsets(node: Node) -> Array | None:
    """The zero point as a constant array of integers, 0 where none is given; None if unknown."""
    value = operand(node, 2)
    if value is None:
        return np.zeros((), dtype=np.int64)
    array = constant_array(value)
    return None if array is None else array.astype(np.int64)


def is_per_tensor(m: Match, node: Node) -> bool:
    """Whether one scale is for all elements."""
    value = operand(node, 1)
    if attribute(node, "block_size", 0) or value is None:
        return False
    held = constant(value)
    if held is not None:
        return held.size == 1
    return m.ctx.shapes.shape(value) == ()


def quantized_axis(node: Node, rank: int) -> int:
    """The axis a vector of scales lies along, from the front."""
    axis: int = attribute(node, "axis", 1)
    return axis + rank if axis < 0 else axis


def same_parameters(m: Match, one: Node, other: Node) -> bool:
    """Whether two nodes map codes to numbers in the same way: type, scale, zero point, axis."""
    if code_type(m, one) is None or code_type(m, one) != code_type(m, other):
        return False
    if not _same_scale(one, other) or not _same_offset(one, other):
        return False
    if attribute(one, "block_size", 0) != attribute(other, "block_size", 0):
        return False
    if is_per_tensor(m, one) or attribute(one, "axis", 1) == attribute(other, "axis", 1):
        return True
    value = operand(one, 0)
    shape = None if value is None else m.ctx.shapes.shape(value)
    return shape is not None and (
        quantized_axis(one, len(shape)) == quantized_axis(other, len(shape))
    )


def _same_scale(one: Node, other: Node) -> bool:
    left, right = operand(one, 1), operand(other, 1)
    if left is right:
        return True
    first, second = constant(left), constant(right)
    if first is None or second is None or first.dtype != second.dtype:
        return False
    return (first.shape == second.shape or first.size == second.size == 1) and (
        first.tobytes() == second.tobytes()
    )


def _same_offset(one: Node, other: Node) -> bool:
    left, right = operand(one, 2), operand(other, 2)
    if left is right:
        return True
    first, second = offsets(one), offsets(other)
    if first is None or second is None:
        return False
    if left is None or right is None:
        return not first.any() and not second.any()
    return first.size == second.size and bool((first.reshape(-1) == second.reshape(-1)).all())


def codes_survive(m: Match, node: Node) -> bool:
    """Whether a code is the same after DequantizeLinear and QuantizeLinear with ``node``'s scale.

    ``(q - z) * s / s`` is rounded twice before it is rounded to a code. With b bits and a
    significand of p bits the error is below ``2 ** (b - p + 1)``, which has to stay below 1/2.
    A scale of 0, an overflow, or a denormal number would lose the code.
    """
    array, extent = scales(node), code_range(code_type(m, node))
    if array is None or extent is None or array.dtype not in (np.float32, np.float16, np.float64):
        return False
    numbers = np.finfo(array.dtype)
    span = extent[1] - extent[0]
    if span.bit_length() - (numbers.nmant + 1) + 1 > -2:
        return False
    size = np.abs(array.astype(np.float64))
    return bool(np.all((size >= float(numbers.tiny)) & (size * span <= float(numbers.max))))


def reads_codes(value: Value | None) -> Node | None:
    """The DequantizeLinear that made ``value``, or None."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != "DequantizeLinear" or node.domain != "":
        return None
    return node
