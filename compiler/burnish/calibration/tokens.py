"""Samples from lines of token ids.

A line is a list of ids, or an object with a list for each input it has. What a line does not give
follows from the ids, by the name of the input:

========================  ======================================================
``...mask...``            1 for each id, 0 for padding
``...position...``        0, 1, 2, ...
``...type...``            0 (also ``segment``)
``...past...``, caches    no past: 0 elements along an open dimension, else zeros
========================  ======================================================

Lines keep their own length where the model leaves it open. Where it is fixed, longer lines are cut
and shorter ones padded at the end with 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from burnish.calibration.sources import Hash, Labelled, add_file, groups
from burnish.errors import InputError
from burnish.ir import Array, DataType, Model, Shape, Value
from burnish.samples import required_inputs
from burnish.serial.dims import evaluate_dim, is_name

__all__ = ["TokenFile"]

_IDS = ("input_ids", "ids", "tokens", "token_ids", "input")
_PAST = ("past", "cache")
_MEND = 'a line is [1, 2, 3] or {"input_ids": [1, 2, 3]}'


class TokenFile:
    """The lines of a JSONL file.

    Args:
        path: the file; empty lines do not count.
        model: its integer inputs of two axes, batch and length, take ids.

    Raises:
        InputError: when the file cannot be read, or the model takes no ids.
    """

    def __init__(self, path: Path, model: Model) -> None:
        self.path = path
        self.needed = required_inputs(model)
        self.inputs = {str(value.name): value for value in model.graph.inputs}
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"it cannot be read ({error})", where=str(path)) from None
        self.lines = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        self.ids = self._ids_input()
        shape = self.ids.shape
        assert shape is not None
        batch, length = shape[0], shape[1]
        self.batch = batch if isinstance(batch, int) and batch > 0 else 1
        self.length = length if isinstance(length, int) and length > 0 else None
        self.count, self.notes = groups(len(self.lines), self.batch)

    def samples(self, which: Sequence[int]) -> Iterator[Labelled]:
        """The samples of these numbers."""
        for index in which:
            chosen = self.lines[index * self.batch : (index + 1) * self.batch]
            where = f"{self.path} line {chosen[0][0]}"
            yield where, self._feeds([self._line(*line) for line in chosen], where)

    def digest(self, into: Hash) -> None:
        """Add the file to a digest."""
        add_file(into, self.path)

    def _ids_input(self) -> Value:
        takes = [value for value in self.needed if _takes_ids(value)]
        named = [value for value in takes if str(value.name).lower() in _IDS]
        likely = [
            value for value in takes if "id" in str(value.name).lower() and not _filled(value)
        ]
        for found in (named, likely, takes):
            if len(found) == 1:
                return found[0]
        raise InputError(
            "the model has no input for token ids (integers of two axes, batch and length)"
            if not takes
            else f"which input takes the ids: {', '.join(str(value.name) for value in takes)}?",
            where=str(self.path),
            mend="give .npz files with an array for each input",
        )

    def _line(self, number: int, line: str) -> dict[str, list[int]]:
        """The lists of a line by input name."""
        where = f"{self.path} line {number}"
        try:
            held = json.loads(line)
        except ValueError as error:
            raise InputError(f"this is not JSON ({error})", where=where, mend=_MEND) from None
        lists = held if isinstance(held, dict) else {str(self.ids.name): held}
        lists = {name: item for name, item in lists.items() if name in self.inputs}
        for name, item in lists.items():
            if not isinstance(item, list) or not all(type(number) is int for number in item):
                raise InputError(f"{name} is not a list of whole numbers", where=where, mend=_MEND)
            if not item:
                raise InputError(f"{name} is empty", where=where, mend="remove the line")
        if str(self.ids.name) not in lists:
            raise InputError(f"it gives no {self.ids.name}", where=where, mend=_MEND)
        sizes = {name: len(item) for name, item in lists.items()}
        if len(set(sizes.values())) > 1:
            said = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise InputError(f"its lists differ in length: {said}", where=where)
        return lists

    def _feeds(self, lines: Sequence[dict[str, list[int]]], where: str) -> dict[str, Any]:
        sizes = [len(line[str(self.ids.name)]) for line in lines]
        length = self.length or max(sizes)
        known = {
            name: _padded([line[name] for line in lines], length)
            for name in dict.fromkeys(name for line in lines for name in line)
            if all(name in line for line in lines)
        }
        bound = self._bound(len(lines), length)
        mask = _padded([[1] * size for size in sizes], length)
        feeds: dict[str, Any] = {}
        for value in self.needed:
            name = str(value.name)
            found = known[name] if name in known else self._derived(value, mask, bound, where)
            feeds[name] = found.astype(DataType(value.dtype or DataType.INT64).numpy())
        return feeds

    def _derived(self, value: Value, mask: Array, bound: dict[str, int], where: str) -> Array:
        low = str(value.name).lower()
        if value.shape is not None and any(word in low for word in _PAST):
            return np.zeros(_past_shape(value.shape, bound, len(mask)))
        if "mask" in low and value.shape is not None and value.shape.rank() == 2:
            return mask
        if "position" in low:
            places = np.arange(mask.shape[1])
            flat = value.shape is not None and value.shape.rank() == 1
            return places if flat else np.broadcast_to(places, mask.shape)
        if "type" in low or "segment" in low:
            return np.zeros_like(mask)
        raise InputError(
            f"input {value.name!r} does not follow from token ids",
            where=where,
            mend="give it in the line, or give .npz files with an array for each input",
        )

    def _bound(self, batch: int, length: int) -> dict[str, int]:
        """The sizes of open dimensions that the ids settle."""
        shape = self.ids.shape
        assert shape is not None
        bound = {}
        for dim, size in zip(shape, (batch, length), strict=True):
            if not isinstance(dim, int) and dim.value:
                bound[str(dim.value)] = size
        return bound


def _takes_ids(value: Value) -> bool:
    integer = value.dtype in (DataType.INT64, DataType.INT32)
    return integer and value.shape is not None and value.shape.rank() == 2


def _filled(value: Value) -> bool:
    low = str(value.name).lower()
    return any(word in low for word in ("mask", "position", "type", "segment", *_PAST))


def _padded(rows: Sequence[Sequence[int]], length: int) -> Array:
    """Rows of one length, ``[batch, length]``."""
    found = np.zeros((len(rows), length), np.int64)
    for place, row in enumerate(rows):
        found[place, : min(len(row), length)] = row[:length]
    return found


def _past_shape(shape: Shape, bound: dict[str, int], batch: int) -> tuple[int, ...]:
    """With no past: what the ids do not settle is 0, but for the batch."""
    sizes = []
    for axis, dim in enumerate(shape):
        text = None if isinstance(dim, int) else dim.value
        size = dim if isinstance(dim, int) else None
        if text and is_name(text):
            size = evaluate_dim(text, bound)
        open_size = batch if axis == 0 else 0
        sizes.append(size if size is not None and size >= 0 else open_size)
    return tuple(sizes)
