"""Does the result still give the source's answers?

Both models run on the same inputs, with the runtime's own graph optimizations off and on. Off tells
what *we* did: the tolerance is that of the weakest pass that ran (:mod:`burnish.verify.compare`). On
tells what users will see. There the result is compared with the source run in the same way, and by
rounding at least, for the runtime rewrites both. When only that comparison fails, the runtime's
optimizer moved the numbers, not Burnish. The verdict says so, and holds the result to what the
optimizer does to the source: it may be at most twice as far from the plain source as the optimized
source is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import onnx

from burnish.errors import ExecutionError, InputError
from burnish.evaluate import Engine, Evaluator
from burnish.ir import Model
from burnish.loading import load
from burnish.passdef import Exactness
from burnish.samples import Samples, make_inputs
from burnish.verify.compare import Distance, Tolerance, compare, compare_form
from burnish.verify.feeds import Feeds
from burnish.verify.half import HALF_ROUNDS, tested
from burnish.verify.randomness import random_outputs
from burnish.verify.verdict import OutputVerdict, Verdict

__all__ = ["OutputVerdict", "Verdict", "make_inputs", "random_outputs", "verify"]

Source: TypeAlias = "onnx.ModelProto | bytes | str | os.PathLike[str] | Model"
_OFF, _ON = "runtime optimizations off", "runtime optimizations on"
_NO_DIMS: Mapping[str, int] = MappingProxyType({})


def verify(
    source: Source,
    result: Source,
    *,
    exactness: Exactness,
    samples: Samples | None = None,
    seeds: Sequence[int] = (0, 1),
    atol: float | None = None,
    rtol: float | None = None,
    dims: Mapping[str, int] = _NO_DIMS,
    engine: Engine = "auto",
    threads: int = 1,
) -> Verdict:
    """Run two models on the same inputs and compare every output.

    Args:
        source: the model to be faithful to.
        result: the model in question.
        exactness: the weakest promise of the passes between them.
        samples: inputs to use; see :func:`burnish.samples.read_samples`. Seeded ones by default.
        seeds: one seeded sample each; unused with ``samples``.
        atol: allowed absolute difference, instead of that of ``exactness``.
        rtol: allowed relative difference, instead of that of ``exactness``.
        dims: sizes of symbolic input dimensions.
        engine: which runtime may be used.
        threads: threads the runtime may use.

    Raises:
        ExecutionError: if the source does not run.
        InputError: if samples do not fit the source, or there are none.
        ModelError: if a model cannot be read.
    """
    old, new = load(source), load(result)
    faults = _signature_faults(old, new)
    if faults:
        return Verdict(False, tuple(faults), "no runtime", 0)
    models: tuple[Source, Source] = (
        (source if isinstance(source, str | os.PathLike) else old),
        (result if isinstance(result, str | os.PathLike) else new),
    )
    runs = _Runs(models, engine, threads)
    feeds = Feeds(old, runs.run_source, samples, seeds, dims)
    if tested(exactness, old, runs.engine) != exactness:
        exactness = tested(exactness, old, runs.engine)
        runs.notes.append(HALF_ROUNDS)
    tolerance = Tolerance(exactness, rtol, atol)
    loose = Tolerance(max(exactness, Exactness.FLOAT), rtol, atol)
    judge = _Judge(random_outputs(old) | random_outputs(new), tolerance, loose)
    samples_run = list(feeds)
    if not samples_run:
        raise InputError("there is no sample to compare on", mend="give at least one")
    answers = runs.answers(samples_run)
    if isinstance(answers, str):
        failed = [
            OutputVerdict(str(v.name), False, 0.0, 0.0, 0, "a result", answers, _OFF)
            for v in old.graph.outputs
        ]
        notes = tuple(runs.notes)
        return Verdict(False, tuple(failed), runs.engine, len(samples_run), notes)
    for each in answers:
        judge.see(each)
    if not judge.elements:
        runs.notes.append("nothing was compared: no output held a single number; try other samples")
    outputs = judge.outputs()
    notes = (*feeds.notes, *runs.notes)
    return Verdict(all(out.ok for out in outputs), outputs, runs.engine, len(samples_run), notes)


def _signature_faults(old: Model, new: Model) -> list[OutputVerdict]:
    """What makes the two incomparable: other inputs or outputs."""
    faults = []
    for what, before, after in (
        ("inputs", old.graph.inputs, new.graph.inputs),
        ("outputs", old.graph.outputs, new.graph.outputs),
    ):
        was, now = [v.name for v in before], [v.name for v in after]
        if was != now:
            reason = f"the graph {what} are {now}, expected {was}"
            faults.append(OutputVerdict(what, False, 0.0, 0.0, 0, "the same names", reason, _OFF))
    return faults


# --- running


@dataclass(frozen=True)
class _Answers:
    """Outputs of source and result by name; ``*_on`` is None when no runtime optimizes."""

    source: Mapping[str, Any]
    result: Mapping[str, Any]
    source_on: Mapping[str, Any] | None
    result_on: Mapping[str, Any] | None


class _Runs:
    """The sessions of both models; both always run on the same engine.

    Sessions hold the weights, so there are two of them at most: first those with the runtime's
    optimizations off, then, one after the other, those with them on.
    """

    def __init__(self, models: tuple[Source, Source], engine: Engine, threads: int) -> None:
        self.models = models
        self.threads = threads
        self.notes: list[str] = []
        self._open(engine)

    def _open(self, engine: Engine) -> None:
        self.asked = engine
        self.refused = ""
        self.source = Evaluator(self.models[0], engine=engine, threads=self.threads)
        self.engine = self.source.engine
        try:
            self.result = Evaluator(self.models[1], engine=engine, threads=self.threads)
        except ExecutionError as error:
            self.refused = f"the result does not run: {error}"

    def _align(self) -> bool:
        """Put both on the reference evaluator if one is there; whether that changed anything."""
        if self.asked == "reference" or self.refused:
            return False
        for what, one in (("source", self.source), ("result", self.result)):
            if one.fallback:
                note = f"compared on the reference evaluator: the {what} does not run on ORT"
                self.notes.append(f"{note} ({one.fallback})")
                self._open("reference")
                return True
        return False

    def run_source(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        answers = self.source.run(feeds)
        return self.source.run(feeds) if self._align() else answers

    def answers(self, samples: Sequence[Mapping[str, Any]]) -> list[_Answers] | str:
        """Both models' outputs for each sample, or why the result has none.

        Raises:
            ExecutionError: when the source does not run on one of them.
        """
        off: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for number, feeds in enumerate(samples):
            pair = self._plain(feeds, number)
            if isinstance(pair, str):
                return pair
            off.append(pair)
        try:
            on = self._optimized(samples)
        except ExecutionError as error:
            return f"the result does not run: {error}"
        if on is None:
            return [_Answers(source, result, None, None) for source, result in off]
        return [_Answers(*plain, *moved) for plain, moved in zip(off, on, strict=True)]

    def _plain(
        self, feeds: Mapping[str, Any], number: int
    ) -> tuple[dict[str, Any], dict[str, Any]] | str:
        try:
            source = self.run_source(feeds)
        except ExecutionError as error:
            raise ExecutionError(
                f"the source does not run on sample {number} ({error.what})",
                where=error.where,
                mend="give samples it runs on (.npz by input name), or sizes of its dimensions",
            ) from error
        if self.refused:
            return self.refused
        try:
            result = self.result.run(feeds)
            if not self._align():
                return source, result
            # The result made them change the engine: what fails there is its doing.
            return self.source.run(feeds), self.result.run(feeds)
        except ExecutionError as error:
            return f"the result does not run: {error}"

    def _optimized(
        self, samples: Sequence[Mapping[str, Any]]
    ) -> list[tuple[dict[str, Any], dict[str, Any]]] | None:
        """Both models' outputs with the runtime's optimizations on, where there is a runtime."""
        if self.asked == "reference" or self.source.fallback or self.result.fallback:
            return None
        del self.source, self.result
        try:
            before = self._run_optimized(self.models[0], samples)
        except ExecutionError as error:
            self.notes.append(
                f"the source does not run with the runtime's optimizations on ({error.what}): "
                "compared with them off alone"
            )
            return None
        after = self._run_optimized(self.models[1], samples) if before is not None else None
        if before is None or after is None:
            return None
        return list(zip(before, after, strict=True))

    def _run_optimized(
        self, model: Source, samples: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]] | None:
        one = Evaluator(model, optimize=True, engine=self.asked, threads=self.threads)
        return None if one.fallback else [one.run(feeds) for feeds in samples]


# --- judging


class _Judge:
    """Keeps the worst distance of each output in each mode."""

    def __init__(self, random: set[str], tolerance: Tolerance, loose: Tolerance) -> None:
        self.random = random
        self.tolerance = tolerance
        self.loose = loose
        self.worst: dict[tuple[str, str], tuple[Distance, str]] = {}
        self.allowed: dict[tuple[str, str], str] = {}
        self.elements = 0

    def see(self, answers: _Answers) -> None:
        for name, reference in answers.source.items():
            if name in self.random:
                self._add(name, _OFF, compare_form(reference, answers.result[name]), reference)
                continue
            self.elements += _elements(reference)
            off = compare(reference, answers.result[name], self.tolerance)
            self._add(name, _OFF, off, reference)
            if answers.source_on is not None and answers.result_on is not None:
                after = answers.source_on[name], answers.result_on[name]
                moved, remark = self._judge_on(reference, off, *after)
                self._add(name, _ON, moved, reference, remark)

    def _judge_on(
        self, plain: Any, off: Distance, source_on: Any, result_on: Any
    ) -> tuple[Distance, str]:
        together = compare(source_on, result_on, self.loose)
        if not together.reason or off.reason:
            return together, ""
        by_runtime = compare(plain, source_on, self.loose)
        in_result = compare(plain, result_on, self.loose)
        if in_result.excess <= max(1.0, 2 * by_runtime.excess):
            figures = Distance("", together.max_abs, together.max_rel, together.ulp)
            return figures, "moved by the runtime's own optimizations, as it moves the source"
        why = (
            f"{together.reason}; equal with runtime optimizations off: the runtime moves the result"
        )
        return Distance(why, together.max_abs, together.max_rel, together.ulp, together.excess), ""

    def _add(self, name: str, mode: str, new: Distance, like: Any, remark: str = "") -> None:
        before, said = self.worst.get((name, mode), (Distance(), ""))
        self.worst[name, mode] = before.worst(new), said or remark
        tolerance = self.tolerance if mode == _OFF else self.loose
        while isinstance(like, list) and like:
            like = like[0]
        dtype = np.asarray(like).dtype
        self.allowed[name, mode] = (
            "the same dtype and shape" if name in self.random else tolerance.text(dtype)
        )

    def outputs(self) -> tuple[OutputVerdict, ...]:
        found = []
        for (name, mode), (far, remark) in self.worst.items():
            reason = far.reason or remark
            if name in self.random and not reason:
                reason = "depends on random operators: only dtype and shape were compared"
            found.append(
                OutputVerdict(
                    name,
                    not far.reason,
                    far.max_abs,
                    far.max_rel,
                    far.ulp,
                    self.allowed[name, mode],
                    reason,
                    mode,
                )
            )
        return tuple(sorted(found, key=lambda out: out.where == _ON))


def _elements(answer: Any) -> int:
    """How many elements of an answer say something: all but NaN."""
    if isinstance(answer, list):
        return sum(map(_elements, answer))
    if not isinstance(answer, np.ndarray):
        return 0
    if answer.dtype.kind not in "fc":
        return answer.size
    return int(np.count_nonzero(~np.isnan(answer)))
