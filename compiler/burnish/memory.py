"""Keeping Python's cyclic garbage collector out of the way."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["without_collection"]


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
