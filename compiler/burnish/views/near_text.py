"""Near misses and reasons, with what can be done about them, as text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from burnish.nearmiss import NearMiss

__all__ = ["Close", "capped", "close_lines"]


@dataclass(frozen=True)
class Close:
    """A near miss and what can be done about it.

    Attributes:
        miss: the near miss.
        remedies: for each of its conditions, what helps; None where nothing is known to.
        general: the conditions without names of values and nodes; near misses alike in them are
            told together.
    """

    miss: NearMiss
    remedies: tuple[str | None, ...]
    general: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        """With stable keys."""
        held = self.miss.json()
        held["conditions"] = [
            {"why": why, "remedy": help_}
            for why, help_ in zip(self.miss.conditions, self.remedies, strict=True)
        ]
        return held


def close_lines(close: Close, *, with_pass: bool) -> list[str]:
    """A near miss as lines: the place, how much stands, what failed, what helps."""
    miss = close.miss
    form = miss.rule.replace("example", "documented example") if miss.rule else "pattern"
    named = f"{miss.name}, " if with_pass else ""
    operators = ", ".join(miss.operators)
    if miss.declined:
        head = f"{named}recognized {operators}, and declined"
    else:
        stands = f"{len(miss.matched)} of {miss.size} operators"
        head = f"{named}{form}: {stands} ({operators})"
    lines = [f"{miss.where}: {head}"]
    lines += [f"  {why}" for why in miss.conditions]
    lines += [f"    → {text}" for text in dict.fromkeys(close.remedies) if text]
    return lines


def capped(items: Sequence[str], limit: int | None) -> list[str]:
    """The first ``limit`` lines, and how many more there are."""
    if limit is None or len(items) <= limit:
        return list(items)
    return [*items[:limit], f"and {len(items) - limit:,} more; --all"]
