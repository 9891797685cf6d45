"""How far the two values of a pair are apart, gathered sample by sample.

Only sums are kept, never the tensors. The signal-to-noise ratio is that of quantization work,
``10 * log10(sum(reference**2) / sum((result - reference)**2))`` in dB, as in ONNX Runtime's
``qdq_loss_debug``; the cosine is that between the two flattened tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from burnish.ir import Array
from burnish.verify.compare import Distance, Tolerance, holds_floats, measure

__all__ = ["Gap", "is_float", "why_not_compared"]

_CHUNK = 1 << 20
"""Elements turned to float64 at a time."""


@dataclass
class Gap:
    """The distance of one pair of values.

    Attributes:
        tolerance: what is allowed.
        why: why they cannot be compared; empty while they can.
        distance: the largest differences so far.
        cast: whether they have other element types, so that units in the last place mean nothing.
        elements: how many elements were compared.
        nan: NaNs in reference and result.
        infinite: infinities in reference and result.
    """

    tolerance: Tolerance
    why: str = ""
    distance: Distance = field(default_factory=Distance)
    cast: bool = False
    elements: int = 0
    nan: tuple[int, int] = (0, 0)
    infinite: tuple[int, int] = (0, 0)
    _signal: float = 0.0
    _noise: float = 0.0
    _power: float = 0.0
    _product: float = 0.0

    def see(self, reference: Any, result: Any) -> None:
        """Take in the two values of one sample."""
        self.why = self.why or why_not_compared(reference, result)
        if self.why:
            return
        self.elements += reference.size
        # Rounded to the coarser of two types, on whose grid the other one cannot be told apart.
        coarse = min((reference.dtype, result.dtype), key=_digits)
        self.cast = self.cast or reference.dtype != result.dtype
        tolerance = self.tolerance
        if reference.size > _CHUNK:
            tolerance = tolerance.for_parts(reference.astype(coarse, copy=False))
        for old, new in _chunks(reference, result):
            if self.cast or not _same_bits(old, new):
                pair = old.astype(coarse, copy=False), new.astype(coarse, copy=False)
                self._take(measure(*pair, tolerance), pair)
            self._sum(_wide(old), _wide(new))

    def _take(self, found: Distance, pair: tuple[Array, Array]) -> None:
        if pair[0].dtype == bool:
            unequal = float((pair[0] != pair[1]).any())
            found = Distance(found.reason, unequal, unequal, int(unequal), found.excess)
        # The reason is that of the part that is farthest off.
        first, second = found, self.distance
        if (first.excess, first.max_abs) < (second.excess, second.max_abs):
            first, second = second, first
        self.distance = first.worst(second)

    def _sum(self, old: Array, new: Array) -> None:
        self.nan = _both(self.nan, np.isnan(old), np.isnan(new))
        self.infinite = _both(self.infinite, np.isinf(old), np.isinf(new))
        finite = np.isfinite(old) & np.isfinite(new)
        if not finite.all():
            old, new = old[finite], new[finite]
        with np.errstate(over="ignore"):
            self._signal += float(old @ old)
            self._power += float(new @ new)
            self._product += float(old @ new)
            noise = new - old
            self._noise += float(noise @ noise)

    @property
    def moved(self) -> bool:
        """Whether they differ at all."""
        far = self.distance
        return bool(far.reason or far.ulp or far.max_abs)

    @property
    def sqnr(self) -> float | None:
        """Signal-to-noise ratio in dB over finite elements; infinite for equal ones."""
        if not self.elements or not math.isfinite(self._signal + self._noise):
            return None
        if self._noise == 0.0:
            return math.inf
        if self._signal == 0.0:
            return -math.inf
        return 10.0 * math.log10(self._signal / self._noise)

    @property
    def cosine(self) -> float | None:
        """Cosine of the angle between the two over finite elements; None where one is zero."""
        if self._noise == 0.0 and self.elements:
            return 1.0
        length = math.sqrt(self._signal) * math.sqrt(self._power)
        if not length or not math.isfinite(length):
            return None
        return max(-1.0, min(1.0, self._product / length))


def why_not_compared(reference: Any, result: Any) -> str:
    """Why two values are no pair of numbers of one shape; empty when they are."""
    kinds = [_kind(value) for value in (reference, result)]
    if kinds[0] != kinds[1]:
        return f"{kinds[1]} here, {kinds[0]} in the source"
    if kinds[0] != "numbers":
        return f"holds {kinds[0]}"
    if reference.shape != result.shape:
        return f"shape {list(result.shape)} here, {list(reference.shape)} in the source"
    both_float = is_float(reference.dtype) and is_float(result.dtype)
    if reference.dtype != result.dtype and not both_float:
        return f"{result.dtype} here, {reference.dtype} in the source"
    return ""


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether elements are real floats, those that only ``ml_dtypes`` knows included."""
    return dtype.kind != "c" and holds_floats(dtype)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple):
        return "a sequence"
    if isinstance(value, dict):
        return "a map"
    return "strings" if np.asarray(value).dtype.kind in "OSU" else "numbers"


def _digits(dtype: np.dtype[Any]) -> tuple[int, float]:
    """Orders float types by how finely they divide numbers: by width, then by precision."""
    if not is_float(dtype):
        return dtype.itemsize, 0.0
    import ml_dtypes

    # ml_dtypes gives finfo no types.
    eps: Any = ml_dtypes.finfo(dtype).eps  # type: ignore[no-untyped-call]
    return dtype.itemsize, -float(eps)


def _chunks(reference: Array, result: Array) -> Iterator[tuple[Array, Array]]:
    """Parts of both, so that copies in a wider type stay small."""
    old, new = reference.reshape(-1), result.reshape(-1)
    for start in range(0, old.size, _CHUNK):
        yield old[start : start + _CHUNK], new[start : start + _CHUNK]


def _same_bits(old: Array, new: Array) -> bool:
    return np.array_equal(
        np.ascontiguousarray(old).view(np.uint8), np.ascontiguousarray(new).view(np.uint8)
    )


def _wide(array: Array) -> Array:
    """As float64; real and imaginary parts of complex numbers one after the other."""
    if array.dtype.kind == "c":
        array = np.ascontiguousarray(array).view(f"f{array.dtype.itemsize // 2}")
    return array.astype(np.float64)


def _both(counts: tuple[int, int], old: Array, new: Array) -> tuple[int, int]:
    return counts[0] + int(old.sum()), counts[1] + int(new.sum())
