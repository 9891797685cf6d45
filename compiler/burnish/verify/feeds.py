"""The inputs of a comparison: the user's, or seeded ones of the first sizes the source accepts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from burnish.errors import BurnishError, ExecutionError
from burnish.ir import Model
from burnish.samples import Samples, candidate_sizes, make_inputs, read_samples

__all__ = ["Feeds"]


class Feeds:
    """The inputs to try.

    Args:
        model: the source.
        run: runs the source on inputs, or raises :class:`ExecutionError`.
        samples: the user's inputs, see :func:`burnish.samples.read_samples`; None: seeded.
        seeds: one seeded sample each; unused with ``samples``.
        dims: sizes of symbolic input dimensions.

    Attributes:
        notes: what the reader should know.

    Raises:
        ExecutionError: if the source does not run on seeded inputs of any size.
    """

    def __init__(
        self,
        model: Model,
        run: Callable[[Mapping[str, Any]], Any],
        samples: Samples | None,
        seeds: Iterable[int],
        dims: Mapping[str, int],
    ) -> None:
        self.model = model
        self.samples = samples
        self.seeds = list(seeds)
        self.notes: list[str] = []
        if samples is None and self.seeds:
            self.sizes = self._working_sizes(run, dims)

    def _working_sizes(
        self, run: Callable[[Mapping[str, Any]], Any], dims: Mapping[str, int]
    ) -> dict[str, int]:
        first: BurnishError | None = None
        for number, sizes in enumerate(candidate_sizes(self.model, dims)):
            try:
                run(make_inputs(self.model, self.seeds[0], sizes=sizes))
            except ExecutionError as error:
                first = first or error
                continue
            if number:
                said = ", ".join(f"{key}={value}" for key, value in sizes.items() if key)
                self.notes.append(f"input sizes had to be enlarged: {said}")
            return sizes
        assert first is not None
        raise ExecutionError(
            f"the source does not run on seeded inputs ({first.what})",
            where=first.where,
            mend="give samples it runs on (.npz by input name), or sizes of its dimensions",
        )

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        if self.samples is not None:
            yield from read_samples(self.samples, self.model)
            return
        for seed in self.seeds:
            yield make_inputs(self.model, seed, sizes=self.sizes)
