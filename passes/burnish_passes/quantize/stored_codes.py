"""Weights as codes in a graph: how they are held, decoded, and what that needs and costs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from burnish.graph import SOURCES, Placement, replace_value, sources_of
from burnish.ir import (
    Array,
    DataType,
    Node,
    Scope,
    Shape,
    TensorType,
    Value,
    convert_attributes,
    make_tensor,
)
from burnish.passdef import Context
from burnish.quantization import Parameters
from burnish_passes.proofs import operand
from burnish_passes.quantize.layers import Layer

__all__ = [
    "BLOCKS_SINCE",
    "COLUMNS_SINCE",
    "StoredCodes",
    "by_column",
    "bytes_of_codes",
    "decode_rows",
    "decode_weight",
    "store",
]

BLOCKS_SINCE = 21
"""The opset from which DequantizeLinear knows blocks and codes of 4 bits."""
COLUMNS_SINCE = 13
"""The opset from which it knows a scale for each position of an axis."""


@dataclass(frozen=True, eq=False)
class StoredCodes:
    """Constants in a graph that stand for a tensor of numbers.

    Attributes:
        codes: the integers, of the tensor's shape.
        scale: as DequantizeLinear wants it for ``axis`` and ``block``.
        zero_point: of the same shape; None for zero.
        axis: the axis along which scales differ.
        block: elements along it that share one; None: each position has its own.
        dtype: the element type of the numbers.
        shape: of the numbers.
    """

    codes: Value
    scale: Value
    zero_point: Value | None
    axis: int
    block: int | None
    dtype: DataType
    shape: tuple[int, ...]


def bytes_of_codes(shape: tuple[int, ...], bits: int, scales: int, width: int, zeros: bool) -> int:
    """What codes, scales of ``width`` bytes each and zero points take."""
    held = math.ceil(math.prod(shape) * bits / 8) + scales * width
    return held + (math.ceil(scales * bits / 8) if zeros else 0)


def store(
    codes: Array, parameters: Parameters, dtype: DataType, hint: str, scope: Scope, ctx: Context
) -> StoredCodes:
    """Put codes into ``scope``.

    Args:
        codes: integers, any shape.
        parameters: with scales along an axis, perhaps in blocks.
        dtype: the element type of the numbers.
        hint: what names start with.
        scope: the graph.
        ctx: for names.
    """
    scheme = parameters.scheme
    assert scheme.axis is not None
    zero_point = parameters.zero_point
    placement = Placement(scope)

    def put(array: Array, kind: DataType, part: str) -> Value:
        held = make_tensor(array.astype(kind.numpy()), kind)
        return placement.add_constant(held, ctx.names.fresh(f"{hint}_{part}"))

    kind = scheme.code.dtype
    zeros = put(zero_point, kind, "zero_point") if zero_point.any() else None
    return StoredCodes(
        put(codes, kind, "codes"),
        put(parameters.scale, dtype, "scale"),
        zeros,
        scheme.axis,
        scheme.block,
        dtype,
        tuple(codes.shape),
    )


def by_column(parameters: Parameters) -> Parameters:
    """Parameters of a matrix in blocks of rows; a lone block as a scale for each column.

    That says the same, and more opsets and runtimes know it.
    """
    if parameters.scale.shape[0] != 1:
        return parameters
    scheme = dataclasses.replace(parameters.scheme, axis=1, block=None)
    return Parameters(scheme, parameters.scale.reshape(-1), parameters.zero_point.reshape(-1))


def decode_weight(layer: Layer, held: StoredCodes, ctx: Context) -> None:
    """Let a layer read what codes stand for, through a DequantizeLinear of its own.

    Runtimes fuse the two only where the node has no other reader.
    """
    name = ctx.names.fresh(f"{layer.held.name}_dequantized")
    output = Value(name=name, type=TensorType(held.dtype), shape=Shape(held.shape))
    node = _dequantize(held.codes, held.scale, held.zero_point, held.axis, held.block, output)
    node.meta[SOURCES] = sources_of(layer.node)
    layer.scope.graph.insert_before(layer.node, node)
    layer.use(output)


def decode_rows(layer: Layer, held: StoredCodes, ctx: Context) -> None:
    """Let a Gather pick codes and scales, and decode only what it picked.

    The codes are symmetric, in blocks along the second axis.
    """
    node, result = layer.node, layer.node.outputs[0]
    indices = operand(node, 1)
    made: list[Node] = []

    def pick(table: Value) -> Value:
        picked = Node("", "Gather", [table, indices], convert_attributes({"axis": 0}))
        made.append(picked)
        return picked.outputs[0]

    output = Value(type=TensorType(held.dtype), shape=result.shape)
    codes, scale = pick(held.codes), pick(held.scale)
    made.append(_dequantize(codes, scale, None, -1, held.block, output))
    placement = Placement(layer.scope)
    for item in made:
        item.meta[SOURCES] = sources_of(node)
        placement.name_outputs(item, result, ctx.names)
    layer.scope.graph.insert_before(node, made)
    replace_value(result, output, fresh=True)
    layer.scope.graph.remove(node, safe=True)


def _dequantize(
    codes: Value,
    scale: Value,
    zero_point: Value | None,
    axis: int,
    block: int | None,
    output: Value,
) -> Node:
    settings: dict[str, int] = {"axis": axis}
    if block is not None:
        settings["block_size"] = block
    inputs = [codes, scale] if zero_point is None else [codes, scale, zero_point]
    return Node("", "DequantizeLinear", inputs, convert_attributes(settings), outputs=[output])
