"""How far apart two answers are, and how far they may be.

Tolerance of FLOAT, per element: ``|result - reference| <= rtol * |reference| + atol * max|reference|``.
The second term is there because a sum of large terms that cancel has the rounding of its terms, and
the largest element is what is known of their size. The constants:

=========  ======  ======  ==================================================================
dtype      rtol    atol    reason
=========  ======  ======  ==================================================================
float64    1e-10   1e-12   half the digits of the 1e-16 epsilon are left to reordered sums
float32    1e-4    1e-5    epsilon 1e-7; a few thousand roundings in a row, as deep networks do
float16    1e-2    5e-3    epsilon 1e-3; ten roundings
bfloat16   5e-2    2e-2    epsilon 8e-3; as float16
float8     0.3     0.13    two steps of the coarsest format (2 bits of mantissa)
int8, 4    1 step  -       a value next to a rounding boundary of a quantizer may fall either way
others     equal   -       integers, booleans and strings do not round
=========  ======  ======  ==================================================================

BITWISE allows nothing: equal bits, -0.0 is not 0.0; only the payload of a NaN is free. LOSSY allows
everything that is finite, unless the caller gives a bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from burnish.ir import Array, DataType
from burnish.passdef import Exactness

__all__ = ["Distance", "Tolerance", "compare", "compare_form", "holds_floats", "measure"]

_FLOAT = {"float64": (1e-10, 1e-12), "float32": (1e-4, 1e-5)}
_FLOAT |= {"float16": (1e-2, 5e-3), "bfloat16": (5e-2, 2e-2)}
_COARSE = (0.3, 0.13)


@dataclass(frozen=True)
class Tolerance:
    """What difference is allowed.

    Attributes:
        exactness: the weakest promise made of the passes that ran.
        rtol: replaces the relative bound of the table, when given.
        atol: replaces the absolute bound; then in units of the output, not of its maximum.
    """

    exactness: Exactness
    rtol: float | None = None
    atol: float | None = None

    @property
    def bounded(self) -> bool:
        """Whether the caller gave a bound."""
        return self.rtol is not None or self.atol is not None

    def text(self, dtype: np.dtype[Any]) -> str:
        """The bound for outputs of ``dtype``, for people."""
        if self.bounded:
            return f"rtol {self.rtol or 0:g}, atol {self.atol or 0:g}"
        if self.exactness == Exactness.BITWISE:
            return "equal bits"
        if self.exactness == Exactness.LOSSY:
            return "any finite difference"
        if holds_floats(dtype):
            rtol, atol = _FLOAT.get(_part(dtype).name, _COARSE)
            return f"rtol {rtol:g}, atol {atol:g} of the largest"
        return "1 step" if _is_quantized(dtype) else "equal"

    def for_parts(self, reference: Array) -> Tolerance:
        """The same bound for parts of ``reference``, which do not show its largest element."""
        if self.bounded or self.exactness != Exactness.FLOAT or not holds_floats(reference.dtype):
            return self
        rtol, atol = _FLOAT.get(_part(reference.dtype).name, _COARSE)
        parts = np.array_split(reference.reshape(-1), max(1, reference.size >> 20))
        return Tolerance(self.exactness, rtol, atol * max(map(_largest, parts)))


def _largest(array: Array) -> float:
    """The largest magnitude of finite elements."""
    wide = np.abs(array.astype(np.complex128 if array.dtype.kind == "c" else np.float64))
    return float(wide.max(initial=0.0, where=np.isfinite(wide)))


@dataclass(frozen=True)
class Distance:
    """How far a result is from a reference.

    Attributes:
        reason: why it is not allowed; empty when it is.
        max_abs: largest absolute difference of finite elements.
        max_rel: largest difference relative to the reference element, over finite elements.
        ulp: largest number of representable values between two elements; 0 for equal bits.
        excess: largest difference in units of what is allowed; above 1 fails.
    """

    reason: str = ""
    max_abs: float = 0.0
    max_rel: float = 0.0
    ulp: int = 0
    excess: float = 0.0

    def worst(self, other: Distance) -> Distance:
        """The larger of each figure; the first reason."""
        return Distance(
            self.reason or other.reason,
            max(self.max_abs, other.max_abs),
            max(self.max_rel, other.max_rel),
            max(self.ulp, other.ulp),
            max(self.excess, other.excess),
        )


def _part(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the real part."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def holds_floats(dtype: np.dtype[Any]) -> bool:
    """Whether elements are floats, complex ones and those only ``ml_dtypes`` knows included."""
    return dtype.kind in "fc" or (dtype.kind not in "OSU" and _onnx(dtype).is_floating_point())


def _onnx(dtype: np.dtype[Any]) -> DataType:
    try:
        return DataType.from_numpy(dtype)
    except (TypeError, ValueError):
        return DataType.UNDEFINED


def _is_quantized(dtype: np.dtype[Any]) -> bool:
    kind = _onnx(dtype)
    return not holds_floats(dtype) and kind.is_integer() and kind.bitwidth <= 8


def compare(reference: Any, result: Any, tolerance: Tolerance) -> Distance:
    """Compare two values of an output: arrays, lists of them (sequences), None (absent), maps."""
    if isinstance(reference, list) or isinstance(result, list):
        return _compare_lists(reference, result, tolerance)
    if isinstance(reference, dict) and isinstance(result, dict):
        if list(reference) != list(result):
            return Distance("the keys of the map differ", excess=math.inf)
        return _compare_lists(
            [np.asarray(item) for item in reference.values()],
            [np.asarray(item) for item in result.values()],
            tolerance,
        )
    if reference is None or result is None:
        same = reference is None and result is None
        return Distance(
            "" if same else "one is absent, the other not", excess=0 if same else math.inf
        )
    return measure(np.asarray(reference), np.asarray(result), tolerance)


def compare_form(reference: Any, result: Any) -> Distance:
    """Compare dtype and shape only, of values that depend on random numbers."""
    if isinstance(reference, np.ndarray) and isinstance(result, np.ndarray):
        if reference.dtype != result.dtype:
            what = f"dtype {result.dtype}, expected {reference.dtype}"
            return Distance(what, excess=math.inf)
        blank = np.zeros(reference.shape, bool), np.zeros(result.shape, bool)
        return compare(*blank, Tolerance(Exactness.BITWISE))
    same = type(reference) is type(result)
    return Distance("" if same else "another kind of value", excess=0.0 if same else math.inf)


def _compare_lists(reference: Any, result: Any, tolerance: Tolerance) -> Distance:
    if not isinstance(reference, Sequence) or not isinstance(result, Sequence):
        return Distance("one is a sequence, the other not", excess=math.inf)
    if len(reference) != len(result):
        what = f"a sequence of {len(result)} elements, expected {len(reference)}"
        return Distance(what, excess=math.inf)
    total = Distance()
    for old, new in zip(reference, result, strict=True):
        total = total.worst(compare(old, new, tolerance))
    return total


def measure(reference: Array, result: Array, tolerance: Tolerance) -> Distance:
    """Compare two arrays.

    Args:
        reference: the right answer, any dtype and shape.
        result: the answer in question; other dtype or shape fails.
        tolerance: what is allowed.
    """
    if reference.dtype != result.dtype and not (
        reference.dtype.kind in "OSU" and result.dtype.kind in "OSU"
    ):
        what = f"dtype {result.dtype}, expected {reference.dtype}"
        return Distance(what, excess=math.inf)
    if reference.shape != result.shape:
        what = f"shape {list(result.shape)}, expected {list(reference.shape)}"
        return Distance(what, excess=math.inf)
    if reference.size == 0:
        return Distance()
    if reference.dtype.kind == "c":
        half = _part(reference.dtype)
        pairs = [np.ascontiguousarray(array).view(half) for array in (reference, result)]
        return measure(pairs[0], pairs[1], tolerance)
    if reference.dtype.kind in "OSUb":
        count = int((reference != result).sum())
        what = f"{count} of {reference.size} elements differ" if count else ""
        allowed = tolerance.exactness == Exactness.LOSSY
        return Distance("" if allowed else what, excess=math.inf if count else 0)
    if holds_floats(reference.dtype):
        return _measure_floats(reference, result, tolerance)
    return _measure_integers(reference, result, tolerance)


def _measure_integers(reference: Array, result: Array, tolerance: Tolerance) -> Distance:
    wide = object if reference.dtype == np.uint64 else np.int64
    old, new = reference.astype(wide), result.astype(wide)
    off = np.where(old > new, old - new, new - old) if wide is object else abs(new - old)
    far = int(off.max())
    rel = float((off / np.maximum(abs(old), 1)).max())
    bound: Any = 0
    if tolerance.bounded:
        bound = (tolerance.atol or 0) + (tolerance.rtol or 0) * abs(old).astype(float)
    elif tolerance.exactness == Exactness.LOSSY:
        bound = math.inf
    elif tolerance.exactness == Exactness.FLOAT and _is_quantized(reference.dtype):
        bound = 1
    bad = int((off > bound).sum())
    reason = f"{bad} of {off.size} elements differ, by up to {far}" if bad else ""
    excess = math.inf if bad and not np.any(bound) else _excess(off.astype(float), bound)
    return Distance(reason, float(far), rel, far, excess)


def _excess(off: Array, bound: Any) -> float:
    with np.errstate(all="ignore"):
        ratio = np.where(off > 0, off / np.asarray(bound, dtype=float), 0.0)
    return float(ratio.max(initial=0.0))


def _measure_floats(reference: Array, result: Array, tolerance: Tolerance) -> Distance:
    old, new = reference.astype(np.float64), result.astype(np.float64)
    steps = _ulps(reference, result)
    nan = np.isnan(old)
    if not np.array_equal(nan, np.isnan(new)):
        count = int((nan != np.isnan(new)).sum())
        return Distance(f"{count} elements are NaN in only one of them", ulp=steps, excess=math.inf)
    infinite = np.isinf(old) | np.isinf(new)
    if not np.array_equal(old[infinite], new[infinite]):
        return Distance("infinities differ", ulp=steps, excess=math.inf)
    finite = ~(nan | infinite)
    old, new = old[finite], new[finite]
    if old.size == 0:
        return Distance(ulp=steps)
    with np.errstate(all="ignore"):
        off = np.abs(new - old)
        rel = np.where(off > 0, off / np.abs(old), 0.0)
    far, wide = float(off.max()), float(rel.max())
    if tolerance.exactness == Exactness.BITWISE and not tolerance.bounded:
        reason = f"bits differ, by up to {steps} ulp" if steps else ""
        return Distance(reason, far, wide, steps, math.inf if steps else 0.0)
    if tolerance.exactness == Exactness.LOSSY and not tolerance.bounded:
        return Distance("", far, wide, steps)
    rtol, atol = _FLOAT.get(reference.dtype.name, _COARSE)
    if tolerance.bounded:
        rtol, atol = tolerance.rtol or 0.0, tolerance.atol or 0.0
    else:
        atol *= float(np.abs(old).max())
    excess = _excess(off, rtol * np.abs(old) + atol)
    reason = f"off by up to {far:.3g}, {excess:.3g} times what is allowed" if excess > 1 else ""
    return Distance(reason, far, wide, steps, excess)


def _ulps(reference: Array, result: Array) -> int:
    """Largest distance in representable values; -0.0 and 0.0 are one apart, NaNs are equal."""
    unsigned = np.dtype(f"u{reference.dtype.itemsize}")
    bits = [np.ascontiguousarray(array).view(unsigned) for array in (reference, result)]
    differ = bits[0] != bits[1]
    differ &= ~(np.isnan(reference.astype(np.float64)) & np.isnan(result.astype(np.float64)))
    if not differ.any():
        return 0
    # Signed magnitude to a line of integers on which neighbours are one apart; int objects because
    # the distance of two 64-bit positions needs 65 bits.
    top = 1 << (_sign_bit(reference.dtype))
    places = []
    for array in bits:
        chosen = array[differ]
        magnitude = (chosen & unsigned.type(top - 1)).astype(
            np.float64 if top > 1 << 53 else np.int64
        )
        places.append(np.where(chosen & unsigned.type(top), -magnitude - 1, magnitude))
    return max(1, int(np.abs(places[0] - places[1]).max()))


def _sign_bit(dtype: np.dtype[Any]) -> int:
    return _onnx(dtype).bitwidth - 1
