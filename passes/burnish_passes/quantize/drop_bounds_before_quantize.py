"""Saturation bounds a value anyway: Relu and Clip before it may be needless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np

from burnish.ir import Array, DataType, Node, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import operand
from burnish_passes.quantize.parameters import code_range, code_type, offsets, scales

_ROUNDS_AWAY: Final = 0.49
"""A bound this much inside the range still rounds to its end, when it is divided exactly."""
_EPSILON: Final[Mapping[DataType, float]] = MappingProxyType(
    {
        DataType.BFLOAT16: 2**-7,
        DataType.FLOAT16: 2**-10,
        DataType.FLOAT: 2**-23,
        DataType.DOUBLE: 2**-52,
    }
)
"""How far, relative to itself, a quotient may be off."""


@dataclass(frozen=True)
class DropBoundsBeforeQuantize(Rule):
    """Drop a Relu or Clip whose bounds the QuantizeLinear after it has as well.

    ``Q(Relu(x)) => Q(x)`` where the zero point is the least code, ``Q(Clip(x, a, b)) => Q(x)``
    where ``a`` gets the least and ``b`` the greatest code.

    Before::

        agraph (float[4] x, float[4] z) => (uint8[4] y, int8[4] w) {
            s = Constant <value = float {0.02}> ()
            low = Constant <value = uint8 {0}> ()
            mid = Constant <value = int8 {0}> ()
            a = Constant <value = float {-3.0}> ()
            b = Constant <value = float {3.0}> ()
            r = Relu(x)
            y = QuantizeLinear(r, s, low)
            c = Clip(z, a, b)
            w = QuantizeLinear(c, s, mid)
        }

    After::

        agraph (float[4] x, float[4] z) => (uint8[4] y, int8[4] w) {
            s = Constant <value = float {0.02}> ()
            low = Constant <value = uint8 {0}> ()
            mid = Constant <value = int8 {0}> ()
            y = QuantizeLinear(x, s, low)
            w = QuantizeLinear(z, s, mid)
        }

    With a zero point inside the range the Relu is needed:

    Before::

        agraph (float[4] x) => (int8[4] y) {
            s = Constant <value = float {0.02}> ()
            mid = Constant <value = int8 {0}> ()
            r = Relu(x)
            y = QuantizeLinear(r, s, mid)
        }

    After::

        agraph (float[4] x) => (int8[4] y) {
            s = Constant <value = float {0.02}> ()
            mid = Constant <value = int8 {0}> ()
            r = Relu(x)
            y = QuantizeLinear(r, s, mid)
        }

    BITWISE: QuantizeLinear is monotone and saturates, and both pass NaN on. Catalogue row G7.
    Source: ONNX operator specification of QuantizeLinear.
    """

    name: ClassVar[str] = "drop-bounds-before-quantize"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, x: Any, scale: Any) -> Any:
        bound = op.either("Clip", "Relu")(x, ..., _name="bound")
        return op.QuantizeLinear(bound, scale, ..., _name="quantize")

    def when(self, m: Match) -> None:
        quantize = m.node("quantize")
        extent = code_range(code_type(m, quantize))
        m.require(extent is not None, "only integer codes saturate at known numbers")
        scale, zero = scales(quantize), offsets(quantize)
        if extent is None or scale is None or zero is None:
            m.decline("scale or zero point is known only when the model runs")
        steps = scale.astype(np.float64)
        m.require(bool(np.isfinite(steps).all() and (steps > 0).all()), "a scale is not positive")
        low, high = _bounds(m, m.node("bound"))
        places, slack = _places(m, low, steps)
        covered = places + zero.reshape(-1) <= extent[0] + slack
        m.require(bool(covered.all()), "the lower bound is above the least code")
        places, slack = _places(m, high, steps)
        covered = places + zero.reshape(-1) >= extent[1] - slack
        m.require(bool(covered.all()), "the upper bound is below the greatest code")

    def after(self, op: Any, m: Match) -> Any:
        quantize = m.node("quantize")
        return op.QuantizeLinear(
            m["x"], *quantize.inputs[1:], _attributes=quantize.attributes.values()
        )


def _places(m: Match, bound: float, steps: Array) -> tuple[Array, Array]:
    """Where ``bound`` lies among the codes, and how far inside the range it may be."""
    dtype = m.dtype("scale")
    m.require("precision" not in m.node("quantize").attributes, "it calculates in another type")
    m.require(dtype in _EPSILON, "the scale is of an unknown type")
    places = bound / steps.reshape(-1)
    off = np.where(np.isfinite(places), 2 * np.abs(places) * _EPSILON[dtype], 0.0)
    return places, _ROUNDS_AWAY - off


def _bounds(m: Match, node: Node) -> tuple[float, float]:
    if node.op_type == "Relu":
        return 0.0, np.inf
    found: list[float] = []
    for index, name, absent in ((1, "min", -np.inf), (2, "max", np.inf)):
        value = operand(node, index)
        bound: Any = attribute(node, name, absent)
        if value is not None:
            array = constant_array(value)
            if array is None or array.size != 1:
                m.decline(f"{name} of the Clip is known only when the model runs")
            bound = array.reshape(-1)[0]
        found.append(float(bound))
    m.require(found[0] <= found[1], "the bounds of the Clip are the wrong way round, or NaN")
    return found[0], found[1]
