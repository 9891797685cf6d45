"""Codes that are turned into numbers and back are the same codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import as_result
from burnish_passes.quantize.parameters import codes_survive, same_parameters


@dataclass(frozen=True)
class CancelRequantize(Rule):
    """Drop a DequantizeLinear followed by a QuantizeLinear with the same parameters.

    ``Q(DQ(q, s, z), s, z) => q``, and so ``Q, DQ, Q, DQ => Q, DQ``. The pair in the other order
    rounds, and stays.

    Before::

        agraph (float[2] x) => (float[2] y) {
            s = Constant <value = float {0.5}> ()
            z = Constant <value = uint8 {3}> ()
            t = Constant <value = float {0.5}> ()
            a = QuantizeLinear(x, s, z)
            b = DequantizeLinear(a, s, z)
            c = QuantizeLinear(b, t, z)
            y = DequantizeLinear(c, t, z)
        }

    After::

        agraph (float[2] x) => (float[2] y) {
            s = Constant <value = float {0.5}> ()
            z = Constant <value = uint8 {3}> ()
            t = Constant <value = float {0.5}> ()
            a = QuantizeLinear(x, s, z)
            y = DequantizeLinear(a, t, z)
        }

    Other parameters mean another code:

    Before::

        agraph (uint8[2] q) => (uint8[2] y) {
            s = Constant <value = float {0.5}> ()
            t = Constant <value = float {0.25}> ()
            z = Constant <value = uint8 {3}> ()
            a = DequantizeLinear(q, s, z)
            y = QuantizeLinear(a, t, z)
        }

    After::

        agraph (uint8[2] q) => (uint8[2] y) {
            s = Constant <value = float {0.5}> ()
            t = Constant <value = float {0.25}> ()
            z = Constant <value = uint8 {3}> ()
            a = DequantizeLinear(q, s, z)
            y = QuantizeLinear(a, t, z)
        }

    BITWISE: integer codes of at most 16 bits survive the two roundings of float32, of at most 8
    bits those of float16, if the scale is a normal number and the product does not overflow. Scale
    and zero point are compared by value, and must be constants. Catalogue rows G1 and G2. Source:
    ONNX operator specifications of QuantizeLinear and DequantizeLinear.
    """

    name: ClassVar[str] = "cancel-requantize"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, x: Any) -> Any:
        numbers = op.DequantizeLinear(x, ..., _name="dequantize", _shared=True)
        return op.QuantizeLinear(numbers, ..., _name="quantize")

    def when(self, m: Match) -> None:
        first, then = m.node("dequantize"), m.node("quantize")
        m.require(same_parameters(m, first, then), "it changes scale, zero point, axis or type")
        plain = "output_dtype" not in first.attributes and "precision" not in then.attributes
        m.require(plain, "it calculates in another type")
        m.require(codes_survive(m, first), "the scale may lose the code")

    def after(self, op: Any, m: Match) -> Any:
        return as_result(op, m, m["x"])
