"""How far one weight is from another, read a piece at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from burnish.ir import Array, DataType, TensorProtocol
from burnish.text import dtype_text

__all__ = ["Distance", "arrangement", "distance", "loose_print"]

_PIECE = 1 << 20
"""Elements read at once: weights may be larger than memory."""
_TEXTS = "OSU"
"""Kinds of numpy arrays that hold strings."""
_MOST_AXES = 4
"""Up to this rank every order of the axes is tried."""


@dataclass(frozen=True)
class Distance:
    """How far two weights of one shape are apart.

    Attributes:
        elements: how many they have.
        changed: how many differ, in any bit where the element types are equal.
        max_abs: the largest difference of finite elements; None between an integer and a float
            type, where a scale that is not known stands between them, and for strings.
        relative: ``max_abs`` as a part of the largest magnitude before; None if that is zero.
        cosine: of the angle between the two; None if one is zero.
        nonfinite: elements of which just one is infinite or NaN, or that differ in which.
    """

    elements: int
    changed: int
    max_abs: float | None
    relative: float | None
    cosine: float | None
    nonfinite: int

    def text(self) -> str:
        """For people, as in ``2 of 64 elements differ, by up to 0.5 (10% of the largest)``."""
        parts = [f"{self.changed:,} of {self.elements:,} elements differ"]
        if self.max_abs is not None:
            share = "" if self.relative is None else f" ({self.relative:.2g} of the largest)"
            parts.append(f"by up to {self.max_abs:.4g}{share}")
        if self.cosine is not None:
            parts.append(f"cosine {self.cosine:.6f}")
        if self.nonfinite:
            parts.append(f"{self.nonfinite:,} not finite")
        return ", ".join(parts)

    def json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "elements": self.elements,
            "changed": self.changed,
            "max_abs": self.max_abs,
            "relative": self.relative,
            "cosine": self.cosine,
            "nonfinite": self.nonfinite,
        }


def distance(before: TensorProtocol, after: TensorProtocol) -> Distance:
    """Compare two tensors of one shape element by element."""
    left, right = before.numpy().reshape(-1), after.numpy().reshape(-1)
    if DataType.STRING in (before.dtype, after.dtype):
        changed = sum(one != other for one, other in zip(left, right, strict=True))
        return Distance(left.size, changed, None, None, None, 0)
    meter = _Meter(bits=before.dtype == after.dtype)
    for one, other in zip(_pieces(left), _pieces(right), strict=True):
        meter.read(one, other)
    scaled = before.dtype.is_integer() != after.dtype.is_integer()
    return meter.distance(left.size, scaled=scaled)


def _pieces(array: Array) -> Iterator[Array]:
    for start in range(0, array.size, _PIECE):
        yield array[start : start + _PIECE]


class _Meter:
    """Sums over pieces. Each sum is scaled by the largest magnitude, so that none overflows."""

    def __init__(self, *, bits: bool) -> None:
        self._bits = bits
        self._changed = 0
        self._nonfinite = 0
        self._largest = 0.0
        self._apart = 0.0
        self._products: list[tuple[float, float, float]] = []

    def read(self, before: Array, after: Array) -> None:
        wide = np.complex128 if "c" in (before.dtype.kind, after.dtype.kind) else np.float64
        left, right = before.astype(wide), after.astype(wide)
        finite = np.isfinite(left) & np.isfinite(right)
        both_nan = np.isnan(left) & np.isnan(right)
        self._nonfinite += int(np.count_nonzero(~finite & ~both_nan & (left != right)))
        if self._bits:
            width = before.dtype.itemsize
            raw = [np.ascontiguousarray(one).view(np.uint8) for one in (before, after)]
            same = (raw[0].reshape(-1, width) == raw[1].reshape(-1, width)).all(axis=1)
        else:
            same = (left == right) | both_nan
        self._changed += int(np.count_nonzero(~same))
        left, right = left[finite], right[finite]
        if not left.size:
            return
        with np.errstate(over="ignore"):
            self._apart = max(self._apart, float(np.abs(left - right).max()))
        self._largest = max(self._largest, float(np.abs(left).max()))
        self._products.append(
            (
                float(np.vdot(left, right).real),
                float(np.vdot(left, left).real),
                float(np.vdot(right, right).real),
            )
        )

    def distance(self, elements: int, *, scaled: bool) -> Distance:
        dot, one, other = (
            (math.fsum(column) for column in zip(*self._products, strict=True))
            if (self._products)
            else (0.0, 0.0, 0.0)
        )
        length = math.sqrt(one) * math.sqrt(other)
        cosine = max(-1.0, min(1.0, dot / length)) if length and math.isfinite(length) else None
        apart = self._apart if math.isfinite(self._apart) and not scaled else None
        relative = apart / self._largest if apart is not None and self._largest else None
        return Distance(elements, self._changed, apart, relative, cosine, self._nonfinite)


def loose_print(tensor: TensorProtocol) -> tuple[object, ...]:
    """What stays of a tensor when its elements are put in another order or shape.

    Sums of the elements' bits and of their squares, modulo 2 to the 64.
    """
    array = tensor.numpy()
    if array.dtype.kind in _TEXTS:
        return tensor.dtype, tuple(sorted(array.reshape(-1).tolist()))
    sums = [0, 0]
    for piece in _pieces(np.ascontiguousarray(array).reshape(-1)):
        width = min(piece.dtype.itemsize, 8)
        words = piece.view(f"u{width}").astype(np.uint64)
        sums[0] += int(words.sum(dtype=np.uint64))
        sums[1] += int((words * words).sum(dtype=np.uint64))
    return tensor.dtype, array.size, *(total & (2**64 - 1) for total in sums)


def arrangement(before: TensorProtocol, after: TensorProtocol) -> str:
    """How the elements of ``after`` are those of ``before`` in other places.

    Returns:
        ``"the transpose of"``, ``"axes [0, 2, 1] of"``, ``"a reshape of"``; empty if they are not.
    """
    if before.dtype != after.dtype or before.size != after.size or before.size < 2:
        return ""
    left, right = before.numpy(), after.numpy()
    if left.shape != right.shape and _equal(left.reshape(-1), right.reshape(-1)):
        return "a reshape of"
    if left.ndim != right.ndim or not 2 <= left.ndim <= _MOST_AXES:
        return ""
    for order in itertools.permutations(range(left.ndim)):
        if order == tuple(range(left.ndim)):
            continue
        turned = left.transpose(order)
        if turned.shape == right.shape and _equal(turned, right):
            plain = left.ndim == 2
            return "the transpose of" if plain else f"axes {list(order)} of"
    return ""


def _equal(left: Array, right: Array) -> bool:
    """Whether two arrays hold the same bits; rows are read one after the other."""
    rows = max(1, _PIECE // max(1, left.size // max(1, left.shape[0])))
    for start in range(0, left.shape[0], rows):
        one, other = left[start : start + rows], right[start : start + rows]
        if one.dtype.kind in _TEXTS:
            if not bool((one == other).all()):
                return False
        elif np.ascontiguousarray(one).tobytes() != np.ascontiguousarray(other).tobytes():
            return False
    return True


def dtype_change(before: TensorProtocol, after: TensorProtocol) -> str:
    """``float32 as float16``; empty when the types are equal."""
    if before.dtype == after.dtype:
        return ""
    return f"{dtype_text(before.dtype)} as {dtype_text(after.dtype)}"
