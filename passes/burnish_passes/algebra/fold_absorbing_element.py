"""What is the same for every input needs no input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np

from burnish.ir import DataType, constant, make_tensor
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.proofs import is_filled_with

_ABSORBING: Mapping[str, int] = MappingProxyType({"And": 0, "BitwiseAnd": 0, "Mul": 0, "Or": 1})
_OF_EQUALS: Mapping[str, int] = MappingProxyType(
    {
        "BitwiseXor": 0,
        "Equal": 1,
        "Greater": 0,
        "GreaterOrEqual": 1,
        "Less": 0,
        "LessOrEqual": 1,
        "Sub": 0,
        "Xor": 0,
    }
)
_LARGEST: Final = 16 << 10
"""Bytes that a result may take in the model; fold-constants leaves generators the same."""


def _filled(op: Any, m: Match, element: int) -> Any:
    """A constant like the result, filled with ``element``."""
    result = m.root.outputs[0]
    dtype, shape = m.ctx.shapes.dtype(result), m.shape_of(result)
    sizes = [dim for dim in shape if isinstance(dim, int)]
    if dtype is None or len(sizes) < len(shape):
        m.decline("the shape of the result is not known")
    size = math.prod(sizes) * dtype.bitwidth // 8
    m.require(size <= _LARGEST, f"the {size} bytes of the result would be stored")
    array = np.full(sizes, element, dtype=dtype.numpy())
    yields = result.is_graph_output()
    m.require(not yields or m.opset >= 9, "Constant holds only floats before opset 9")
    if not yields:
        return op.constant(array, dtype=dtype)
    return op.Constant(value=make_tensor(array, dtype))


def _is_exact(dtype: DataType) -> bool:
    return dtype.is_integer() or dtype == DataType.BOOL


class FoldAbsorbing(Rule):
    """``x * 0 => 0`` of integers, ``x and false => false``, ``x or true => true``."""

    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any, c: Any) -> Any:
        return op.either(*_ABSORBING)(x, c.constant)

    def when(self, m: Match) -> None:
        held = constant(m["c"])
        m.suppose(held is not None and (_is_exact(held.dtype) or held.size == 1))
        m.suppose(is_filled_with(m.const("c"), _ABSORBING[m.root.op_type]))
        m.require(held is not None and _is_exact(held.dtype), "0 * NaN and 0 * inf are NaN")

    def after(self, op: Any, m: Match) -> Any:
        return _filled(op, m, _ABSORBING[m.root.op_type])


class FoldEqualOperands(Rule):
    """``x - x => 0``, ``x xor x => false``, and comparisons of a value with itself."""

    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any) -> Any:
        return op.either(*_OF_EQUALS)(x, x)

    def when(self, m: Match) -> None:
        m.require(_is_exact(m.dtype("x")), "NaN differs from itself")

    def after(self, op: Any, m: Match) -> Any:
        return _filled(op, m, _OF_EQUALS[m.root.op_type])


@dataclass(frozen=True)
class FoldAbsorbingElement(RuleSet):
    """Replace results that no operand can change by a constant.

    Of integers ``x * 0 => 0``, ``x - x => 0``, ``x == x => true``, ``x < x => false`` and their
    like; of booleans ``x and false => false``, ``x or true => true``, ``x xor x => false``.

    Before::

        agraph (int64[2] i, int64[2] j) => (int64[2] k) {
            zero = Constant <value = int64 {0}> ()
            a = Mul(i, zero)
            b = Sub(j, j)
            c = Add(a, b)
            k = Add(c, j)
        }

    After::

        agraph (int64[2] i, int64[2] j) => (int64[2] k) {
            a = Constant <value = int64[2] {0, 0}> ()
            b = Constant <value = int64[2] {0, 0}> ()
            c = Add(a, b)
            k = Add(c, j)
        }

    BITWISE, and never for floats: ``0 * NaN``, ``0 * inf`` and ``inf - inf`` are NaN. Nor is
    ``x / x`` 1, as ``0 / 0`` stops an integer model. The shape must be known and the result small.
    Catalogue row E13. Source: arithmetic modulo a power of two; Boolean algebra.
    """

    name: ClassVar[str] = "fold-absorbing-element"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (FoldAbsorbing, FoldEqualOperands)
