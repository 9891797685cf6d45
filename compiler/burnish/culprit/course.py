"""A run of passes that can be taken again up to any moment.

Passes and rules are deterministic, so the same source under the same pipeline goes through the same
states. A moment is how many passes have begun and how many rewrites may happen in all: within a pass
the fuel runs out, and no pass after it is begun, since one may change what it does not announce.
"""

from __future__ import annotations

import contextlib
import itertools
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

from burnish.census import Signature
from burnish.diff import Diff, Entry, Recorder, entry_text
from burnish.errors import PassError
from burnish.graph import sources_of
from burnish.ir import Model, all_nodes
from burnish.loading import load
from burnish.memory import without_collection
from burnish.passdef import Exactness, Fuel, Rewrite
from burnish.pipeline import PassRecord, Pipeline, weakest_promise
from burnish.target import Target

__all__ = ["Change", "Course", "Moment", "State"]


@dataclass(frozen=True)
class Moment:
    """How far a run has gone.

    Attributes:
        passes: how many passes have begun.
        rewrites: how many rewrites may have happened; None for any number.
    """

    passes: int
    rewrites: int | None


@dataclass(frozen=True)
class State:
    """The model at a moment.

    Attributes:
        model: as the passes left it.
        exactness: the weakest promise of the passes that changed something.
        fault: what a pass raised, if one did.
    """

    model: Model
    exactness: Exactness
    fault: PassError | None = None


@dataclass(frozen=True)
class Change:
    """The last rewrite before a moment, observed.

    Attributes:
        rewrite: what the pass said of it; None for a change it did not announce.
        diff: what changed, as observed.
        sources: labels of the source nodes of what went and what came.
    """

    rewrite: Rewrite | None
    diff: Diff
    sources: tuple[str, ...]


class Course:
    """One pipeline over one source.

    Args:
        source: copied for every run.
        pipeline: what is run.
        target: what it is compiled for.
        stop_after: the most rewrites of the whole run; None for any number.

    Attributes:
        end: the model after the whole run.
        records: one for each pass that ended.
        total: how many rewrites were made.
    """

    def __init__(
        self, source: Model, pipeline: Pipeline, target: Target, stop_after: int | None = None
    ) -> None:
        self.source = source
        self.pipeline = pipeline
        self.target = target
        fuel = Fuel(stop_after)
        self.records: list[PassRecord] = []
        self.end = self._run(None, fuel, self.records)
        self.total = fuel.spent
        self.last = fuel.last
        self._limit = stop_after
        self._made = [record.rewrites for record in self.records]

    @property
    def finish(self) -> int:
        """The number that :meth:`moment` takes for the end of the run."""
        return self.total + 1

    def moment(self, rewrites: int) -> Moment:
        """The moment right after that many rewrites; one more than all is the end of the run."""
        if rewrites == 0:
            return Moment(0, 0)
        if rewrites > self.total:
            begun = len(self.records) + (self.end.fault is not None)
            return Moment(begun, self._limit)
        return Moment(bisect_left(self._made, rewrites) + 1, rewrites)

    def at(self, moment: Moment) -> State:
        """The state at a moment."""
        return self._run(moment.passes, Fuel(moment.rewrites), [])

    def _run(self, passes: int | None, fuel: Fuel, records: list[PassRecord]) -> State:
        with without_collection():
            model = load(self.source)
            steps = self.pipeline.run(model, self.target, fuel=fuel)
            fault = None
            try:
                records.extend(itertools.islice(steps, passes))
            except PassError as error:
                fault = error
        return State(model, weakest_promise(records), fault)

    def change(self, good: Moment, moment: Moment) -> Change:
        """What changed between a good moment and the first bad one.

        That is what the last rewrite changed, or the last pass, if it announced none. Some passes
        clear away at their end what their rewrites left; what is gone at ``good`` is left out.
        """
        with without_collection():
            model = load(self.source)
            watch = _Watch(model, moment.rewrites)
            steps = self.pipeline.run(model, self.target, fuel=watch)
            for _ in itertools.islice(steps, moment.passes - 1):
                pass
            watch.look()
            watch.last = None
            with contextlib.suppress(PassError):
                next(steps, None)
            diff = _only_new(watch.recorder.observe(), self.at(good).model)
        return Change(watch.last, diff, _sources(diff, watch.known))


class _Watch(Fuel):
    """Fuel that looks at the model right before the last rewrite allowed."""

    def __init__(self, model: Model, limit: int | None) -> None:
        super().__init__(limit)
        self.model = model
        self.look()

    def look(self) -> None:
        self.recorder = Recorder(self.model)
        self.known = {
            tuple(value.name for value in node.outputs): sources_of(node)
            for node in all_nodes(self.model)
        }

    def take(self) -> bool:
        if self.spent + 1 == self.limit:
            self.look()
        return super().take()


def _only_new(diff: Diff, before: Model) -> Diff:
    """``diff`` without what had gone or come before; and without context of nothing."""
    stood = {entry_text(entry) for _, entry in Recorder(before).opening().entries}
    kept: list[tuple[str, Entry]] = []
    for sign, entry in diff.entries:
        if sign in " @" or (sign == "-") == (entry_text(entry) in stood):
            kept.append((sign, entry))
    return Diff(tuple(_near_changes(kept)), diff.origins)


def _near_changes(entries: list[tuple[str, Entry]]) -> Iterator[tuple[str, Entry]]:
    """Changed lines, the unchanged ones next to them, and titles of scopes with changes."""
    title: tuple[str, Entry] | None = None
    for place, (sign, entry) in enumerate(entries):
        if sign == "@":
            title = (sign, entry)
            continue
        around = entries[max(0, place - 1) : place + 2]
        if sign == " " and not any(other in "+-" for other, _ in around):
            continue
        if title is not None:
            yield title
            title = None
        yield sign, entry


_Known: TypeAlias = "dict[tuple[str | None, ...], tuple[str, ...]]"


def _sources(diff: Diff, known: _Known) -> tuple[str, ...]:
    """The source nodes of what went and came.

    Nodes that only read something else now are left out, unless there are no others.
    """
    gone = {entry[4]: entry for sign, entry in diff.entries if sign == "-" and _is_node(entry)}
    found: dict[str, None] = {}
    readers: dict[str, None] = {}
    for sign, entry in diff.entries:
        if not _is_node(entry) or sign not in "+-":
            continue
        results = entry[4]
        origin = diff.origins.get(results)
        now = None if origin is None else origin.sources
        was = known.get(results, ())
        was_entry = gone.get(results)
        same = was == now and was_entry is not None and _reads_only(was_entry, entry)
        labels = (was if sign == "-" else now) or ()
        (readers if same else found).update(dict.fromkeys(labels))
    # A node without a name that was changed in place is called otherwise now.
    all_known = {label for labels in known.values() for label in labels}
    return tuple(label for label in found or readers if label in all_known)


def _reads_only(was: Signature, now: Signature) -> bool:
    """Whether two nodes of the same results differ in nothing but what they read."""
    return was[:3] == now[:3] and was[5] == now[5]


def _is_node(entry: Entry) -> TypeGuard[Signature]:
    return isinstance(entry, tuple)
