"""Encoding numbers and decoding them, as ONNX's QuantizeLinear and DequantizeLinear do."""

from __future__ import annotations

import numpy as np

from burnish.ir import Array
from burnish.quantization.parameters import Parameters

__all__ = ["decode", "encode", "round_trip"]


def encode(array: Array, parameters: Parameters) -> Array:
    """The codes of numbers: rounded half to even, saturated at the ends of the scheme.

    Args:
        array: numbers.
        parameters: of the array; see :func:`spread` for how they lie along it.

    Returns:
        Codes as int64, of the array's shape.
    """
    scale, zero_point = spread(parameters, array.shape)
    # As QuantizeLinear: the division is made in float32.
    codes = np.rint(array.astype(np.float32) / scale).astype(np.float64) + zero_point
    scheme = parameters.scheme
    return np.clip(codes, scheme.lowest, scheme.highest).astype(np.int64)


def decode(codes: Array, parameters: Parameters) -> Array:
    """The numbers that codes stand for, as float32."""
    scale, zero_point = spread(parameters, codes.shape)
    return ((codes - zero_point).astype(np.float32) * scale).astype(np.float32)


def round_trip(array: Array, parameters: Parameters) -> Array:
    """What is left of numbers after encoding and decoding, as float32."""
    return decode(encode(array, parameters), parameters)


def spread(parameters: Parameters, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Scale and zero point in shapes that broadcast to a tensor of ``shape``."""
    scheme = parameters.scheme
    if scheme.axis is None:
        return parameters.scale, parameters.zero_point
    axis = scheme.axis % len(shape)
    if scheme.block is None:
        form = tuple(-1 if index == axis else 1 for index in range(len(shape)))
        return parameters.scale.reshape(form), parameters.zero_point.reshape(form)
    keep = [slice(None)] * len(shape)
    keep[axis] = slice(shape[axis])
    wide = (
        np.repeat(held, scheme.block, axis=axis)[tuple(keep)]
        for held in (parameters.scale, parameters.zero_point)
    )
    scale, zero_point = wide
    return scale, zero_point
