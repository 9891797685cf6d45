"""Which operators' bodies may end at a node, told from a few operator types.

Most nodes of a real graph end no body. So before any body is made, the path from the node to the
producers of some of its inputs is compared with the path that the body has: two dictionary
look-ups settle nearly every node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from burnish.ir import Node

__all__ = ["ROOTS", "SIGNATURES", "candidates"]

SIGNATURES: tuple[tuple[str, str], ...] = (
    ("AffineGrid", "If 0:Equal 0:Size"),
    ("Attention", "Identity 0:MatMul 0:Where 0:Equal 0:ReduceMax"),
    ("Attention", "Reshape 0:Transpose 0:MatMul 0:Where 0:Equal 0:ReduceMax"),
    ("BlackmanWindow", "Cast 0:Add 0:Sub 1:Mul 1:Cos"),
    ("Celu", "Mul 1:Elu 0:Div"),
    ("CenterCropPad", "Slice 0:Pad 1:Concat 0:Div"),
    ("Clip", "Where 0:Less"),
    ("DepthToSpace", "Reshape 1:Concat 2:Mul 0:Slice"),
    ("DynamicQuantizeLinear", "QuantizeLinear 1:Div 0:Sub 0:Max"),
    ("Elu", "Where 0:Less 1:CastLike"),
    ("Gelu", "Mul 1:Sum 0:CastLike"),
    ("GreaterOrEqual", "Or 0:Greater"),
    ("GroupNormalization", "Reshape 0:Add 0:Mul 0:Reshape 0:Cast"),
    ("HammingWindow", "Cast 0:Add 0:Sub 1:Mul 1:Cos"),
    ("HannWindow", "Cast 0:Add 0:Sub 1:Mul 1:Cos"),
    ("HardSigmoid", "Max 0:Min 0:Add"),
    ("HardSwish", "Mul 1:HardSigmoid"),
    ("LayerNormalization", "Reshape 0:Add 0:Mul 0:Cast 0:Div"),
    ("LayerNormalization", "Reshape 0:Identity 0:Mul 0:Cast 0:Div"),
    ("LeakyRelu", "Where 0:Less 1:CastLike"),
    ("LessOrEqual", "Or 0:Less"),
    ("LogSoftmax", "Sub 1:Log 0:ReduceSum"),
    ("MeanVarianceNormalization", "Div 1:Add 0:Sqrt 0:Sub"),
    ("Mish", "Mul 1:Tanh 0:Softplus"),
    ("PRelu", "Where 0:Less 1:CastLike"),
    ("RMSNormalization", "Mul 0:Cast 0:Div 1:Sqrt"),
    ("ReduceL1", "ReduceSum 0:Abs"),
    ("ReduceL2", "CastLike 0:Sqrt 0:Cast"),
    ("ReduceLogSum", "Log 0:ReduceSum"),
    ("ReduceLogSumExp", "CastLike 0:Log 0:ReduceSum"),
    ("ReduceSumSquare", "ReduceSum 0:Mul"),
    ("Relu", "Max 1:CastLike"),
    ("RotaryEmbedding", "Reshape 0:Identity 0:Concat"),
    ("RotaryEmbedding", "Reshape 0:Transpose 0:Concat 0:Concat"),
    ("RotaryEmbedding", "Reshape 0:Transpose 0:Concat 0:Reshape"),
    ("Selu", "Where 0:Less 1:CastLike"),
    ("Shrink", "Where 0:Less 1:Neg"),
    ("Softmax", "Div 1:ReduceSum 0:Exp"),
    ("Softplus", "Log 0:Add 0:Exp"),
    ("Softsign", "Div 1:Add 1:Abs"),
    ("SpaceToDepth", "Reshape 1:Concat 2:Div 0:Slice"),
    ("SwiGLU", "Mul 0:Swish"),
    ("Swish", "Mul 1:Sigmoid 0:Mul 0:CastLike"),
    ("ThresholdedRelu", "Where 0:Less 0:CastLike"),
)
"""Operator, and a path up from the first result of its body: ``input:type of its producer``.

Not listed on purpose: operators whose body is one node as standard as they are (CastLike), those
that training makes (the losses), draw at random (Bernoulli), or hold a function of the user's
(SequenceMap); Range, whose body is a Loop; and what no target runs yet (LinearAttention,
CausalConvWithState).
"""

_Path: TypeAlias = tuple[tuple[int, str], ...]
_ByType: TypeAlias = Mapping[str, list[tuple[str, _Path]]]


def _steps(text: str) -> tuple[str, _Path]:
    root, *steps = text.split()
    pairs = (step.split(":") for step in steps)
    return root, tuple((int(index), op_type) for index, op_type in pairs)


def _indexed() -> dict[str, tuple[tuple[int, _ByType], ...]]:
    """The signatures by root, first input looked at, and the type found there."""
    found: dict[str, dict[int, dict[str, list[tuple[str, _Path]]]]] = {}
    for name, text in SIGNATURES:
        root, ((index, op_type), *rest) = _steps(text)
        by_type = found.setdefault(root, {}).setdefault(index, {})
        by_type.setdefault(op_type, []).append((name, tuple(rest)))
    return {root: tuple(by_index.items()) for root, by_index in found.items()}


_INDEX = _indexed()

ROOTS: tuple[tuple[str, str], ...] = tuple(("", root) for root in _INDEX)
"""The kinds of nodes where a body may end."""


def candidates(node: Node) -> tuple[str, ...]:
    """The operators whose bodies may end at ``node``, each once."""
    found: tuple[str, ...] = ()
    inputs = node.inputs
    for index, by_type in _INDEX[node.op_type]:
        value = inputs[index] if index < len(inputs) else None
        producer = None if value is None else value.producer()
        if producer is not None and producer.op_type in by_type:
            paths = by_type[producer.op_type]
            found += tuple(name for name, path in paths if _leads(path, producer))
    return found if len(found) < 2 else tuple(dict.fromkeys(found))


def _leads(path: _Path, node: Node) -> bool:
    for index, op_type in path:
        value = node.inputs[index] if index < len(node.inputs) else None
        producer = None if value is None else value.producer()
        if producer is None or producer.op_type != op_type:
            return False
        node = producer
    return True
