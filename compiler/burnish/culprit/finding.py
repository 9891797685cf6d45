"""What a bisection found, as text for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish.culprit.judging import Trial
from burnish.verify import OutputVerdict, Verdict
from burnish.views.report import how_many

__all__ = ["FORMAT", "Bisection", "Culprit", "Reproducer"]

FORMAT = "burnish-culprit/1"
_PROMISE = "faults that come and go may have other culprits: mend this one, then bisect again"
_SAYS = {
    "answers": "changes the answers",
    "refused": "makes a model that does not run",
    "invalid": "makes a model that is not valid",
    "raised": "fails",
    "check": "makes the check fail",
}


@dataclass(frozen=True)
class Culprit:
    """The first rewrite after which something is wrong.

    Attributes:
        rewrite: its number, from 1; None when a whole pass is to blame, for a change that it did
            not announce, or a failure.
        index: 0-based position of the pass among the passes run.
        spec: the pass as pipeline text.
        round: which round of the surrounding fixpoint this was, from 1; 0 outside of one.
        exactness: what the pass promised.
        rule: the pass as remarks name it.
        member: the class of the rule, where the pass is a family of rules.
        node: the node it was applied to.
        sources: labels of the source nodes of what it took away and made.
        diff: what just this rewrite changed, as lines.
        good: what was found right before it.
        bad: what was found right after it.
        notes: what the reader should know.
    """

    rewrite: int | None
    index: int
    spec: str
    round: int
    exactness: str
    rule: str
    member: str
    node: str
    sources: tuple[str, ...]
    diff: tuple[str, ...]
    good: Trial
    bad: Trial
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The rule, with its class where it is one of a family."""
        return f"{self.rule} ({self.member})" if self.member else self.rule

    def lines(self, total: int) -> Iterator[str]:
        """As lines of text."""
        what = f"rewrite {self.rewrite} of {total}" if self.rewrite else "a pass"
        yield f"{what} {_SAYS[self.bad.kind]}: {self.title} at {self.node or 'the model'}"
        rounds = f", round {self.round} of its fixpoint" if self.round else ""
        yield f"  pass       {self.spec} (number {self.index}{rounds}; {self.exactness})"
        yield f"  rule       {self.title}"
        yield f"  node       {self.node or '-'}"
        yield f"  made from  {', '.join(self.sources) or '-'}"
        yield f"  fault      {self.bad.reason}"
        if self.bad.kind == "answers":
            yield from (f"  {line}" for line in _numbers(self.good.verdict, self.bad.verdict))
        if self.diff:
            yield "what it changed:"
            yield from (f"  {line}" for line in self.diff)
        yield from (f"note: {note}" for note in self.notes)

    def json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "rewrite": self.rewrite,
            "pass": {
                "index": self.index,
                "spec": self.spec,
                "round": self.round,
                "exactness": self.exactness,
            },
            "rule": self.rule,
            "member": self.member,
            "node": self.node,
            "sources": list(self.sources),
            "diff": list(self.diff),
            "kind": self.bad.kind,
            "reason": self.bad.reason,
            "before": None if self.good.verdict is None else self.good.verdict.json(),
            "after": None if self.bad.verdict is None else self.bad.verdict.json(),
            "notes": list(self.notes),
        }


def _numbers(before: Verdict | None, after: Verdict | None) -> Iterator[str]:
    """How far each output that fails is off, before and after."""
    if after is None or not after.samples:
        return
    known = {(out.name, out.where): out for out in before.outputs} if before is not None else {}
    told: set[str] = set()
    for out in after.outputs:
        if not out.ok and out.name not in told:
            told.add(out.name)
            was = _far(known.get((out.name, out.where)))
            yield f"FAIL {out.name}: {was} before, {_far(out)} after; {out.where}"
    fine = len({out.name for out in after.outputs} - told)
    if fine:
        yield f"ok   {how_many(fine, 'other output')}"


def _far(out: OutputVerdict | None) -> str:
    return "?" if out is None else f"max abs {out.max_abs:.3g}, max rel {out.max_rel:.3g}"


@dataclass(frozen=True)
class Reproducer:
    """A folder that shows the fault.

    Attributes:
        path: where it is, as the user named it.
        nodes: how many nodes its model has.
        whole: how many nodes the model had before the rewrite.
        spec: the pipeline it runs.
        replay: the command that shows the fault again.
    """

    path: Path
    nodes: int
    whole: int
    spec: str
    replay: str

    def lines(self) -> Iterator[str]:
        """As lines of text."""
        yield f"reproducer: {self.path} ({self.nodes} of {self.whole} nodes)"
        yield f"replay: {self.replay}"

    def json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "path": str(self.path),
            "nodes": self.nodes,
            "whole": self.whole,
            "pipeline": self.spec,
            "replay": self.replay,
        }


@dataclass(frozen=True)
class Bisection:
    """The answer to: which rewrite broke it?

    Attributes:
        model: name of the source.
        target: what it was compiled for.
        pipeline: what was run, as pipeline text.
        versions: of Burnish, Python and the libraries that took part.
        total: how many rewrites the whole run made.
        culprit: what broke it; None when nothing is wrong.
        steps: each moment that was tried, in order: what it was, and what was seen.
        notes: what the reader should know.
        reproducer: the folder that shows it, where one was written.
    """

    model: str
    target: str
    pipeline: str
    versions: Mapping[str, str]
    total: int
    culprit: Culprit | None
    steps: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    reproducer: Reproducer | None = None

    def text(self) -> str:
        """As lines of text."""
        lines = [f"nothing is wrong after {how_many(self.total, 'rewrite')}: nothing to find"]
        if self.culprit is not None:
            lines = list(self.culprit.lines(self.total))
            if self.culprit.rewrite:
                before = self.culprit.rewrite - 1
                seen = f"verified: good after {how_many(before, 'rewrite')}, bad after {before + 1}"
                lines.append(f"{seen}; {_PROMISE}")
        lines += [f"note: {note}" for note in self.notes]
        if self.reproducer is not None:
            lines += self.reproducer.lines()
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """As JSON-ready values, see ``docs/schema/culprit.schema.json``."""
        return {
            "format": FORMAT,
            "found": self.culprit is not None,
            "model": self.model,
            "target": self.target,
            "pipeline": self.pipeline,
            "versions": dict(self.versions),
            "rewrites": self.total,
            "culprit": None if self.culprit is None else self.culprit.json(),
            "steps": [{"at": place, "seen": seen} for place, seen in self.steps],
            "notes": list(self.notes),
            "reproducer": None if self.reproducer is None else self.reproducer.json(),
        }
