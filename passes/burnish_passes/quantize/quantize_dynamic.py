"""Products of integers, with the range of the other operand measured when the model runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np

from burnish.graph import SOURCES, Placement, remove_unread, replace_value, sources_of
from burnish.ir import (
    Array,
    DataType,
    Model,
    Node,
    Value,
    attribute,
    constant,
    constant_array,
    convert_attributes,
    make_tensor,
)
from burnish.passdef import Context, Exactness, Pass
from burnish.quantization import CODE_TYPES, Parameters, Scheme, encode, parameters_of
from burnish_passes.proofs import operand
from burnish_passes.quantize.dynamic_lstm import quantize_lstm
from burnish_passes.quantize.layers import Layer, Selection, drop_unread_constant
from burnish_passes.quantize.pair_sums import may_overflow

_SINCE: Final = 11
"""The opset that brought DynamicQuantizeLinear."""
_LEAST_SAVED: Final = 64


@dataclass(frozen=True)
class QuantizeDynamic(Pass):
    """Compute products with constant weights on codes of 8 bits.

    ``MatMul(x, w) => Cast(MatMulInteger(xq, wq)) * (xs * ws)`` with
    ``xq, xs, xz = DynamicQuantizeLinear(x)``; a Gemm adds its bias after that.

    Before::

        agraph (float[B,8] x) => (float[B,4] y)
            <float[8,4] w = {127, 0, 0, 127, 0, 127, 0, 0, 0, 0, 127, 0, 3, 0, 0, 1, 0, 5, 0, 0,
                             0, 0, 8, 0, 2, 0, 0, 4, 0, 6, 0, 0}> {
            y = MatMul(x, w)
        }

    After::

        agraph (float[B,8] x) => (float[B,4] y)
            <int8[8,4] codes = {127, 0, 0, 127, 0, 127, 0, 0, 0, 0, 127, 0, 3, 0, 0, 1, 0, 5, 0, 0,
                                0, 0, 8, 0, 2, 0, 0, 4, 0, 6, 0, 0}, float[4] scale = {1, 1, 1, 1}> {
            xq, xs, xz = DynamicQuantizeLinear(x)
            sums = MatMulInteger(xq, codes, xz)
            numbers = Cast <to = 1> (sums)
            steps = Mul(xs, scale)
            y = Mul(numbers, steps)
        }

    Needs no calibration data. ONNX Runtime fuses this to DynamicQuantizeMatMul, or to
    MatMulIntegerToFloat where several products share an operand, which is then quantized once.
    Weights have a scale for each column. On targets that sum pairs of products in 16 bits, weights
    that could overflow there become unsigned codes, for which no kernel does so.

    An LSTM becomes DynamicQuantizeLSTM of ``com.microsoft`` when the target says ``native=yes``.
    A Conv stays: nothing is fused there, and it takes longer than in float32.

    LOSSY. Source: ONNX operator specifications of DynamicQuantizeLinear and MatMulInteger; scales
    as Jacob et al., 2018.

    Attributes:
        only: operators: Gemm, LSTM, MatMul.
        exclude: patterns of layer or weight names, ``?`` for any character, a slash too.
        force: also Conv, though it is slower.
    """

    name: ClassVar[str] = "quantize-dynamic"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    counted: ClassVar[bool] = True
    only: tuple[str, ...] = ("Gemm", "LSTM", "MatMul")
    exclude: tuple[str, ...] = ()
    force: bool = False

    def run(self, model: Model, ctx: Context) -> None:
        """Quantize layer by layer."""
        kinds = (*self.only, "Conv")
        wanted = Selection(tuple(kind for kind in kinds if kind != "LSTM"), self.exclude)
        shared: dict[tuple[int, Value], Sequence[Value]] = {}
        for layer in list(wanted.layers(model, ctx, self.name)):
            why = self._why_not(layer, ctx)
            if why is not None:
                ctx.declined(self.name, layer.node, why)
                continue
            _Product(layer, ctx, shared, self.name).carry_out()
        if "LSTM" in self.only:
            quantize_lstm(self.name, self.exclude, model, ctx)

    def _why_not(self, layer: Layer, ctx: Context) -> str | None:
        node, held = layer.node, layer.held
        if node.op_type == "Conv" and not self.force:
            return "no runtime fuses this for a Conv, so it would be slower; force=true does it"
        if layer.dtype != DataType.FLOAT:
            return "DynamicQuantizeLinear takes float32 only"
        if layer.scope.opsets.get("", 0) < _SINCE:
            return f"DynamicQuantizeLinear needs opset {_SINCE}: raise-opset"
        for op_type in ("DynamicQuantizeLinear", _INTEGER[node.op_type]):
            if not ctx.target.limits.welcomes(op_type):
                return f"{ctx.target.name} has no good kernel for {op_type}"
        array = layer.weight
        if layer.is_product and array.ndim != 2:
            return f"its weight has {array.ndim} axes, not 2"
        if not array.size or not np.isfinite(array).all():
            return "its weight is empty or not finite"
        if node.op_type == "Gemm" and attribute(node, "transA", 0):
            return "the Gemm turns its first operand"
        if node.op_type == "Gemm" and attribute(node, "beta", 1.0) != 1.0 and operand(node, 2):
            return "the Gemm has a factor for its bias: fold-gemm-factors"
        if node.op_type == "Conv" and operand(node, 2) and constant(operand(node, 2)) is None:
            return "its bias is known only when the model runs"
        others = [use for use in held.uses() if use.node is not node]
        if others or held.is_graph_output():
            return f"{held.name} has another reader and would be held twice"
        columns = array.shape[-1] if layer.is_product else array.shape[0]
        saved = 3 * array.size - 4 * columns
        return f"it would save {max(saved, 0)} bytes" if saved < _LEAST_SAVED else None


_INTEGER: Final = {"Conv": "ConvInteger", "Gemm": "MatMulInteger", "MatMul": "MatMulInteger"}


@dataclass
class _Product:
    """One layer that becomes a product of integers."""

    layer: Layer
    ctx: Context
    shared: dict[tuple[int, Value], Sequence[Value]]
    rule: str
    made: list[Node] = field(default_factory=list)

    def carry_out(self) -> None:
        """Replace the layer, if there is fuel."""
        layer, node = self.layer, self.layer.node
        weight = layer.weight.astype(np.float32)
        axis = 1 if layer.is_product else 0
        parameters = parameters_of(weight, Scheme(CODE_TYPES["int8"], True, axis))
        codes = encode(weight, parameters)
        unsigned = self.ctx.target.limits.saturating_int8 and may_overflow(codes, axis)
        why = "unsigned weights, as sums of pairs could overflow here" if unsigned else ""
        if not self.ctx.applies(self.rule, node, why):
            return
        result = node.outputs[0]
        x = operand(node, 0)
        assert x is not None
        taken, step, zero = self._quantized(x)
        sums = self._sums(taken, zero, codes, unsigned)
        numbers = self._node("Cast", [sums], to=int(DataType.FLOAT))
        scale = self._scale(parameters, codes.ndim)
        steps = self._node("Mul", [step, scale])
        output = self._node("Mul", [numbers, steps])
        bias = self._bias(codes.ndim)
        if bias is not None:
            output = self._node("Add", [output, bias])
        placement = Placement(layer.scope)
        for item in self.made:
            item.meta[SOURCES] = sources_of(node)
            if item is not output.producer():
                placement.name_outputs(item, result, self.ctx.names)
        layer.scope.graph.insert_before(node, self.made)
        replace_value(result, output, fresh=True)
        remove_unread([node])
        drop_unread_constant(layer.held)

    def _node(
        self, op_type: str, inputs: list[Value | None], outputs: int = 1, **settings: object
    ) -> Value:
        made = Node("", op_type, inputs, convert_attributes(settings), num_outputs=outputs)
        self.made.append(made)
        return made.outputs[0]

    def _quantized(self, x: Value) -> Sequence[Value]:
        """Codes, scale and zero point of ``x``, of one node for all that read it."""
        key = id(self.layer.scope.graph), x
        if key not in self.shared:
            first = self._node("DynamicQuantizeLinear", [x], outputs=3)
            node = first.producer()
            assert node is not None
            self.shared[key] = node.outputs
        return self.shared[key]

    def _sums(self, taken: Value, zero: Value, codes: Array, unsigned: bool) -> Value:
        layer = self.layer
        kind = DataType.UINT8 if unsigned else DataType.INT8
        lift = 128 if unsigned else 0
        inputs: list[Value | None] = [taken, self._constant(codes + lift, kind, "codes"), zero]
        if unsigned:
            # One for each column: kernels that fuse the product want what the scale has.
            count = codes.shape[-1] if layer.is_product else 1
            point = np.full(count if layer.is_product else (), lift)
            inputs.append(self._constant(point, kind, "zero_point"))
        op_type = _INTEGER[layer.node.op_type]
        if layer.is_product:
            return self._node(op_type, inputs)
        made = Node("", op_type, inputs, list(layer.node.attributes.values()))
        self.made.append(made)
        return made.outputs[0]

    def _scale(self, parameters: Parameters, rank: int) -> Value:
        scale = parameters.scale
        if self.layer.node.op_type == "Gemm":
            scale = scale * np.float32(attribute(self.layer.node, "alpha", 1.0))
        return self._constant(self._along(scale, rank), DataType.FLOAT, "scale")

    def _bias(self, rank: int) -> Value | None:
        node = self.layer.node
        bias = operand(node, 2) if node.op_type != "MatMul" else None
        if bias is None or self.layer.is_product:
            return bias
        array = constant_array(bias)
        assert array is not None
        return self._constant(self._along(array, rank), DataType.FLOAT, "bias")

    def _along(self, array: Array, rank: int) -> Array:
        """A number for each channel, as it broadcasts to the result."""
        return array if self.layer.is_product else array.reshape(-1, *[1] * (rank - 2))

    def _constant(self, array: Array, kind: DataType, part: str) -> Value:
        held = make_tensor(np.asarray(array).astype(kind.numpy()), kind)
        name = self.ctx.names.fresh(f"{self.layer.held.name}_{part}")
        return Placement(self.layer.scope).add_constant(held, name)
