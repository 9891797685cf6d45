"""Operators that only move elements, and so do the same to codes as to numbers."""

from __future__ import annotations

from typing import Any, Final

from burnish.ir import Node, Value, attribute
from burnish.match import Match
from burnish_passes.movement.views import known_axes
from burnish_passes.proofs import operand, static_ints
from burnish_passes.quantize.parameters import (
    code_range,
    code_type,
    is_per_tensor,
    quantized_axis,
    reads_codes,
    same_parameters,
    scales,
)

__all__ = [
    "LAYOUT",
    "SAME_SIZE",
    "axis_after",
    "axis_of_scale",
    "comes_from_codes",
    "gives_back",
    "meets_weight_only_product",
    "rebuilt",
    "takes_codes",
    "why_not_on_codes",
]

SAME_SIZE: Final = ("Flatten", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Those that may do their work on a quantized result without making the quantization longer;
MaxPool is here because it mostly follows a convolution."""
LAYOUT: Final = (*SAME_SIZE, "Expand", "Gather", "Slice", "Tile")
_CALCULATES: Final = frozenset({"Add", "Conv", "ConvTranspose", "Gemm", "MatMul", "Mul"})
"""Operators that runtimes compute on codes when all their operands are dequantized."""
_FARTHEST: Final = 8


def why_not_on_codes(m: Match, node: Node, quantizer: Node) -> str | None:
    """Why ``node`` may not work on the codes of ``quantizer`` instead of the numbers."""
    extent = code_range(code_type(m, quantizer))
    if extent is None or extent[1] - extent[0] < 255:
        return "only codes of 8 and 16 bits can be moved everywhere"
    if any(output.name for output in node.outputs[1:]):
        return "it has a second result"
    if node.op_type != "MaxPool":
        return None
    scale = scales(quantizer)
    if m.opset < 12 or extent[1] - extent[0] != 255:
        return "MaxPool of codes needs opset 12 and 8 bits"
    if scale is None or not bool((scale > 0).all()) or not is_per_tensor(m, quantizer):
        return "MaxPool of codes needs one positive scale"
    return None


def rebuilt(op: Any, node: Node, x: Value) -> Value:
    """The same operator applied to ``x``."""
    made: Value = getattr(op, node.op_type)(
        x, *node.inputs[1:], _attributes=node.attributes.values()
    )
    return made


def axis_after(m: Match, node: Node, axis: int) -> int:
    """Where ``axis`` of the operand is in the result; declines when it is cut, merged or moved."""
    if node.op_type == "Transpose":
        rank = len(m.shape_of(node.outputs[0]))
        perm: tuple[int, ...] = attribute(node, "perm", tuple(reversed(range(rank))))
        return perm.index(axis)
    if node.op_type in ("Squeeze", "Unsqueeze"):
        return _axis_after_view(m, node, axis)
    if node.op_type == "Slice":
        axes = static_ints(m, node, "axes", 3)
        rank = len(m.shape_of(node.outputs[0]))
        known = axes is not None and axis not in {item % rank for item in axes}
        m.require(known, "the Slice may cut the quantized axis")
        return axis
    if node.op_type == "Gather":
        return _axis_after_gather(m, node, axis)
    m.decline(f"{node.op_type} may change the quantized axis")


def _axis_after_view(m: Match, node: Node, axis: int) -> int:
    axes = known_axes(m, node)
    if axes is None:
        m.decline(f"the axes of the {node.op_type} are not known")
    if node.op_type == "Squeeze":
        m.require(axis not in axes, "the Squeeze removes the quantized axis")
        return axis - sum(item < axis for item in axes)
    for item in axes:  # positions in the result, ascending
        axis += item <= axis
    return axis


def _axis_after_gather(m: Match, node: Node, axis: int) -> int:
    table, indices = node.inputs[0], node.inputs[1]
    assert table is not None
    assert indices is not None
    along = attribute(node, "axis", 0) % len(m.shape_of(table))
    m.require(axis != along, "the Gather picks along the quantized axis")
    return axis if axis < along else axis + len(m.shape_of(indices)) - 1


def takes_codes(m: Match, value: Value, quantizer: Node, depth: int = _FARTHEST) -> bool:
    """Whether every reader of ``value`` gains when codes come nearer.

    It calculates on them, is a QuantizeLinear that would give them back, or moves them on to one.
    """
    if depth == 0 or value.is_graph_output() or not value.uses():
        return False
    return all(
        use.node.graph is m.root.graph and _gains(m, use.node, value, quantizer, depth)
        for use in value.uses()
    )


def gives_back(m: Match, value: Value, quantizer: Node, depth: int = _FARTHEST) -> bool:
    """Whether only a QuantizeLinear like ``quantizer`` reads ``value``, perhaps after moves."""
    uses = value.uses()
    if depth == 0 or value.is_graph_output() or len(uses) != 1:
        return False
    reader = next(iter(uses)).node
    if reader.domain != "" or reader.graph is not m.root.graph:
        return False
    if reader.op_type == "QuantizeLinear":
        return is_per_tensor(m, quantizer) and same_parameters(m, reader, quantizer)
    return _moves(m, reader, value, quantizer) and gives_back(
        m, reader.outputs[0], quantizer, depth - 1
    )


def _moves(m: Match, reader: Node, value: Value, quantizer: Node) -> bool:
    if reader.op_type not in LAYOUT or operand(reader, 0) is not value:
        return False
    return why_not_on_codes(m, reader, quantizer) is None


def _gains(m: Match, reader: Node, value: Value, quantizer: Node, depth: int) -> bool:
    if reader.domain != "":
        return False
    if reader.op_type in _CALCULATES:
        others = [item for item in reader.inputs[:2] if item is not value]
        return all(reads_codes(item) is not None for item in others)
    if reader.op_type == "QuantizeLinear":
        return is_per_tensor(m, quantizer) and same_parameters(m, reader, quantizer)
    if not _moves(m, reader, value, quantizer):
        return False
    return takes_codes(m, reader.outputs[0], quantizer, depth - 1)


def meets_weight_only_product(value: Value, depth: int = _FARTHEST) -> bool:
    """Whether a MatMul or Gemm reads ``value``, perhaps moved, and a number that is no code."""
    for reader in value.consumers():
        if reader.op_type in ("Gemm", "MatMul"):
            others = (item for item in reader.inputs[:2] if item is not value)
            if any(reads_codes(item) is None for item in others):
                return True
        moved = depth > 0 and reader.op_type in LAYOUT
        if moved and meets_weight_only_product(reader.outputs[0], depth - 1):
            return True
    return False


def comes_from_codes(value: Value | None, depth: int = _FARTHEST) -> bool:
    """Whether ``value`` is calculated from dequantized operands, and perhaps moved."""
    node = None if value is None else value.producer()
    if node is None or node.domain != "" or depth == 0:
        return False
    if node.op_type in SAME_SIZE:
        only = len(node.outputs[0].uses()) == 1 and not node.outputs[0].is_graph_output()
        return only and comes_from_codes(node.inputs[0], depth - 1)
    if node.op_type not in _CALCULATES:
        return False
    return all(reads_codes(item) is not None for item in node.inputs[:2])


def axis_of_scale(m: Match, quantizer: Node) -> int:
    """The quantized axis of a node whose scale is a vector."""
    return quantized_axis(quantizer, len(m.shape_of(quantizer.outputs[0])))
