"""Which outputs of a model depend on an operator that draws random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from burnish.ir import Function, Model, Node, is_called_random, nested_graphs, read_values, schema

__all__ = ["random_outputs"]


def random_outputs(model: Model) -> set[str]:
    """Names of the graph outputs that depend on an operator that draws random numbers.

    Taken from the schemas (``node_determinism``). Dropout counts only in training mode; operators
    without a schema do not count.
    """
    tainted: set[int] = set()
    for node in model.graph:
        reads = {id(value) for value in read_values(node)}
        if reads & tainted or _is_random(node, model.opset_imports, model, frozenset()):
            tainted.update(id(value) for value in node.outputs)
    return {str(value.name) for value in model.graph.outputs if id(value) in tainted}


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
    return _draws(node.op_type, node.domain, opsets.get(node.domain, 0))


def _draws(op_type: str, domain: str, version: int) -> bool:
    """Whether an operator without subgraphs draws random numbers, by its schema."""
    known = schema(op_type, domain, version)
    if known is None or not is_called_random(known):
        return False
    # The stubs of onnx lack this attribute too.
    if known.has_function:  # type: ignore[attr-defined]
        # AffineGrid is called non-deterministic for the If in its definition.
        return any(_draws_in(node, version) for node in known.function_body.node)
    return True


def _draws_in(node: onnx.NodeProto, version: int) -> bool:
    graphs = [attr.g for attr in node.attribute if attr.type == onnx.AttributeProto.GRAPH]
    if graphs:
        return any(_draws_in(inner, version) for graph in graphs for inner in graph.node)
    return _draws(node.op_type, node.domain, version)


def _trains(dropout: Node) -> bool:
    """Whether a Dropout of opset 12 or later may drop anything."""
    mode = dropout.inputs[2] if len(dropout.inputs) > 2 else None
    if mode is None:
        return False
    held = mode.const_value
    return held is None or mode.is_graph_input() or bool(np.asarray(held.numpy()).any())
