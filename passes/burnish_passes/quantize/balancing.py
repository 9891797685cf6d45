"""The factors that make layers equal, found on tables of the largest weight between two channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from burnish.ir import Array, Node
from burnish_passes.quantize.channels import Layer
from burnish_passes.quantize.seams import Seam

__all__ = ["WORTHWHILE", "Joint", "State", "balance", "is_equal"]

WORTHWHILE: Final = 0.02
"""Equalizing begins when one factor is further from 1 than this, in logarithms."""
_SETTLED: Final = 1e-3
"""Logarithms of factors below this end the iteration."""
_ROUNDS: Final = 1000
_SMALLEST: Final = 1e-30
"""Channels with smaller weights are dead, and left alone."""


@dataclass(frozen=True, eq=False)
class Joint:
    """A layer, and the seam with the layers that read it."""

    layer: Layer
    seam: Seam

    @property
    def channels(self) -> int:
        """How many channels there are between."""
        return len(self.layer.by_output(self.layer.table))

    @property
    def layers(self) -> list[Layer]:
        """The layer and its readers."""
        return [self.layer, *(reader.layer for reader in self.seam.readers)]


@dataclass
class State:
    """Tables of a set of joints as they stand.

    Attributes:
        tables: the largest weight between two channels, by layer.
        reach: how large the numbers of each channel are, ``[C]`` for each joint.
    """

    tables: dict[Node, Array]
    reach: list[Array]

    @classmethod
    def of(cls, joints: Sequence[Joint], reach: Sequence[Array]) -> State:
        """The tables of the weights as they are."""
        layers = {layer.node: layer for joint in joints for layer in joint.layers}
        tables = {node: layer.table for node, layer in layers.items()}
        return cls(tables, list(reach))

    def step(self, index: int, joint: Joint) -> Array:
        """Logarithms of the factors that make both sides of a joint equal."""
        made = joint.layer.by_output(self.tables[joint.layer.node])
        read = joint.seam.reading(self.tables, len(made))
        alive = (made > _SMALLEST) & (read > _SMALLEST)
        wanted = 0.5 * np.log(np.where(alive, made, 1.0) / np.where(alive, read, 1.0))
        reach = self.reach[index]
        largest = reach.max(initial=0.0)
        if largest <= 0:
            return wanted
        # A channel divided by s grows by 1 / s: it may become as large as the largest.
        share = np.maximum(reach / largest, _SMALLEST)
        return np.where(alive, np.maximum(wanted, np.minimum(np.log(share), 0.0)), 0.0)

    def take(self, index: int, joint: Joint, step: Array) -> None:
        """Divide the channels of a joint."""
        factor = np.exp(step)
        self.reach[index] = self.reach[index] / factor
        tables, node = self.tables, joint.layer.node
        tables[node] = joint.layer.scaled_outputs(tables[node], 1.0 / factor)
        for reader in joint.seam.readers:
            table, spread = tables[reader.layer.node], np.repeat(factor, reader.repeat)
            tables[reader.layer.node] = reader.layer.scaled_inputs(table, spread)


def is_equal(joints: Sequence[Joint], state: State) -> bool:
    """Whether nothing is far enough from equal."""
    steps = (state.step(index, joint) for index, joint in enumerate(joints))
    return all(np.abs(step).max(initial=0.0) <= WORTHWHILE for step in steps)


def balance(joints: Sequence[Joint], state: State) -> tuple[list[Array], State]:
    """Divide joint after joint until nothing moves.

    Returns:
        Logarithms of the factors for each joint, and the tables they lead to.
    """
    state = State(dict(state.tables), list(state.reach))
    totals = [np.zeros(joint.channels) for joint in joints]
    for _ in range(_ROUNDS):
        moved = 0.0
        for index, joint in enumerate(joints):
            step = state.step(index, joint)
            state.take(index, joint, step)
            totals[index] = totals[index] + step
            moved = max(moved, float(np.abs(step).max(initial=0.0)))
        if moved < _SETTLED:
            break
    return totals, state
