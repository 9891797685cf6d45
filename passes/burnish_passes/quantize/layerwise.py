"""Rounding weights so that the results of their layer stay: GPTQ, and coordinate descent.

Both solve, for every column of ``W``, a least-squares problem whose unknowns are integers:
``min (q - w)^T H (q - w)`` with the second moments ``H`` of the layer's inputs.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from burnish.ir import Array
from burnish.quantization import Parameters, Scheme, encode
from burnish.quantization.codes import spread
from burnish_passes.quantize.rounding import Rounded, best_parameters, stored_as

__all__ = ["damped", "descend", "gptq"]

_TOGETHER = 32
"""Rows whose effect on all later rows is computed as one matrix product."""
_SWEEPS = 8
_FEW = 1e-3
"""Part of the codes: when a sweep changes no more, another one is not worth it."""
_FLOAT32 = np.dtype(np.float32)


def damped(moments: Array, damping: float) -> Array:
    """``H`` with part of its mean diagonal added to the diagonal, so that it can be inverted.

    An input that was always zero tells nothing of its weights; they then count by themselves.
    """
    kept = moments.astype(np.float64)
    diagonal = np.diagonal(kept).copy()
    mean = float(diagonal[diagonal > 0].mean()) if (diagonal > 0).any() else 1.0
    diagonal[diagonal <= 0] = mean
    np.fill_diagonal(kept, diagonal + damping * mean)
    return kept


def gptq(
    matrix: Array,
    moments: Array,
    scheme: Scheme,
    *,
    damping: float,
    by_activity: bool = False,
    dtype: np.dtype[np.generic] = _FLOAT32,
) -> Rounded:
    """Round row by row, and let the rows that follow make up for what each one lost.

    Args:
        matrix: ``W``, ``[K, N]``.
        moments: ``H``, ``[K, K]``.
        scheme: with blocks along axis 0.
        damping: see :func:`damped`.
        by_activity: rows with the largest inputs first, when most others can still make up for
            them (called act-order); scales are then those of the weights as they were, else of
            the weights as the rows before left them.
        dtype: of the scales, as they will be held.

    Source: Frantar, Ashkboos, Hoefler, Alistarh, "GPTQ: Accurate Post-Training Quantization for
    Generative Pre-trained Transformers", 2023, algorithm 1; our own code. A row is not updated by
    the inverse itself but by rows of its Cholesky factor, which are what elimination leaves.
    """
    assert scheme.block is not None
    importance = np.diagonal(damped(moments, damping))
    order = np.argsort(-importance, kind="stable") if by_activity else np.arange(len(matrix))
    factor = _factor(moments[np.ix_(order, order)], damping)
    left = matrix.astype(np.float64)[order]
    found = stored_as(best_parameters(matrix, scheme, importance), dtype)
    scale, zero_point = found.scale.copy(), found.zero_point.copy()
    codes = np.zeros(matrix.shape, np.int64)
    block = scheme.block
    for start in range(0, len(left), _TOGETHER):
        stop = min(start + _TOGETHER, len(left))
        errors = np.zeros((stop - start, left.shape[1]))
        for row in range(start, stop):
            place = int(order[row])
            if not by_activity and row % block == 0:
                ahead = _as_left(left, factor, errors, start, row, min(row + block, len(left)))
                fresh = best_parameters(ahead, scheme, importance[row : row + len(ahead)])
                fresh = stored_as(fresh, dtype)
                scale[row // block], zero_point[row // block] = fresh.scale[0], fresh.zero_point[0]
            steps, zero = scale[place // block].astype(np.float64), zero_point[place // block]
            code = np.clip(np.rint(left[row] / steps) + zero, scheme.lowest, scheme.highest)
            codes[place] = code
            error = (left[row] - (code - zero) * steps) / factor[row, row]
            left[row + 1 : stop] -= np.outer(factor[row, row + 1 : stop], error)
            errors[row - start] = error
        left[stop:] -= factor[start:stop, stop:].T @ errors
    return Rounded(dataclasses.replace(found, scale=scale, zero_point=zero_point), codes)


def _factor(moments: Array, damping: float) -> Array:
    """The upper Cholesky factor of the inverse; with more damping, should rounding demand it."""
    while True:
        try:
            return np.asarray(np.linalg.cholesky(np.linalg.inv(damped(moments, damping))).T)
        except np.linalg.LinAlgError:
            damping *= 10


def _as_left(left: Array, factor: Array, errors: Array, start: int, row: int, stop: int) -> Array:
    """Rows from ``row`` as all rows before leave them, also those not updated yet."""
    inner = min(start + _TOGETHER, len(left))
    if stop <= inner:
        return left[row:stop]
    ahead = left[row:stop].copy()
    ahead[inner - row :] -= factor[start:row, inner:stop].T @ errors[: row - start]
    return ahead


def descend(
    matrix: Array,
    moments: Array,
    parameters: Parameters,
    *,
    damping: float,
    fixed: Array | None = None,
) -> Rounded:
    """Round each number up or down, as is best for the results, until hardly one would change.

    Args:
        matrix: ``W``, ``[K, N]``.
        moments: ``H``, ``[K, K]``.
        parameters: scales and zero points along axis 0 or 1, or in blocks of rows.
        damping: see :func:`damped`.
        fixed: True, ``[K, N]``, for numbers that keep the nearest code.

    The problem is that of Nagel et al., "Up or Down? Adaptive Rounding for Post-Training
    Quantization" (AdaRound), 2020: each code is one of the two next to the number. They relax it
    and descend by gradients; we go by coordinates, as Behdin et al., "QuantEase", 2023: with all
    others fixed, the best of the two is known in closed form. Each step lowers the error or leaves
    it, so the result is never worse than nearest codes.
    """
    held = damped(moments, damping)
    weights = matrix.astype(np.float64)
    scale, zero_point = spread(parameters, matrix.shape)
    steps = np.broadcast_to(scale, matrix.shape).astype(np.float64)
    zeros = np.broadcast_to(zero_point, matrix.shape)
    places = weights / steps + zeros
    lowest, highest = parameters.scheme.lowest, parameters.scheme.highest
    down = np.clip(np.floor(places), lowest, highest)
    up = np.clip(np.ceil(places), lowest, highest)
    codes = encode(matrix, parameters).astype(np.float64)
    if fixed is not None:
        down, up = np.where(fixed, codes, down), np.where(fixed, codes, up)
    off = (codes - zeros) * steps - weights
    slope = held @ off
    for _ in range(_SWEEPS):
        if _sweep(held, codes, slope, (down, up), steps) <= _FEW * codes.size:
            break
    return Rounded(parameters, codes.astype(np.int64))


def _sweep(
    held: Array, codes: Array, slope: Array, choices: tuple[Array, Array], steps: Array
) -> int:
    """Go once over all rows; how many codes changed. ``codes`` and ``slope`` are changed."""
    down, up = choices
    changed = 0
    for start in range(0, len(codes), _TOGETHER):
        stop = min(start + _TOGETHER, len(codes))
        moved = np.zeros((stop - start, codes.shape[1]))
        for row in range(start, stop):
            other = np.where(codes[row] == up[row], down[row], up[row])
            move = (other - codes[row]) * steps[row]
            # What the squared error grows by; of equal choices the one taken stays.
            growth = move * (2 * slope[row] + held[row, row] * move)
            better = growth < -1e-9 * held[row, row] * steps[row] ** 2
            if not better.any():
                continue
            changed += int(np.count_nonzero(better))
            move = np.where(better, move, 0.0)
            codes[row] = np.where(better, other, codes[row])
            slope[start:stop] += np.outer(held[start:stop, row], move)
            moved[row - start] = move
        rest = np.r_[0:start, stop : len(codes)]
        if moved.any() and len(rest):
            slope[rest] += held[rest, start:stop] @ moved
    return changed
