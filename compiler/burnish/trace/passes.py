"""Following a model through its passes: after each, do the outputs still say the same?"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from burnish.driver import Source, allowed, pipeline_of
from burnish.errors import ExecutionError, InputError
from burnish.evaluate import Engine, Evaluator
from burnish.ir import Model
from burnish.loading import load, source_name
from burnish.passdef import Exactness
from burnish.pipeline import PassRecord, Pipeline
from burnish.samples import Samples, check_samples
from burnish.stages import Progress
from burnish.target import Target
from burnish.trace.steps import OutputStep, PassStep, PassTrace, rows_of
from burnish.verify import random_outputs
from burnish.verify.compare import Distance, Tolerance, compare, compare_form
from burnish.verify.feeds import Feeds
from burnish.verify.half import HALF_ROUNDS, tested

__all__ = ["Walk", "trace_passes", "watch_passes"]

_NO_SHAPES: Mapping[str, Sequence[int]] = MappingProxyType({})
_NO_DIMS: Mapping[str, int] = MappingProxyType({})
_BITS = Tolerance(Exactness.BITWISE)


def trace_passes(
    source: Source,
    *,
    passes: str | Pipeline | None = None,
    target: Target | None = None,
    allow: Exactness = Exactness.FLOAT,
    samples: Samples | None = None,
    seeds: Sequence[int] = (0, 1),
    input_shapes: Mapping[str, Sequence[int]] = _NO_SHAPES,
    dims: Mapping[str, int] = _NO_DIMS,
    stop_after: int | None = None,
    engine: Engine = "auto",
    progress: Progress | None = None,
) -> PassTrace:
    """Run a pipeline; after each pass that changed something, compare every output.

    The outputs are compared with the source's on all samples, the runtime's own optimizations off.
    What is allowed is what the weakest of the passes that changed something so far may do.

    Args:
        source: path, bytes, proto, or a model (which is copied).
        passes: pipeline text, a level ``O0`` to ``O3``, or a pipeline; None is ``O2``.
        target: what it is compiled for; None is ONNX Runtime on this processor.
        allow: the weakest promise any pass may make.
        samples: inputs to use; see :func:`burnish.samples.read_samples`. None: seeded ones.
        seeds: one seeded sample each; unused with ``samples``.
        input_shapes: shapes to bind, by input name.
        dims: sizes to bind, by symbolic dimension name.
        stop_after: make at most this many rewrites.
        engine: which runtime may be used.
        progress: told of each stage and each pass.

    Raises:
        ExecutionError: when the source does not run.
        InputError: when the source, a name, a sample or the pipeline does not fit, or when a pass
            is less exact than allowed.
        PassError: when a pass fails.
    """
    target = target or Target()
    tell = progress or _silent
    pipeline = allowed(pipeline_of(passes, target), allow)
    tell("load")
    model = load(source, input_shapes=input_shapes, dims=dims)
    ignored = check_samples(samples, model)
    original = load(model)
    tell("verify")
    walk = Walk(original, engine, samples, seeds)
    tell("optimize")
    count = 0
    for record in pipeline.run(model, target, stop_after=stop_after):
        count += 1
        tell(record)
        if record.diff:
            walk.see(record, model)
    return PassTrace(
        source_name(source),
        str(target),
        str(pipeline),
        walk.ran_on,
        len(walk.feeds),
        count,
        tuple(walk.steps),
        (*ignored, *walk.notes),
    )


def watch_passes(
    samples: Samples | None = None, seeds: Sequence[int] = (0, 1), engine: Engine = "auto"
) -> Callable[[Model], Walk]:
    """What :func:`burnish.compile` takes as ``watch``, so that a history holds the distances."""
    return lambda source: Walk(source, engine, samples, seeds)


def _silent(news: str | PassRecord) -> None:
    """Tell nobody."""


_Answers = list[dict[str, Any]]


class Walk:
    """Compares a model with its source, again and again while passes change it.

    Both always run on the same engine. Sessions hold the weights, so there is one at a time.

    Attributes:
        feeds: the inputs tried.
        ran_on: what ran the models.
        steps: what was found so far.
        notes: what the reader should know.
    """

    def __init__(
        self, original: Model, engine: Engine, samples: Samples | None, seeds: Sequence[int]
    ) -> None:
        self.original = original
        self.engine = engine
        self.steps: list[PassStep] = []
        self.notes: list[str] = []
        self.exactness = Exactness.BITWISE
        self.random = random_outputs(original)
        runner = Evaluator(original, engine=engine)
        feeds = Feeds(original, runner.run, samples, seeds, {})
        self.feeds = list(feeds)
        if not self.feeds:
            raise InputError("there is no sample to compare on", mend="give at least one")
        self.source = [runner.run(item) for item in self.feeds]
        self.ran_on = runner.engine
        self.before = self.source
        if runner.fallback and engine != "reference":
            self._fall_back("source", runner.fallback)
        self.notes += feeds.notes
        if self.random:
            names = ", ".join(sorted(self.random))
            self.notes.append(f"depends on random operators, dtype and shape compared: {names}")
        self.least = tested(Exactness.BITWISE, original, self.ran_on)
        if self.least != Exactness.BITWISE:
            self.notes.append(HALF_ROUNDS)

    def see(self, record: PassRecord, model: Model) -> None:
        """Compare ``model`` as it stands after the pass of ``record``."""
        self.exactness = max(self.exactness, record.exactness)
        found = self._run(model)
        if isinstance(found, str):
            outputs: tuple[OutputStep, ...] = (
                OutputStep("", Distance(found, excess=math.inf), moved=True),
            )
        else:
            outputs = tuple(self._output(name, found) for name in self.source[0])
            self.before = found
        step = PassStep(
            record.index, record.spec, record.round, record.exactness, self.exactness, outputs
        )
        promised = max(record.exactness, self.least)
        if step.ok and step.moved and promised == Exactness.BITWISE:
            self.notes.append(
                f"pass {step.index}, {step.name}, moved numbers though it promises the same bits; "
                "a pass before it allows rounding"
            )
        self.steps.append(step)

    def rows(self) -> list[Mapping[str, Any]]:
        """The worst output after each step, as a history keeps it."""
        return rows_of(self.steps)

    def _run(self, model: Model) -> _Answers | str:
        """The answers of ``model``, or why it has none."""
        try:
            runner = Evaluator(model, engine=self.engine)
            found = [runner.run(item) for item in self.feeds]
            if runner.fallback and self.engine != "reference":
                self._fall_back("result of a pass", runner.fallback)
                found = [runner.run(item) for item in self.feeds]
        except (ExecutionError, InputError) as error:
            return f"the model does not run: {error.what}"
        return found

    def _fall_back(self, what: str, why: str) -> None:
        """Compare on the reference evaluator from now on, if the source runs there too."""
        runner = Evaluator(self.original, engine="reference")
        self.source = self.before = [runner.run(item) for item in self.feeds]
        self.engine, self.ran_on = "reference", runner.engine
        self.notes.append(
            f"compared on the reference evaluator: the {what} does not run on ORT ({why})"
        )

    def _output(self, name: str, found: _Answers) -> OutputStep:
        if any(name not in answers for answers in found):
            return OutputStep(name, Distance("is no output any more", excess=math.inf), moved=True)
        if name in self.random:
            pairs = zip(self.source, found, strict=True)
            likeness = [compare_form(old[name], new[name]) for old, new in pairs]
            return OutputStep(name, _worst(likeness), moved=False)
        tolerance = Tolerance(max(self.exactness, self.least))
        far = _worst(
            compare(old[name], new[name], tolerance)
            for old, new in zip(self.source, found, strict=True)
        )
        moves = (
            compare(old[name], new[name], _BITS).reason
            for old, new in zip(self.before, found, strict=True)
        )
        return OutputStep(name, far, any(moves))


def _worst(distances: Iterable[Distance]) -> Distance:
    return functools.reduce(Distance.worst, distances, Distance())
