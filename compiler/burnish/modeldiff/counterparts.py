"""Which value of one model is which of another, for those who compare numbers."""

from __future__ import annotations

from collections.abc import Mapping

from burnish.ir import Model, Value
from burnish.modeldiff.fingerprint import Fingerprints
from burnish.modeldiff.functions import FunctionTable
from burnish.modeldiff.graphs import pair_graphs
from burnish.modeldiff.interface import by_name

__all__ = ["counterparts"]


def counterparts(before: Model, after: Model) -> Mapping[Value, Value]:
    """Inputs and results of one main graph with their counterparts in another, by structure.

    Args:
        before: the old model.
        after: the new model, from any tool.
    """
    table = FunctionTable(before, after)
    old = Fingerprints(before.graph, table.settings[0])
    new = Fingerprints(after.graph, table.settings[1])
    inputs = by_name(before.graph.inputs, after.graph.inputs)
    outputs = by_name(before.graph.outputs, after.graph.outputs)
    pairing, _ = pair_graphs((old, new), inputs, outputs)
    return pairing.values()
