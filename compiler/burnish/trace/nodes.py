"""Following two models along their graphs: where do their values part?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from burnish.driver import Source, optimize
from burnish.errors import InputError
from burnish.evaluate import Engine, Evaluator, Runnable, runnables
from burnish.ir import Model
from burnish.loading import load, source_name
from burnish.modeldiff.counterparts import counterparts
from burnish.passdef import Exactness
from burnish.pipeline import Pipeline, weakest_promise
from burnish.samples import Samples, check_samples
from burnish.stages import Progress
from burnish.target import Target
from burnish.trace.exposed import GROUP_BYTES, measure_pairs
from burnish.trace.pairs import Pairs, pair_values
from burnish.trace.rows import NodeTrace, ValueRow
from burnish.trace.statistics import Gap
from burnish.verify import verify
from burnish.verify.compare import Tolerance
from burnish.verify.feeds import Feeds
from burnish.verify.half import tested
from burnish.verify.randomness import random_values
from burnish.views.report import how_many

__all__ = ["trace_models", "trace_pipeline"]

_NO_SHAPES: Mapping[str, Sequence[int]] = MappingProxyType({})
_NO_DIMS: Mapping[str, int] = MappingProxyType({})
_Tell = Callable[[str], None]


def trace_models(
    source: Source,
    result: Source,
    *,
    exactness: Exactness = Exactness.FLOAT,
    samples: Samples | None = None,
    seeds: Sequence[int] = (0, 1),
    input_shapes: Mapping[str, Sequence[int]] = _NO_SHAPES,
    dims: Mapping[str, int] = _NO_DIMS,
    limit: int = GROUP_BYTES,
    engine: Engine = "auto",
    progress: Progress | None = None,
) -> NodeTrace:
    """Where along the graph two models part.

    Values are paired by name, and by structure where names say nothing.

    Args:
        source: the model to be faithful to.
        result: the model in question, from any tool.
        exactness: what may differ.
        samples: inputs to use; see :func:`burnish.samples.read_samples`. None: seeded ones.
        seeds: one seeded sample each; unused with ``samples``.
        input_shapes: shapes to bind in both, by input name.
        dims: sizes to bind in both, by symbolic dimension name.
        limit: bytes of inner values held at a time.
        engine: which runtime may be used.
        progress: told of each stage.

    Raises:
        ExecutionError: when the source does not run.
        InputError: when a model, a name or a sample does not fit.
    """
    tell = progress or _silent
    tell("load")
    before = load(source, input_shapes=input_shapes, dims=dims)
    after = load(result, input_shapes=input_shapes, dims=dims)
    names = source_name(source), source_name(result)
    run = _Run(before, after, exactness, samples, seeds, limit, engine, tell)
    return run.trace(names, lambda: pair_values(before, after, counterparts))


def trace_pipeline(
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
    limit: int = GROUP_BYTES,
    engine: Engine = "auto",
    progress: Progress | None = None,
) -> NodeTrace:
    """Where along the graph a model and what a pipeline makes of it part.

    Provenance says which source nodes a node stands for; what may differ is what the weakest of the
    passes that changed something may do. Other arguments are those of :func:`trace_models` and of
    :func:`burnish.driver.optimize`.

    Args:
        source: path, bytes, proto, or a model (which is copied).
        passes: pipeline text, a level ``O0`` to ``O3``, or a pipeline; None is ``O2``.
        target: what it is compiled for; None is ONNX Runtime on this processor.
        allow: the weakest promise any pass may make.
        samples: inputs to use; None: seeded ones.
        seeds: one seeded sample each; unused with ``samples``.
        input_shapes: shapes to bind, by input name.
        dims: sizes to bind, by symbolic dimension name.
        stop_after: make at most this many rewrites.
        limit: bytes of inner values held at a time.
        engine: which runtime may be used.
        progress: told of each stage and each pass.

    Raises:
        ExecutionError: when the source does not run.
        InputError: when the source, a name, a sample or the pipeline does not fit.
        PassError: when a pass fails.
    """
    done = optimize(
        source,
        passes=passes,
        target=target,
        allow=allow,
        input_shapes=input_shapes,
        dims=dims,
        stop_after=stop_after,
        progress=progress,
    )
    before, after = load(source, input_shapes=input_shapes, dims=dims), done.model
    exactness = weakest_promise(done.records)
    names = source_name(source), f"{source_name(source)} after {len(done.records)} passes"
    run = _Run(before, after, exactness, samples, seeds, limit, engine, progress or _silent)
    return run.trace(names, lambda: pair_values(before, after))


def _silent(news: object) -> None:
    """Tell nobody."""


class _Run:
    """Compares two models, first their outputs, then their values."""

    def __init__(
        self,
        before: Model,
        after: Model,
        exactness: Exactness,
        samples: Samples | None,
        seeds: Sequence[int],
        limit: int,
        engine: Engine,
        tell: _Tell,
    ) -> None:
        self.before = before
        self.after = after
        self.exactness = exactness
        self.limit = limit
        self.engine = engine
        self.tell = tell
        self.samples = samples
        self.seeds = seeds
        self.notes = list(check_samples(samples, before))

    def trace(self, names: tuple[str, str], pair: Callable[[], Pairs]) -> NodeTrace:
        """Compare; ``pair`` is asked for the pairs once the outputs could be compared at all."""
        self.tell("verify")
        with runnables(self.before, self.after) as sides:
            feeds = self._feeds(sides[0])
            verdict = verify(*sides, exactness=self.exactness, samples=feeds, engine=self.engine)
            if not verdict.samples or any("does not run" in o.reason for o in verdict.outputs):
                why = "no inner value was compared: the two do not run on the same inputs"
                return NodeTrace(*names, verdict, (), (), (*self.notes, why))
            pairs = pair()
            rows = self._rows(pairs, sides, feeds, verdict.engine)
        notes = (*self.notes, *pairs.notes, *_not_compared(rows), *_new(pairs))
        return NodeTrace(*names, verdict, rows, pairs.unpaired, notes)

    def _feeds(self, source: Runnable) -> Sequence[Mapping[str, Any]]:
        runner = Evaluator(source, engine=self.engine)
        feeds = Feeds(self.before, runner.run, self.samples, self.seeds, {})
        found = list(feeds)
        if not found:
            raise InputError("there is no sample to compare on", mend="give at least one")
        self.notes += feeds.notes
        return found

    def _rows(
        self,
        pairs: Pairs,
        sides: tuple[Runnable, ...],
        feeds: Sequence[Mapping[str, Any]],
        ran_on: str,
    ) -> tuple[ValueRow, ...]:
        on_ort = ran_on.startswith("onnxruntime")
        tolerance = Tolerance(tested(self.exactness, self.before, ran_on))
        random = random_values(self.before), random_values(self.after)
        steady = [
            pair
            for pair in pairs.found
            if pair.reference.name not in random[0] and pair.result.name not in random[1]
        ]
        gaps = measure_pairs(
            self.before,
            steady,
            feeds,
            before=sides[0],
            after=sides[1],
            tolerance=tolerance,
            engine="ort" if on_ort else "reference",
            limit=self.limit,
            progress=self.tell,
        )
        known = dict(zip(steady, gaps, strict=True))
        drawn = Gap(tolerance, why="depends on random operators")
        return tuple(
            ValueRow.of(index, pair, known.get(pair, drawn))
            for index, pair in enumerate(pairs.found)
        )


def _not_compared(rows: Sequence[ValueRow]) -> list[str]:
    """Why some rows hold no figures."""
    kinds = Counter(row.why.partition(":")[0].partition(" [")[0] for row in rows if row.why)
    return [f"{how_many(count, 'value')} not compared: {why}" for why, count in kinds.items()]


def _new(pairs: Pairs) -> list[str]:
    count = len(pairs.unpaired)
    if not count:
        return []
    return [
        f"{how_many(count, 'value')} {'has' if count == 1 else 'have'} no counterpart in the source"
    ]
