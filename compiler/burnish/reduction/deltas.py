"""Delta debugging: the smallest part of a list that still shows a property.

The method is ddmin of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input"
(IEEE TSE 28(2), 2002), with the complements only: a part that holds alone is also reached by
leaving out the chunks around it, with as many tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["minimize"]

T = TypeVar("T")


def minimize(items: Sequence[T], holds: Callable[[Sequence[T]], bool]) -> list[T]:
    """The items that are left when none can be taken away any more.

    Chunks of half the list are left out, then of a quarter, and so on down to single items, from
    the end to the beginning. Passes over single items are repeated until one finds nothing to
    take, so the result is 1-minimal for a ``holds`` that answers the same each time.

    Args:
        items: all of them; ``holds(items)`` is taken for granted.
        holds: whether a part, in order, still shows the property. Never asked about all items.

    Returns:
        A part for which ``holds`` said yes last, or all items.
    """
    kept = list(items)
    if not kept or holds([]):
        return []
    size = max(1, len(kept) // 2)
    while True:
        before = len(kept)
        kept = _without_chunks(kept, size, holds)
        if size > 1:
            size = max(1, min(size // 2, len(kept) // 2))
        elif len(kept) == before:
            return kept


def _without_chunks(kept: list[T], size: int, holds: Callable[[Sequence[T]], bool]) -> list[T]:
    end = len(kept)
    while end > 0:
        start = max(0, end - size)
        rest = kept[:start] + kept[end:]
        if rest and holds(rest):
            kept = rest
        end = start
    return kept
