"""What differs between two runs, pass by pass: yesterday's build and today's.

Passes that changed something are aligned by name, in order (the longest common subsequence, as
``difflib`` finds it). Of two aligned passes the lines that only one of them took away or brought
are shown. A pass that did its work in one run only is shown whole.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from burnish.artifact import HISTORY, Artifact
from burnish.views.history import History, Step
from burnish.views.report import change_text, how_many
from burnish.views.report import names as mentions

__all__ = ["PassChange", "RunDiff", "diff_artifacts", "diff_runs"]

_FACTS = ("target", "pipeline", "options", "versions", "source", "before", "after", "settings")
"""Parts of a manifest that say what was asked for and what came out."""


@dataclass(frozen=True)
class PassChange:
    """A pass that did something else in the other run.

    Attributes:
        name: the pass.
        before: its index in the first run; None when it changed nothing there.
        after: its index in the second run; None when it changed nothing there.
        lines: ``-`` what only the first run has in its diff, ``+`` what only the second has,
            followed by the line of that diff.
    """

    name: str
    before: int | None
    after: int | None
    lines: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """As plain values."""
        return {**vars(self), "lines": list(self.lines)}

    @property
    def title(self) -> str:
        """Which passes are meant."""
        where = [
            f"{'only ' if None in (self.before, self.after) else ''}in the {which} run: {index}"
            for which, index in (("first", self.before), ("second", self.after))
            if index is not None
        ]
        return f"{self.name} ({', '.join(where)})"


@dataclass(frozen=True)
class RunDiff:
    """The difference between two runs.

    Attributes:
        facts: what was asked or came out otherwise: name, before, after.
        passes: the passes that did something else, in order.
        alike: names of the passes that did the same in both, in order.
        results: of each node, by its name, what its results are called.
    """

    facts: tuple[tuple[str, Any, Any], ...]
    passes: tuple[PassChange, ...]
    alike: tuple[str, ...]
    results: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.facts or self.passes)

    @property
    def same(self) -> int:
        """How many passes did the same in both."""
        return len(self.alike)

    @property
    def names(self) -> frozenset[str]:
        """The passes that changed something in either run."""
        return frozenset((*self.alike, *(item.name for item in self.passes)))

    def only(self, name: str) -> RunDiff:
        """The part of it that is about one pass."""
        passes = tuple(item for item in self.passes if item.name == name)
        return RunDiff((), passes, tuple(each for each in self.alike if each == name), self.results)

    def about(self, name: str) -> RunDiff:
        """The lines of passes that name a node, one of its results, or another value."""
        wanted = {name, *self.results.get(name, ())}
        kept = (replace(item, lines=_naming(item.lines, wanted)) for item in self.passes)
        return RunDiff((), tuple(item for item in kept if item.lines), self.alike, self.results)

    @property
    def lines(self) -> tuple[str, ...]:
        """As lines of a diff; ``@`` names the part."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.facts:
            yield "@ what was asked, and what came out"
        for name, before, after in self.facts:
            if before is not None:
                yield f"-  {name}: {before}"
            if after is not None:
                yield f"+  {name}: {after}"
        for change in self.passes:
            yield f"@ {change.title}"
            yield from change.lines

    def json(self) -> dict[str, Any]:
        """By the schema ``docs/schema/run-diff.schema.json``."""
        return {
            "equal": not self,
            "facts": [{"name": name, "before": a, "after": b} for name, a, b in self.facts],
            "passes": [change.json() for change in self.passes],
            "same": self.same,
        }

    def summary(self) -> str:
        """On one line."""
        same = f"{how_many(self.same, 'pass', 'passes')} did the same"
        if not self:
            return f"no difference, {same}"
        facts, passes = len(self.facts), how_many(len(self.passes), "pass", "passes")
        verb = "differs" if facts + len(self.passes) == 1 else "differ"
        return f"{how_many(facts, 'fact')} and {passes} {verb}, {same}"


