"""Convolutions and matrix products by a weight: which can be computed on codes, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from burnish.ir import Array, DataType, Graph, Node, Value, attribute, constant, constant_array
from burnish.passdef import Context
from burnish.quantization import CODE_TYPES, Parameters, Scheme, decode
from burnish.quantized_target import Quantization
from burnish_passes.proofs import operand
from burnish_passes.quantize.parameters import reads_codes

__all__ = ["OTHER_PRODUCTS", "Product", "is_linear", "numbers_of", "read_product"]

OTHER_PRODUCTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Attention": "it multiplies values with each other, and stays float",
        "ConvTranspose": "",
        "Einsum": "",
        "GRU": "",
        "LSTM": "",
        "RNN": "",
    }
)
"""Operators that multiply and may have no integer kernel, with what there is to say of them."""


@dataclass(frozen=True, eq=False)
class Product:
    """A convolution or matrix product that can be computed on codes.

    Attributes:
        node: the operator.
        data: the operand computed when the model runs.
        weight: the constant operand.
        bias: what is added, a constant vector of output channels; None when nothing is.
        channels: the axis of the weight that counts output channels; None when a scale for each
            is not possible.
        length: how many output channels there are.
    """

    node: Node
    data: Value
    weight: Value
    bias: Value | None
    channels: int | None
    length: int

    @property
    def weights(self) -> Array:
        """The numbers of the weight, float32, times the alpha of a Gemm."""
        found = numbers_of(self.weight)
        assert found is not None
        alpha = attribute(self.node, "alpha", 1.0) if self.node.op_type == "Gemm" else 1.0
        return found if alpha == 1.0 else (found * np.float32(alpha)).astype(np.float32)

    @property
    def biases(self) -> Array | None:
        """What is added, float64 ``[C]`` or ``[1]``, times the beta of a Gemm."""
        if self.bias is None:
            return None
        found = numbers_of(self.bias)
        assert found is not None
        beta = attribute(self.node, "beta", 1.0) if self.node.op_type == "Gemm" else 1.0
        return found.reshape(-1).astype(np.float64) * beta


def is_linear(node: Node) -> bool:
    """Whether ``node`` is a matrix product, whose integer kernels may write numbers."""
    return node.op_type in ("Gemm", "MatMul")


def numbers_of(value: Value | None) -> Array | None:
    """The float32 numbers ``value`` always holds; None when it varies.

    They may be there as they are, as codes, or transposed (an embedding that is also the last
    weight stays one constant).
    """
    producer = None if value is None else value.producer()
    if producer is not None and producer.op_type == "Transpose" and producer.domain == "":
        found = constant_array(producer.inputs[0])
        if found is None or found.dtype != np.float32:
            return None
        return found.transpose(attribute(producer, "perm"))
    node = reads_codes(value)
    if node is None:
        array = constant_array(value)
        return array if array is not None and array.dtype == np.float32 else None
    held, codes = constant(node.inputs[0]), constant_array(node.inputs[0])
    scale, zero = constant_array(operand(node, 1)), constant_array(operand(node, 2))
    if held is None or codes is None or scale is None or scale.dtype != np.float32:
        return None
    if zero is None and operand(node, 2) is not None:
        return None
    code = next((item for item in CODE_TYPES.values() if item.dtype == held.dtype), None)
    if code is None:
        return None
    zeros = np.zeros(scale.shape, np.int64) if zero is None else zero.astype(np.int64)
    if scale.size == 1:
        scheme, form = Scheme(code), ()
    else:
        block = attribute(node, "block_size", 0) or None
        scheme, form = Scheme(code, axis=attribute(node, "axis", 1), block=block), scale.shape
    parameters = Parameters(scheme, scale.reshape(form), zeros.reshape(form))
    return decode(codes.astype(np.int64), parameters)


def read_product(
    node: Node, graph: Graph, ctx: Context, wanted: Quantization, version: int
) -> Product | str:
    """The product that ``node`` is, or why it cannot be computed on codes.

    Args:
        node: an operator of a type in ``wanted.products``.
        graph: the main graph.
        ctx: for types and shapes.
        wanted: what the target wants.
        version: the opset of the model.
    """
    if node.graph is not graph:
        return "it stands in a subgraph or function"
    if version < 10:
        return f"opset {version} has no QuantizeLinear: raise it with raise-opset"
    if node.op_type == "MatMul" and constant(node.inputs[0]) is not None:
        return "its constant is the left operand"
    data, weight = node.inputs[0], node.inputs[1]
    assert data is not None
    assert weight is not None
    array = numbers_of(weight)
    why = _why_not_data(data, ctx) or _why_not_weight(weight, array)
    if why or array is None:
        return why
    why = _why_not_form(node, array, wanted)
    if why:
        return why
    bias = operand(node, 2) if node.op_type != "MatMul" else None
    channels = _channel_axis(node, array.ndim)
    outward = 1 if channels is None else array.shape[channels]
    why = "" if bias is None else _why_not_bias(bias, outward)
    vectors = wanted.per_channel and version >= 13
    return why or Product(node, data, weight, bias, channels if vectors else None, outward)


def _why_not_data(data: Value, ctx: Context) -> str:
    if reads_codes(data) is not None:
        return "it is quantized already"
    dtype = ctx.shapes.dtype(data)
    if dtype != DataType.FLOAT:
        name = "of unknown type" if dtype is None else dtype.name.lower()
        return f"its numbers are {name}, and codes stand for float"
    if constant(data) is not None:
        return "all its operands are constants"
    return ""


def _why_not_weight(weight: Value, array: Array | None) -> str:
    if weight.is_initializer() and weight.is_graph_input():
        return "callers may override its weight: freeze-initializers makes it constant"
    if array is None:
        return "its weight is computed when the model runs"
    if not array.size:
        return "its weight is empty"
    if not np.isfinite(array).all():
        return "its weight holds NaN or infinity"
    return ""


def _why_not_form(node: Node, array: Array, wanted: Quantization) -> str:
    if is_linear(node):
        if array.ndim and min(array.shape[-2:]) < wanted.fewest_columns:
            sides = " x ".join(map(str, array.shape))
            return f"a weight of {sides} is faster on numbers"
        return ""
    inward, outward = array.shape[1] * attribute(node, "group", 1), array.shape[0]
    if min(inward, outward) < wanted.fewest_channels:
        return f"a convolution of {inward} to {outward} channels is faster on numbers"
    return ""


def _why_not_bias(bias: Value, outward: int) -> str:
    if bias.is_initializer() and bias.is_graph_input():
        return "callers may override its bias: freeze-initializers makes it constant"
    added = numbers_of(bias)
    if added is None:
        return "what it adds is computed when the model runs"
    if not np.isfinite(added).all():
        return "its bias holds NaN or infinity"
    if added.size != 1 and (added.size != outward or added.shape[-1] != outward):
        return "what it adds is no vector of output channels"
    return ""


def _channel_axis(node: Node, rank: int) -> int | None:
    """The axis of the weight that counts output channels, from the front."""
    if node.op_type == "Gemm":
        return 0 if attribute(node, "transB", 0) else 1
    if node.op_type == "MatMul":
        return 1 if rank == 2 else None
    if node.op_type == "ConvTranspose":
        return 1 if attribute(node, "group", 1) == 1 else None
    return 0
