"""The straight line, once: source → model → pipeline → verify → backend → artifact."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import onnx

from burnish.artifact import (
    HISTORY,
    Artifact,
    Manifest,
    check_destination,
    check_not_source,
    check_single_file,
    file_digest,
    make_folder,
    versions,
    write_artifact,
)
from burnish.backend import Finding
from burnish.diff import Diff, Recorder
from burnish.errors import BuildError, InputError, VerificationFailed
from burnish.figures import Figures, measure
from burnish.ir import Model
from burnish.loading import load
from burnish.memory import without_collection
from burnish.passdef import Exactness
from burnish.pipeline import PassRecord, Pipeline, weakest_promise
from burnish.provenance import node_sources, source_entry, weight_files
from burnish.registry import backend, presets
from burnish.samples import Samples, check_samples
from burnish.saving import save
from burnish.shapes import Shapes
from burnish.stages import Progress, Stages, Watcher
from burnish.target import Target
from burnish.verify import Verdict
from burnish.verify import verify as compare
from burnish.views.history import History
from burnish.views.report import diff_files, records_json

if TYPE_CHECKING:
    from burnish.calibration import Calibration

__all__ = ["Optimized", "Progress", "Source", "allowed", "compile", "optimize", "pipeline_of"]

Source: TypeAlias = "str | os.PathLike[str] | bytes | onnx.ModelProto | Model"


@dataclass(frozen=True)
class Optimized:
    """A model after its pipeline; unpacks as ``model, records``.

    Attributes:
        model: the result.
        records: one for each pass run, in order.
        pipeline: what was run.
        opening: all that stood in the source, where it was asked for.
        trace: what the watch saw, where there was one.
    """

    model: Model
    records: tuple[PassRecord, ...]
    pipeline: Pipeline
    opening: Diff | None = None
    trace: Sequence[Mapping[str, Any]] | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.model, self.records))


def pipeline_of(passes: str | Pipeline | None, target: Target) -> Pipeline:
    """The pipeline meant by text, by a level such as ``O2``, or by nothing (``O2``).

    Raises:
        SpecError: when the text does not parse.
    """
    if isinstance(passes, Pipeline):
        return passes
    text = "O2" if passes is None else passes
    if text in ("O0", "O1", "O2", "O3"):
        text = backend(target.backend).pipeline(target, int(text[1]))
    return _parsed(text)


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> Pipeline:
    """Pipelines never change, and a level is two hundred passes long."""
    return Pipeline.parse(text, presets())


def optimize(
    source: Source,
    *,
    passes: str | Pipeline | None = None,
    target: Target | None = None,
    allow: Exactness = Exactness.FLOAT,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    dims: Mapping[str, int] | None = None,
    stop_after: int | None = None,
    record: bool = True,
    opening: bool = False,
    first: int | None = None,
    watch: Watcher | None = None,
    calibration: Calibration | None = None,
    progress: Progress | None = None,
) -> Optimized:
    """Read a model and run a pipeline over it.

    Args:
        source: path, bytes, ``onnx.ModelProto``, or a model (which is copied).
        passes: pipeline text, a level ``O0`` to ``O3``, or a pipeline; None is ``O2``.
        target: what it is compiled for; None is ONNX Runtime on this processor.
        allow: the weakest promise any pass may make.
        input_shapes: shapes to bind, by input name.
        dims: sizes to bind, by symbolic dimension name.
        stop_after: make at most this many rewrites (for bisecting).
        record: whether to observe diffs and figures.
        opening: whether to write down what stands in the source, for a :class:`History`.
        first: run so many passes only; None is all of them.
        watch: looks at the model after each pass, see :func:`burnish.trace.watch_passes`.
        calibration: data for passes that need some.
        progress: told of each stage and each pass.

    Raises:
        InputError: when the source, a name, the calibration data or the pipeline does not fit, or
            when a pass is less exact than allowed.
        PassError: when a pass fails.
    """
    target = target or Target()
    stages = Stages(progress)
    pipeline = allowed(pipeline_of(passes, target), allow)
    with without_collection():
        with stages("load"):
            model = load(source, input_shapes=input_shapes or {}, dims=dims or {})
            if calibration is not None:
                calibration.bind(model)
        with stages("optimize"):
            stood = Recorder(model).opening() if opening else None
            watching = watch(load(model)) if watch else None
            steps = pipeline.run(
                model, target, stop_after=stop_after, record=record, calibration=calibration
            )
            records = stages.follow(itertools.islice(steps, first), model, watching)
    trace = watching.rows() if watching else None
    return Optimized(model, records, pipeline, stood, trace)


def compile(
    source: Source,
    out: str | os.PathLike[str],
    *,
    target: Target | None = None,
    passes: str | Pipeline | None = None,
    allow: Exactness = Exactness.FLOAT,
    verify: bool = True,
    samples: Samples | None = None,
    seeds: Sequence[int] = (0, 1),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    dims: Mapping[str, int] | None = None,
    stop_after: int | None = None,
    keep_going: bool = False,
    watch: Watcher | None = None,
    calibration: Calibration | None = None,
    progress: Progress | None = None,
) -> Artifact:
    """Optimize a model, check that it answers as before, build it, and write down how.

    Args:
        source: path, bytes, ``onnx.ModelProto``, or a model (which is not changed).
        out: the artifact's folder; an artifact that is there is replaced when all went well. A
            name that ends in ``.onnx`` gets the optimized model alone, not built for the target.
        target: what it is compiled for; None is ONNX Runtime on this processor.
        passes: pipeline text, a level ``O0`` to ``O3``, or a pipeline; None is ``O2``.
        allow: the weakest promise any pass may make.
        verify: whether to compare the answers of source and result.
        samples: inputs to compare on, see :func:`burnish.samples.read_samples`; None: seeded ones.
        seeds: one seeded sample each.
        input_shapes: shapes to bind, by input name.
        dims: sizes to bind, by symbolic dimension name.
        stop_after: make at most this many rewrites (for bisecting).
        keep_going: write the artifact even when its answers differ; its manifest says so.
        watch: looks at the model after each pass, see :func:`burnish.trace.watch_passes`.
        calibration: data for passes that need some; its first sample is read before work begins.
        progress: told of each stage and each pass.

    Raises:
        InputError: when the source, ``out``, a name, a sample or the pipeline does not fit.
        PassError: when a pass fails.
        VerificationFailed: when the answers differ beyond what the passes may do.
        BuildError: when the target's runtime is not installed, or refuses the model; what was at
            ``out`` is still there.
    """
    target = target or Target()
    alone = Path(out).suffix == ".onnx"
    path, written = _destination(out, source)
    builder = backend(target.backend)
    missing = None if alone else builder.missing()
    if missing:
        raise BuildError("it cannot be built for here", where=f"target {target}", mend=missing)
    stages = Stages(progress)
    pipeline = allowed(pipeline_of(passes, target), allow)
    bound: dict[str, Any] = {"input_shapes": input_shapes or {}, "dims": dims or {}}
    with stages("load"):
        model = load(source, **bound)
        check_not_source(written, weight_files(model).values())
        notes = check_samples(samples, model) if verify else ()
        origin = source_entry(source, model)
        if calibration is not None:
            calibration.bind(model)
    with stages("optimize"), without_collection():
        opening = Recorder(model).opening()
        steps = pipeline.run(model, target, stop_after=stop_after, calibration=calibration)
        watching = watch(load(model)) if watch else None
        records = stages.follow(steps, model, watching)
    before = records[0].before if records else measure(model, Shapes(model))
    verdict = None
    if verify:
        with stages("verify"):
            reference = load(source, **bound) if input_shapes or dims else source
            exactness = weakest_promise(records)
            verdict = compare(reference, model, exactness=exactness, samples=samples, seeds=seeds)
            verdict = replace(verdict, notes=(*notes, *verdict.notes))
        if not verdict.ok and not keep_going:
            raise _not_equal(verdict, origin["name"])
    asked = {"allow": allow.name.lower(), **bound, "stop_after": stop_after}
    if calibration is not None:
        asked["calibration"] = calibration.json()
    manifest = _manifest(origin, model, target, pipeline, asked, before, records, verdict)
    with stages("write"):
        if alone:
            make_folder(path.parent)
            files = {file.name: file_digest(file) for file in save(model, path)}
            return Artifact(path, replace(manifest, files=files))
        _check(builder.check(model, target), target)
        history = History.of(
            opening,
            records,
            model=origin["name"],
            target=str(target),
            pipeline=str(pipeline),
            trace=watching.rows() if watching else None,
        )
        return write_artifact(
            path,
            manifest,
            build=functools.partial(builder.build, model, target),
            texts={**diff_files(records), HISTORY: history.dumps()},
            seconds=stages.json(),
        )


def _destination(out: str | os.PathLike[str], source: Source) -> tuple[Path, list[Path]]:
    """Where the result goes, and all that it may replace there."""
    sources = [source] if isinstance(source, str | os.PathLike) else []
    if Path(out).is_file():
        check_not_source([Path(out)], sources)
    if Path(out).suffix == ".onnx":
        path = check_single_file(out)
        written = [path, path.with_name(f"{path.name}.data")]
    else:
        path = check_destination(out)
        written = [path]
    check_not_source(written, sources)
    return path, written


def allowed(pipeline: Pipeline, allow: Exactness) -> Pipeline:
    """``pipeline``, when every pass of it is as exact as ``allow`` or more.

    Raises:
        InputError: when one is less exact.
    """
    for item in pipeline.flat():
        if item.exactness > allow:
            raise InputError(
                f"{item.name} is {item.exactness.name} and only {allow.name} is allowed",
                where="pipeline",
                mend=f"allow it with --allow {item.exactness.name.lower()}",
            )
    return pipeline


def _manifest(
    origin: Mapping[str, Any],
    model: Model,
    target: Target,
    pipeline: Pipeline,
    asked: Mapping[str, Any],
    before: Figures,
    records: Sequence[PassRecord],
    verdict: Verdict | None,
) -> Manifest:
    return Manifest(
        source=origin,
        target=str(target),
        pipeline=str(pipeline),
        options=asked,
        versions=versions(),
        before=before.json(),
        after=(records[-1].after if records else before).json(),
        passes=records_json(records),
        verdict=None if verdict is None else verdict.json(),
        provenance=node_sources(model),
    )


def _check(findings: Sequence[Finding], target: Target) -> None:
    if findings:
        first = findings[0]
        more = f" (and {len(findings) - 1} more such)" if len(findings) > 1 else ""
        raise BuildError(
            f"target {target} cannot take it: {first.rule}{more}",
            where=first.node,
            mend=first.mend,
        )


def _not_equal(verdict: Verdict, name: str) -> VerificationFailed:
    failed = [output for output in verdict.outputs if not output.ok]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    first = failed[0].text().removeprefix("FAIL ") if verdict.samples else failed[0].reason
    return VerificationFailed(
        f"the answers differ: {first}{more}",
        where=name,
        mend="nothing was written; with --keep-going it is",
        verdict=verdict.json(),
    )
