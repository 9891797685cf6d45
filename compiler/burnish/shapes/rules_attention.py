"""Rules for the shapes of attention, and of ONNX Runtime's own operators around it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from burnish.shapes.facts import NodeFacts, Shape, ShapeRule
from burnish.symbolic import Dim, exact_div

__all__ = ["ATTENTION_RULES", "CONTRIB_RULES"]

Answer = list[Shape | None] | None


def _heads(view: NodeFacts, index: int, heads: int | None) -> Shape | None:
    """Input ``index`` as [batch, heads, length, size]; None when that is not known."""
    shape = view.shape(index)
    if shape is None or len(shape) == 4:
        return shape
    size = exact_div(shape[2], heads) if heads and len(shape) == 3 else None
    return None if size is None or heads is None else (shape[0], heads, shape[1], size)


def _attention(view: NodeFacts) -> Answer:
    queries, values = view.shape(0), view.shape(2)
    if queries is None or values is None or len(queries) != len(values):
        return None
    query_heads = view.attribute("q_num_heads")
    key_heads = view.attribute("kv_num_heads", query_heads)
    apart = [_heads(view, 0, query_heads), _heads(view, 1, key_heads), _heads(view, 2, key_heads)]
    q, k, v = apart
    if q is None or k is None or v is None:
        return [None, None, None, None]
    result: Shape = (*q[:3], v[3])
    if len(queries) == 3:
        result = (q[0], q[2], view.as_size(q[1] * v[3]))
    past = view.shape(4) if view.has(4) else None
    total: Dim | None = k[2]
    if view.has(4):
        total = None if past is None or len(past) != 4 else view.as_size(past[2] + k[2])
    length = view.size() if total is None else total
    return [result, (*k[:2], length, k[3]), (*v[:2], length, v[3]), (*q[:3], length)]


def _like_first(view: NodeFacts) -> Answer:
    return [view.shape(0)]


def _skip_normalization(view: NodeFacts) -> Answer:
    return [view.shape(0), None, None, view.shape(0)]


def _packed_attention(view: NodeFacts) -> Answer:
    data, weights = view.shape(0), view.shape(1)
    if data is None or weights is None or len(data) != 3 or len(weights) != 2:
        return None
    if view.attribute("qkv_hidden_sizes") is not None:
        return None
    size = exact_div(weights[1], 3)
    return None if size is None else [(data[0], data[1], size), None]


ATTENTION_RULES: Mapping[str, ShapeRule] = MappingProxyType({"Attention": _attention})

CONTRIB_RULES: Mapping[str, ShapeRule] = MappingProxyType(
    {
        "Attention": _packed_attention,
        "BiasGelu": _like_first,
        "FastGelu": _like_first,
        "Gelu": _like_first,
        "QuickGelu": _like_first,
        "SkipLayerNormalization": _skip_normalization,
        "SkipSimplifiedLayerNormalization": _skip_normalization,
    }
)
"""Operators of ``com.microsoft``; their results have the element type of the first operand."""
