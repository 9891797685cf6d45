"""Ways to quantize, by name: presets that begin with ``scheme-``, after a level.

The core names no pass: what a scheme runs is written where the passes are.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from burnish.budget import (
    Drop,
    Metric,
    Plan,
    answering,
    keep_within,
    macs_cost,
    shared_samples_note,
)
from burnish.calibration import Calibration, CalibrationData
from burnish.driver import Source, optimize, pipeline_of
from burnish.errors import InputError
from burnish.ir import Model
from burnish.passdef import Exactness, Pass
from burnish.pipeline import Fixpoint, Pipeline
from burnish.registry import presets
from burnish.target import Target
from burnish.text import model_text

__all__ = ["plan_within", "quantizing_pipeline", "scheme_names"]

_PREFIX = "scheme-"
_KEPT = "exclude"
"""The option, of the passes that have it, that names what stays float."""


def scheme_names() -> tuple[str, ...]:
    """The schemes, in alphabetical order."""
    return tuple(
        sorted(name.removeprefix(_PREFIX) for name in presets() if name.startswith(_PREFIX))
    )


def quantizing_pipeline(
    scheme: str, target: Target, *, level: int = 2, exclude: Sequence[str] = ()
) -> Pipeline:
    """The passes of a level for ``target``, then those of a scheme.

    Args:
        scheme: its name.
        target: what the model is compiled for.
        level: 0 to 3.
        exclude: layers that stay float, for every pass that takes such names.

    Raises:
        InputError: when there is no such scheme, or ``exclude`` means nothing to it.
    """
    before = pipeline_of(f"O{level}", target)
    after = _scheme(scheme)
    if exclude:
        if not any(map(_takes_names, after.flat())):
            raise InputError(f"scheme '{scheme}' excludes no layer by name", where="exclude")
        after = _excluding(after, exclude)
    return Pipeline((*before.passes, *after.passes))


def plan_within(
    source: Source,
    scheme: str,
    target: Target,
    *,
    level: int = 2,
    calibration: Calibration,
    max_drop: Drop,
    metric: Metric,
    judge: Callable[[Model], CalibrationData] | None = None,
    state: str | os.PathLike[str] | None = None,
    progress: Callable[[str], None] | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    dims: Mapping[str, int] | None = None,
) -> Plan:
    """Find the layers that have to stay float for a model to lose no more than is allowed.

    Args:
        source: the model.
        scheme: how the other layers are quantized.
        target: what it is compiled for.
        level: 0 to 3.
        calibration: the data.
        max_drop: how much may be lost.
        metric: what is judged.
        judge: reads the samples to judge by; None: those of the calibration.
        state: a file that keeps what was measured, to go on from.
        progress: told of each model that is built.
        input_shapes: shapes to bind, by input name.
        dims: sizes to bind, by symbolic dimension name.

    Raises:
        InputError: when something does not fit, or the scheme quantizes no layer.
    """
    base = optimize(
        source,
        passes=f"O{level}",
        target=target,
        input_shapes=input_shapes,
        dims=dims,
        record=False,
    ).model
    after = _scheme(scheme)
    run = functools.partial(optimize, base, target=target, calibration=calibration)
    whole = run(passes=after, allow=Exactness.LOSSY)
    takers = {item.name for item in after.flat() if _takes_names(item)}
    layers = dict.fromkeys(
        remark.where
        for record in whole.records
        for remark in record.remarks
        if remark.kind == "applied" and remark.rule in takers
    )
    if not layers:
        raise InputError(
            f"scheme '{scheme}' quantizes no layer of this model",
            where="--max-drop",
            mend="see why: burnish explain MODEL PASS",
        )

    def build(kept: frozenset[str]) -> Model:
        passes = _excluding(after, sorted(kept))
        return run(passes=passes, allow=Exactness.LOSSY, record=False).model

    data = calibration.bind(base)
    judged = judge(base) if judge is not None else data
    evaluate = answering(judged)
    about = [model_text(base), scheme, str(target), data.digest, judged.digest, metric.name]
    return keep_within(
        build,
        list(layers),
        metric,
        evaluate,
        max_drop,
        macs_cost(base),
        progress,
        state,
        reference=list(evaluate(base)),
        about=hashlib.sha256(repr(about).encode()).hexdigest(),
        notes=shared_samples_note(data, judged),
    )


def _scheme(name: str) -> Pipeline:
    text = presets().get(f"{_PREFIX}{name}")
    if text is None:
        known = scheme_names()
        near = difflib.get_close_matches(name, known, n=1)
        mend = f"did you mean {near[0]}?" if near else f"choose from: {', '.join(known)}"
        raise InputError(f"there is no scheme '{name}'", mend=mend)
    return Pipeline.parse(text, presets())


def _takes_names(item: Pass) -> bool:
    return dataclasses.is_dataclass(item) and any(
        option.name == _KEPT for option in dataclasses.fields(item)
    )


def _excluding(pipeline: Pipeline, names: Sequence[str]) -> Pipeline:
    """``pipeline`` in which all passes that take names leave these layers alone."""
    return Pipeline(tuple(_excluding_step(step, tuple(names)) for step in pipeline.passes))


def _excluding_step(step: Any, names: tuple[str, ...]) -> Any:
    if isinstance(step, Fixpoint):
        inner = tuple(_excluding_step(item, names) for item in step.passes)
        return dataclasses.replace(step, passes=inner)
    if not _takes_names(step):
        return step
    return dataclasses.replace(step, **{_KEPT: (*getattr(step, _KEPT), *names)})
