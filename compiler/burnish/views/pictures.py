"""A run in two pictures: what each pass took away or brought, and the operators before and after."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from burnish.errors import InputError
from burnish.views.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    check_folder,
    label_places,
    new_figure,
    write_figure,
)
from burnish.views.history import History
from burnish.views.report import bytes_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["check_pictures", "operator_counts", "waterfall", "write_pictures"]

_MOST_BARS, _MOST_OPERATORS = 30, 30
_VISIBLE = 0.1
"""Changes below this share of the whole are drawn on a scale of their own."""
_WATERFALL, _OPERATORS = "waterfall.png", "operators.png"


def check_pictures(folder: str | os.PathLike[str]) -> Path:
    """Refuse, before any work, a folder that the pictures could not be written to.

    Raises:
        InputError: when it is a file, or something that is no picture is in the way.
        MissingDependency: when matplotlib is not installed.
    """
    return check_folder(folder, (_WATERFALL, _OPERATORS))


def write_pictures(history: History, folder: str | os.PathLike[str]) -> list[Path]:
    """Draw a run: ``waterfall.png`` and ``operators.png``; pictures that are there are replaced.

    Args:
        history: of the run.
        folder: made where it is missing.

    Raises:
        InputError: when a picture may not or cannot be written.
        MissingDependency: when matplotlib is not installed.
    """
    folder = check_pictures(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder cannot be made ({error.strerror})", where=str(folder), mend="name another"
        ) from error
    return [
        write_figure(_draw_waterfall(history), folder / _WATERFALL),
        write_figure(_draw_operators(history), folder / _OPERATORS),
    ]


# --- the waterfall


@dataclass(frozen=True)
class Fall:
    """How passes changed one figure of the model.

    Attributes:
        before: its size in the source.
        steps: name and change of each pass that changed it, in order; of each name, where there
            are too many passes, in the order of their first change.
    """

    before: int
    steps: tuple[tuple[str, int], ...]

    @property
    def after(self) -> int:
        """Its size in the result."""
        return self.before + sum(change for _, change in self.steps)


def waterfall(history: History, figure: str) -> Fall:
    """The cascade of passes that changed a figure.

    Args:
        history: of the run.
        figure: ``nodes``, ``bytes`` or ``parameters``.
    """
    if not history.steps:
        return Fall(0, ())
    found = [
        (f"{step.facts['index']} {step.name}", step.name, change)
        for step in history.steps
        if (change := step.facts["after"][figure] - step.facts["before"][figure])
    ]
    steps = [(label, change) for label, _, change in found]
    if len(steps) > _MOST_BARS:
        sums: Counter[str] = Counter()
        for _, name, change in found:
            sums[name] += change
        steps = [(name, change) for name, change in sums.items() if change]
    return Fall(history.steps[0].facts["before"][figure], tuple(_merged(steps)))


def _merged(steps: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """At most as many bars as can be read; the smallest become one."""
    if len(steps) <= _MOST_BARS:
        return steps
    ranked = sorted(steps, key=lambda step: abs(step[1]), reverse=True)
    small = dict.fromkeys(ranked[_MOST_BARS - 1 :])
    rest = (f"{len(small)} others", sum(change for _, change in small))
    return [*(step for step in steps if step not in small), rest]


def _draw_waterfall(history: History) -> Figure:
    falls = [waterfall(history, name) for name in ("nodes", "bytes")]
    bars = max(len(fall.steps) for fall in falls) + 2
    figure = new_figure(max(6.0, 2.0 + 0.35 * bars), 9.0)
    figure.suptitle(f"{history.model}: what each pass changed".replace("$", r"\$"), fontsize=11)
    counts, sizes = figure.subplots(2, 1)
    _draw_fall(counts, falls[0], "nodes", str)
    _draw_fall(sizes, falls[1], "bytes of weights", bytes_text)
    return figure


def _draw_fall(axes: Axes, fall: Fall, what: str, text: Callable[[int], str]) -> None:
    labels = ["source", *(name for name, _ in fall.steps), "result"]
    last = len(labels) - 1
    ends = axes.bar([0, last], [fall.before, fall.after], color=GREY)
    axes.bar_label(ends, [text(fall.before), text(fall.after)], fontsize=7)
    level = fall.before
    for place, (_, change) in enumerate(fall.steps, start=1):
        colour = GREEN if change < 0 else RED
        bar = axes.bar([place], [abs(change)], bottom=min(level, level + change), color=colour)
        axes.bar_label(bar, [f"{'+' * (change > 0)}{text(change)}"], fontsize=7)
        level += change
        axes.plot([place - 0.4, place + 1.4], [level, level], color=GREY, linewidth=0.6)
    label_places(axes, labels)
    low, high = _range(fall)
    origin = fall.before if low else 0
    axes.yaxis.set_major_formatter(lambda size, _: text(round(size) - origin))
    axes.set_ylim(low, high)
    axes.set_ylabel(f"{what}, beside the source's (axis cut)" if low else what)


def _range(fall: Fall) -> tuple[float, float]:
    """The part of the scale to show: all from 0, unless changes would be too small to see."""
    levels = [fall.before]
    for _, change in fall.steps:
        levels.append(levels[-1] + change)
    low, high = min(levels), max(levels)
    span = high - low
    if not span or span > _VISIBLE * high:
        return 0.0, 1.1 * high or 1.0
    return low - 0.5 * span, high + 0.2 * span


# --- the operators


def operator_counts(history: History) -> tuple[Counter[str], Counter[str]]:
    """How often each operator stands in the source and in the result, in every scope."""
    return _operators(history, history.source), _operators(history, history.replay())


def _operators(history: History, state: Mapping[str, Sequence[int]]) -> Counter[str]:
    lines = (history.lines[number] for numbers in state.values() for number in numbers)
    return Counter(
        f"{line['domain']}.{line['op']}" if line["domain"] else line["op"]
        for line in lines
        if line["kind"] == "node"
    )


def _draw_operators(history: History) -> Figure:
    before, after = operator_counts(history)
    ranked = sorted({*before, *after}, key=lambda op: (-max(before[op], after[op]), op))
    shown, rest = ranked[:_MOST_OPERATORS], ranked[_MOST_OPERATORS:]
    names = shown + ([f"{len(rest)} others"] if rest else [])
    figure = new_figure(8.0, 1.5 + 0.32 * max(len(names), 3))
    axes = figure.subplots()
    for shift, side, name, colour in (
        (-0.2, before, "before", ORANGE),
        (0.2, after, "after", BLUE),
    ):
        counts = [side[op] for op in shown] + ([sum(side[op] for op in rest)] if rest else [])
        bars = axes.barh(
            [place + shift for place in range(len(counts))],
            counts,
            height=0.38,
            color=colour,
            label=f"{name}: {side.total()}",
        )
        axes.bar_label(bars, fontsize=6, padding=2)
    axes.set_yticks(range(len(names)), [name.replace("$", r"\$") for name in names], fontsize=7)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlabel("nodes")
    axes.set_title(f"{history.model}: operators".replace("$", r"\$"), fontsize=11)
    axes.legend(fontsize=8)
    return figure
