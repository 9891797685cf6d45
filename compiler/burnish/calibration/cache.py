"""Statistics on disk: what was gathered once is not gathered again, and what was begun goes on.

A folder for each model, data and settings holds a file for each group of values that ran together::

    CACHE/calibration-<key>/<group>.npz       over all samples
    CACHE/calibration-<key>/<group>.part.npz  over the first samples

Files appear whole or not at all. One that cannot be read counts as not there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from burnish.calibration.histogram import Histogram
from burnish.calibration.statistics import ChannelStatistics, TensorStatistics
from burnish.errors import InputError
from burnish.files import replacing

__all__ = ["Cache", "Wanted"]

Wanted: TypeAlias = tuple[str, int | None]
"""The name of a value, and the axis of its channels if they are told apart."""
_SCALARS = tuple(
    field.name
    for field in dataclasses.fields(TensorStatistics)
    if field.name not in ("histogram", "channels")
)


@dataclass(frozen=True)
class Cache:
    """The files of one model, data and settings.

    Attributes:
        folder: where they are; made when there is something to write.
    """

    folder: Path

    @classmethod
    def of(cls, folder: str | os.PathLike[str], key: str) -> Cache:
        """The part of a user's folder that belongs to ``key``."""
        return cls(Path(folder) / f"calibration-{key[:32]}")

    def complete(self) -> dict[Wanted, TensorStatistics]:
        """All that was gathered over all samples."""
        found: dict[Wanted, TensorStatistics] = {}
        for path in sorted(self.folder.glob("*.npz")):
            if not path.name.endswith(".part.npz"):
                found.update((_read(path) or (0, {}))[1])
        return found

    def part(self, group: Sequence[Wanted]) -> tuple[int, dict[Wanted, TensorStatistics]]:
        """What was gathered of these values so far, and over how many samples."""
        held = _read(self._path(group, ".part.npz"))
        return held if held is not None and set(held[1]) == set(group) else (0, {})

    def write(self, found: Mapping[Wanted, TensorStatistics], samples: int, *, done: bool) -> None:
        """Write down what was gathered over the first ``samples``.

        Raises:
            InputError: when the folder cannot be written.
        """
        part = self._path(list(found), ".part.npz")
        path = self._path(list(found), ".npz") if done else part
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **_packed(found, samples))
            if done:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"the calibration cache cannot be written ({error.strerror or error})",
                where=str(self.folder),
                mend="name another folder, or none",
            ) from error

    def _path(self, group: Sequence[Wanted], suffix: str) -> Path:
        text = json.dumps(sorted([name, -99 if axis is None else axis] for name, axis in group))
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}{suffix}"


def _packed(found: Mapping[Wanted, TensorStatistics], samples: int) -> dict[str, Any]:
    """As arrays: a JSON text of small things, and what is long in rows behind each other."""
    entries = []
    counts: list[Any] = [np.zeros(0, np.int64)]
    channels: list[Any] = [np.zeros((3, 0))]
    for (name, axis), held in found.items():
        entry: dict[str, Any] = {"name": name, "axis": axis}
        for field in _SCALARS:
            number = getattr(held, field)
            entry[field] = number if math.isfinite(number) else None
        if held.histogram is not None:
            grid = held.histogram
            entry["histogram"] = [grid.exponent, grid.first, len(grid.counts)]
            counts.append(grid.counts)
        if held.channels is not None:
            kept = held.channels
            entry["channels"] = [kept.axis, kept.count, len(kept.mean)]
            channels.append(np.stack([kept.minimum, kept.maximum, kept.mean]))
        entries.append(entry)
    text = json.dumps({"samples": samples, "values": entries})
    return {
        "index": np.frombuffer(text.encode(), np.uint8),
        "counts": np.concatenate(counts),
        "channels": np.concatenate(channels, axis=1),
    }


def _read(path: Path) -> tuple[int, dict[Wanted, TensorStatistics]] | None:
    """How many samples, and the statistics; None when there is nothing to be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            index = json.loads(bytes(file["index"]))
            return index["samples"], _unpacked(index["values"], file["counts"], file["channels"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _unpacked(
    entries: Sequence[Mapping[str, Any]], counts: Any, channels: Any
) -> dict[Wanted, TensorStatistics]:
    found: dict[Wanted, TensorStatistics] = {}
    place = column = 0
    for entry in entries:
        scalars = {field: entry[field] for field in _SCALARS if entry[field] is not None}
        histogram = kept = None
        if "histogram" in entry:
            exponent, first, bins = entry["histogram"]
            histogram = Histogram(exponent, first, counts[place : place + bins])
            place += bins
        if "channels" in entry:
            axis, count, width = entry["channels"]
            low, high, mean = channels[:, column : column + width]
            kept = ChannelStatistics(axis, low, high, mean, count)
            column += width
        found[entry["name"], entry["axis"]] = TensorStatistics(
            **scalars, histogram=histogram, channels=kept
        )
    return found
