"""What a Slice takes along one axis, and Slices written as the opset spells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from burnish.ir import Node, Value
from burnish.match import Match
from burnish.shapes.movement import slice_positions
from burnish.symbolic import Dim
from burnish_passes.proofs import has_static_contents, static_ints

__all__ = ["BACK", "ENDLESS", "FRONT", "Cut", "compose", "cut_of", "cuts_of", "emit_slice"]

ENDLESS: Final = 2**31 - 1
"""Ends from here on mean "to the end" (ONNX: INT_MAX for a size that is not known)."""
BACK: Final = 2**63 - 1
"""An end behind every last element."""
FRONT: Final = -BACK
"""An end before every first element, for a step backwards."""


@dataclass(frozen=True)
class Cut:
    """``[start:end:step]`` as a Slice writes it: it may count from the end, and is clamped."""

    start: int
    end: int
    step: int = 1

    def positions(self, size: int) -> range:
        """The elements it takes of ``size``."""
        return slice_positions(size, self.start, self.end, self.step)

    @classmethod
    def of(cls, positions: range) -> Cut:
        """The cut that takes these positions of any axis that has them all."""
        if not positions:
            return cls(0, 0)
        first, last = positions[0], positions[-1]
        if len(positions) == 1:
            return cls(first, first + 1)
        if positions.step > 0:
            return cls(first, last + 1, positions.step)
        return cls(first, last - 1 if last else FRONT, positions.step)


def compose(size: Dim, first: Cut, then: Cut) -> Cut | None:
    """Two cuts in a row, of an axis of ``size``, as one.

    Without a static size only where clamping means the same for both: None otherwise. An end that
    counts from the back survives beside one that is open.
    """
    if isinstance(size, int):
        positions = first.positions(size)
        return Cut.of(positions[_as_slice(then.positions(len(positions)))])
    if min(first.step, then.step) < 0 or min(first.start, then.start) < 0:
        return None
    start, step = first.start + then.start * first.step, first.step * then.step
    if then.end >= ENDLESS:
        end = first.end
    elif then.end >= 0 and first.end >= 0:
        end = min(first.end, first.start + then.end * first.step)
    elif then.end < 0 and first.end >= ENDLESS and first.step == 1:
        end = then.end
    else:
        return None
    return Cut(min(start, BACK), min(end, BACK), step) if step < ENDLESS else None


def _as_slice(positions: range) -> slice:
    """What to index a range with to pick these positions of it."""
    if not positions:
        return slice(0, 0)
    stop = positions[-1] + (1 if positions.step > 0 else -1)
    return slice(positions[0], None if stop < 0 else stop, positions.step)


def cuts_of(m: Match, node: Node, rank: int) -> dict[int, Cut]:
    """What a Slice takes of each axis it names, counted from the front, in its order.

    Declines when that is not known before the model runs.
    """
    starts, ends = static_ints(m, node, "starts", 1), static_ints(m, node, "ends", 2)
    axes, steps = static_ints(m, node, "axes", 3), static_ints(m, node, "steps", 4)
    if starts is None or ends is None:
        m.decline("where the Slice begins or ends is not known")
    if (axes is None and has_static_contents(node, "axes", 3)) or (
        steps is None and has_static_contents(node, "steps", 4)
    ):
        m.decline("axes or steps of the Slice are not known")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    m.require(all(-rank <= axis < rank for axis in axes), "an axis is out of range")
    found = {
        axis % rank: Cut(start, end, step)
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True)
    }
    m.require(len(found) == len(axes), "an axis is named twice")
    return found


def cut_of(m: Match, node: Node) -> tuple[int, Cut]:
    """The only axis a Slice cuts, and how; not about Slices of several axes."""
    cuts = cuts_of(m, node, len(m.shape_of(node.outputs[0])))
    m.suppose(len(cuts) == 1)
    return next(iter(cuts.items()))


def emit_slice(op: Any, m: Match, x: Value, cuts: Mapping[int, Cut]) -> Value:
    """A Slice as the model's opset spells it; ``steps`` only where one is not 1."""
    axes = list(cuts)
    starts, ends = [cut.start for cut in cuts.values()], [cut.end for cut in cuts.values()]
    steps = [cut.step for cut in cuts.values()]
    if m.opset < 10:
        m.require(set(steps) == {1}, "Slice has no steps before opset 10")
        made: Value = op.Slice(x, starts=starts, ends=ends, axes=axes)
        return made
    named = {"starts": starts, "ends": ends, "axes": axes}
    if set(steps) != {1}:
        named["steps"] = steps
    operands = [
        op.constant(np.array(values, dtype=np.int64), f"{m.root.outputs[0].name}_{name}")
        for name, values in named.items()
    ]
    made = op.Slice(x, *operands)
    return made
