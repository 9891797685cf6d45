"""Running a model for a conformance case, and comparing what it gives with what was expected."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from tests.conformance.cases import Case, DataSet

from burnish.evaluate import Engine, Evaluator
from burnish.passdef import Exactness

ENGINES: tuple[Engine, ...] = ("ort", "reference")

# The wheel's own runner grants bfloat16 two units in the last place.
BFLOAT16_RTOL = 2.0**-6
# The same two units for float16, but only where a pass may round differently: where an operator is
# raised, its kernel rounds in other places.
FLOAT16_RTOL = 2.0**-9


def prepare(model: onnx.ModelProto, engine: Engine) -> Evaluator:
    """``model`` ready to run in one engine, which may not fall back to another.

    Raises:
        ExecutionError: when the engine refuses the model.
    """
    # Else ONNX Runtime refuses every model of an opset newer than its own release, also where it
    # has the kernels; the wheel's cases are mostly of the newest opset.
    os.environ.setdefault("ALLOW_RELEASED_ONNX_OPSET_ONLY", "0")
    return Evaluator(model, engine=engine)


def first_difference(
    case: Case, data: DataSet, actual: list[Any], exactness: Exactness = Exactness.BITWISE
) -> str:
    """Why ``actual`` is not what the case expects; empty when it is.

    Args:
        case: says how far results may be off.
        data: one of its runs.
        actual: the outputs of that run, in order.
        exactness: what the passes that ran may do to the numbers.
    """
    least = {"bfloat16": BFLOAT16_RTOL}
    if exactness >= Exactness.FLOAT:
        least["float16"] = FLOAT16_RTOL
    if len(actual) != len(data.expected):
        return f"{len(actual)} outputs, expected {len(data.expected)}"
    for index, (expected, given) in enumerate(zip(data.expected, actual, strict=True)):
        reason = _difference(expected, given, case.rtol, case.atol, least)
        if reason:
            return f"output {index}: {reason}"
    return ""


def _difference(
    expected: Any, actual: Any, rtol: float, atol: float, least: Mapping[str, float]
) -> str:
    """Why ``actual`` is not ``expected``; ``least`` holds a lower bound of ``rtol`` by type."""
    if isinstance(expected, (list, tuple)):
        if not isinstance(actual, (list, tuple)) or len(actual) != len(expected):
            return "not the expected sequence"
        pairs = zip(expected, actual, strict=True)
        reasons = (_difference(left, right, rtol, atol, least) for left, right in pairs)
        return next(filter(None, reasons), "")
    if expected is None or actual is None:
        return "" if expected is actual else "an empty optional against a value"
    left, right = np.asarray(expected), np.asarray(actual)
    if left.shape != right.shape:
        return f"shape {right.shape}, expected {left.shape}"
    if left.dtype.kind in "OUST":
        return "" if left.astype(str).tolist() == right.astype(str).tolist() else "other strings"
    if left.dtype != right.dtype:
        return f"type {right.dtype}, expected {left.dtype}"
    rtol = max(rtol, least.get(left.dtype.name, 0.0))
    return _numeric_difference(left, right, rtol, atol)


def _numeric_difference(left: Any, right: Any, rtol: float, atol: float) -> str:
    if left.dtype.kind not in "biufc":
        # bfloat16, float8 and 4-bit types, which numpy only knows through ml_dtypes
        left, right = left.astype(np.float32), right.astype(np.float32)
    try:
        np.testing.assert_allclose(right, left, rtol=rtol, atol=atol)
    except AssertionError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return "; ".join(lines[1:4])
    return ""
