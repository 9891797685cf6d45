"""What every kind of calibration data can do: hand out samples by number, and be told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from burnish.errors import InputError

__all__ = ["Hash", "Labelled", "Source", "add_file", "groups"]

Labelled: TypeAlias = tuple[str, dict[str, Any]]
"""Where a sample is from, as people name it, and its values by input name."""


class Hash(Protocol):
    """What takes in bytes, such as ``hashlib.sha256()``."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""


class Source(Protocol):
    """Samples of one kind, from one place."""

    @property
    def count(self) -> int:
        """How many samples there are."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""

    def samples(self, which: Sequence[int]) -> Iterator[Labelled]:
        """The samples of these numbers, which rise.

        Raises:
            InputError: when one cannot be read.
        """

    def digest(self, into: Hash) -> None:
        """Add all that decides what the samples are."""


def add_file(into: Hash, path: Path) -> None:
    """Add the name and content of a file to a digest.

    Raises:
        InputError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})", where=str(path)) from None
    into.update(f"{path.name} {content}\n".encode())


def groups(count: int, size: int) -> tuple[int, tuple[str, ...]]:
    """How many batches of ``size`` samples make, and a note on those left over."""
    left = count % size
    return count // size, (f"the last {left} samples fill no batch of {size}: left out",) * bool(
        left
    )
