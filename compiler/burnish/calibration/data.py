"""The data a model is calibrated on: read one sample at a time, as often as needed.

Every sample is checked as it is read: names, element types and shapes are those of the model's
inputs, and there is no NaN.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from burnish.calibration.arrays import ArrayFile
from burnish.calibration.images import IMAGE_SUFFIXES, ImageFiles, Preprocessing
from burnish.calibration.sources import Labelled, Source
from burnish.calibration.tokens import TokenFile
from burnish.errors import InputError
from burnish.ir import Array, Model
from burnish.samples import check_feeds, make_inputs, required_inputs

__all__ = ["ENOUGH", "CalibrationData", "DataSource", "few_samples", "random_data", "read_data"]

DataSource: TypeAlias = (
    "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] "
    "| Iterable[Mapping[str, Any] | Array] | Callable[[], Iterable[Mapping[str, Any] | Array]]"
)
ENOUGH = 8
"""Of fewer samples than this the user is told that they are few."""
_ARRAYS = frozenset({".npz", ".npy"})
_LINES = frozenset({".jsonl", ".ndjson"})
_KINDS = "a folder of .npz, .npy or images, or such a file, or a .jsonl of token ids"


@dataclass(frozen=True, eq=False)
class CalibrationData:
    """Samples that can be read again and again.

    Attributes:
        name: what it is, as people name it.
        model: what it is for; its inputs are checked.
        count: how many samples there are; None until they were read.
        notes: what the user should know.
        read: hands out the samples, without checks.
        fingerprint: hexadecimal digits of all that decides what the samples are.
    """

    name: str
    model: Model
    count: int | None
    notes: tuple[str, ...]
    read: Callable[[], Iterator[Labelled]]
    fingerprint: Callable[[], str]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (feeds for _, feeds in self.labelled())

    @functools.cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that stand for the samples."""
        return self.fingerprint()

    def labelled(self) -> Iterator[Labelled]:
        """The samples, each with where it is from.

        Raises:
            InputError: when one cannot be read or does not fit the model, or there is none.
        """
        empty = True
        for where, feeds in self.read():
            empty = False
            check_feeds(feeds, self.model, where)
            for name, held in feeds.items():
                _refuse_nan(held, name, where)
            yield where, feeds
        if empty:
            raise InputError("there is no sample in it", where=self.name, mend=f"give {_KINDS}")


def read_data(
    source: DataSource,
    model: Model,
    *,
    preprocessing: Preprocessing | None = None,
    limit: int | None = None,
    batch: int | None = None,
) -> CalibrationData:
    """Calibration data from files or from Python.

    Args:
        source: a ``.npz`` or ``.npy`` file (see :class:`ArrayFile`), a ``.jsonl`` of token ids (see
            :class:`TokenFile`), a folder of arrays or of images (folders in it too), several of
            these; or mappings from input name to array that can be gone through again, or a
            function that returns them. A lone array stands for the only input.
        model: what the samples are for.
        preprocessing: what becomes of images; they need it.
        limit: use so many samples: spread evenly over files, the first of what Python gives.
        batch: rows of a sample in files that stack several.

    Raises:
        InputError: when there is no data, or it cannot serve the model.
        MissingDependency: for images, when pillow is not installed.
    """
    if limit is not None and limit < 1:
        raise InputError("calibration needs 1 sample or more", where="limit")
    if callable(source):
        return _given(source, model, limit)
    if isinstance(source, str | os.PathLike):
        return _files([Path(source)], model, preprocessing, limit, batch)
    if isinstance(source, Sequence) and any(isinstance(i, str | os.PathLike) for i in source):
        paths = [Path(item) for item in source if isinstance(item, str | os.PathLike)]
        if len(paths) < len(source):
            raise InputError("files and arrays cannot be mixed", where="calibration data")
        return _files(paths, model, preprocessing, limit, batch)
    if isinstance(source, Mapping):
        return _given(lambda: [source], model, limit)
    if isinstance(source, Iterator):
        raise InputError(
            "an iterator can be gone through only once",
            where="calibration data",
            mend="give a list, or a function that returns a new iterator",
        )
    return _given(lambda: source, model, limit)


def random_data(model: Model, count: int, seed: int) -> CalibrationData:
    """Random inputs, for who has no data: the ranges will not be those of real data.

    Args:
        model: what the samples are for.
        count: how many.
        seed: of the first; each one has the next.
    """

    def read() -> Iterator[Labelled]:
        for index in range(count):
            yield f"random sample {index}", make_inputs(model, seed + index)

    if count < 1:
        raise InputError("calibration needs 1 sample or more", where="random data")
    note = "calibrated on random data: the ranges are not those of real inputs; give real data"
    name = f"{count} random samples, seed {seed}"
    return CalibrationData(
        name, model, count, (note, *few_samples(count)), read, functools.partial(_digest_all, read)
    )


