"""A run as one self-contained page: no network, everything inside.

The page is a template, a style sheet and four scripts in this folder, and dagre, a library that
lays out graphs (``vendor``). The run itself is put into the page as JSON; the scripts replay it.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from burnish.artifact import HISTORY, TIMINGS, Artifact
from burnish.registry import pass_types
from burnish.views.catalog import summary
from burnish.views.history import History, HistoryError

__all__ = ["render_artifact", "render_page"]

_SCRIPTS = ("vendor/dagre.min.js", "run.js", "drawing.js", "sides.js", "page.js")


def render_page(
    history: History,
    *,
    title: str,
    steps: str = "passes",
    verdict: Mapping[str, Any] | None = None,
    seconds: Mapping[int, float] | None = None,
) -> str:
    """The page of a run.

    Args:
        history: the run.
        title: what stands above it.
        steps: what the steps of the history are.
        verdict: the answer of ``verify``, where it was asked.
        seconds: wall time by index of the pass, where it is known.
    """
    ran = {step.name for step in history.steps}
    held = {
        "title": title,
        "steps": steps,
        "history": history.json(),
        "verdict": verdict,
        "seconds": seconds,
        "summaries": {name: summary(kind) for name, kind in pass_types().items() if name in ran},
    }
    return _fill(
        _asset("page.html"),
        TITLE=html.escape(title),
        STYLE=_asset("page.css"),
        DATA=_inside_script(json.dumps(held, ensure_ascii=False, separators=(",", ":"))),
        SCRIPT="\n".join(map(_asset, _SCRIPTS)),
    )


def render_artifact(folder: Path) -> str:
    """The page of the run that wrote an artifact.

    Raises:
        InputError: when the folder holds no artifact, or its history cannot be read.
    """
    manifest = Artifact.open(folder).manifest
    history = History.read(folder / HISTORY)
    try:
        history.replay()  # the page does the same
    except HistoryError as error:
        raise HistoryError(error.what, where=str(folder / HISTORY)) from error
    try:
        timings = json.loads((folder / TIMINGS).read_text(encoding="utf-8"))["passes"]
        seconds = {index: float(item["seconds"]) for index, item in enumerate(timings)}
    except (OSError, ValueError, KeyError, TypeError):
        seconds = None  # times are not part of what an artifact promises
    name = manifest.source["name"] or "a model"
    return render_page(
        history, title=f"{name} for {manifest.target}", verdict=manifest.verdict, seconds=seconds
    )


def _asset(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def _fill(template: str, **parts: str) -> str:
    """Put each part where the template says ``%NAME%``; parts are not searched for more."""
    pieces = []
    rest = template
    for name, part in parts.items():
        before, _, rest = rest.partition(f"%{name}%")
        pieces += [before, part]
    return "".join([*pieces, rest])


def _inside_script(text: str) -> str:
    """JSON that cannot end the element it stands in, or open a comment there."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
