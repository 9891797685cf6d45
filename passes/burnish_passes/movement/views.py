"""Operators that only rename the axes of a tensor: Reshape, Flatten, Squeeze, Unsqueeze.

The elements keep their order, so any chain of them is one Reshape to the shape of its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from burnish.ir import Node, Value
from burnish.match import Match
from burnish.symbolic import Dim, is_positive, known_equal
from burnish_passes.proofs import has_static_contents, static_ints, whole_axes

__all__ = ["VIEWS", "emit_axes", "emit_reshape", "expressible", "known_axes"]

VIEWS = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")

Shape = Sequence[Dim | None]


def known_axes(m: Match, node: Node) -> tuple[int, ...] | None:
    """The axes of a Squeeze or Unsqueeze from the front, ascending; None when not known.

    Those of Unsqueeze are positions in its *result*.
    """
    given = static_ints(m, node, "axes", 1)
    before = m.ctx.shapes.shape(node.inputs[0]) if node.inputs[0] is not None else None
    if given is None:
        return _all_ones(node, before)
    if node.op_type == "Unsqueeze":
        if all(axis >= 0 for axis in given) and len(set(given)) == len(given):
            return tuple(sorted(given))
        return None if before is None else whole_axes(given, len(before) + len(given))
    if not given:
        return None  # runtimes disagree: all axes of size 1, or none
    if all(axis >= 0 for axis in given) and len(set(given)) == len(given):
        return tuple(sorted(given))
    return None if before is None else whole_axes(given, len(before))


def _all_ones(node: Node, before: Sequence[Dim] | None) -> tuple[int, ...] | None:
    """The axes a Squeeze without axes removes."""
    if node.op_type != "Squeeze" or has_static_contents(node, "axes", 1) or before is None:
        return None
    if not all(isinstance(dim, int) for dim in before):
        return None
    return tuple(axis for axis, dim in enumerate(before) if dim == 1)


def emit_axes(op: Any, m: Match, op_type: str, x: Value, axes: Sequence[int]) -> Value:
    """A Squeeze or Unsqueeze as the model's opset spells it."""
    build = getattr(op, op_type)
    if m.opset < 13:
        made: Value = build(x, axes=list(axes))
        return made
    made = build(x, op.constant(np.array(axes, dtype=np.int64)))
    return made


def emit_reshape(op: Any, m: Match, x: Value, target: Sequence[int], allowzero: int = 0) -> Value:
    """A Reshape to constant sizes, as the model's opset spells it."""
    if m.opset < 5:
        made: Value = op.Reshape(x, shape=list(target))
        return made
    shape = op.constant(np.array(target, dtype=np.int64))
    made = op.Reshape(x, shape, allowzero=allowzero or None)
    return made


def expressible(before: Shape, after: Shape) -> list[int] | None:
    """Sizes for a Reshape from shape ``before`` to ``after``, or None.

    A static size is written out, one equal to the size at its place in ``before`` is 0, one other
    may be -1. A -1 beside a size that can be 0 when the model runs would be ambiguous, and so
    would a static 0.
    """
    target: list[int] = []
    copied: list[Dim] = []
    for axis, dim in enumerate(after):
        if dim == 0:
            return None
        if isinstance(dim, int):
            target.append(dim)
        elif dim is not None and axis < len(before) and _equal(before[axis], dim):
            target.append(0)
            copied.append(dim)
        else:
            target.append(-1)
    if target.count(-1) > 1 or (-1 in target and not all(map(is_positive, copied))):
        return None
    return target


def _equal(left: Dim | None, right: Dim) -> bool:
    return left is not None and known_equal(left, right)
