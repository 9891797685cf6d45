"""The budget options of ``burnish quantize``: what is judged, by what, and where it is kept."""

from __future__ import annotations

import argparse
import functools
import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish.cli.calibration import calibration_of
from burnish.cli.pages import write_text
from burnish.cli.screen import Screen
from burnish.errors import InputError

if TYPE_CHECKING:
    from burnish.budget import Metric, Plan
    from burnish.target import Target

__all__ = ["plan_of", "refuse_budget_options"]

_OPTIONS = ("metric", "labels", "judge", "state", "plan")


def refuse_budget_options(arguments: argparse.Namespace) -> None:
    """Refuse what means nothing without ``--max-drop``."""
    for option in _OPTIONS:
        if getattr(arguments, option) is not None:
            raise InputError(f"--{option} goes with --max-drop", mend="add that, or leave it out")


def plan_of(
    arguments: argparse.Namespace, screen: Screen, target: Target, bound: Mapping[str, Any]
) -> Plan:
    """Search, tell and keep the plan.

    Raises:
        InputError: when options do not fit, or there is no data.
    """
    from burnish.budget import Drop
    from burnish.calibration import read_data
    from burnish.schemes import plan_within

    if arguments.exclude:
        raise InputError("--exclude and --max-drop both choose layers", mend="leave one out")
    max_drop, metric = Drop.parse(arguments.max_drop), _metric(arguments)
    calibration = calibration_of(arguments, screen)
    if calibration is None:
        raise InputError("a budget needs data to judge by", mend="give it with --data")
    judge = None
    if arguments.judge is not None:
        judge = functools.partial(read_data, arguments.judge)
    plan = plan_within(
        arguments.model,
        arguments.scheme,
        target,
        level=int(arguments.level),
        calibration=calibration,
        max_drop=max_drop,
        metric=metric,
        judge=judge,
        state=arguments.state,
        progress=screen.live,
        **bound,
    )
    for line in plan.lines():
        screen.say(line)
    if arguments.plan is not None:
        write_text(Path(arguments.plan), json.dumps(plan.json(), indent=2) + "\n")
    return plan


def _metric(arguments: argparse.Namespace) -> Metric:
    from burnish.budget import metric_named, own_metric

    name = arguments.metric or "agreement"
    file, colon, function = name.rpartition(":")
    if not (colon and file.endswith(".py")):
        return metric_named(name, _labels(arguments.labels))
    if not Path(file).is_file():
        raise InputError("there is no such file", where=file)
    found = runpy.run_path(file).get(function)
    if not callable(found):
        raise InputError(f"it defines no function {function}", where=file)
    return own_metric(function, found)


def _labels(text: str | None) -> Any:
    """One integer array a sample; None when no file is named."""
    if text is None:
        return None
    import numpy as np

    file, _, name = text.partition(":")
    try:
        held = np.load(file)
        labels = held[name] if name else held
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"the labels cannot be read ({error})", where=text) from error
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        raise InputError("labels are whole numbers", where=text, mend="FILE.npy or FILE.npz:NAME")
    return [np.atleast_1d(item) for item in labels]
