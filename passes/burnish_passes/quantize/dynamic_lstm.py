"""An LSTM on weights of 8 bits, by ONNX Runtime's own operator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from burnish.graph import SOURCES, Placement, sources_of
from burnish.ir import (
    Array,
    DataType,
    Model,
    Node,
    Scope,
    Value,
    attribute,
    constant,
    constant_array,
    make_tensor,
)
from burnish.passdef import Context
from burnish.quantization import CODE_TYPES, Parameters, Scheme, encode, parameters_of
from burnish_passes.native.contrib import DOMAIN
from burnish_passes.proofs import operand
from burnish_passes.quantize.layers import drop_unread_constant, is_called
from burnish_passes.quantize.pair_sums import may_overflow

__all__ = ["quantize_lstm"]

_INPUTS = 8
"""An LSTM has so many inputs before the scales: X, W, R, B, lengths, h, c, peepholes."""


def quantize_lstm(rule: str, exclude: Sequence[str], model: Model, ctx: Context) -> None:
    """Turn LSTM into DynamicQuantizeLSTM where the target takes operators of one runtime."""
    for node, scope in ctx.nodes(model, [("", "LSTM")]):
        why = _why_not(node, exclude, ctx)
        if why is not None:
            ctx.declined(rule, node, why)
        elif ctx.applies(rule, node):
            model.opset_imports.setdefault(DOMAIN, 1)
            scope.opsets.setdefault(DOMAIN, 1)
            _replace(node, scope, ctx)


def _why_not(node: Node, exclude: Sequence[str], ctx: Context) -> str | None:
    if ctx.target.options.get("native") != "yes":
        return "only an operator of ONNX Runtime's own does this: give the target native=yes"
    weights = [operand(node, index) for index in (1, 2)]
    for value in weights:
        held = constant(value)
        if held is None or held.dtype != DataType.FLOAT or value is None:
            return "its weights are no constants of float32"
        if len(value.uses()) > 1 or value.is_graph_output():
            return f"{value.name} has another reader and would be held twice"
        array = held.numpy()
        if not array.size or not np.isfinite(array).all():
            return "its weights are empty or not finite"
    if attribute(node, "layout", 0):
        return "the operator has no layout with the batch first"
    left = [name for name in exclude if is_called(node, weights, name)]
    return f"the user left it out: {left[0]}" if left else None


def _replace(node: Node, scope: Scope, ctx: Context) -> None:
    inputs = [operand(node, index) for index in range(_INPUTS)]
    old = [value for value in inputs[1:3] if value is not None]
    for index, value in enumerate(old):
        codes, scale, zero = _quantized(value, scope, ctx)
        inputs[1 + index] = codes
        inputs.extend((scale, zero))
    kept = [attr for name, attr in node.attributes.items() if name != "layout"]
    made = Node(DOMAIN, "DynamicQuantizeLSTM", inputs, kept, num_outputs=len(node.outputs))
    made.name = node.name
    made.meta[SOURCES] = sources_of(node)
    scope.graph.insert_before(node, made)
    for was, becomes in zip(node.outputs, made.outputs, strict=True):
        hand_over(was, becomes)
    scope.graph.remove(node, safe=True)
    for value in old:
        drop_unread_constant(value)


def hand_over(was: Value, becomes: Value) -> None:
    """A result of a removed node becomes that of a new one, a result that is left out as well."""
    becomes.type, becomes.shape = was.type, was.shape
    name, graph = was.name, was.graph
    if was.is_graph_output() and graph is not None:
        for index, output in enumerate(graph.outputs):
            if output is was:
                graph.outputs[index] = becomes
    was.replace_all_uses_with(becomes)
    was.name, becomes.name = None, name


def _quantized(value: Value, scope: Scope, ctx: Context) -> tuple[Value, Value, Value]:
    """Codes, scales and zero points of ``[directions, 4 * hidden, inputs]``, turned as wanted.

    Codes are unsigned where the target sums pairs of products in 16 bits, and these could overflow.
    """
    array = constant_array(value)
    assert array is not None
    directions, rows, width = array.shape
    flat = array.reshape(directions * rows, width)
    parameters: Parameters = parameters_of(flat, Scheme(CODE_TYPES["int8"], True, 0))
    signed = encode(flat, parameters)
    unsigned = ctx.target.limits.saturating_int8 and may_overflow(signed, 0)
    kind, lift = (DataType.UINT8, 128) if unsigned else (DataType.INT8, 0)
    codes = (signed + lift).reshape(array.shape).swapaxes(1, 2)
    placement = Placement(scope)

    def put(held: Array, part: str, kind: DataType) -> Value:
        tensor = make_tensor(np.ascontiguousarray(held).astype(kind.numpy()), kind)
        return placement.add_constant(tensor, ctx.names.fresh(f"{value.name}_{part}"))

    scale = parameters.scale.reshape(directions, rows)
    return (
        put(codes, "codes", kind),
        put(scale, "scale", DataType.FLOAT),
        put(np.full(scale.shape, lift), "zero_point", kind),
    )
