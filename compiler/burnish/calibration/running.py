"""Running a model for its inner values, so many bytes of them at a time.

ONNX Runtime may optimize meanwhile: what is an output is computed as such, so nothing is fused
across it, and the rest runs up to twice as fast. The values stay within rounding of those of the
graph as it stands (7e-7 of the largest on trained models, 7e-5 at worst; a bin of a histogram is
2.4e-4). Only graphs that are quantized already are run as they stand: there ONNX Runtime computes
other numbers.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from burnish.errors import ExecutionError, InputError
from burnish.evaluate import Evaluator, Runnable, runnables
from burnish.ir import Array, DataType, Model, Value, all_nodes
from burnish.memory import let_go

__all__ = ["CHUNK_BYTES", "Run", "Teller", "chunks", "opened", "values_of"]

CHUNK_BYTES = 128 << 20
"""How many bytes of values one run of a model may hand out."""
_TELL_SECONDS = 0.5
_LARGE_WEIGHT = 1 << 20
_QUANTIZED = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})

Item = TypeVar("Item")


def values_of(model: Model, names: Sequence[str]) -> dict[str, Value]:
    """The values of the main graph by name: inputs, initializers, results of nodes.

    Raises:
        InputError: when one of ``names`` is not there.
    """
    known = {str(value.name): value for value in model.graph.inputs}
    known |= {str(name): value for name, value in model.graph.initializers.items()}
    known |= {str(out.name): out for node in model.graph for out in node.outputs if out.name}
    for name in names:
        if name not in known:
            raise InputError(
                f"the main graph has no value {name!r}", mend="list them: burnish inspect"
            )
    return known


def chunks(items: Sequence[Item], size: Callable[[Item], int], limit: int) -> list[Sequence[Item]]:
    """``items`` in order, in parts of at most ``limit`` bytes; a larger one alone."""
    found: list[Sequence[Item]] = []
    start, held = 0, 0
    for place, item in enumerate(items):
        bytes_of = size(item)
        if place > start and held + bytes_of > limit:
            found.append(items[start:place])
            start, held = place, 0
        held += bytes_of
    return [*found, items[start:]] if items else []


@contextlib.contextmanager
def opened(model: Model) -> Iterator[Runnable]:
    """``model`` made ready to be run again and again; its own weights leave memory meanwhile."""
    with runnables(model) as (ready,):
        let_go(_weights(model))
        yield ready


def _weights(model: Model) -> Iterator[Array]:
    """The large ones, which may lie in mapped files."""
    for value in model.graph.initializers.values():
        held = value.const_value
        if held is not None and held.nbytes >= _LARGE_WEIGHT and held.dtype != DataType.STRING:
            yield held.numpy()


class Run:
    """A model that yields some of its values, for any number of samples.

    Args:
        ready: the model, see :func:`opened`.
        model: the same.
        names: the values.
    """

    def __init__(self, ready: Runnable, model: Model, names: Sequence[str]) -> None:
        given = {str(value.name) for value in model.graph.inputs}
        self.names = tuple(dict.fromkeys(names))
        computed = [name for name in self.names if name not in given]
        quantized = any(node.op_type in _QUANTIZED for node in all_nodes(model))
        self.evaluator = (
            Evaluator(ready, outputs=computed, optimize=not quantized) if computed else None
        )

    def __call__(self, feeds: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The values on one sample.

        Args:
            feeds: the sample.
            where: where it is from, for the error.

        Raises:
            ExecutionError: when the model does not run on it.
        """
        held = {name: feeds[name] for name in self.names if name in feeds}
        if self.evaluator is None:
            return held
        try:
            return held | self.evaluator.run(feeds)
        except ExecutionError as error:
            raise ExecutionError(
                f"the model does not run on it ({error.where}: {error.what})",
                where=where,
                mend=error.mend or "check the sample, or leave it out",
            ) from error


@dataclass
class Teller:
    """Tells who wants to know where the work is, but not too often.

    Attributes:
        progress: who is told; None for nobody.
        of: how many samples there are; None when that is not known.
    """

    progress: Callable[[str], None] | None
    of: int | None
    _told: float = -math.inf

    def __call__(self, sample: int, place: str) -> None:
        """Tell ``sample 12 of 100, chunk 2 of 3``."""
        now = time.monotonic()
        if self.progress is None or now - self._told < _TELL_SECONDS:
            return
        self._told = now
        of = "" if self.of is None else f" of {self.of}"
        self.progress(f"sample {sample}{of}, {place}")
