"""Codes can be padded as well as the numbers they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Node, Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.paddings import attribute_text, fill_value
from burnish_passes.proofs import operand
from burnish_passes.quantize.parameters import (
    code_range,
    code_type,
    codes_survive,
    is_per_tensor,
    offsets,
    same_parameters,
    scales,
)


@dataclass(frozen=True)
class PadCodes(Rule):
    """Pad codes rather than the numbers they stand for.

    ``Q(Pad(DQ(q), pads, c)) => Pad(q, pads, Q(c))`` for one scale and zero point.

    Before::

        agraph (uint8[2] q) => (uint8[4] y) {
            s = Constant <value = float {0.5}> ()
            z = Constant <value = uint8 {3}> ()
            pads = Constant <value = int64[2] {1, 1}> ()
            a = DequantizeLinear(q, s, z)
            b = Pad(a, pads)
            y = QuantizeLinear(b, s, z)
        }

    After::

        agraph (uint8[2] q) => (uint8[4] y) {
            pads = Constant <value = int64[2] {1, 1}> ()
            z = Constant <value = uint8 {3}> ()
            y = Pad(q, pads, z)
        }

    BITWISE: each element is quantized by itself, and the filling is quantized at compile time.
    Scale and zero point must be constants and the same on both sides. No runtime that we know of
    does this by itself, so an unquantized Pad between quantized layers would cost a pair of its
    own. Source: ONNX operator specifications of Pad and QuantizeLinear.
    """

    name: ClassVar[str] = "pad-codes"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, x: Any) -> Any:
        numbers = op.DequantizeLinear(x, ..., _name="dequantize", _shared=True)
        return op.QuantizeLinear(op.Pad(numbers, ..., _name="pad"), ..., _name="quantize")

    def when(self, m: Match) -> None:
        first, then, pad = m.node("dequantize"), m.node("quantize"), m.node("pad")
        m.suppose(pad.inputs[0] is first.outputs[0])
        m.require(m.opset >= 13, "Pad of codes needs opset 13")
        m.require(is_per_tensor(m, first), "it is quantized by channels or blocks")
        m.require(same_parameters(m, first, then), "it changes scale, zero point or type")
        plain = "output_dtype" not in first.attributes and "precision" not in then.attributes
        m.require(plain, "it calculates in another type")
        m.require(codes_survive(m, first), "the scale may lose the code")
        if attribute_text(pad, "mode", "constant") == "constant":
            m.require(fill_value(m, pad) is not None, "what it fills with is computed")

    def after(self, op: Any, m: Match) -> Any:
        pad, first = m.node("pad"), m.node("dequantize")
        inputs: list[Value | None] = [m["x"], pad.inputs[1]]
        axes = operand(pad, 3)
        if attribute_text(pad, "mode", "constant") == "constant":
            code, dtype = _filling(m, first, pad), code_type(m, first)
            inputs.append(op.constant(code, hint=f"{pad.outputs[0].name}_filling", dtype=dtype))
        elif axes is not None:
            inputs.append(None)
        if axes is not None:
            inputs.append(axes)
        return op.Pad(*inputs, _attributes=pad.attributes.values())


def _filling(m: Match, quantizer: Node, pad: Node) -> Array:
    """The code of what the Pad fills with."""
    scale, zero = scales(quantizer), offsets(quantizer)
    extent, filled = code_range(code_type(m, quantizer)), fill_value(m, pad)
    assert scale is not None
    assert zero is not None
    assert extent is not None
    assert filled is not None
    number = np.asarray(filled).astype(scale.dtype)
    code = np.rint(number / scale.reshape(())).astype(np.float64) + zero.reshape(())
    code = np.clip(np.nan_to_num(code, nan=float(zero.reshape(()))), *extent)
    small = np.uint8 if extent == (0, 255) else np.int8 if extent == (-128, 127) else None
    wide = np.uint16 if extent == (0, 65535) else np.int16
    return np.asarray(code).astype(small or wide)
