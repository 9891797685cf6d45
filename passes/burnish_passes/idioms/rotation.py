"""The tables of a rotation by position, each angle taken once.

The spelled-out rotation multiplies by cosines and sines of full width, each angle written twice:
half the width apart, or in a row. RotaryEmbedding takes each angle once, and no axis of heads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from burnish.ir import Node, Value, attribute, constant_array, make_tensor
from burnish.match import Match
from burnish.symbolic import Dim, known_equal
from burnish_passes.idioms.attention_scores import made_by, scalar_of
from burnish_passes.movement.views import emit_axes, known_axes
from burnish_passes.proofs import operand

__all__ = ["angles", "heads_axis", "is_flattened"]

_ELEMENTWISE = ("Cast", "Cos", "Sin")


def _four(shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """``shape`` as broadcasting to four axes reads it."""
    return (1,) * (4 - len(shape)) + shape


def heads_axis(m: Match) -> int:
    """Which axis of ``x`` the tables are equal along: 1 or 2; the length is the other."""
    x = m.shape("x")
    shapes = {name: _four(m.shape(name)) for name in ("cos", "sin")}
    for axis in (1, 2):
        length = 3 - axis
        if all(
            shape[axis] == 1 and known_equal(shape[length], x[length]) for shape in shapes.values()
        ):
            return axis
    for name, shape in shapes.items():
        m.require(1 in shape[1:3], f"{m[name].name} differs between heads")
    m.decline(f"{m['cos'].name} and {m['sin'].name} may not have the length of x")


def angles(op: Any, m: Match, name: str, axis: int, *, in_a_row: bool) -> Value:
    """Cosines or sines that lack the axis of heads, as ``[batch, length, size / 2]``."""
    full, shape = m[name], m.shape(name)
    m.require(2 <= len(shape) <= 4, f"{full.name} has {len(shape)} axes")
    place = axis - (4 - len(shape))
    unsqueeze = made_by(m, full, "Unsqueeze")
    inner = None
    if unsqueeze is not None and known_axes(m, unsqueeze) == (place,):
        inner = unsqueeze.inputs[0]
    half = _half_width(op, m, inner or full, in_a_row)
    equal = "neighbours in" if in_a_row else "the halves of"
    m.require(half is not None, f"{equal} {full.name} may differ")
    assert half is not None
    rank = len(shape) - (inner is not None)
    if inner is None and (len(shape), axis) in ((4, 1), (4, 2), (3, 2)):
        half = emit_axes(op, m, "Squeeze", half, (place,))
        rank -= 1
    if rank == 2:
        half = emit_axes(op, m, "Unsqueeze", half, (0,))
    return _for_every_batch(op, m, half, _four(shape)[0])


def _for_every_batch(op: Any, m: Match, half: Value, of_table: Dim) -> Value:
    """``half`` with as many batches as ``x``: the operator does not repeat it."""
    batch = m.shape("x")[0]
    if known_equal(of_table, batch):
        return half
    m.require(of_table == 1, f"the batch of {half.name} may not be that of x")
    if isinstance(batch, int):
        count = op.constant(np.array([batch, 1, 1], dtype=np.int64))
    else:
        ones = op.constant(np.array([1, 1], dtype=np.int64))
        count = op.Concat(op.Shape(m["x"], start=0, end=1), ones, axis=0)
    made: Value = op.Expand(half, count)
    return made


def _half_width(op: Any, m: Match, value: Value, in_a_row: bool) -> Value | None:
    """``value`` with each angle once along its last axis, if the two are provably equal."""
    array = constant_array(value) if value.const_value is not None else None
    if array is not None:
        return _half_of_constant(op, value, array, in_a_row)
    node = made_by(m, value, *_ELEMENTWISE, "Concat", "Gather", "GatherND", "Mul", "Reshape")
    if node is None or node.inputs[0] is None:
        return None
    if node.op_type == "Reshape":
        return _once(op, m, node) if in_a_row else None
    if node.op_type == "Concat":
        return None if in_a_row else _first_of_equal_halves(m, node)
    if node.op_type == "Mul":
        return _scaled(op, m, node, in_a_row)
    if not _picks_rows(m, node):
        return None
    inner = _half_width(op, m, node.inputs[0], in_a_row)
    if inner is None:
        return None
    build = getattr(op, node.op_type)
    made: Value = build(inner, *node.inputs[1:], _attributes=node.attributes.values())
    return made


def _picks_rows(m: Match, node: Node) -> bool:
    """Whether a Gather takes whole rows of a table (other operators take every element)."""
    if node.op_type not in ("Gather", "GatherND"):
        return True
    table, indices = node.inputs
    if table is None or indices is None:
        return False
    rank = len(m.shape_of(table))
    if node.op_type == "Gather":
        return attribute(node, "axis", 0) == 0 and rank > 1
    depth = m.shape_of(indices)[-1]
    return attribute(node, "batch_dims", 0) == 0 and isinstance(depth, int) and depth < rank


def _first_of_equal_halves(m: Match, concat: Node) -> Value | None:
    rank = len(m.shape_of(concat.outputs[0]))
    if len(concat.inputs) != 2 or attribute(concat, "axis") not in (-1, rank - 1):
        return None
    return concat.inputs[0] if concat.inputs[0] is concat.inputs[1] else None


def _scaled(op: Any, m: Match, node: Node, in_a_row: bool) -> Value | None:
    """Half of a table times a number."""
    left, right = node.inputs
    if scalar_of(right) is None:
        left, right = right, left
    if left is None or right is None or scalar_of(right) is None:
        return None
    if len(m.shape_of(right)) > len(m.shape_of(left)):
        return None
    inner = _half_width(op, m, left, in_a_row)
    return None if inner is None else op.Mul(inner, right)


def _once(op: Any, m: Match, reshape: Node) -> Value | None:
    """``f`` of ``Reshape(Expand(Unsqueeze(f, -1), [..., 2]))``, or of two joined by Concat."""
    pairs = reshape.inputs[0]
    spread = made_by(m, pairs, "Expand", "Tile", "Concat")
    if pairs is None or spread is None:
        return None
    if not is_flattened(m, pairs, reshape.outputs[0]):
        return None
    if spread.op_type == "Concat":
        last = attribute(spread, "axis") in (-1, len(m.shape_of(pairs)) - 1)
        if not last or len(spread.inputs) != 2 or not _equal(m, *spread.inputs):
            return None
    single = spread.inputs[0]
    if single is None:
        return None
    before, after = m.shape_of(single), m.shape_of(pairs)
    if len(before) != len(after) or before[-1] != 1:
        return None
    if not all(known_equal(*dims) for dims in zip(before[:-1], after[:-1], strict=True)):
        return None
    return _without_last_axis(op, m, single, len(before))


def is_flattened(m: Match, pairs: Value, flat: Value) -> bool:
    """Whether ``flat`` is ``pairs`` ``[..., n, 2]`` with its last two axes joined."""
    before, after = m.shape_of(pairs), m.shape_of(flat)
    if len(before) != len(after) + 1 or before[-1] != 2 or not isinstance(before[-2], int):
        return False
    leading = zip(before[:-2], after[:-1], strict=True)
    return after[-1] == 2 * before[-2] and all(known_equal(*dims) for dims in leading)


def _equal(m: Match, left: Value | None, right: Value | None) -> bool:
    """Whether two values are one, or the same axis added to one."""
    if left is right:
        return True
    first, second = made_by(m, left, "Unsqueeze"), made_by(m, right, "Unsqueeze")
    if first is None or second is None or first.inputs[0] is not second.inputs[0]:
        return False
    axes = known_axes(m, first)
    return axes is not None and axes == known_axes(m, second)


def _without_last_axis(op: Any, m: Match, single: Value, rank: int) -> Value:
    """``[..., n]`` of ``single``, ``[..., n, 1]``."""
    unsqueeze = made_by(m, single, "Unsqueeze")
    source = None if unsqueeze is None else operand(unsqueeze, 0)
    axes = None if unsqueeze is None else known_axes(m, unsqueeze)
    if source is None or axes is None or rank - 1 not in axes:
        return emit_axes(op, m, "Squeeze", single, (rank - 1,))
    return source if len(axes) == 1 else emit_axes(op, m, "Unsqueeze", source, axes[:-1])


def _half_of_constant(
    op: Any, value: Value, array: np.ndarray[Any, Any], in_a_row: bool
) -> Value | None:
    width = array.shape[-1] if array.ndim else 1
    if width % 2 or array.ndim < 2:
        return None
    half = width // 2
    first, second = (
        (array[..., ::2], array[..., 1::2]) if in_a_row else (array[..., :half], array[..., half:])
    )
    if not np.array_equal(first, second):
        return None
    dtype = value.const_value.dtype if value.const_value is not None else None
    made: Value = op.constant(make_tensor(np.ascontiguousarray(first), dtype))
    return made
