"""What operators are, by the schemas that ONNX publishes."""

from __future__ import annotations

import functools
from typing import Any

import onnx

__all__ = ["is_random", "schema"]


@functools.lru_cache(maxsize=4096)  # onnx copies the whole schema each time
def schema(op_type: str, domain: str, version: int) -> onnx.defs.OpSchema | None:
    """The schema of an operator as of opset ``version`` of ``domain``, or None if it has none."""
    try:
        return onnx.defs.get_schema(op_type, version, domain)
    except onnx.defs.SchemaError:
        return None


def is_random(op_type: str, domain: str, version: int) -> bool:
    """Whether an operator without subgraphs draws random numbers, by its schema if it has one."""
    known: Any = schema(op_type, domain, version)  # the stubs of onnx lack the attributes asked for
    if known is None or known.node_determinism.name != "NonDeterministic":
        return False
    # AffineGrid is called random for the If in its definition: what a definition holds decides.
    return not known.has_function or any(_draws(part, version) for part in known.function_body.node)


def _draws(node: onnx.NodeProto, version: int) -> bool:
    if graphs := [attr.g for attr in node.attribute if attr.type == onnx.AttributeProto.GRAPH]:
        return any(_draws(inner, version) for graph in graphs for inner in graph.node)
    return is_random(node.op_type, node.domain, version)
