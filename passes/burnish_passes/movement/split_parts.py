"""Where the operands of a Concat and the parts of a Split lie along their axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from burnish.ir import Node, Value, attribute
from burnish.match import Match
from burnish.symbolic import Dim
from burnish_passes.proofs import has_static_contents, static_ints

__all__ = ["axis_of", "emit_split", "operand_starts", "part_sizes", "run_between"]


def axis_of(m: Match, node: Node, default: int) -> int:
    """The ``axis`` of a Concat or Split counted from the front."""
    shape = m.shape_of(node.outputs[0])
    axis: int = attribute(node, "axis", default)
    m.require(-len(shape) <= axis < len(shape), "the axis is out of range")
    return axis % len(shape)


def _size(m: Match, value: Value | None, axis: int) -> Dim | None:
    shape = None if value is None else m.ctx.shapes.shape(value)
    return shape[axis] if shape is not None and axis < len(shape) else None


def operand_starts(m: Match, concat: Node, axis: int) -> list[int]:
    """Offsets of the operands, then the total; cut short after the first size not static."""
    starts = [0]
    for value in concat.inputs:
        size = _size(m, value, axis)
        if not isinstance(size, int):
            break
        starts.append(starts[-1] + size)
    return starts


def run_between(starts: Sequence[int], first: int, last: int) -> range | None:
    """The operands that fill ``[first, last)`` exactly, or None.

    Operands of size 0 at the ends are left out.
    """
    if first not in starts or last not in starts or first >= last:
        return None
    begin = len(starts) - 1 - starts[::-1].index(first)
    return range(begin, starts.index(last))


def part_sizes(m: Match, split: Node, total: int) -> list[int] | None:
    """The sizes of the parts of ``split`` of an axis of ``total`` elements, or None."""
    count = len(split.outputs)
    given = static_ints(m, split, "split", 1)
    if given is not None:
        return list(given) if sum(given) == total and len(given) == count else None
    if has_static_contents(split, "split", 1):
        return None
    chunk = -(-total // count)
    if total % count and "num_outputs" not in split.attributes:
        return None
    ends = list(accumulate([chunk] * (count - 1), initial=0))
    sizes = [chunk] * (count - 1) + [total - ends[-1]]
    return sizes if sizes[-1] >= 0 else None


def emit_split(op: Any, m: Match, x: Value, sizes: Sequence[int], axis: int) -> Sequence[Value]:
    """A Split into parts of these sizes as the model's opset spells it."""
    count = len(sizes)
    if len(set(sizes)) == 1:
        even = count if m.opset >= 18 else None
        parts = op.Split(x, axis=axis, num_outputs=even, _outputs=count)
    elif m.opset < 13:
        parts = op.Split(x, axis=axis, split=list(sizes), _outputs=count)
    else:
        given = op.constant(np.array(sizes, dtype=np.int64), f"{m.root.outputs[0].name}_split")
        parts = op.Split(x, given, axis=axis, _outputs=count)
    found: Sequence[Value] = parts if isinstance(parts, tuple) else (parts,)
    return found
