"""Casts in a row become one where the first loses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from burnish.ir import DataType
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import as_result


@dataclass(frozen=True)
class _Integers:
    """All integers from ``low`` to ``high``."""

    low: int
    high: int


@dataclass(frozen=True)
class _Floats:
    """A binary floating-point type.

    Attributes:
        precision: bits of the significand, the hidden one included.
        least: exponent of the smallest positive (subnormal) number, a power of two.
        most: exponent of the largest finite number, ``2**most <= largest < 2**(most + 1)``.
        top: largest significand at that exponent, as an integer of ``precision`` bits.
        infinity: whether it has infinities.
        nan: whether it has a NaN.
        signed: whether it has negative numbers.
        negative_zero: whether zero has a sign.
    """

    precision: int
    least: int
    most: int
    top: int
    infinity: bool = True
    nan: bool = True
    signed: bool = True
    negative_zero: bool = True

    @property
    def largest(self) -> int:
        """The largest finite number times ``2**-least``, exactly."""
        return self.top << (self.most - self.precision + 1 - self.least)


def _ieee(exponent_bits: int, precision: int) -> _Floats:
    """A type laid out as IEEE 754 says: topmost exponent for infinities and NaN."""
    bias = 2 ** (exponent_bits - 1) - 1
    return _Floats(precision, 2 - bias - precision, bias, 2**precision - 1)


def _integers(bits: int, signed: bool) -> _Integers:
    return (
        _Integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else _Integers(0, 2**bits - 1)
    )


_NUMBERS: Mapping[DataType, _Integers | _Floats] = MappingProxyType(
    {
        DataType.BOOL: _Integers(0, 1),
        DataType.INT2: _integers(2, True),
        DataType.UINT2: _integers(2, False),
        DataType.INT4: _integers(4, True),
        DataType.UINT4: _integers(4, False),
        DataType.INT8: _integers(8, True),
        DataType.UINT8: _integers(8, False),
        DataType.INT16: _integers(16, True),
        DataType.UINT16: _integers(16, False),
        DataType.INT32: _integers(32, True),
        DataType.UINT32: _integers(32, False),
        DataType.INT64: _integers(64, True),
        DataType.UINT64: _integers(64, False),
        DataType.DOUBLE: _ieee(11, 53),
        DataType.FLOAT: _ieee(8, 24),
        DataType.BFLOAT16: _ieee(8, 8),
        DataType.FLOAT16: _ieee(5, 11),
        DataType.FLOAT8E5M2: _ieee(5, 3),
        # Largest numbers of the others: 448, 240, 57344, 6 (OCP and FNUZ specifications).
        DataType.FLOAT8E4M3FN: _Floats(4, -9, 8, 0b1110, infinity=False),
        DataType.FLOAT8E4M3FNUZ: _Floats(4, -10, 7, 0b1111, infinity=False, negative_zero=False),
        DataType.FLOAT8E5M2FNUZ: _Floats(3, -17, 15, 0b111, infinity=False, negative_zero=False),
        DataType.FLOAT4E2M1: _Floats(2, -1, 2, 0b11, infinity=False, nan=False),
        # Powers of two only; it has neither zero nor sign.
        DataType.FLOAT8E8M0: _Floats(
            1, -127, 127, 1, infinity=False, signed=False, negative_zero=False
        ),
    }
)
"""The numbers each type can hold; strings and complex numbers are left alone."""


def holds_every_value(source: DataType, target: DataType) -> bool:
    """Whether ``target`` represents every value of ``source``: sign of zero, infinities and NaN too."""
    small, large = _NUMBERS.get(source), _NUMBERS.get(target)
    if small is None or large is None:
        return False
    if source == target:
        return True
    if isinstance(small, _Integers):
        if isinstance(large, _Integers):
            return large.low <= small.low and small.high <= large.high
        if target == DataType.FLOAT8E8M0 or not large.signed:
            return False
        # Integers of up to `precision` bits are exact, and -2**k needs one bit only.
        bits = max(small.high.bit_length(), (-small.low - 1).bit_length() if small.low else 0)
        return bits <= large.precision and bits <= large.most and large.least <= 0
    if isinstance(large, _Integers) or target == DataType.FLOAT8E8M0:
        return False
    same_scale = small.least - large.least
    return (
        small.precision <= large.precision
        and same_scale >= 0
        and small.largest << same_scale <= large.largest
        and large.infinity >= small.infinity
        and large.nan >= small.nan
        and large.signed >= small.signed
        and large.negative_zero >= small.negative_zero
    )


def _is_defined_both_ways(source: DataType, middle: DataType, target: DataType) -> bool:
    """Whether one Cast means what two mean.

    ONNX leaves float to integer out of range undefined, while integer to integer wraps; and to
    types under 16 bits it rounds from floats only.
    """
    small, between, large = _NUMBERS[source], _NUMBERS[middle], _NUMBERS[target]
    if isinstance(small, _Integers):
        if isinstance(between, _Floats) and isinstance(large, _Integers):
            return target == DataType.BOOL or holds_every_value(source, target)
        if isinstance(large, _Floats) and large.precision < _NARROWEST_PRECISION:
            return False
    # ONNX Runtime takes -0.0 of such a type for true.
    narrow = isinstance(small, _Floats) and small.precision < _NARROWEST_PRECISION
    return not (narrow and target == DataType.BOOL)


def why_not_skipped(source: DataType, middle: DataType, target: DataType) -> str | None:
    """Why a Cast to ``target`` of a Cast to ``middle`` is not one Cast, or None when it is."""
    if not holds_every_value(source, middle):
        return f"{middle.name.lower()} does not hold every value of {source.name.lower()}"
    if target not in _NUMBERS:
        return f"{target.name.lower()} is not a type of numbers"
    if not _is_defined_both_ways(source, middle, target):
        return f"{source.name.lower()} to {target.name.lower()} means another thing directly"
    return None


_NARROWEST_PRECISION = 8  # bfloat16; float8 and float4 have less


class ComposeCasts(Rule):
    """Skip an intermediate type that holds every value of the source type.

    ``Cast[c](Cast[b](x)) => Cast[c](x)``, and ``=> x`` where ``c`` is the type of ``x``, if every
    value of the type of ``x`` is a value of ``b``: signed zeros, infinities and NaN too. So
    float16, float32, float16 is skipped, and float32, float16, float32 never is.

    Before::

        agraph (float16[4] x) => (float16[4] y) {
            t = Cast <to = 1> (x)
            u = Cast <to = 10> (t)
            y = Relu(u)
        }

    After::

        agraph (float16[4] x) => (float16[4] y) {
            y = Relu(x)
        }

    Before::

        agraph (int32[4] x) => (float[4] y) {
            t = Cast <to = 7> (x)
            y = Cast <to = 1> (t)
        }

    After::

        agraph (int32[4] x) => (float[4] y) {
            y = Cast <to = 1> (x)
        }

    BITWISE: the second Cast sees the same number either way (a signalling NaN may stay one).
    Attributes of the second, such as ``saturate``, are kept. Catalogue row C19. Source: value sets
    of the types, IEEE 754-2019 section 3.3 and the OCP 8-bit floating point specification.
    """

    name: ClassVar[str] = "compose-casts"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, x: Any) -> Any:
        return op.Cast(op.Cast(x, _name="inner", _shared=True), _name="outer")

    def when(self, m: Match) -> None:
        m.suppose(m.opset >= 6)  # before, `to` is a string
        source, middle = m.dtype("x"), DataType(m.attr("inner", "to"))
        target = DataType(m.attr("outer", "to"))
        why = why_not_skipped(source, middle, target)
        if why:
            m.decline(why)

    def after(self, op: Any, m: Match) -> Any:
        outer = m.node("outer")
        if m.attr("outer", "to") == m.dtype("x"):
            return as_result(op, m, m["x"])
        return op.Cast(m["x"], _attributes=outer.attributes.values())
