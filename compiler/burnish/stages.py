"""The stages of a run: announced as they begin, timed as they end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from burnish.ir import Model
from burnish.pipeline import PassRecord

__all__ = ["Progress", "Stages", "Watch", "Watcher"]

Progress: TypeAlias = Callable[[str | PassRecord], None]
"""Told the name of each stage as it begins, and the record of each pass as it ends."""


class Watch(Protocol):
    """Looks at a model after each pass that changed it."""

    def see(self, record: PassRecord, model: Model) -> None:
        """The model as it stands after the pass of ``record``."""

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """What was seen, as a history's trace."""


Watcher: TypeAlias = Callable[[Model], Watch]
"""Makes a watch from the source: a copy of it, which stays as it is."""


@dataclass
class Stages:
    """Announces and times the stages of a run.

    Attributes:
        progress: who is told; None for nobody.
        seconds: wall time by stage, once it has ended.
        passes: spec and wall time of each pass.
    """

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)
    passes: list[dict[str, Any]] = field(default_factory=list)

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a block as the stage ``name``."""
        if self.progress is not None:
            self.progress(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

    def follow(
        self, records: Iterable[PassRecord], model: Model, watch: Watch | None = None
    ) -> tuple[PassRecord, ...]:
        """Collect the records of a run over ``model``, telling each as it comes."""
        found: list[PassRecord] = []
        for entry in records:
            found.append(entry)
            self.passes.append({"spec": entry.spec, "seconds": entry.seconds})
            if self.progress is not None:
                self.progress(entry)
            if watch is not None and entry.diff:
                watch.see(entry, model)
        return tuple(found)

    def json(self) -> dict[str, Any]:
        """Wall times in seconds of the stages that ended and of each pass."""
        return {"seconds": dict(self.seconds), "passes": list(self.passes)}
