"""Numbers as small integers: code types, scales and zero points, encoding and decoding."""

from __future__ import annotations

from burnish.quantization.codes import decode, encode, round_trip
from burnish.quantization.parameters import Parameters, parameters_for_range, parameters_of
from burnish.quantization.scheme import CODE_TYPES, CodeType, Scheme, code_type

__all__ = [
    "CODE_TYPES",
    "CodeType",
    "Parameters",
    "Scheme",
    "code_type",
    "decode",
    "encode",
    "parameters_for_range",
    "parameters_of",
    "round_trip",
]
