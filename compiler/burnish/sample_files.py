"""Writing samples to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from burnish.errors import BuildError, InputError
from burnish.files import replacing

__all__ = ["is_plain", "is_writable", "write_samples"]


def is_plain(value: Any) -> bool:
    """Whether a value is a tensor of a type that NumPy has itself: no strings, no bfloat16."""
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc"


def is_writable(feeds: Mapping[str, Any]) -> bool:
    """Whether a ``.npz`` file can hold a sample."""
    return all(_as_array(value) is not None for value in feeds.values())


def write_samples(feeds: Sequence[Mapping[str, Any]], paths: Sequence[Path]) -> None:
    """Write each sample as a ``.npz`` file, whole or not at all.

    Raises:
        BuildError: when a file cannot be written.
        InputError: for a value that such a file cannot hold.
    """
    for each, path in zip(feeds, paths, strict=True):
        arrays = {name: _storable(name, value) for name, value in each.items()}
        try:
            with replacing(path) as part, part.open("wb") as file:
                np.savez(file, **arrays)
        except OSError as error:
            raise BuildError(
                f"the sample cannot be written ({error.strerror or error})",
                where=str(path),
                mend="check the folder, its permissions and the free space",
            ) from error


def _as_array(value: Any) -> Any:
    """What a file holds of a value; None where it can hold none of it."""
    if is_plain(value):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "OSU":
        flat = [item.decode() if isinstance(item, bytes) else str(item) for item in value.flat]
        return np.array(flat, dtype=str).reshape(value.shape)
    return None


def _storable(name: str, value: Any) -> Any:
    array = _as_array(value)
    if array is None:
        raise InputError(
            "a .npz file cannot hold this value",
            where=f"input {name!r}",
            mend="it holds arrays of numbers, booleans and strings",
        )
    return array
