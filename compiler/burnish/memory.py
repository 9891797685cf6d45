"""Keeping the garbage collector out of the way, and mapped files out of memory."""

from __future__ import annotations

import contextlib
import gc
import mmap
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["let_go", "without_collection"]


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Pause cyclic garbage collection for a block.

    A graph is many thousands of long-lived objects that refer to each other; each collection
    walks all of them and finds nothing. It cost about a third of loading and rewriting.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def let_go(arrays: Iterable[NDArray[np.generic]]) -> None:
    """Let the system take back the memory of arrays that lie in mapped files.

    They stay usable: what is read again is taken from the file again.
    """
    found: dict[int, mmap.mmap] = {}
    for array in arrays:
        base: object = array
        while isinstance(base, np.ndarray | memoryview):
            base = base.base if isinstance(base, np.ndarray) else base.obj
        if isinstance(base, mmap.mmap):
            found[id(base)] = base
    for mapped in found.values():
        if hasattr(mapped, "madvise"):  # not on Windows
            mapped.madvise(mmap.MADV_DONTNEED)
