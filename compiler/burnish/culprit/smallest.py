"""The smallest model that still shows a fault when the culprit runs on it alone."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from burnish.culprit.course import Course
from burnish.culprit.extraction import Extract, extracted, regions
from burnish.culprit.hunt import Found, Say
from burnish.culprit.judging import Feed, Judge
from burnish.errors import BurnishError, InputError
from burnish.evaluate import Evaluator
from burnish.ir import Model, TensorProtocol, all_nodes, make_tensor, outputs_of
from burnish.loading import load
from burnish.pipeline import Pipeline
from burnish.sample_files import is_writable
from burnish.text import digest
from burnish.verify.feeds import Feeds
from burnish.views.report import how_many

__all__ = ["SEEDS", "Example", "count", "smallest"]

SEEDS = (0, 1)
"""Of the samples that are made up where none is given."""

_MOST_CHECKS = 400
_LARGEST = 300
"""Nodes of a part that is reduced: a model that cannot be cut into parts stays as large as it is,
for each of the checks runs it."""


@dataclass(frozen=True)
class Example:
    """A model, inputs, and a pipeline that goes wrong on them.

    Attributes:
        model: what the pipeline is run on.
        feeds: its inputs.
        spec: the pipeline, as text.
        whole: how many nodes the model had that this is a part of.
        alone: whether the pipeline is the culprit alone.
        note: what the reader should know.
    """

    model: Model
    feeds: tuple[Feed, ...]
    spec: str
    whole: int
    alone: bool = True
    note: str = ""


class _Enough(Exception):
    """So many checks were made that a smaller part is not worth more."""


@dataclass(frozen=True)
class _Question:
    """Whether the culprit, run alone on a model, does to it what it did in the whole run."""

    course: Course
    found: Found
    judge: Judge

    def shows(self, model: Model, feeds: Sequence[Feed]) -> bool:
        culprit = self.found.culprit
        judge = self.judge.with_feeds(feeds)
        try:
            candidate = load(model)
            if not judge.of_itself(candidate).good:
                return False
            alone = Course(candidate, Pipeline.parse(culprit.spec), self.course.target)
            trial = judge(candidate, alone.end)
        except BurnishError:  # a part that is no model, or does not run by itself
            return False
        return trial.good is False and trial.kind == culprit.bad.kind


def smallest(course: Course, found: Found, judge: Judge, say: Say) -> Example:
    """A part of the model right before the culprit that still goes wrong.

    Parts around the rewrite are tried, each larger than the one before, at last the whole model;
    what is found is reduced. Where the culprit does no harm alone, as with rounding that adds up,
    it is the source with the whole pipeline.

    Args:
        course: the run.
        found: its culprit.
        judge: how the run was judged.
        say: told of what is done.
    """
    before = course.at(found.before).model
    feed = _worst(course, found, judge)
    question = _Question(course, found, judge)
    for part in _parts(before, found, feed):
        feeds: tuple[Feed, ...] = (part.feed,) if judge.check is None else ()
        if question.shows(part.model, feeds):
            whole = count(before)
            say(f"the fault shows in {count(part.model)} of {whole} nodes")
            model, feeds = _reduced(part.model, feeds, question, say)
            example = Example(model, feeds, found.culprit.spec, whole)
            return _writable(example, functools.partial(question.shows, model))
    say("the culprit does no harm alone: the reproducer is the whole run")
    feeds = tuple(judge.feeds) if judge.check is None else ()
    nodes = count(course.source)
    example = Example(course.source, feeds, str(course.pipeline), nodes, alone=False)
    end = course.end
    return _writable(
        example, lambda given: judge.with_feeds(given)(course.source, end).good is False
    )


def _writable(example: Example, shows: Callable[[Sequence[Feed]], bool]) -> Example:
    """The example with inputs that files can hold; seeded ones take the place of others."""
    if all(map(is_writable, example.feeds)):
        return example
    note = ""
    try:
        seeded = list(Feeds(example.model, Evaluator(example.model).run, None, SEEDS, {}))
        if not shows(seeded):
            note = "on seeded ones the fault does not show"
    except BurnishError as error:
        note = f"seeded ones do not do ({error.what})"
    if note:
        note = (
            f"no file holds inputs of these types, and {note}: replay it from Python with your own"
        )
    return replace(example, feeds=(), note=note)


def count(model: Model) -> int:
    """Nodes of a model, those of subgraphs and functions included."""
    return sum(1 for _ in all_nodes(model))


def _worst(course: Course, found: Found, judge: Judge) -> Feed:
    """The inputs on which the culprit does most harm."""
    feeds = judge.feeds
    if len(feeds) < 2 or found.culprit.bad.kind != "answers":
        return feeds[0] if feeds else {}
    state = course.at(found.after)
    harm = [judge.with_feeds([feed])(course.source, state).worst for feed in feeds]
    return feeds[harm.index(max(harm))]


def _parts(model: Model, found: Found, feed: Feed) -> Iterator[Extract]:
    for region in regions(model, found.change.diff, found.culprit.node):
        for static in (False, True):
            try:
                yield extracted(model, region, feed, static=static)
            except BurnishError:  # the model does not run, or a part is no model
                break
    yield Extract(model, feed)


def _reduced(
    model: Model, feeds: tuple[Feed, ...], question: _Question, say: Say
) -> tuple[Model, tuple[Feed, ...]]:
    """Less of the model, with which it still goes wrong.

    All numbers stay those of the run: among made-up ones, or those of another shape, a rewrite
    without a fault may look like one with it.
    """
    from burnish.reduction import Reducer

    if count(model) > _LARGEST:
        return model, feeds
    try:
        real = _numbers(model, feeds)
    except BurnishError:  # no runtime gives all the values of this one
        return model, feeds
    checks = 0

    def fails(candidate: Model, given: Sequence[Feed]) -> bool:
        nonlocal checks
        if checks == _MOST_CHECKS:
            raise _Enough
        checks += 1
        return _is_real(candidate, given, real) and question.shows(candidate, given)

    try:
        reducer = Reducer(model, fails, feeds=feeds)
    except InputError:  # a fault that comes and goes: what was seen once is kept as it is
        return model, feeds
    with contextlib.suppress(_Enough, KeyboardInterrupt):  # what there is by then is written
        reducer.run()
    done = reducer.result()
    if count(done.model) < count(model):
        say(f"reduced to {how_many(count(done.model), 'node')}")
    return done.model, done.feeds


def _numbers(model: Model, feeds: Sequence[Feed]) -> dict[str, str]:
    """What stands for the contents of each value of the main graph, by name."""
    found = {
        name: _mark(value.const_value)
        for name, value in model.graph.initializers.items()
        if value.const_value is not None
    }
    for feed in feeds:
        names = [str(value.name) for value in outputs_of(model.graph) if value.name]
        seen = {**feed, **Evaluator(model, outputs=names).run(feed)}
        found.update((name, _mark_of(held)) for name, held in seen.items())
    return found


def _mark(held: TensorProtocol) -> str:
    """What stands for type, shape and contents of a tensor."""
    return f"{held.dtype.name}{list(held.shape)} {digest(held)}"


def _mark_of(held: object) -> str:
    """The same for a value of a run; empty for one that is no tensor."""
    return _mark(make_tensor(held)) if isinstance(held, np.ndarray) else ""


def _is_real(model: Model, feeds: Sequence[Feed], real: Mapping[str, str]) -> bool:
    """Whether constants and inputs hold what the values of their names held in the run."""
    held = _numbers(model, ())
    for feed in feeds:
        held.update((name, _mark_of(value)) for name, value in feed.items())
    return all(real.get(name) == mark for name, mark in held.items())
