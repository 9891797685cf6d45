"""The vector that is added to a MatMul must not make a float Gemm of both."""

from __future__ import annotations

from burnish.ir import Node, Value, constant_array
from burnish.passdef import Context
from burnish_passes.quantize.pairs import Pairs
from burnish_passes.quantize.placement import Placement, only_reader

__all__ = ["keep_bias_apart"]


def keep_bias_apart(product: Node, placed: Placement, pairs: Pairs) -> None:
    """Write the vector added to a MatMul as a row, where ONNX Runtime would make a Gemm of both.

    Of a MatMul of three or more axes whose sizes are all known and the vector added to it, ONNX
    Runtime makes Reshape and Gemm before it looks for codes (``MatMulAddFusion``, level 1), and no
    integer kernel is left, unless the sum becomes codes. It leaves ``[1, N]`` alone.

    Args:
        product: a MatMul on codes.
        placed: what else is on codes.
        pairs: writes the constant.
    """
    reader = only_reader(product.outputs[0])
    if reader is None or reader.op_type != "Add" or reader.domain != "":
        return
    if _only_codes_read(reader.outputs[0], placed) or not _is_known(product, pairs.ctx):
        return
    index = 1 if reader.inputs[0] is product.outputs[0] else 0
    array = constant_array(reader.inputs[index])
    if array is not None and array.ndim == 1:
        pairs.replace_constant(reader, index, array.reshape(1, -1))


def _only_codes_read(value: Value, placed: Placement) -> bool:
    """Whether a QuantizeLinear is all that will read ``value``."""
    if value not in placed.codes or value.is_graph_output():
        return False
    return all(use.idx in placed.inputs.get(use.node, ()) for use in value.uses())


def _is_known(product: Node, ctx: Context) -> bool:
    shape = ctx.shapes.shape(product.outputs[0])
    return shape is not None and len(shape) > 2 and all(isinstance(size, int) for size in shape)
