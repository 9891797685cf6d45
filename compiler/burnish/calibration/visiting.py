"""Showing inner values of a model to a function, sample by sample, in bounded memory.

For what statistics of single elements do not tell: products of channels, errors of a layer. Nothing
is kept here; what the function adds up is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from burnish.calibration.data import CalibrationData
from burnish.calibration.running import CHUNK_BYTES, Run, Teller, chunks, opened, values_of
from burnish.ir import Array, Model
from burnish.shapes import ValueSizes

__all__ = ["Visitor", "visit"]

Visitor = Callable[[str, Array], None]
"""Takes the name of a value and what it is on one sample."""


def visit(
    model: Model,
    names: Sequence[str],
    data: CalibrationData,
    function: Visitor,
    *,
    chunk_bytes: int = CHUNK_BYTES,
    progress: Callable[[str], None] | None = None,
) -> int:
    """Call ``function`` with each value on each sample.

    Values are computed in chunks of so many bytes, and each chunk over all samples, so the order
    of calls is: by chunk, by sample, by name.

    Args:
        model: it is run as it stands.
        names: values of the main graph: inputs, or results of nodes.
        data: the samples.
        function: told each; the array is its own to keep or change.
        chunk_bytes: how many bytes of values are held at a time; a larger one alone.
        progress: told ``sample 12 of 100, chunk 2 of 3``.

    Returns:
        How many samples there were; 0 when no value was asked for.

    Raises:
        InputError: when a value does not exist, or a sample does not fit.
        ExecutionError: when the model does not run.
    """
    wanted = list(dict.fromkeys(names))
    values = values_of(model, wanted)
    if not wanted:
        return 0
    _, feeds = next(data.labelled())
    sizes = ValueSizes(model, feeds, chunk_bytes // 16)
    parts = chunks(wanted, lambda name: sizes.of(values[name]), chunk_bytes)
    tell = Teller(progress, data.count)
    samples = 0
    with opened(model) as ready:
        for number, chunk in enumerate(parts, 1):
            run = Run(ready, model, chunk)
            for samples, (where, feeds) in enumerate(data.labelled(), 1):
                tell(samples, f"chunk {number} of {len(parts)}")
                found = run(feeds, where)
                for name in chunk:
                    function(name, np.array(found.pop(name)))
    return samples
