"""Samples from ``.npz`` and ``.npy`` files: one in a file, or stacked along a leading axis."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from burnish.calibration.sources import Hash, Labelled, add_file
from burnish.errors import InputError
from burnish.ir import Array, Model, Shape, Value
from burnish.samples import read_npz, required_inputs

__all__ = ["ArrayFile"]

_BATCH = ("batch", "n", "b", "bs")


@dataclass(frozen=True)
class _Cut:
    """How a file's arrays become samples.

    Attributes:
        count: how many samples there are.
        step: rows of a sample; 0 for a sample axis of its own, None for the arrays as they are.
        left: rows at the end that fill no batch.
    """

    count: int = 1
    step: int | None = None
    left: int = 0

    def apply(self, array: Array, index: int) -> Array:
        """The part of ``array`` that is sample ``index``."""
        if self.step is None:
            return array
        if self.step == 0:
            return np.asarray(array[index])
        return array[index * self.step : (index + 1) * self.step]


class ArrayFile:
    """The samples of one file.

    The arrays of a ``.npz`` go by input name, and those the model has no input for are left out; a
    ``.npy`` is for models of one input. A file holds several samples when its arrays have an axis
    more than the inputs; when they have more rows than an input of fixed leading size; or when that
    size is open and called like a batch, or is the only open one of three or more. ``batch`` says
    it outright. A file is read as a whole.

    Args:
        path: the file.
        model: what the samples are for.
        batch: rows of a sample.

    Attributes:
        count: how many samples there are.
        notes: what the user should know.

    Raises:
        InputError: when the file cannot be read, or holds no input of the model.
    """

    def __init__(self, path: Path, model: Model, batch: int | None = None) -> None:
        self.path = path
        self.inputs = {str(value.name): value for value in model.graph.inputs}
        shapes = self._shapes(model)
        self.cut = _cut_of(
            {name: shapes[name] for name in shapes if name in self.inputs}, self.inputs, batch
        )
        self.count = self.cut.count
        self.notes: tuple[str, ...] = tuple(
            f"{path.name}: the model has no input {name!r}: it is ignored"
            for name in shapes
            if name not in self.inputs
        )
        if self.cut.left:
            self.notes += (f"{path.name}: the last {self.cut.left} rows fill no batch: left out",)

    def samples(self, which: Sequence[int]) -> Iterator[Labelled]:
        """The samples of these numbers."""
        arrays = self._read()
        for index in which:
            where = str(self.path) if self.cut.step is None else f"{self.path} sample {index}"
            yield where, {name: self.cut.apply(array, index) for name, array in arrays.items()}

    def digest(self, into: Hash) -> None:
        """Add the file to a digest."""
        add_file(into, self.path)

    def _shapes(self, model: Model) -> dict[str, tuple[int, ...]]:
        mend = f"the inputs are {', '.join(self.inputs) or 'none'}"
        if self.path.suffix != ".npz":
            needed = required_inputs(model)
            if len(needed) != 1:
                raise InputError(
                    f"a .npy is for models of one input, this has {len(needed)}",
                    where=str(self.path),
                    mend="write a .npz with numpy.savez(path, input_name=array)",
                )
            self.only = str(needed[0].name)
            return {self.only: _load(self.path).shape}
        shapes = _npz_shapes(self.path)
        if not shapes:
            raise InputError("there is no array in it", where=str(self.path), mend=mend)
        if not any(name in self.inputs for name in shapes):
            name = next(iter(shapes))
            raise InputError(f"the model has no input {name!r}", where=str(self.path), mend=mend)
        return shapes

    def _read(self) -> dict[str, Array]:
        if self.path.suffix == ".npz":
            held = read_npz(self.path, self.inputs)
            return {name: array for name, array in held.items() if array is not None}
        array = _load(self.path)
        shape = self.inputs[self.only].shape
        if shape is not None and array.ndim == shape.rank() - 1:
            batch = shape[0]
            array = array[None] if batch == 1 or not isinstance(batch, int) else array
        return {self.only: array}


def _load(path: Path) -> Array:
    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else "unreadable"
        raise InputError(
            f"this is not a .npy file ({reason})",
            where=str(path),
            mend="write it with numpy.save(path, array)",
        ) from None
    return np.asarray(found)


def _npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes by name, from the headers alone."""
    try:
        with zipfile.ZipFile(path) as held:
            found = {}
            for name in held.namelist():
                with held.open(name) as file:
                    version = np.lib.format.read_magic(file)
                    read = np.lib.format.read_array_header_1_0
                    if version > (1, 0):
                        read = np.lib.format.read_array_header_2_0
                    found[name.removesuffix(".npy")] = read(file)[0]
            return found
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        read_npz(path, ())  # says what is wrong with it
        raise InputError("its arrays cannot be read", where=str(path)) from None


def _cut_of(
    shapes: Mapping[str, tuple[int, ...]], inputs: Mapping[str, Value], batch: int | None
) -> _Cut:
    declared = {name: inputs[name].shape for name in shapes}
    known = {name: shape for name, shape in declared.items() if shape is not None}
    rows = {shapes[name][0] if shapes[name] else 0 for name in shapes}
    if len(known) < len(shapes) or len(rows) != 1:
        return _Cut()
    extra = {len(shapes[name]) - shape.rank() for name, shape in known.items()}
    if extra == {1}:
        return _Cut(rows.pop(), 0)
    if extra != {0}:
        return _Cut()
    steps = {batch or _step(shape) for shape in known.values()}
    step = steps.pop() if len(steps) == 1 else None
    if step is None or rows == {step}:
        return _Cut()
    total = rows.pop()
    fixed = any(isinstance(shape[0], int) and shape[0] > 0 for shape in known.values())
    count = total // step if fixed else -(-total // step)
    if total and not count:
        return _Cut()  # too few rows for the fixed size: the check of shapes says so
    return _Cut(count, step, total - count * step if fixed else 0)


def _step(shape: Shape) -> int | None:
    """Rows of a sample of an input; None where nobody can tell."""
    if not shape.rank():
        return None
    first = shape[0]
    if isinstance(first, int) and first > 0:
        return first
    name = "" if isinstance(first, int) else (first.value or "").lower()
    others_fixed = all(isinstance(dim, int) and dim > 0 for dim in list(shape)[1:])
    likely = "batch" in name or name in _BATCH or (others_fixed and shape.rank() >= 3)
    return 1 if likely else None
