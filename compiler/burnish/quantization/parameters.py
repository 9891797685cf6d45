"""Scales and zero points.

``number = (code - zero_point) * scale``, as ONNX's DequantizeLinear has it. Zero always has a code,
so padding and ReLU stay exact (Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from burnish.errors import InputError
from burnish.ir import Array
from burnish.quantization.scheme import Scheme

__all__ = ["Parameters", "blocks_of", "parameters_for_range", "parameters_of"]

_SMALLEST = float(np.finfo(np.float32).tiny)
"""Smaller scales are not normal float32 numbers: runtimes flush them to zero."""


@dataclass(frozen=True)
class Parameters:
    """The scale and zero point of a tensor.

    Attributes:
        scheme: what they are for.
        scale: float32, positive: a scalar; ``[C]`` along the scheme's axis; or, in blocks, the
            tensor's shape with ``ceil(C / block)`` in place of C.
        zero_point: integers of the same shape.
    """

    scheme: Scheme
    scale: Array
    zero_point: Array

    @property
    def low(self) -> Array:
        """The smallest number with a code of its own, for each scale."""
        return np.asarray((self.scheme.lowest - self.zero_point) * self.scale.astype(np.float64))

    @property
    def high(self) -> Array:
        """The largest number with a code of its own, for each scale."""
        return np.asarray((self.scheme.highest - self.zero_point) * self.scale.astype(np.float64))


def parameters_for_range(low: Array | float, high: Array | float, scheme: Scheme) -> Parameters:
    """Parameters that give a code to every number from ``low`` to ``high``.

    The range is widened to hold zero. An empty range gets the scale 1.

    Args:
        low: smallest numbers, of the shape the scale shall have.
        high: largest numbers, of the same shape.
        scheme: the codes.

    Raises:
        InputError: when a bound is not finite, or ``low`` lies above ``high``.
    """
    lows, highs = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not (np.isfinite(lows).all() and np.isfinite(highs).all()):
        raise InputError("a range to quantize is not finite", mend="look for NaN or infinity there")
    if (lows > highs).any():
        raise InputError("a range to quantize ends before it begins")
    lows, highs = np.minimum(lows, 0.0), np.maximum(highs, 0.0)
    if scheme.symmetric:
        reach = np.maximum(-lows, highs)
        scale = _normal(reach / (scheme.highest - scheme.zero_code))
        zero_point = np.full(scale.shape, scheme.zero_code, np.int64)
        return Parameters(scheme, scale, zero_point)
    scale = _normal((highs - lows) / (scheme.highest - scheme.lowest))
    zero_point = np.rint(scheme.lowest - lows / scale.astype(np.float64))
    zero_point = np.clip(zero_point, scheme.lowest, scheme.highest).astype(np.int64)
    return Parameters(scheme, scale, zero_point)


def _normal(scale: Array) -> Array:
    """As float32; 1 where there is nothing to scale."""
    return np.where(scale < _SMALLEST, 1.0, scale).astype(np.float32)


def parameters_of(array: Array, scheme: Scheme) -> Parameters:
    """Parameters that give a code to every element of ``array``, from its smallest and largest.

    Args:
        array: numbers, any shape.
        scheme: the codes, and what shares a scale.

    Raises:
        InputError: when an element is not finite, or the scheme's axis is not in the array.
    """
    if scheme.axis is None:
        if not array.size:
            return parameters_for_range(0.0, 0.0, scheme)
        return parameters_for_range(array.min(), array.max(), scheme)
    if not -array.ndim <= scheme.axis < array.ndim:
        raise InputError(f"an array of rank {array.ndim} has no axis {scheme.axis}")
    axis = scheme.axis % array.ndim
    if scheme.block is None:
        others = tuple(index for index in range(array.ndim) if index != axis)
        if not array.size:
            nothing = np.zeros(array.shape[axis])
            return parameters_for_range(nothing, nothing, scheme)
        return parameters_for_range(array.min(axis=others), array.max(axis=others), scheme)
    blocks = blocks_of(array, axis, scheme.block)
    return parameters_for_range(blocks.min(axis=axis + 1), blocks.max(axis=axis + 1), scheme)


def blocks_of(array: Array, axis: int, block: int) -> Array:
    """``array`` with ``axis`` of length C split in two: ``ceil(C / block)`` and ``block``.

    A last block that is not full is filled with its last element, which changes no range.

    Args:
        array: any array that is not empty along ``axis``.
        axis: from 0.
        block: elements in a block.
    """
    length = array.shape[axis]
    count = -(-length // block)
    missing = count * block - length
    if missing:
        widths = [(0, missing if index == axis else 0) for index in range(array.ndim)]
        array = np.pad(array, widths, mode="edge")
    return array.reshape((*array.shape[:axis], count, block, *array.shape[axis + 1 :]))
