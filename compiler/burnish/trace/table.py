"""Aligned columns of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["finite", "number_text", "shortened", "table"]

_WIDEST = 44


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int]) -> str:
    """Lines of a table, the titles first.

    Args:
        titles: of the columns.
        rows: texts by column; the last column is as long as it is, all others are cut.
        left: the columns that start at the left; the others end at the right.
    """
    last = len(titles) - 1
    cut = [
        [shortened(text) if place < last else text for place, text in enumerate(row)]
        for row in (titles, *rows)
    ]
    widths = [max(len(row[place]) for row in cut) for place in range(last)]
    lines = []
    for row in cut:
        cells = [
            text.ljust(width) if place in left else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join([*cells, row[last]]).rstrip())
    return "\n".join(lines)


def shortened(text: str, width: int = _WIDEST) -> str:
    """``text`` with its middle left out where it is too long: names differ at their ends."""
    if len(text) <= width:
        return text
    head = (width - 1) // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def number_text(value: float | None) -> str:
    """A figure with three digits; ``-`` for none."""
    return "-" if value is None else f"{value:.3g}"


def finite(value: float | None) -> float | None:
    """``value`` as JSON can say it: None for what is not finite."""
    return value if value is not None and math.isfinite(value) else None
