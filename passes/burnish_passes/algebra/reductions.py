"""Over which axes a reduction runs, and reductions as each opset spells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from burnish.ir import Attr, Node, Value, attribute
from burnish.match import Match
from burnish_passes.proofs import has_static_contents, static_ints, whole_axes

__all__ = ["ARG", "emit_reduction", "keeps_dims", "reduced_axes", "with_keepdims"]

ARG = ("ArgMax", "ArgMin")
"""They reduce one axis, 0 unless they say which."""


def keeps_dims(node: Node) -> bool:
    """Whether the reduced axes stay, with size 1."""
    return bool(attribute(node, "keepdims", 1))


def reduced_axes(m: Match, node: Node, rank: int) -> tuple[int, ...]:
    """The axes from the front, ascending; declines when they are not known.

    An empty list means all axes, or none with ``noop_with_empty_axes``.
    """
    if node.op_type in ARG:
        given: tuple[int, ...] | None = (attribute(node, "axis", 0),)
    else:
        given = static_ints(m, node, "axes", 1)
        if given is None and has_static_contents(node, "axes", 1):
            m.decline("the reduced axes are known only when the model runs")
    if not given:
        return () if attribute(node, "noop_with_empty_axes", 0) else tuple(range(rank))
    found = whole_axes(given, rank)
    if found is None:
        m.decline("the reduced axes do not fit the rank")
    return found


def with_keepdims(op: Any, node: Node, keepdims: int) -> Value:
    """The same reduction with the other treatment of its axes."""
    attributes: list[Attr] = [attr for name, attr in node.attributes.items() if name != "keepdims"]
    made: Value = getattr(op, node.op_type)(*node.inputs, _attributes=attributes, keepdims=keepdims)
    return made


def emit_reduction(
    op: Any, m: Match, op_type: str, x: Value, axes: Sequence[int], keepdims: int
) -> Value:
    """A reduction over ``axes``, which are an input since opset 18 (ReduceSum: 13)."""
    build = getattr(op, op_type)
    made: Value
    if m.opset < (13 if op_type == "ReduceSum" else 18):
        made = build(x, axes=list(axes), keepdims=keepdims)
    else:
        made = build(x, op.constant(np.array(axes, dtype=np.int64)), keepdims=keepdims)
    return made
