"""Which rewrite broke it?

::

    found = burnish.bisect("model.onnx")
    if found.culprit is not None:
        print(found.text())

- ``course``: a run of passes that can be taken again up to any rewrite.
- ``judging``: whether a state of the model is good, by its answers or by the user's check.
- ``search``: halving between good and bad.
- ``hunt``: from a run that went wrong to the rewrite that did it.
- ``extraction``, ``smallest``: the smallest part of the model that shows it.
- ``reproducer``: the folder that shows it to somebody else.

Source: ``git bisect run`` for the check, LLVM's ``-opt-bisect-limit`` for counting rewrites, MLIR's
crash reproducers for the folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from burnish.artifact import check_not_source, versions
from burnish.culprit.course import Course
from burnish.culprit.finding import Bisection, Culprit, Reproducer
from burnish.culprit.hunt import Found, Hunt, Say
from burnish.culprit.judging import Check, Feed, Judge, Trial, is_command, read_check, why_invalid
from burnish.culprit.reproducer import Replay, check_place, is_reproducer, read, settings, write
from burnish.culprit.smallest import SEEDS, smallest
from burnish.driver import Source, allowed, pipeline_of
from burnish.errors import ExecutionError, InputError
from burnish.evaluate import Evaluator
from burnish.ir import Model
from burnish.loading import load, source_name
from burnish.passdef import Exactness
from burnish.pipeline import Pipeline
from burnish.samples import Samples, check_samples
from burnish.target import Target, parse_target
from burnish.verify.feeds import Feeds

__all__ = ["Bisection", "Check", "Culprit", "Reproducer", "Trial", "bisect", "is_reproducer"]

_NO_SHAPES: Mapping[str, Sequence[int]] = MappingProxyType({})
_NO_DIMS: Mapping[str, int] = MappingProxyType({})


def bisect(
    source: Source,
    *,
    passes: str | Pipeline | None = None,
    target: Target | None = None,
    allow: Exactness = Exactness.FLOAT,
    check: str | Check | None = None,
    samples: Samples | None = None,
    seeds: Sequence[int] = SEEDS,
    atol: float | None = None,
    rtol: float | None = None,
    input_shapes: Mapping[str, Sequence[int]] = _NO_SHAPES,
    dims: Mapping[str, int] = _NO_DIMS,
    stop_after: int | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Say | None = None,
) -> Bisection:
    """Find the first rewrite after which a model answers otherwise, fails, or fails a check.

    The run is taken again and again, each time up to another rewrite, and judged on all samples. As
    in :func:`burnish.verify.verify`, what is allowed is what the weakest pass so far may do.

    Args:
        source: path, bytes, ``onnx.ModelProto``, a model (which is not changed), or the folder of a
            reproducer, which says itself what to run: then ``passes``, ``samples``, ``atol``,
            ``rtol`` and ``stop_after`` must not be given, ``target`` and ``allow`` are not used.
        passes: pipeline text, a level ``O0`` to ``O3``, or a pipeline; None is ``O2``.
        target: what it is compiled for; None is ONNX Runtime on this processor.
        allow: the weakest promise any pass may make.
        check: what decides in place of the answers: a shell command in which ``{model}`` stands for
            a file (exit code 0 is good, 125 cannot tell, any other is bad), or a function of a path
            that gives True, None or False.
        samples: inputs to compare on, see :func:`burnish.samples.read_samples`; None: seeded ones.
        seeds: one seeded sample each.
        atol: allowed absolute difference, instead of what the passes promise.
        rtol: allowed relative difference, instead of what the passes promise.
        input_shapes: shapes to bind, by input name.
        dims: sizes to bind, by symbolic dimension name.
        stop_after: make at most this many rewrites.
        out: folder of the reproducer to write when something is found; None writes none.
        progress: told in words what is done.

    Returns:
        What was found; its ``culprit`` is None when nothing is wrong.

    Raises:
        InputError: when an argument does not fit, or when the source is bad itself.
        ExecutionError: when the source does not run.
        BuildError: when the reproducer cannot be written.
    """
    say = progress or _silent
    name = source_name(source)
    wanted: dict[str, Any] = {
        "passes": passes,
        "samples": samples,
        "atol": atol,
        "rtol": rtol,
        "stop_after": stop_after,
    }
    target = target or Target()
    if isinstance(source, str | os.PathLike) and Path(source).is_dir():
        how = read(Path(source))
        _need_no_more(wanted, source)
        _need_check(how, check, source)
        wanted, target, allow = dict(settings(how)), parse_target(how.target), Exactness.LOSSY
        source = how.model
    decides = read_check(check)
    place = None if out is None else _place(Path(out), source)
    pipeline = allowed(pipeline_of(wanted["passes"], target), allow)
    say("loading")
    model = load(source, input_shapes=input_shapes, dims=dims)
    notes = list(check_samples(wanted["samples"], model))
    feeds, said = _feeds(model, wanted["samples"], seeds, required=decides is None)
    judge = Judge(feeds, wanted["atol"], wanted["rtol"], decides)
    say("looking at the source")
    start = judge.of_itself(model)
    _need_good(start, name)
    say("running all passes")
    course = Course(model, pipeline, target, wanted["stop_after"])
    found, hunt = _searched(course, judge, start, name, say)
    found = replace(found, notes=(*notes, *said))
    if place is None or hunt is None:
        return found
    say("extracting a reproducer")
    how = Replay(
        Path(), "", str(target), (), judge.atol, judge.rtol, wanted["stop_after"], _spoken(check)
    )
    return write(place, smallest(course, hunt.found, hunt.judge, say), found, how)


@dataclass(frozen=True)
class _Ended:
    """A hunt that found something.

    Attributes:
        found: the culprit.
        judge: how states were judged in the end.
    """

    found: Found
    judge: Judge


def _searched(
    course: Course, judge: Judge, start: Trial, name: str, say: Say
) -> tuple[Bisection, _Ended | None]:
    """Look at the end of the run, and for the culprit where that is bad."""
    judge, end = _end(course, judge)
    if end.good is None:
        mend = "give a check that can tell the optimized model"
        raise InputError(f"after all passes it cannot be told: {end.reason}", where=name, mend=mend)
    told = Bisection(
        model=name,
        target=str(course.target),
        pipeline=str(course.pipeline),
        versions=versions(),
        total=course.total,
        culprit=None,
        steps=(),
    )
    if end.good:
        return told, None
    hunt = Hunt(course, judge, start, end, say)
    found = hunt.run()
    return replace(told, culprit=found.culprit, steps=tuple(hunt.steps)), _Ended(found, judge)


def _silent(text: str) -> None:
    """Tell nobody."""


def _spoken(check: str | Check | None) -> str:
    """A check as it is written down."""
    if check is None or isinstance(check, str):
        return check or ""
    return getattr(check, "__name__", type(check).__name__)


def _need_no_more(wanted: Mapping[str, Any], where: object) -> None:
    """A folder says what is run; another run needs the model in it."""
    given = [name.replace("_", "-") for name, value in wanted.items() if value is not None]
    if given:
        raise InputError(
            f"a reproducer says itself what to run, so it takes no {' or '.join(given)}",
            where=str(where),
            mend=f"leave it out, or bisect {Path(str(where), 'model.onnx')}",
        )


def _need_check(how: Replay, check: str | Check | None, where: object) -> None:
    """What a folder says is never run: the check comes from who replays it."""
    if how.check and check is None:
        raise InputError(
            "this is the fault of a check, which is not run unasked",
            where=str(where),
            mend=f"look at it, then add --check '{how.check}'"
            if is_command(how.check)
            else f"from Python, give the function {how.check} as check",
        )


def _place(out: Path, source: Source) -> Path:
    path = check_place(out)
    if isinstance(source, str | os.PathLike):
        check_not_source([path], [source])
    return out


def _feeds(
    model: Model, samples: Samples | None, seeds: Sequence[int], *, required: bool
) -> tuple[list[Feed], tuple[str, ...]]:
    """The inputs to judge on; a check needs none, and uses them for the reproducer if there are."""
    try:
        feeds = Feeds(model, Evaluator(model).run, samples, seeds, _NO_DIMS)
        found = list(feeds)
    except ExecutionError:
        if required:
            raise
        return [], ()
    if required and not found:
        raise InputError("there is no sample to compare on", mend="give at least one")
    return found, tuple(feeds.notes)


def _need_good(start: Trial, name: str) -> None:
    if start.good:
        return
    what = "is bad" if start.good is False else "cannot be told good or bad"
    raise InputError(
        f"the source itself {what}: {start.reason}",
        where=name,
        mend="bisecting needs a source that is good",
    )


def _end(course: Course, judge: Judge) -> tuple[Judge, Trial]:
    """What is found of the end of the run; a model that answers well must also be valid ONNX."""
    end = judge(course.source, course.end)
    if end.good and judge.check is None and not why_invalid(course.source):
        judge = replace(judge, validates=True)
        why = why_invalid(course.end.model)
        if why:
            return judge, replace(end, good=False, kind="invalid", reason=why)
    return judge, end
