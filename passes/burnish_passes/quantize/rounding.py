"""Rounding the weights of a layer to codes: scales, nearest codes, and what is lost by that.

A layer here is ``y = x @ W`` with ``W`` of shape ``[K, N]``; a scale serves a block of its rows
within one column. What counts is not how far weights move but how far results do. With the second
moments ``H = sum of x^T x`` over the data, ``[K, K]``, the squared error of the results is
``trace(D^T H D)`` for ``D = W' - W``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from burnish.ir import Array
from burnish.quantization import Parameters, Scheme, decode, encode, parameters_for_range
from burnish.quantization.parameters import blocks_of

__all__ = ["Rounded", "best_parameters", "nearest", "output_error", "stored_as"]

_RATIOS = tuple(float(ratio) for ratio in np.linspace(1.0, 0.5, 26))
"""Parts of a block's range that are tried as the range of its codes."""
_TOGETHER = 1 << 21
"""Numbers looked at together, which bounds memory."""
_SMALLEST_HALF = float(np.finfo(np.float16).tiny)


@dataclass(frozen=True, eq=False)
class Rounded:
    """A matrix as codes.

    Attributes:
        parameters: with a scale for each block of rows and each column.
        codes: int64 ``[K, N]``.
    """

    parameters: Parameters
    codes: Array

    @property
    def numbers(self) -> Array:
        """What the codes stand for, float32 ``[K, N]``."""
        return decode(self.codes, self.parameters)


def stored_as(parameters: Parameters, dtype: np.dtype[np.generic]) -> Parameters:
    """Parameters whose scale is exactly what a tensor of ``dtype`` holds of it."""
    if dtype == np.float32:
        return parameters
    scale = np.maximum(parameters.scale, _SMALLEST_HALF).astype(dtype).astype(np.float32)
    return dataclasses.replace(parameters, scale=scale)


def nearest(matrix: Array, parameters: Parameters) -> Rounded:
    """Each number gets the code nearest to it."""
    return Rounded(parameters, encode(matrix, parameters))


def best_parameters(matrix: Array, scheme: Scheme, importance: Array | None = None) -> Parameters:
    """For each block the range whose codes lose least, among parts of its range.

    Args:
        matrix: ``[K, N]``.
        scheme: with blocks along axis 0.
        importance: how much an error in each row counts, ``[K]``; the same for all by default.

    Returns:
        Parameters with a scale of shape ``[ceil(K / block), N]``.

    The sum of squared errors decides, as in Banner et al., "Post training 4-bit quantization of
    convolutional networks for rapid-deployment", 2019, by search instead of a formula.
    """
    assert scheme.block is not None
    rows, columns = matrix.shape
    weight = np.ones(rows) if importance is None else importance + 1e-12
    each = max(1, _TOGETHER // rows)
    parts = [
        _best_of_columns(matrix[:, start : start + each], scheme, weight)
        for start in range(0, columns, each)
    ]
    scales, zero_points = zip(*parts, strict=True)
    return Parameters(scheme, np.concatenate(scales, axis=1), np.concatenate(zero_points, axis=1))


def _best_of_columns(matrix: Array, scheme: Scheme, weight: Array) -> tuple[Array, Array]:
    """Scales and zero points ``[blocks, columns]``."""
    assert scheme.block is not None
    blocks = blocks_of(matrix.astype(np.float32), 0, scheme.block)
    filled = np.zeros(blocks.shape[0] * scheme.block, np.float32)
    filled[: len(matrix)] = weight
    weights = filled.reshape(blocks.shape[0], scheme.block, 1)
    low, high = blocks.min(axis=1), blocks.max(axis=1)
    least = np.full(low.shape, np.inf)
    scale, zero_point = np.ones(low.shape, np.float32), np.zeros(low.shape, np.int64)
    for ratio in _RATIOS:
        tried = parameters_for_range(low * ratio, high * ratio, scheme)
        steps = tried.scale[:, None, :]
        zero = tried.zero_point[:, None, :].astype(np.float32)
        codes = np.clip(np.rint(blocks / steps) + zero, scheme.lowest, scheme.highest)
        lost = (((codes - zero) * steps - blocks) ** 2 * weights).sum(axis=1)
        better = lost < least
        least = np.where(better, lost, least)
        scale = np.where(better, tried.scale, scale)
        zero_point = np.where(better, tried.zero_point, zero_point)
    return scale, zero_point


def output_error(matrix: Array, rounded: Array, moments: Array) -> float:
    """The energy of what a layer's results are off by, relative to theirs.

    Args:
        matrix: the weights, ``[K, N]``.
        rounded: what became of them.
        moments: the second moments of the layer's inputs, ``[K, K]``.

    Returns:
        ``|x (W' - W)|^2 / |x W|^2``, summed over the data: what GPTQ and AdaRound minimize.
    """
    off = rounded.astype(np.float64) - matrix
    size = float(np.vdot(matrix, moments @ matrix))
    lost = max(float(np.vdot(off, moments @ off)), 0.0)
    if size <= 0.0:
        return 0.0 if lost <= 0.0 else float("inf")
    return lost / size
