"""How far the outputs are from the source's after each pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from burnish.passdef import Exactness
from burnish.trace.table import finite, number_text, table
from burnish.verify.compare import Distance
from burnish.views.report import how_many

__all__ = ["PASS_TRACE", "OutputStep", "PassStep", "PassTrace"]

PASS_TRACE = "burnish-pass-trace/1"


@dataclass(frozen=True)
class OutputStep:
    """One output after a pass.

    Attributes:
        name: the graph output.
        distance: how far it is from the source's, over all samples.
        moved: whether it differs from what it was before the pass.
    """

    name: str
    distance: Distance
    moved: bool

    @property
    def ok(self) -> bool:
        """Whether the difference from the source is allowed."""
        return not self.distance.reason

    def json(self) -> dict[str, Any]:
        """As JSON-ready values; what is not finite becomes None."""
        far = self.distance
        return {
            "name": self.name,
            "ok": self.ok,
            "moved": self.moved,
            "max_abs": finite(far.max_abs),
            "max_rel": finite(far.max_rel),
            "ulp": far.ulp,
            "excess": finite(far.excess),
            "reason": far.reason,
        }


@dataclass(frozen=True)
class PassStep:
    """The outputs after a pass that changed something.

    Attributes:
        index: 0-based position among the passes run.
        spec: the pass as pipeline text.
        round: which round of the surrounding fixpoint this was, from 1; 0 outside of one.
        exactness: what the pass may do to the numbers.
        allowed: the weakest promise among it and the changed passes before it.
        outputs: every graph output; one nameless entry when the model does not run.
    """

    index: int
    spec: str
    round: int
    exactness: Exactness
    allowed: Exactness
    outputs: tuple[OutputStep, ...]

    @property
    def name(self) -> str:
        """The pass, without its options."""
        return self.spec.partition("{")[0]

    @property
    def ok(self) -> bool:
        """Whether every output is within what the passes so far may do."""
        return all(output.ok for output in self.outputs)

    @property
    def moved(self) -> bool:
        """Whether this pass changed a number."""
        return any(output.moved for output in self.outputs)

    @cached_property
    def worst(self) -> OutputStep:
        """The output that is farthest from the source's, in units of what is allowed."""

        def rank(output: OutputStep) -> tuple[bool, float, float, int]:
            far = output.distance
            return bool(far.reason), far.excess, far.max_rel, far.ulp

        return max(self.outputs, key=rank)

    def json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {
            "index": self.index,
            "spec": self.spec,
            "name": self.name,
            "round": self.round,
            "exactness": self.exactness.name.lower(),
            "allowed": self.allowed.name.lower(),
            "ok": self.ok,
            "moved": self.moved,
            "output": self.worst.name,
            "outputs": [output.json() for output in self.outputs],
        }


@dataclass(frozen=True)
class PassTrace:
    """How far the outputs are from the source's after each pass that changed something.

    Attributes:
        model: name of the source.
        target: what it was compiled for.
        pipeline: its text.
        engine: what ran the models, its own optimizations off.
        samples: how many sets of inputs were tried.
        passes: how many passes ran, those that changed nothing included.
        steps: one for each pass that changed something, in order.
        notes: what the reader should know.
    """

    model: str
    target: str
    pipeline: str
    engine: str
    samples: int
    passes: int
    steps: tuple[PassStep, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no pass went beyond what it and those before it may do."""
        return all(step.ok for step in self.steps)

    @property
    def first_moved(self) -> PassStep | None:
        """The first pass that changed a number."""
        return next((step for step in self.steps if step.moved), None)

    @property
    def first_beyond(self) -> PassStep | None:
        """The first pass after which an output is beyond tolerance."""
        return next((step for step in self.steps if not step.ok), None)

    def rows(self) -> list[Mapping[str, Any]]:
        """The worst output after each step, as :class:`burnish.views.history.History` keeps it."""
        return rows_of(self.steps)

    def json(self) -> dict[str, Any]:
        """As JSON-ready values, by ``docs/schema/pass-trace.schema.json``."""
        moved, beyond = self.first_moved, self.first_beyond
        return {
            "format": PASS_TRACE,
            "model": self.model,
            "target": self.target,
            "pipeline": self.pipeline,
            "engine": self.engine,
            "samples": self.samples,
            "passes": self.passes,
            "ok": self.ok,
            "first_moved": None if moved is None else moved.index,
            "first_beyond": None if beyond is None else beyond.index,
            "steps": [step.json() for step in self.steps],
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """A table of the steps and what it says."""
        ran = how_many(self.passes, "pass", "passes")
        samples = how_many(self.samples, "sample")
        ran += f", {len(self.steps)} of them changed the model" if self.passes > 1 else ""
        lines = [f"{ran}; {samples} on {self.engine}, its optimizations off"]
        if self.steps:
            titles = ("pass", "name", "max abs", "max rel", "ulp", "promise", "moved", "", "output")
            cells = [self._cells(step) for step in self.steps]
            lines.append(table(titles, cells, left=(1, 5, 6, 7)))
        lines += [self._verdict(), *(f"note: {note}" for note in self.notes)]
        return "\n".join(lines)

    def _cells(self, step: PassStep) -> tuple[str, ...]:
        worst = step.worst
        far = worst.distance
        said = [worst.name] if worst.name else []
        said += [far.reason] if far.reason else []
        said += ["<- first to move numbers"] if step is self.first_moved else []
        said += ["<- first beyond what is allowed"] if step is self.first_beyond else []
        return (
            str(step.index),
            step.name,
            number_text(far.max_abs),
            number_text(far.max_rel),
            str(far.ulp),
            step.exactness.name.lower(),
            "yes" if step.moved else "",
            "ok" if step.ok else "FAIL",
            "  ".join(said),
        )

    def _verdict(self) -> str:
        beyond, moved = self.first_beyond, self.first_moved
        if beyond is not None:
            where = f"pass {beyond.index}, {beyond.spec}"
            return f"NOT EQUAL: the first pass beyond what is allowed is {where}"
        if moved is not None:
            return (
                "equal within what is allowed: the first pass that moved numbers is "
                f"{moved.index}, {moved.spec}"
            )
        return "equal within what is allowed: no pass moved a number"


def rows_of(steps: Iterable[PassStep]) -> list[Mapping[str, Any]]:
    """The worst output after each step, as plain values."""
    return [
        {
            "index": step.index,
            "output": step.worst.name,
            "max_abs": finite(step.worst.distance.max_abs),
            "max_rel": finite(step.worst.distance.max_rel),
            "ok": step.ok,
        }
        for step in steps
    ]
