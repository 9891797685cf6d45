"""Traces drawn: errors on a log scale, after each pass or along the graph."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish.trace.rows import NodeTrace
from burnish.trace.steps import PassTrace
from burnish.views.canvas import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    check_picture,
    label_places,
    new_figure,
    write_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot"]

_MOST_NAMES = 60


def plot(trace: PassTrace | NodeTrace, path: str | os.PathLike[str]) -> Path:
    """Draw a trace.

    Args:
        trace: of passes or of values.
        path: of the picture, ``*.png``; a picture that is there is replaced.

    Raises:
        InputError: when the picture may not or cannot be written.
        MissingDependency: when matplotlib is not installed.
    """
    path = check_picture(path)
    figure = _draw_passes(trace) if isinstance(trace, PassTrace) else _draw_values(trace)
    return write_figure(figure, path)


def _draw_passes(trace: PassTrace) -> Figure:
    steps = trace.steps
    figure = new_figure(max(8.0, 3.0 + 0.25 * min(len(steps), _MOST_NAMES)), 5.5)
    axes = figure.subplots()
    worst = [step.worst.distance for step in steps]
    places = list(range(len(steps)))
    _series(axes, places, [far.max_abs for far in worst], "largest absolute difference", BLUE)
    _series(axes, places, [far.max_rel for far in worst], "largest relative difference", ORANGE)
    _mark_beyond(axes, [place for place, step in enumerate(steps) if not step.ok])
    firsts = [
        (steps.index(step), step.name)
        for step in (trace.first_moved, trace.first_beyond)
        if step is not None
    ]
    _mark_firsts(axes, firsts)
    named = len(steps) <= _MOST_NAMES
    label_places(axes, [f"{s.index} {s.name}" if named else str(s.index) for s in steps])
    title = f"{trace.model}: outputs after each pass that changed it"
    unequal = any(_drawable(far.max_abs) or _drawable(far.max_rel) for far in worst)
    _finish(axes, title, "distance from the source's outputs", any_unequal=unequal)
    return figure


def _draw_values(trace: NodeTrace) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(10.0, 5.0)
    axes = figure.subplots()
    rows = [row for row in trace.rows if row.compared]
    places = [row.index for row in rows]
    _series(axes, places, [row.max_abs for row in rows], "largest absolute difference", BLUE)
    noise = [_noise(row.sqnr) for row in rows]
    _series(axes, places, noise, "noise to signal, root mean square", ORANGE)
    _mark_beyond(axes, [row.index for row in rows if row.beyond])
    firsts = [
        (row.index, row.value) for row in (trace.first_moved, trace.first_beyond) if row is not None
    ]
    _mark_firsts(axes, firsts)
    axes.set_xlabel("value, in the order of the graph")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    title = f"{trace.result} against {trace.source}"
    unequal = any(_drawable(row.max_abs) for row in rows) or any(map(_drawable, noise))
    _finish(axes, title, "distance from the source's value", any_unequal=unequal)
    return figure


def _noise(ratio: float | None) -> float:
    """A signal-to-noise ratio in dB as noise to signal."""
    return math.nan if ratio is None else 10.0 ** (-ratio / 20.0)


def _drawable(size: float) -> bool:
    """Whether a log scale has a place for it."""
    return size > 0 and math.isfinite(size)


def _series(
    axes: Axes, places: Sequence[int], sizes: Sequence[float], name: str, colour: str
) -> None:
    """Points of a log scale; those that are zero stand on its lower edge, in grey."""
    shown = [size if _drawable(size) else math.nan for size in sizes]
    style: dict[str, Any] = {"marker": "o", "markersize": 4}
    axes.plot(places, shown, label=name, linewidth=0.8, color=colour, **style)
    equal = [place for place, size in zip(places, sizes, strict=True) if size == 0]
    style |= {"color": GREY, "linestyle": "", "clip_on": False}
    axes.plot(equal, [0.0] * len(equal), transform=axes.get_xaxis_transform(), **style)


def _mark_beyond(axes: Axes, places: Sequence[int]) -> None:
    if places:
        style: dict[str, Any] = {"marker": "v", "color": RED, "linestyle": "", "clip_on": False}
        style |= {"transform": axes.get_xaxis_transform(), "label": "beyond what is allowed"}
        axes.plot(places, [1.0] * len(places), **style)


def _mark_firsts(axes: Axes, firsts: Sequence[tuple[int, str]]) -> None:
    """Mark the first difference and, where there is one, the first that is not allowed."""
    if len(set(firsts)) == 1 and len(firsts) == 2:
        _mark(axes, firsts[0][0], f"first difference, beyond what is allowed: {firsts[0][1]}")
        return
    for (place, name), text in zip(firsts, ("first difference", "first beyond"), strict=False):
        _mark(axes, place, f"{text}: {name}")


def _mark(axes: Axes, place: int, text: str) -> None:
    """A line across, with words beside it."""
    axes.axvline(place, color=GREY, linewidth=0.8, linestyle="--")
    axes.annotate(
        text.replace("$", r"\$"),
        (place, 0.98),
        xycoords=("data", "axes fraction"),
        xytext=(3, 0),
        textcoords="offset points",
        rotation=90,
        va="top",
        fontsize=7,
    )


def _finish(axes: Axes, title: str, scale: str, *, any_unequal: bool) -> None:
    axes.set_yscale("log")
    if not any_unequal:
        axes.set_ylim(1e-8, 1.0)  # a log scale without a point has no range of its own
    axes.margins(x=0.03)
    axes.set_title(title.replace("$", r"\$"), fontsize=10, pad=12)
    axes.set_ylabel(scale)
    axes.grid(axis="y", linewidth=0.3)
    axes.plot([], [], label="equal", marker="o", markersize=4, color=GREY, linestyle="")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
