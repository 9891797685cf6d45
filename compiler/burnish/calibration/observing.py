"""Running a model over data and keeping statistics of its inner values, in bounded memory.

Values are made outputs of the model in chunks of so many bytes; each chunk runs over all samples,
and of every sample only statistics stay.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from burnish.calibration.cache import Cache, Wanted
from burnish.calibration.data import CalibrationData
from burnish.calibration.running import CHUNK_BYTES, Run, Teller, chunks, opened, values_of
from burnish.calibration.statistics import TensorStatistics
from burnish.errors import InputError
from burnish.evaluate import Runnable
from burnish.ir import Model, TensorType, Value, constant_array
from burnish.shapes import Shapes, ValueSizes
from burnish.text import dtype_text

__all__ = ["Observer", "observe"]

_SAVE_SECONDS = 10.0
_NO_AXES: Mapping[str, int] = MappingProxyType({})


def observe(
    model: Model,
    names: Sequence[str],
    data: CalibrationData,
    *,
    axes: Mapping[str, int] = _NO_AXES,
    chunk_bytes: int = CHUNK_BYTES,
    cache: Cache | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, TensorStatistics]:
    """What values of a model are on calibration data.

    Args:
        model: it is run as it stands.
        names: values of the main graph: inputs, constants, results of nodes.
        data: the samples.
        axes: the axis of channels to tell apart, by name.
        chunk_bytes: how many bytes of values are held at a time; a larger one alone.
        cache: where statistics are taken from and kept; None: nowhere.
        progress: told ``sample 12 of 100, chunk 2 of 3``.

    Returns:
        Statistics by name, in the order asked for.

    Raises:
        InputError: when a value does not exist or is not floating-point, or becomes NaN; or when a
            sample does not fit.
        ExecutionError: when the model does not run.
    """
    observer = Observer(model, data, chunk_bytes, cache, progress)
    wanted = [(name, axes.get(name)) for name in dict.fromkeys(names)]
    found = observer.observe(wanted)
    return {name: found[name, axis] for name, axis in wanted}


@dataclass
class Observer:
    """One observation.

    Attributes:
        model: what is run.
        data: what it is run on.
        chunk_bytes: how many bytes of values are held at a time.
        cache: where statistics are kept.
        progress: who is told.
        save_seconds: how often what was gathered is written down.
        samples: how many samples the data turned out to have.
    """

    model: Model
    data: CalibrationData
    chunk_bytes: int = CHUNK_BYTES
    cache: Cache | None = None
    progress: Callable[[str], None] | None = None
    save_seconds: float = _SAVE_SECONDS
    samples: int | None = None

    def observe(self, wanted: Sequence[Wanted]) -> dict[Wanted, TensorStatistics]:
        """Statistics of the values; see :func:`observe`."""
        values = _values(self.model, [name for name, _ in wanted])
        found: dict[Wanted, TensorStatistics] = {}
        for item in wanted:
            held = constant_array(values[item[0]])
            if held is not None:
                found[item] = _seen(held, item, "the model")
        kept = self.cache.complete() if self.cache is not None else {}
        found |= {item: kept[item] for item in wanted if item in kept}
        missing = [item for item in wanted if item not in found]
        if missing:
            with opened(self.model) as ready:
                for group in self._gathered(ready, missing, values):
                    found |= group
        return found

    def _gathered(
        self, ready: Runnable, missing: Sequence[Wanted], values: Mapping[str, Value]
    ) -> Iterator[dict[Wanted, TensorStatistics]]:
        """Statistics of one chunk after the other; one that is too large in fact is halved."""
        _, feeds = next(self.data.labelled())
        sizes = ValueSizes(self.model, feeds, self.chunk_bytes // 16)
        pending = chunks(missing, lambda item: sizes.of(values[item[0]]), self.chunk_bytes)
        known = self.samples if self.samples is not None else self.data.count
        tell = Teller(self.progress, known)
        done = 0
        while pending:
            chunk = pending.pop(0)
            place = f"chunk {done + 1} of {done + 1 + len(pending)}"
            found = self._gather(ready, chunk, functools.partial(tell, place=place))
            if found is None:
                middle = len(chunk) // 2
                pending[:0] = [chunk[:middle], chunk[middle:]]
                continue
            done += 1
            yield found

    def _gather(
        self, ready: Runnable, chunk: Sequence[Wanted], tell: Callable[[int], None]
    ) -> dict[Wanted, TensorStatistics] | None:
        """One chunk over all samples; None when it holds more bytes than it may."""
        skip, found = self.cache.part(chunk) if self.cache is not None else (0, {})
        run = Run(ready, self.model, [name for name, _ in chunk])
        samples, saved = 0, time.monotonic()
        for where, feeds in self.data.labelled():
            samples += 1
            if samples <= skip:
                continue
            tell(samples)
            held = run(feeds, where)
            if samples == 1 and len(chunk) > 1 and _bytes(held) > self.chunk_bytes:
                return None
            for item in chunk:
                seen = _seen(held[item[0]], item, where)
                found[item] = _merged(found[item], seen, item, where) if item in found else seen
            del held
            if self.cache is not None and time.monotonic() - saved >= self.save_seconds:
                self.cache.write(found, samples, done=False)
                saved = time.monotonic()
        self._count(samples)
        if self.cache is not None:
            self.cache.write(found, samples, done=True)
        return found

    def _count(self, samples: int) -> None:
        """Hold the data to having as many samples each time."""
        known = self.samples if self.samples is not None else self.data.count
        if known is not None and known != samples:
            raise InputError(
                f"it gave {known} samples the first time and {samples} the next",
                where=self.data.name,
                mend="give a function that returns a new iterator each time",
            )
        self.samples = samples


def _values(model: Model, names: Sequence[str]) -> dict[str, Value]:
    """The values of these names; only those that can have a range."""
    known = values_of(model, names)
    shapes = Shapes(model)
    for name in names:
        value = known[name]
        dtype = shapes.dtype(value)
        kind = None if dtype is None or dtype.is_floating_point() else dtype_text(dtype)
        if value.type is not None and not isinstance(value.type, TensorType):
            kind = "no tensor"
        if kind is not None:
            raise InputError(
                f"it is {kind}: only floating-point values have a range", where=f"value {name!r}"
            )
    return known


def _bytes(held: Mapping[str, Any]) -> int:
    return sum(array.nbytes for array in held.values() if isinstance(array, np.ndarray))


def _seen(array: Any, item: Wanted, where: str) -> TensorStatistics:
    try:
        if not isinstance(array, np.ndarray):
            raise InputError("it is no tensor: only floating-point values have a range")
        return TensorStatistics.of(array, item[1])
    except InputError as error:
        raise InputError(
            f"{error.what}, on {where}",
            where=f"value {item[0]!r}",
            mend="look at that sample, or at the nodes before the value: burnish verify --per-node"
            if "NaN" in error.what
            else "",
        ) from error


def _merged(
    found: TensorStatistics, seen: TensorStatistics, item: Wanted, where: str
) -> TensorStatistics:
    try:
        return found.merge(seen)
    except InputError as error:
        raise InputError(f"{error.what}, on {where}", where=f"value {item[0]!r}") from error
