"""Where 16-bit floats occur, and what that means for a comparison of bits.

ONNX Runtime computes float16 in float32 where it lacks a kernel, and rounds only between nodes that
it does not join: where the numbers round depends on the graph.
"""

from __future__ import annotations

from burnish.ir import AttributeType, DataType, Model, Node, scopes
from burnish.passdef import Exactness

__all__ = ["HALF_ROUNDS", "holds_half", "tested"]

HALF_ROUNDS = "float16 on this runtime is not reproducible to the bit: rounding allowed"
_HALF = frozenset({DataType.FLOAT16, DataType.BFLOAT16})
_NAMES_A_TYPE = frozenset({"to", "dtype"})


def tested(exactness: Exactness, model: Model, engine: str) -> Exactness:
    """The promise that a comparison on ``engine`` can hold the passes over ``model`` to.

    Args:
        exactness: the promise they made.
        model: the source.
        engine: what runs both models, as :attr:`burnish.evaluate.Evaluator.engine` names it.
    """
    if exactness == Exactness.BITWISE and engine.startswith("onnxruntime") and holds_half(model):
        return Exactness.FLOAT
    return exactness


def holds_half(model: Model) -> bool:
    """Whether 16-bit floats occur: among inputs, outputs and weights, or made by a node."""
    for scope in scopes(model):
        graph = scope.graph
        values = (*graph.inputs, *graph.outputs, *graph.initializers.values())
        if any(value.dtype in _HALF for value in values):
            return True
        if any(_makes_half(node) for node in graph):
            return True
    return False


def _makes_half(node: Node) -> bool:
    """Whether an attribute says so: the type to cast to, or a tensor."""
    for name, attr in node.attributes.items():
        if attr.is_ref():
            continue
        if name in _NAMES_A_TYPE and attr.type == AttributeType.INT and attr.value in _HALF:
            return True
        if attr.type == AttributeType.TENSOR and attr.value.dtype in _HALF:
            return True
    return False
