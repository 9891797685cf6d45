"""Moving codes instead of numbers brings quantized regions together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Attr, Node, Value, constant, convert_attributes
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.quantize.layout import (
    LAYOUT,
    SAME_SIZE,
    axis_after,
    axis_of_scale,
    comes_from_codes,
    gives_back,
    meets_weight_only_product,
    rebuilt,
    takes_codes,
    why_not_on_codes,
)
from burnish_passes.quantize.parameters import is_per_tensor, reads_codes, same_parameters


def _require_movable(m: Match, node: Node, quantizer: Node) -> None:
    why = why_not_on_codes(m, node, quantizer)
    m.require(why is None, why or "")


def _attributes(quantizer: Node, axis: int | None) -> list[Attr]:
    """The attributes of a Quantize- or DequantizeLinear, for a vector of scales along ``axis``."""
    if axis is None:
        return list(quantizer.attributes.values())
    kept = [attr for name, attr in quantizer.attributes.items() if name != "axis"]
    return [*kept, *convert_attributes({"axis": axis})]


class PushDequantize(Rule):
    """``move(DQ(q)) => DQ(move(q))`` where that helps a reader, or ``q`` is constant."""

    def before(self, op: Any, x: Any) -> Any:
        numbers = op.DequantizeLinear(x, ..., _name="dequantize", _shared=True)
        return op.either(*LAYOUT)(numbers, ..., _name="move")

    def when(self, m: Match) -> None:
        node, quantizer = m.node("move"), m.node("dequantize")
        result, numbers = node.outputs[0], quantizer.outputs[0]
        m.suppose(node.inputs[0] is numbers)
        if len(numbers.uses()) > 1 or numbers.is_graph_output():
            # It stays for its other readers, so another one has to go.
            m.suppose(gives_back(m, result, quantizer))
        else:
            helps = constant(m["x"]) is not None or takes_codes(m, result, quantizer)
            m.suppose(helps)
            m.require(
                not meets_weight_only_product(result),
                "a runtime may quantize the other operand of the product it would meet",
            )
        _require_movable(m, node, quantizer)

    def after(self, op: Any, m: Match) -> Any:
        node, quantizer = m.node("move"), m.node("dequantize")
        axis = None
        if not is_per_tensor(m, quantizer):
            m.require("block_size" not in quantizer.attributes, "it is quantized in blocks")
            axis = axis_after(m, node, axis_of_scale(m, quantizer))
        return op.DequantizeLinear(
            rebuilt(op, node, m["x"]),
            *quantizer.inputs[1:],
            _attributes=_attributes(quantizer, axis),
        )


class JoinCodes(Rule):
    """``Concat(DQ(p), DQ(q)) => DQ(Concat(p, q))`` where all have the same parameters."""

    def before(self, op: Any) -> Any:
        return op.Concat(..., _name="concat")

    def when(self, m: Match) -> None:
        found = [reads_codes(value) for value in m.root.inputs]
        m.suppose(len(found) > 1 and None not in found)
        self.require_alike(m, [node for node in found if node is not None])

    def require_alike(self, m: Match, quantizers: list[Node]) -> None:
        """Decline unless one DequantizeLinear can do what these do."""
        first = quantizers[0]
        here = m.root.graph
        shared = any(
            len(set(value.consumers())) > 1 or value.is_graph_output() or node.graph is not here
            for node in quantizers
            for value in node.outputs
        )
        if shared:
            m.suppose(gives_back(m, m.root.outputs[0], first))
        m.require(is_per_tensor(m, first), "it is quantized by channels or blocks")
        m.require(
            all(same_parameters(m, first, node) for node in quantizers),
            "scale, zero point or type of its operands differ",
        )
        _require_movable(m, m.root, first)

    def after(self, op: Any, m: Match) -> Any:
        quantizers = [reads_codes(value) for value in m.root.inputs]
        codes: list[Value | None] = []
        for node in quantizers:
            assert node is not None
            if node not in m.included:
                m.include(node)
            codes.append(node.inputs[0])
        first = quantizers[0]
        assert first is not None
        joined = op.Concat(*codes, _attributes=m.root.attributes.values())
        return op.DequantizeLinear(joined, *first.inputs[1:], _attributes=first.attributes.values())


class PullQuantize(Rule):
    """``Q(move(x)) => move(Q(x))`` where ``x`` is calculated from codes."""

    def before(self, op: Any, x: Any) -> Any:
        return op.QuantizeLinear(op.either(*SAME_SIZE)(x, ..., _name="move"), ..., _name="quantize")

    def when(self, m: Match) -> None:
        node, quantizer = m.node("move"), m.node("quantize")
        m.suppose(node.inputs[0] is m["x"] and len(m["x"].uses()) == 1)
        m.suppose(not m["x"].is_graph_output() and comes_from_codes(m["x"]))
        m.require(is_per_tensor(m, quantizer), "it is quantized by channels or blocks")
        _require_movable(m, node, quantizer)

    def after(self, op: Any, m: Match) -> Any:
        quantizer = m.node("quantize")
        codes = op.QuantizeLinear(
            m["x"], *quantizer.inputs[1:], _attributes=quantizer.attributes.values()
        )
        return rebuilt(op, m.node("move"), codes)


@dataclass(frozen=True)
class PropagateQuantization(RuleSet):
    """Move codes rather than the numbers they stand for, where quantized regions then meet.

    ``move(DQ(q)) => DQ(move(q))`` and ``Q(move(x)) => move(Q(x))`` for Transpose, Reshape,
    Flatten, Squeeze, Unsqueeze, Slice, Gather, Expand, Tile and MaxPool;
    ``Concat(DQ(p), DQ(q)) => DQ(Concat(p, q))`` for one scale and zero point. The axis of a vector
    of scales goes along.

    DequantizeLinear only ever moves on, QuantizeLinear only back, so this ends. Each step has a
    reader, or a source, that gains: an operator that calculates on codes, a QuantizeLinear that
    cancels, a constant that can be moved at compile time, a DequantizeLinear less.

    Before::

        agraph (uint8[2,3] q, uint8[4,3] p) => (uint8[3,6] y) {
            s = Constant <value = float {0.5}> ()
            z = Constant <value = uint8 {3}> ()
            a = DequantizeLinear(q, s, z)
            b = DequantizeLinear(p, s, z)
            c = Concat <axis = 0> (a, b)
            t = Transpose <perm = [1, 0]> (c)
            y = QuantizeLinear(t, s, z)
        }

    After::

        agraph (uint8[2,3] q, uint8[4,3] p) => (uint8[3,6] y) {
            s = Constant <value = float {0.5}> ()
            z = Constant <value = uint8 {3}> ()
            c = Concat <axis = 0> (q, p)
            t = Transpose <perm = [1, 0]> (c)
            a = DequantizeLinear(t, s, z)
            y = QuantizeLinear(a, s, z)
        }

    The axis of the scales of a constant moves along:

    Before::

        agraph (float[3,2] x) => (float[3,2] y)
            <int8[2,3] w = {1, 2, 3, 4, 5, 6}, float[2] s = {0.5, 0.25}> {
            a = DequantizeLinear <axis = 0> (w, s)
            t = Transpose <perm = [1, 0]> (a)
            y = Add(x, t)
        }

    After::

        agraph (float[3,2] x) => (float[3,2] y)
            <int8[2,3] w = {1, 2, 3, 4, 5, 6}, float[2] s = {0.5, 0.25}> {
            t = Transpose <perm = [1, 0]> (w)
            a = DequantizeLinear <axis = 1> (t, s)
            y = Add(x, a)
        }

    The weight of a MatMul or Gemm whose other operand is not quantized stays apart from it: ONNX Runtime
    makes MatMulNBits of the pair, which by default rounds the other operand to 8 bits as well.

    BITWISE: each element is quantized, or dequantized, by itself; the greatest number has the
    greatest code, as scales are positive. AveragePool and linear Resize calculate, and are not
    among them. Catalogue row G4. Source: ONNX operator specifications of QuantizeLinear and
    DequantizeLinear.
    """

    name: ClassVar[str] = "propagate-quantization"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (PushDequantize, JoinCodes, PullQuantize)
