"""Contents rules of arithmetic, comparison, logic and conversion, element by element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

import numpy as np

from burnish.ir import Array, DataType
from burnish.shapes.facts import (
    INTEGERS,
    MAX_ELEMENTS,
    ContentsRule,
    NodeFacts,
    SymbolicTensor,
)
from burnish.shapes.movement import contents_of, objects
from burnish.symbolic import (
    Dim,
    Expr,
    bounds,
    exact_div,
    floordiv,
    has_unknown,
    is_nonnegative,
    known_different,
    known_equal,
    maximum,
    minimum,
    mod,
    product,
)

__all__ = ["ELEMENTWISE_RULES"]

_NUMPY_FLOATS: Mapping[DataType, Any] = MappingProxyType(
    {DataType.FLOAT: np.float32, DataType.DOUBLE: np.float64, DataType.FLOAT16: np.float16}
)
_WIDE = frozenset({DataType.INT64, DataType.INT32, DataType.UINT64, DataType.UINT32})

Scalar = Callable[[NodeFacts, Any, Any], Any]


# ---- element by element --------------------------------------------------------------------------


def _truth(answer: bool | None, view: NodeFacts) -> Dim:
    return view.integer() if answer is None else int(answer)


def _divide(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    """ONNX integer division, which rounds towards zero."""
    if right == 0:
        return view.integer()
    if isinstance(left, int) and isinstance(right, int):
        magnitude = abs(left) // abs(right)
        return magnitude if (left < 0) == (right < 0) else -magnitude
    exact = exact_div(left, right)
    if exact is not None:
        return exact
    if is_nonnegative(left) and is_nonnegative(right):
        return floordiv(left, right)
    return view.integer()


def _remainder(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    if right == 0:
        return view.integer()
    if not view.attribute("fmod", 0):
        return mod(left, right)
    if is_nonnegative(left) and is_nonnegative(right):
        return mod(left, right)
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return left - right * (quotient if (left < 0) == (right < 0) else -quotient)
    return view.integer()


def _power(view: NodeFacts, base: Dim, exponent: Dim) -> Dim:
    if isinstance(exponent, int) and 0 <= exponent <= (64 if isinstance(base, int) else 4):
        return product([base] * exponent)
    return view.integer()


def _equal(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    if known_equal(left, right):
        return 1
    return 0 if known_different(left, right) else view.integer()


def _less(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    return _truth(is_nonnegative(right - left - 1), view)


def _less_or_equal(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    return _truth(is_nonnegative(right - left), view)


def _and(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    if left == 0 or right == 0:
        return 0
    return 1 if left == 1 and right == 1 else view.integer()


def _or(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    if left == 1 or right == 1:
        return 1
    return 0 if left == 0 and right == 0 else view.integer()


def _xor(view: NodeFacts, left: Dim, right: Dim) -> Dim:
    return left ^ right if isinstance(left, int) and isinstance(right, int) else view.integer()


_BINARY: Mapping[str, Scalar] = MappingProxyType(
    {
        "Add": lambda view, a, b: a + b,
        "Sub": lambda view, a, b: a - b,
        "Mul": lambda view, a, b: a * b,
        "Div": _divide,
        "Mod": _remainder,
        "Pow": _power,
        "Equal": _equal,
        "Less": _less,
        "LessOrEqual": _less_or_equal,
        "Greater": lambda view, a, b: _less(view, b, a),
        "GreaterOrEqual": lambda view, a, b: _less_or_equal(view, b, a),
        "And": _and,
        "Or": _or,
        "Xor": _xor,
    }
)

# Correctly rounded in IEEE arithmetic, so that every runtime gives these same bits.
_FLOAT_BINARY: Mapping[str, Any] = MappingProxyType(
    {
        "Add": np.add,
        "Sub": np.subtract,
        "Mul": np.multiply,
        "Div": np.divide,
        "Min": np.minimum,
        "Max": np.maximum,
        "Equal": np.equal,
        "Less": np.less,
        "LessOrEqual": np.less_equal,
        "Greater": np.greater,
        "GreaterOrEqual": np.greater_equal,
    }
)
_FLOAT_UNARY: Mapping[str, Any] = MappingProxyType(
    {
        "Neg": np.negative,
        "Abs": np.abs,
        "Sign": np.sign,
        "Sqrt": np.sqrt,
        "Floor": np.floor,
        "Ceil": np.ceil,
        "Round": np.rint,
        "Reciprocal": np.reciprocal,
    }
)


def _floats(held: SymbolicTensor) -> Array | None:
    kind = _NUMPY_FLOATS.get(held.dtype)
    return None if kind is None else np.array(held.elements, dtype=kind).reshape(held.shape)


def _float_result(operation: Any, held: list[SymbolicTensor]) -> Array | None:
    arrays = [array for array in map(_floats, held) if array is not None]
    if len(arrays) != len(held):
        return None
    with np.errstate(all="ignore"):
        answer = np.asarray(operation(arrays[0]) if len(arrays) == 1 else reduce(operation, arrays))
    values = answer.astype(np.int64) if answer.dtype == np.bool_ else answer
    return objects(values.reshape(-1).tolist(), answer.shape)


def _zip(view: NodeFacts, operation: Scalar, left: Array, right: Array) -> Array | None:
    if view.version < 7 and left.shape != right.shape:
        return None
    left, right = np.broadcast_arrays(left, right)
    if left.size > MAX_ELEMENTS:
        return None
    pairs = zip(left.reshape(-1).tolist(), right.reshape(-1).tolist(), strict=True)
    return objects([operation(view, a, b) for a, b in pairs], left.shape)


def _binary(view: NodeFacts) -> list[Array | None] | None:
    held = contents_of(view)
    if held is None:
        return None
    op = view.node.op_type
    if held[0].dtype not in INTEGERS:
        operation = _FLOAT_BINARY.get(op)
        if operation is None or view.version < 7:
            return None
        return [_float_result(operation, held)]
    if len(held) != 2 or held[1].dtype not in INTEGERS:
        return None
    return [_zip(view, _BINARY[op], held[0].array(), held[1].array())]


def _min_max(view: NodeFacts) -> list[Array | None] | None:
    held = contents_of(view)
    if held is None:
        return None
    op = view.node.op_type
    if held[0].dtype not in INTEGERS:
        return [_float_result(_FLOAT_BINARY[op], held)]
    choose = minimum if op == "Min" else maximum
    total: Array | None = held[0].array()
    for other in held[1:]:
        if total is not None:
            total = _zip(view, lambda _, a, b: choose(a, b), total, other.array())
    return [total]


def _absolute(view: NodeFacts, dim: Dim) -> Dim:
    if is_nonnegative(dim):
        return dim
    high = bounds(dim)[1]
    return -dim if high is not None and high <= 0 else view.integer()


def _sign(view: NodeFacts, dim: Dim) -> Dim:
    if isinstance(dim, int):
        return (dim > 0) - (dim < 0)
    low, high = bounds(dim)
    if low is not None and low > 0:
        return 1
    return -1 if high is not None and high < 0 else view.integer()


def _not(view: NodeFacts, dim: Dim) -> Dim:
    return 1 - dim if isinstance(dim, int) else view.integer()


_UNARY: Mapping[str, Callable[[NodeFacts, Dim], Dim]] = MappingProxyType(
    {"Neg": lambda view, dim: -dim, "Abs": _absolute, "Sign": _sign, "Not": _not}
)


def _unary(view: NodeFacts) -> list[Array | None] | None:
    held = view.contents(0)
    if held is None:
        return None
    op = view.node.op_type
    dims = held.dims()
    if dims is None:
        operation = _FLOAT_UNARY.get(op)
        return None if operation is None else [_float_result(operation, [held])]
    if op not in _UNARY:
        return None
    return [objects([_UNARY[op](view, dim) for dim in dims], held.shape)]


# ---- types ---------------------------------------------------------------------------------------


def _cast_element(view: NodeFacts, element: Any, source: DataType, target: DataType) -> Any:
    """One element in another type; raises ValueError or OverflowError when it has no number."""
    if target == DataType.BOOL:
        if isinstance(element, Expr):
            return 1 if known_different(element, 0) else view.integer()
        return int(element != 0)
    if target in INTEGERS:
        if not isinstance(element, Expr):
            return int(element)
        signed = target in (DataType.INT64, DataType.INT32) or is_nonnegative(element)
        widens = (source, target) == (DataType.INT32, DataType.INT64)
        if source != target and not widens and has_unknown(element):
            # An unknown of any sign may be any number at all, and wrap.
            signed = is_nonnegative(element) is True
        fits = source == target or (source in _WIDE and target in _WIDE and signed)
        return element if fits else view.integer()
    if isinstance(element, Expr):
        raise ValueError("a symbol has no floating value")
    return float(_NUMPY_FLOATS[target](element))


def _cast_to(view: NodeFacts, target: DataType | None) -> list[Array | None] | None:
    held = view.contents(0)
    if held is None or target is None:
        return None
    if target not in INTEGERS and target not in _NUMPY_FLOATS:
        return None
    try:
        with np.errstate(all="ignore"):
            cells = [_cast_element(view, e, held.dtype, target) for e in held.elements]
    except (ValueError, OverflowError):
        return None
    return [objects(cells, held.shape)]


def _cast(view: NodeFacts) -> list[Array | None] | None:
    target = view.attribute("to")
    return _cast_to(view, None if target is None else DataType(target))


def _cast_like(view: NodeFacts) -> list[Array | None] | None:
    return _cast_to(view, view.facts(1).dtype)


def _where(view: NodeFacts) -> list[Array | None] | None:
    held = contents_of(view)
    if held is None or len(held) != 3:
        return None
    condition, yes, no = np.broadcast_arrays(*(each.array() for each in held))
    if condition.size > MAX_ELEMENTS:
        return None
    integer = held[1].dtype in INTEGERS
    cells: list[Any] = []
    for chosen, a, b in zip(condition.flat, yes.flat, no.flat, strict=True):
        if chosen == 1 or (integer and known_equal(a, b)):
            cells.append(a)
        elif chosen == 0:
            cells.append(b)
        elif integer:
            cells.append(view.integer())
        else:
            return None
    return [objects(cells, condition.shape)]


ELEMENTWISE_RULES: Mapping[str, ContentsRule] = MappingProxyType(
    {
        **dict.fromkeys(_BINARY, _binary),
        **dict.fromkeys(_FLOAT_UNARY, _unary),
        "Not": _unary,
        "Min": _min_max,
        "Max": _min_max,
        "Cast": _cast,
        "CastLike": _cast_like,
        "Where": _where,
    }
)
