"""The first bad one of a row, found by halving.

The search keeps two promises at every step: one was seen to be good, and a later one was seen to be
bad. It ends when these are neighbours. Where faults come and go along the row, what is found is one
place where good turns to bad; there may be others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Window", "search"]


@dataclass(frozen=True)
class Window:
    """Where a search ended.

    Attributes:
        good: the last that was seen to be good.
        bad: the first after it that was seen to be bad.
    """

    good: int
    bad: int

    @property
    def is_sharp(self) -> bool:
        """Whether nothing undecided lies between."""
        return self.bad - self.good == 1


def search(
    good: int,
    bad: int,
    probe: Callable[[int], bool | None],
    tell: Callable[[int, int, str], None] | None = None,
) -> Window:
    """Halve the row between ``good`` and ``bad``.

    Args:
        good: known to be good.
        bad: known to be bad, and larger.
        probe: True for good, False for bad, None when it cannot be told; then neighbours are tried.
        tell: told after each probe how many are left, how many steps that takes, and what was seen.
    """
    unknown: set[int] = set()
    while (place := _next(good, bad, unknown)) is not None:
        answer = probe(place)
        if answer is None:
            unknown.add(place)
        elif answer:
            good = place
        else:
            bad = place
        if tell is not None:
            word = {True: "good", False: "bad", None: "cannot tell"}[answer]
            tell(bad - good, math.ceil(math.log2(bad - good)), f"{place} is {word}")
    return Window(good, bad)


def _next(good: int, bad: int, unknown: set[int]) -> int | None:
    """The place nearest the middle that is not known to be undecidable."""
    middle = (good + bad) // 2
    for distance in range(bad - good):
        for place in (middle - distance, middle + distance):
            if good < place < bad and place not in unknown:
                return place
    return None