def few_samples(count: int) -> tuple[str, ...]:
    """A note when there are few samples."""
    if count >= ENOUGH:
        return ()
    return (f"only {count} sample{'s' * (count > 1)} to calibrate on: ranges may be too narrow",)


# --- from Python


def _given(source: Callable[[], Iterable[Any]], model: Model, limit: int | None) -> CalibrationData:
    needed = required_inputs(model)

    def read() -> Iterator[Labelled]:
        for index, held in enumerate(source()):
            if index == limit:
                return
            where = f"sample {index}"
            if not isinstance(held, Mapping):
                if len(needed) != 1 or not hasattr(held, "dtype"):
                    raise InputError(
                        f"a {type(held).__name__} is no mapping from input name to array",
                        where=where,
                        mend=f"the inputs are {', '.join(str(value.name) for value in needed)}",
                    )
                held = {str(needed[0].name): np.asarray(held)}
            yield where, dict(held)

    return CalibrationData(
        "calibration data", model, None, (), read, functools.partial(_digest_all, read)
    )


def _digest_all(read: Callable[[], Iterator[Labelled]]) -> str:
    found = hashlib.sha256()
    for _, feeds in read():
        for name, held in sorted(feeds.items()):
            array = np.asarray(held)
            found.update(f"{name} {array.dtype} {array.shape}\n".encode())
            plain = array.dtype != object
            found.update(array.tobytes() if plain else repr(array.tolist()).encode())
    return found.hexdigest()


# --- from files


def _files(
    paths: Sequence[Path],
    model: Model,
    preprocessing: Preprocessing | None,
    limit: int | None,
    batch: int | None,
) -> CalibrationData:
    found = [item for path in paths for item in _sources(path, model, preprocessing, batch)]
    total = sum(item.count for item in found)
    name = ", ".join(str(path) for path in paths)
    if not total:
        raise InputError("there is no sample in it", where=name, mend=f"give {_KINDS}")
    wanted = total if limit is None else min(limit, total)
    chosen = _chosen(found, wanted, total)

    def read() -> Iterator[Labelled]:
        for item, which in zip(found, chosen, strict=True):
            if which:
                yield from item.samples(which)

    def fingerprint() -> str:
        digest = hashlib.sha256()
        for item, which in zip(found, chosen, strict=True):
            if which:
                digest.update(f"{type(item).__name__} {batch} {which}\n".encode())
                item.digest(digest)
        return digest.hexdigest()

    notes = tuple(dict.fromkeys(note for item in found for note in item.notes))
    return CalibrationData(name, model, wanted, (*notes, *few_samples(wanted)), read, fingerprint)


def _chosen(found: Sequence[Source], wanted: int, total: int) -> list[list[int]]:
    """Numbers of samples of each source, spread evenly over all."""
    numbers = [place * total // wanted for place in range(wanted)]
    chosen, start = [], 0
    for item in found:
        chosen.append(
            [number - start for number in numbers if start <= number < start + item.count]
        )
        start += item.count
    return chosen


def _sources(
    path: Path, model: Model, preprocessing: Preprocessing | None, batch: int | None
) -> list[Source]:
    if not path.exists():
        raise InputError("there is no such file or folder", where=str(path), mend="check the path")
    inside = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    visible = [
        p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)
    ]
    arrays = [item for item in visible if item.suffix.lower() in _ARRAYS]
    lines = [item for item in visible if item.suffix.lower() in _LINES]
    images = [item for item in visible if item.suffix.lower() in IMAGE_SUFFIXES]
    kinds = [kind for kind in (arrays, lines, images) if kind]
    if not kinds:
        raise InputError(
            "there is no calibration data in it", where=str(path), mend=f"give {_KINDS}"
        )
    if len(kinds) > 1:
        names = " and ".join(kind[0].name for kind in kinds)
        raise InputError(
            f"it holds data of several kinds ({names})",
            where=str(path),
            mend="name one folder each",
        )
    if images:
        if preprocessing is None:
            raise InputError(
                "images need their preprocessing declared",
                where=str(path),
                mend="as in size=224x224,mean=0.485/0.456/0.406,std=0.229/0.224/0.225",
            )
        root = path if path.is_dir() else path.parent
        return [ImageFiles(images, model, preprocessing, root)]
    if lines:
        return [TokenFile(item, model) for item in lines]
    return [ArrayFile(item, model, batch) for item in arrays]


def _refuse_nan(held: Any, name: str, where: str) -> None:
    array = held if isinstance(held, np.ndarray) else None
    if array is None or array.dtype.kind not in "fV" or not array.size:
        return
    wide = array if array.dtype.kind == "f" else array.astype(np.float32)
    if np.isnan(wide.min()):
        raise InputError(
            f"input {name!r} holds NaN", where=where, mend="mend the sample, or leave it out"
        )
