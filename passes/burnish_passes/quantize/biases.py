"""The biases of layers computed on codes: finding them, and shifting them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from burnish.ir import Array, DataType, Node, Scope, Value, attribute, constant, constant_array
from burnish.passdef import Context
from burnish_passes.proofs import operand
from burnish_passes.quantize.channels import put_constant
from burnish_passes.quantize.parameters import reads_codes

__all__ = ["Bias", "bias_of"]


@dataclass(frozen=True)
class Bias:
    """What is added to each channel of a layer's results.

    Attributes:
        node: the node that reads the constant: the layer, an Add, or a DequantizeLinear.
        index: which input of it the constant is.
        step: what one unit of the constant stands for: 1 for numbers, the scale for codes.
        factor: what the layer multiplies its bias by.
    """

    node: Node
    index: int
    step: Array
    factor: float = 1.0

    def shifted(self, shift: Array) -> Array:
        """The constant after ``shift`` is added to the results, ``[C]`` in the constant's units."""
        held = constant(self.node.inputs[self.index])
        assert held is not None  # as bias_of saw
        units = shift / self.factor / self.step
        if not held.dtype.is_integer():
            return held.numpy().astype(np.float64) + units
        codes = held.numpy().astype(np.int64) + np.rint(units).astype(np.int64)
        limits = np.iinfo(np.int32)
        return np.clip(codes, limits.min, limits.max)

    def shift(self, shift: Array, scope: Scope, ctx: Context) -> None:
        """Write the shifted constant."""
        held = constant(self.node.inputs[self.index])
        assert held is not None  # as above
        put_constant(scope, ctx, self.node, self.index, self.shifted(shift), held.dtype)

    def rounded(self, shift: Array) -> Array:
        """What of ``shift`` the constant can express, ``[C]``."""
        held = constant(self.node.inputs[self.index])
        assert held is not None  # as above
        if not held.dtype.is_integer():
            return shift
        unit = self.step * self.factor
        found: Array = np.rint(shift / unit) * unit
        return found


def bias_of(layer: Node) -> Bias | str:
    """The bias of a layer, or why there is none that can be shifted."""
    if layer.op_type == "MatMul":
        return _added(layer)
    value = operand(layer, 2)
    if value is None:
        return "it has no bias"
    factor: float = attribute(layer, "beta", 1.0) if layer.op_type == "Gemm" else 1.0
    if factor == 0.0:
        return "its bias counts for nothing"
    return _held(layer, 2, value, factor)


def _added(layer: Node) -> Bias | str:
    """What an Add after a MatMul adds."""
    result = layer.outputs[0]
    readers = result.consumers()
    if result.is_graph_output() or len(readers) != 1 or readers[0].op_type != "Add":
        return "it has no bias"
    add = readers[0]
    for index in (0, 1):
        value = add.inputs[index]
        if value is not None and value is not result:
            return _held(add, index, value, 1.0)
    return "it has no bias"


def _held(node: Node, index: int, value: Value, factor: float) -> Bias | str:
    array = constant_array(value)
    if array is not None:
        return _per_channel(array, Bias(node, index, np.ones(()), factor))
    decoder = reads_codes(value)
    codes = None if decoder is None else constant(operand(decoder, 0))
    scale = None if decoder is None else constant_array(operand(decoder, 1))
    if decoder is None or codes is None or scale is None:
        return "its bias is no constant"
    if codes.dtype != DataType.INT32:
        return "its bias is a code of few bits"
    if len(decoder.outputs[0].uses()) > 1:
        return "its bias has another reader"
    return _per_channel(codes.numpy(), Bias(decoder, 0, scale.astype(np.float64), factor))


def _per_channel(array: Array, bias: Bias) -> Bias | str:
    return bias if array.ndim == 1 else "its bias is not one number for each channel"
