"""When ONNX Runtime makes an integer kernel of an operator between Dequantize- and QuantizeLinear.

A static check of the conditions of its selectors (``qdq_selectors.cc``, version 1.31), each of which
was tried; where one is not met, it is the reason why a layer stays on floats.
"""

from __future__ import annotations

from typing import Final

from burnish.ir import DataType, Model, Node, Value, all_nodes, attribute, constant
from burnish.quantized_target import Quantization

__all__ = ["holds_codes", "is_product", "why_not_integer"]

PRODUCTS: Final = frozenset(
    {"Conv", "ConvInteger", "DynamicQuantizeMatMul", "Gemm", "MatMul", "MatMulInteger"}
    | {"MatMulIntegerToFloat", "MatMulNBits", "QGemm", "QLinearConv", "QLinearMatMul"}
)
_CODES: Final = PRODUCTS - {"Conv", "Gemm", "MatMul"} | {
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "QuantizeLinear",
}
_EIGHT_BITS: Final = frozenset({DataType.INT8, DataType.UINT8})
_DOMAINS: Final = frozenset({"", "com.microsoft"})


def is_product(node: Node) -> bool:
    """Whether it is a convolution or matrix product, of numbers or codes."""
    return node.op_type in PRODUCTS and node.domain in _DOMAINS


def holds_codes(model: Model) -> bool:
    """Whether anything in the model is quantized."""
    return any(node.op_type in _CODES and node.domain in _DOMAINS for node in all_nodes(model))


def why_not_integer(node: Node, wanted: Quantization, runs_as: str) -> str:
    """Why the runtime does not compute ``node`` on integers, though it runs it as ``runs_as``."""
    if not runs_as:
        return "the runtime computed it when loading, or made it part of another operator"
    if node.op_type not in ("Conv", "Gemm", "MatMul"):
        return "the runtime has no kernel for these types"
    return (
        _why_not_operands(node, wanted)
        or _why_not_result(node)
        or "all conditions known to us are met, but the runtime did not"
    )


def _why_not_operands(node: Node, wanted: Quantization) -> str:
    data, weight = (_dequantizer(value) for value in node.inputs[:2])
    if data is None and weight is None:
        return "neither operand is quantized"
    if data is None:
        return "only its weight is quantized"
    if weight is None:
        return "its second operand is not quantized"
    for quantizer in (data, weight):
        if any(constant(value) is None for value in quantizer.inputs[1:] if value is not None):
            return "a scale or zero point is computed when the model runs"
    data_type, weight_type = _code_type(data), _code_type(weight)
    if data_type not in _EIGHT_BITS or weight_type not in _EIGHT_BITS:
        return "its codes are not of 8 bits"
    if data_type == DataType.INT8 and wanted.activations == "uint8":
        return "its int8 codes cannot be made uint8, as this processor needs them"
    if data_type == DataType.INT8 and weight_type != DataType.INT8:
        return "int8 values need int8 weights"
    scale = data.inputs[1]
    if scale is not None and (held := constant(scale)) is not None and held.size != 1:
        return "what it reads has more than one scale"
    return _why_not_bias(node)


def _why_not_bias(node: Node) -> str:
    if node.op_type == "Gemm" and attribute(node, "alpha", 1.0) != 1.0:
        return "its alpha is not 1"
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None:
        return ""
    if node.op_type == "Gemm" and attribute(node, "beta", 1.0) != 1.0:
        return "its beta is not 1"
    quantizer = _dequantizer(bias)
    if quantizer is None:
        return "" if constant(bias) is not None else "its bias is computed when the model runs"
    if _code_type(quantizer) != DataType.INT32:
        return "the codes of its bias are not int32"
    return ""


def _why_not_result(node: Node) -> str:
    value, bound = node.outputs[0], ""
    reader = _only_reader(value)
    if reader is not None and reader.op_type in ("Clip", "Relu"):
        value, bound = reader.outputs[0], reader.op_type
        reader = _only_reader(value)
    if reader is not None and reader.op_type == "QuantizeLinear":
        data = _dequantizer(node.inputs[0])
        if data is not None and _code_type(data) != _code_type(reader):
            return "the types of codes before and after it differ"
        if bound:
            return f"the codes after it do not bound as the {bound} does"
        return ""
    if reader is not None and reader.op_type == "Add" and node.op_type == "MatMul":
        return "the runtime makes one float operator of it and what is added to it"
    if bound and not value.is_graph_output():
        return f"a {bound} follows it, and no QuantizeLinear after that"
    if node.op_type != "Conv":
        return ""
    if node.outputs[0].is_graph_output():
        return "its result is an output of the model, and not quantized"
    if len(value.uses()) > 1:
        return "its result is read by others than a QuantizeLinear"
    return "its result is not quantized"


def _only_reader(value: Value) -> Node | None:
    uses = value.uses()
    if len(uses) != 1 or value.is_graph_output():
        return None
    return next(iter(uses)).node


def _dequantizer(value: Value | None) -> Node | None:
    producer = None if value is None else value.producer()
    return producer if producer is not None and producer.op_type == "DequantizeLinear" else None


def _code_type(node: Node) -> DataType | None:
    """The type of the codes a Quantize- or DequantizeLinear makes or reads."""
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    held = constant(zero)
    if held is not None:
        return held.dtype
    value = node.outputs[0] if node.op_type == "QuantizeLinear" else node.inputs[0]
    return None if value is None else value.dtype or DataType.UINT8
