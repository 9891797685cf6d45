"""The two facts that most shape rules rest on: broadcasting, and counting elements."""

from __future__ import annotations

from collections.abc import Sequence

from burnish.shapes.facts import NodeFacts, Shape
from burnish.symbolic import (
    Dim,
    bounds,
    exact_div,
    floordiv,
    operands,
)

__all__ = ["broadcast", "quotient"]


def _broadcast_dim(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    if left == right or right == 1:
        return left
    if left == 1:
        return right
    # A size that cannot be 1 decides, since the other is equal to it or 1.
    for one in (left, right):
        low, high = bounds(one)
        if (low is not None and low > 1) or high == 0:
            return one
    # min(d, k) with k > 1 is 1 only when d is, so next to d it must be equal to d.
    for one, other in ((left, right), (right, left)):
        if any(one == member for member in _clamped(other)):
            return one
    return view.size()


def _clamped(dim: Dim) -> tuple[Dim, ...]:
    """``(d,)`` when ``dim`` is ``min(d, k)`` for a number ``k > 1``."""
    members = operands(dim, "min")
    if len(members) != 2 or not isinstance(members[1], int) or members[1] < 2:
        return ()
    return members[:1]


def broadcast(view: NodeFacts, shapes: Sequence[Shape | None]) -> Shape | None:
    """The common shape of numpy broadcasting; None when a rank is not known."""
    known = [shape for shape in shapes if shape is not None]
    if len(known) != len(shapes) or not known:
        return None
    total = known[0]
    for shape in known[1:]:
        if shape == total:
            continue
        short, long = sorted((total, shape), key=len)
        lead = len(long) - len(short)
        tail = [_broadcast_dim(view, a, b) for a, b in zip(long[lead:], short, strict=True)]
        total = (*long[:lead], *tail)
    return total


def quotient(total: Dim, part: Dim) -> Dim | None:
    """``total / part`` where a model that runs guarantees that it divides; None if ``part`` is 0."""
    if part == 0:
        return None
    exact = exact_div(total, part)
    return floordiv(total, part) if exact is None else exact
