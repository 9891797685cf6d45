"""What a pass asks: the statistics of values, on the data that the user gave."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from burnish.calibration.cache import Cache, Wanted
from burnish.calibration.data import (
    CalibrationData,
    DataSource,
    few_samples,
    random_data,
    read_data,
)
from burnish.calibration.histogram import BINS
from burnish.calibration.images import Preprocessing
from burnish.calibration.observing import Observer
from burnish.calibration.running import CHUNK_BYTES
from burnish.calibration.statistics import DECAY, HUGE, TensorStatistics
from burnish.calibration.visiting import Visitor, visit
from burnish.errors import InputError
from burnish.ir import Model
from burnish.text import model_text

__all__ = ["Calibration"]

_FORMAT = 1
"""Grows when statistics are gathered in another way: what is in caches then counts no more."""
_NO_AXES: Mapping[str, int] = MappingProxyType({})


@dataclass
class Calibration:
    """Data, and what was learned from it; for one model, through all its states.

    Attributes:
        data: the samples, or what reads them once the model is known.
        cache: a folder to keep statistics in; None: they are gathered anew each time.
        progress: told ``sample 12 of 100, chunk 2 of 3``.
        chunk_bytes: how many bytes of values are held at a time.
    """

    data: CalibrationData | Callable[[Model], CalibrationData]
    cache: str | os.PathLike[str] | None = None
    progress: Callable[[str], None] | None = None
    chunk_bytes: int = CHUNK_BYTES
    _known: tuple[str, dict[Wanted, TensorStatistics]] = ("", {})
    _samples: int | None = None

    @classmethod
    def of(
        cls,
        source: DataSource,
        *,
        preprocessing: Preprocessing | None = None,
        limit: int | None = None,
        batch: int | None = None,
        cache: str | os.PathLike[str] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Calibration:
        """Calibration on data that is read once the model is known; see :func:`read_data`."""
        read = functools.partial(
            read_data, source, preprocessing=preprocessing, limit=limit, batch=batch
        )
        return cls(read, cache, progress)

    @classmethod
    def random(
        cls, count: int, seed: int = 0, *, progress: Callable[[str], None] | None = None
    ) -> Calibration:
        """Calibration on random inputs; see :func:`random_data`."""
        return cls(functools.partial(random_data, count=count, seed=seed), None, progress)

    def bind(self, model: Model) -> CalibrationData:
        """The data for ``model``, or for the one it was bound to before; its first sample is read.

        Raises:
            InputError: when there is no data, or it does not fit the model.
        """
        if not isinstance(self.data, CalibrationData):
            data = self.data(model)
            next(data.labelled())
            self.data = data
        return self.data

    def statistics(
        self, model: Model, names: Sequence[str], axes: Mapping[str, int] = _NO_AXES
    ) -> dict[str, TensorStatistics]:
        """What values of ``model``, as it stands, are on the data.

        What was asked before of the same graph is remembered.

        Args:
            model: the model.
            names: values of its main graph.
            axes: the axis of channels to tell apart, by name.

        Raises:
            InputError: see :func:`burnish.calibration.observe`.
            ExecutionError: when the model does not run.
        """
        data = self.bind(model)
        state = hashlib.sha256(model_text(model).encode()).hexdigest()
        known = self._known[1] if self._known[0] == state else {}
        wanted = [(name, axes.get(name)) for name in dict.fromkeys(names)]
        missing = [item for item in wanted if item not in known]
        if missing:
            cache = None if self.cache is None else self._cache(self.cache, state, data)
            observer = Observer(
                model, data, self.chunk_bytes, cache, self.progress, samples=self._samples
            )
            known = known | observer.observe(missing)
            self._samples = observer.samples
            self._known = state, known
        return {name: known[name, axis] for name, axis in wanted}

    def visit(self, model: Model, names: Sequence[str], function: Visitor) -> None:
        """Show values of ``model``, as it stands, to ``function``: what each is on each sample.

        Nothing is remembered; see :func:`burnish.calibration.visiting.visit`.
        """
        data = self.bind(model)
        progress, size = self.progress, self.chunk_bytes
        visit(model, names, data, function, chunk_bytes=size, progress=progress)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the data; more once it was read."""
        if not isinstance(self.data, CalibrationData):
            return ()
        found = self.data.notes
        if self.data.count is None and self._samples is not None:
            found += few_samples(self._samples)
        return found

    def json(self) -> dict[str, Any]:
        """Name, number and digest of the samples, and the notes: what a record keeps."""
        if not isinstance(self.data, CalibrationData):
            return {}
        samples = self.data.count if self.data.count is not None else self._samples
        return {
            "data": self.data.name,
            "samples": samples,
            "digest": self.data.digest,
            "notes": list(self.notes),
        }

    def _cache(self, folder: str | os.PathLike[str], state: str, data: CalibrationData) -> Cache:
        path = Path(folder)
        if path.exists() and not path.is_dir():
            raise InputError("this is a file", where=str(path), mend="name a folder for the cache")
        try:
            runtime = importlib.metadata.version("onnxruntime")
        except importlib.metadata.PackageNotFoundError:
            runtime = "none"
        parts = [_FORMAT, state, data.digest, BINS, DECAY, HUGE, runtime]
        return Cache.of(path, hashlib.sha256(repr(parts).encode()).hexdigest())
