"""Two Slices of different axes are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Node, attribute, constant_array
from burnish.match import Match
from burnish.rewrite import Rule


@dataclass(frozen=True)
class ComposeSlices(Rule):
    """Join a Slice of a Slice when they cut different axes.

    ``Slice(Slice(x, axes a), axes b) => Slice(x, axes a + b)``, a and b disjoint.

    Before::

        agraph (float[4,6] x) => (float[2,3] y)
            <int64[1] zero = {0}, int64[1] two = {2}, int64[1] three = {3}, int64[1] one = {1}> {
            a = Slice(x, zero, two, zero)
            y = Slice(a, zero, three, one)
        }

    After::

        agraph (float[4,6] x) => (float[2,3] y)
            <int64[1] zero = {0}, int64[1] two = {2}, int64[1] three = {3}, int64[1] one = {1},
             int64[2] starts = {0, 0}, int64[2] ends = {2, 3}, int64[2] axes = {0, 1},
             int64[2] steps = {1, 1}> {
            y = Slice(x, starts, ends, axes, steps)
        }

    Catalogue row C9, its first half. Source: ONNX operator specification of Slice.
    """

    name: ClassVar[str] = "compose-slices"

    def before(self, op: Any, x: Any) -> Any:
        return op.Slice(op.Slice(x, ..., _name="inner"), ..., _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        rank = len(m.shape("x"))
        inner, outer = _cut(m, m.node("inner"), rank), _cut(m, m.node("outer"), rank)
        joined = [one + other for one, other in zip(inner, outer, strict=True)]
        m.require(len(set(joined[2])) == len(joined[2]), "both cut the same axis")
        if m.opset < 10:
            return op.Slice(m["x"], starts=joined[0], ends=joined[1], axes=joined[2])
        names = ("starts", "ends", "axes", "steps")
        operands = [
            op.constant(np.array(values, dtype=np.int64), f"{m.root.outputs[0].name}_{name}")
            for values, name in zip(joined, names, strict=True)
        ]
        return op.Slice(m["x"], *operands)


def _cut(m: Match, node: Node, rank: int) -> tuple[list[int], list[int], list[int], list[int]]:
    """Starts, ends, axes from the front, and steps of a Slice."""
    if m.opset < 10:
        starts, ends = attribute(node, "starts"), attribute(node, "ends")
        axes = attribute(node, "axes") or range(len(starts))
        steps: Sequence[int] = [1] * len(starts)
    else:
        given = [_ints(m, node, position) for position in range(1, 5)]
        starts, ends = given[0] or [], given[1] or []
        axes = given[2] if given[2] is not None else range(len(starts))
        steps = given[3] if given[3] is not None else [1] * len(starts)
    return list(starts), list(ends), [axis % rank for axis in axes], list(steps)


def _ints(m: Match, node: Node, position: int) -> list[int] | None:
    value = node.inputs[position] if position < len(node.inputs) else None
    if value is None:
        return None
    array = constant_array(value)
    if array is None:
        m.decline(f"{value.name} is not a constant")
    found: list[int] = array.tolist()
    return found
