"""Running two models for their inner values, a group at a time so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from burnish.errors import ExecutionError
from burnish.evaluate import Engine, Evaluator, Runnable
from burnish.ir import Model, Value, constant_array
from burnish.shapes import ValueSizes
from burnish.trace.pairs import ValuePair
from burnish.trace.statistics import Gap
from burnish.verify.compare import Tolerance

__all__ = ["GROUP_BYTES", "measure_pairs"]

GROUP_BYTES = 256 << 20
"""How many bytes of inner values of both models together may be held at a time."""

_UNKNOWN_SHARE = 16


@dataclass(frozen=True)
class _Models:
    """What is run, and how."""

    before: Runnable
    after: Runnable
    feeds: Sequence[Mapping[str, Any]]
    engine: Engine
    tolerance: Tolerance


def measure_pairs(
    model: Model,
    pairs: Sequence[ValuePair],
    feeds: Sequence[Mapping[str, Any]],
    *,
    before: Runnable,
    after: Runnable,
    tolerance: Tolerance,
    engine: Engine,
    limit: int = GROUP_BYTES,
    progress: Callable[[str], None] | None = None,
) -> list[Gap]:
    """How far the values of each pair are apart over all samples.

    Values are made outputs of both models in groups of at most ``limit`` bytes, a single larger one
    alone; each group runs on all samples before the next. A group that does not run so is halved,
    until the value that cannot be handed out is alone.

    Args:
        model: the source; its shapes say how large values are.
        pairs: what to compare.
        feeds: inputs that both take.
        before: the source, to be run.
        after: the result, to be run.
        tolerance: what is allowed.
        engine: what runs them.
        limit: bytes of a group, by the shapes that are known beforehand.
        progress: told which values are run.
    """
    models = _Models(before, after, feeds, engine, tolerance)
    sizes = ValueSizes(model, feeds[0], limit // _UNKNOWN_SHARE)
    gaps: list[Gap] = []
    for group in _groups(pairs, sizes, limit):
        if progress is not None:
            last = len(gaps) + len(group)
            progress(f"compare values {len(gaps) + 1} to {last} of {len(pairs)}")
        gaps.extend(_run(models, group))
    return gaps


def _groups(
    pairs: Sequence[ValuePair], sizes: ValueSizes, limit: int
) -> Iterator[Sequence[ValuePair]]:
    start, held = 0, 0
    for place, pair in enumerate(pairs):
        size = 2 * sizes.of(pair.reference)
        if held and held + size > limit:
            yield pairs[start:place]
            start, held = place, 0
        held += size
    if start < len(pairs):
        yield pairs[start:]


def _run(models: _Models, group: Sequence[ValuePair]) -> list[Gap]:
    try:
        return _together(models, group)
    except ExecutionError as error:
        if len(group) == 1:
            return [Gap(models.tolerance, why=f"cannot be read: {error.what}")]
        middle = len(group) // 2
        return _run(models, group[:middle]) + _run(models, group[middle:])


def _together(models: _Models, group: Sequence[ValuePair]) -> list[Gap]:
    gaps = [Gap(models.tolerance) for _ in group]
    constants = [constant_array(pair.result) for pair in group]
    old = _open(models.before, [pair.reference for pair in group], models.engine)
    computed = [pair.result for pair, held in zip(group, constants, strict=True) if held is None]
    new = _open(models.after, computed, models.engine) if computed else None
    for feeds in models.feeds:
        wanted = old.run(feeds)
        found = new.run(feeds) if new is not None else {}
        for pair, gap, held in zip(group, gaps, constants, strict=True):
            result = found[str(pair.result.name)] if held is None else held
            gap.see(wanted[str(pair.reference.name)], result)
    return gaps


def _open(model: Runnable, values: Sequence[Value], engine: Engine) -> Evaluator:
    names = list(dict.fromkeys(str(value.name) for value in values))
    return Evaluator(model, outputs=names, engine=engine)