def diff_artifacts(before: Path, after: Path) -> RunDiff:
    """Compare the runs that wrote two artifacts.

    Args:
        before: the folder of the first.
        after: the folder of the second.

    Raises:
        InputError: when a folder holds no artifact.
    """
    old, new = Artifact.open(before).manifest, Artifact.open(after).manifest
    facts: list[tuple[str, Any, Any]] = []
    for name in _FACTS:
        facts.extend(_differences(name, getattr(old, name), getattr(new, name)))
    facts.extend(_differences("verdict.ok", _ok(old.verdict), _ok(new.verdict)))
    facts.extend(_differences("files", old.files, new.files))
    runs = History.read(before / HISTORY), History.read(after / HISTORY)
    passes, alike = diff_runs(*runs)
    return RunDiff(tuple(facts), passes, alike, _results(*runs))


def _ok(verdict: Mapping[str, Any] | None) -> bool | None:
    return None if verdict is None else bool(verdict["ok"])


def _naming(lines: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        line for line in lines if line[:1] in "+-" and any(mentions(line, name) for name in wanted)
    )


def _results(*histories: History) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for history in histories:
        for line in history.lines:
            if line["kind"] == "node":
                found.setdefault(line["label"], set()).update(filter(None, line["outputs"]))
    return {name: frozenset(results) for name, results in found.items()}


def _differences(name: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Where two values of a manifest differ, key by key."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(f"{name}.{key}", before.get(key), after.get(key))
    elif before != after:
        yield name, before, after


def diff_runs(before: History, after: History) -> tuple[tuple[PassChange, ...], tuple[str, ...]]:
    """The passes that did something else in the second run, and those that did the same."""
    old = [step for step in before.steps if step.hunks]
    new = [step for step in after.steps if step.hunks]
    names = [step.name for step in old], [step.name for step in new]
    matcher = difflib.SequenceMatcher(None, *names, autojunk=False)
    changes: list[PassChange] = []
    alike: list[str] = []
    for _, start, stop, other, end in matcher.get_opcodes():
        paired = names[0][start:stop] == names[1][other:end]
        if not paired:
            changes += [_change(before, step, after, None) for step in old[start:stop]]
            changes += [_change(before, None, after, step) for step in new[other:end]]
            continue
        for one, two in zip(old[start:stop], new[other:end], strict=True):
            change = _change(before, one, after, two)
            changes += [change] if change.lines else []
            alike += [] if change.lines else [one.name]
    return tuple(changes), tuple(alike)


def _change(before: History, one: Step | None, after: History, two: Step | None) -> PassChange:
    old, new = _texts(before, one), _texts(after, two)
    only_old, only_new = Counter(old) - Counter(new), Counter(new) - Counter(old)
    lines = [*_signed("-", old, only_old), *_signed("+", new, only_new)]
    known = one or two
    assert known is not None
    moved = one is not None and two is not None and lines
    if moved:
        lines.append(f"   nodes after it: {change_text(_nodes(one), _nodes(two))}")
    return PassChange(known.name, _index(one), _index(two), tuple(lines))


def _nodes(step: Step | None) -> int | None:
    return None if step is None else step.facts["after"]["nodes"]


def _index(step: Step | None) -> int | None:
    return None if step is None else step.facts["index"]


def _texts(history: History, step: Step | None) -> list[str]:
    """The lines of a pass's diff, without the unchanged ones."""
    hunks = () if step is None else step.hunks
    return [
        f"{sign} {history.text(number)}"
        for hunk in hunks
        for sign, number in hunk.lines
        if sign != " "
    ]


def _signed(sign: str, texts: Sequence[str], left: Counter[str]) -> Iterator[str]:
    """Those of ``texts`` that are in ``left``, as often as there, in order."""
    for text in texts:
        if left[text] > 0:
            left[text] -= 1
            yield f"{sign}  {text}"
