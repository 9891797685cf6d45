"""Which outputs of a model depend on an operator that draws random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from burnish.ir import Function, Model, Node, Value, is_random, nested_graphs, read_values

__all__ = ["random_outputs", "random_values"]


def random_outputs(model: Model) -> set[str]:
    """Names of the graph outputs that depend on an operator that draws random numbers."""
    return random_values(model) & {str(value.name) for value in model.graph.outputs}


def random_values(model: Model) -> set[str]:
    """Names of the main graph's values that depend on an operator that draws random numbers.

    Taken from the schemas (``node_determinism``). Dropout counts only in training mode; operators
    without a schema do not count.
    """
    tainted: set[Value] = set()
    for node in model.graph:
        reads = set(read_values(node))
        if reads & tainted or _is_random(node, model.opset_imports, model, frozenset()):
            tainted.update(node.outputs)
    return {str(value.name) for value in tainted if value.name}


def _is_random(node: Node, opsets: Mapping[str, int], model: Model, inside: frozenset[Any]) -> bool:
    graphs = list(nested_graphs(node))
    if graphs:
        # Schemas call every If, Loop and Scan non-deterministic; what they hold decides.
        return any(_is_random(n, opsets, model, inside) for graph in graphs for n in graph)
    identifier = node.op_identifier()
    function: Function | None = model.functions.get(identifier)
    if function is not None and identifier not in inside:
        body = inside | {identifier}
        return any(_is_random(n, function.opset_imports, model, body) for n in function)
    if node.op_type == "Dropout" and node.domain == "":
        return _trains(node)
    return is_random(node.op_type, node.domain, opsets.get(node.domain, 0))


def _trains(dropout: Node) -> bool:
    """Whether a Dropout of opset 12 or later may drop anything."""
    mode = dropout.inputs[2] if len(dropout.inputs) > 2 else None
    if mode is None:
        return False
    held = mode.const_value
    return held is None or mode.is_graph_input() or bool(np.asarray(held.numpy()).any())
