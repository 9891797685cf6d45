"""What replacing one constant by another costs, and what of a constant is known unread."""

from __future__ import annotations

import math

import numpy as np

from burnish.ir import Array, Value, constant
from burnish.match import Match

__all__ = ["SMALL", "held_shape", "no_large_copy", "not_larger"]

SMALL = 16 * 1024
"""Bytes that a second copy of a constant may cost."""


def held_shape(m: Match, name: str) -> tuple[int, ...]:
    """The shape of the constant variable ``name``, whose elements need not be read for that."""
    held = constant(m[name])
    if held is None:
        m.decline(f"{name} is not a constant")
    return tuple(held.shape.numpy())


def no_large_copy(m: Match, value: Value) -> None:
    """Decline when ``value``, about to be replaced, is a large constant that others read too.

    They would keep the old one, so the model would hold it twice.
    """
    held = constant(value)
    small = held is not None and held.nbytes <= SMALL
    alone = len(value.uses()) == 1 and not value.is_graph_output()
    m.require(small or alone, f"{value.name} has another reader and would be held twice")


def not_larger(m: Match, *parts: Array) -> None:
    """Decline when constants broadcast together have more elements than each of them."""
    together = np.broadcast_shapes(*(part.shape for part in parts))
    m.require(
        math.prod(together) <= max(part.size for part in parts), "the new constant would be larger"
    )
