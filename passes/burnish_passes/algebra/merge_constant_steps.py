"""Sums and products with constants, one after the other, take one constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import DataType, Node, Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.algebra.affine_steps import (
    Factor,
    Step,
    factor_of,
    new_constant,
    require_no_cancellation,
    step_of,
    term_of,
)
from burnish_passes.linear.affine import read_here_only

_SUMS = ("Add", "Sub")
_PRODUCTS = ("Div", "Mul")
_INTEGERS = frozenset(
    {DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64}
    | {DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64}
)


def _two(m: Match) -> tuple[Step, Step, bool]:
    """The inner and the outer step, and whether they are of floating-point numbers."""
    floats = _floats(m, m.root)
    inner = step_of(m.node("inner"), wide=floats)
    read_here_only(m, inner.node)
    return inner, step_of(m.root, wide=floats), floats


def _floats(m: Match, node: Node) -> bool:
    """Whether ``node`` computes with floating point; integers wrap; anything else is not ours."""
    m.suppose(m.opset >= 7)  # broadcasting was another before
    dtype = m.ctx.shapes.dtype(node.outputs[0])
    m.suppose(dtype is not None and (dtype.is_floating_point() or dtype in _INTEGERS))
    return dtype is not None and dtype.is_floating_point()


def _sum(op: Any, m: Match, inner: Step, outer: Step, floats: bool) -> Value:
    first = term_of(inner)
    whole = first.then(term_of(outer))
    if floats:
        require_no_cancellation(m, first.offset, whole.offset)
    c = new_constant(op, m, whole.offset, inner.held, outer.held)
    made: Value = op.Sub(c, inner.x) if whole.negates else op.Add(inner.x, c)
    return made


def _product(op: Any, m: Match, inner: Step, outer: Step, floats: bool) -> Value:
    m.require(
        floats or inner.node.op_type == outer.node.op_type == "Mul",
        "a quotient of integers is rounded",
    )
    whole = factor_of(inner).then(factor_of(outer))
    made: Value
    if not whole.inverts and floats and bool((whole.over == 1.0).all()):
        under = np.broadcast_to(whole.under, np.broadcast_shapes(inner.c.shape, outer.c.shape))
        made = op.Div(inner.x, new_constant(op, m, under, inner.held, outer.held, factor=True))
        return made
    number = whole.number if floats else whole.over
    c = new_constant(op, m, number, inner.held, outer.held, factor=floats)
    made = op.Div(c, inner.x) if whole.inverts else op.Mul(inner.x, c)
    return made


class MergeSums(Rule):
    """``(x + a) + b``, with - alike."""

    def before(self, op: Any, c: Any) -> Any:
        return op.either(*_SUMS)(op.either(*_SUMS)(..., _name="inner", _shared=True), c.constant)

    def after(self, op: Any, m: Match) -> Any:
        return _sum(op, m, *_two(m))


class MergeProducts(Rule):
    """``(x * a) * b``, with / alike."""

    def before(self, op: Any, c: Any) -> Any:
        return op.either(*_PRODUCTS)(
            op.either(*_PRODUCTS)(..., _name="inner", _shared=True), c.constant
        )

    def after(self, op: Any, m: Match) -> Any:
        return _product(op, m, *_two(m))


class SubtractSum(Rule):
    """``b - (x + a)``."""

    def before(self, op: Any, c: Any) -> Any:
        return op.Sub(
            c.constant, op.either(*_SUMS)(..., _name="inner", _shared=True), _name="outer"
        )

    def after(self, op: Any, m: Match) -> Any:
        return _sum(op, m, *_two(m))


class DivideByProduct(Rule):
    """``b / (x * a)``."""

    def before(self, op: Any, c: Any) -> Any:
        return op.Div(
            c.constant, op.either(*_PRODUCTS)(..., _name="inner", _shared=True), _name="outer"
        )

    def after(self, op: Any, m: Match) -> Any:
        return _product(op, m, *_two(m))


def _steps(m: Match) -> tuple[Step, Step, Step]:
    """The three steps, innermost first, of floating-point numbers."""
    m.suppose(_floats(m, m.root))
    first, second = (step_of(m.node(name), wide=True) for name in ("first", "second"))
    read_here_only(m, first.node)
    return first, second, step_of(m.root, wide=True)


def _plain(factor: Factor) -> bool:
    return not factor.inverts


class DistributeFactor(Rule):
    """``((x * a) + b) * c => x * (a * c) + b * c``."""

    def before(self, op: Any, b: Any, c: Any) -> Any:
        second = op.either(*_SUMS)(
            op.either(*_PRODUCTS)(..., _name="first", _shared=True), b.constant, _name="second"
        )
        return op.either(*_PRODUCTS)(second, c.constant, _name="third")

    def after(self, op: Any, m: Match) -> Any:
        first, second, third = _steps(m)
        inner, outer = factor_of(first), factor_of(third)
        m.suppose(_plain(inner))
        factor = new_constant(op, m, inner.then(outer).number, first.held, third.held, factor=True)
        offset = term_of(second).offset * outer.number
        return op.Add(op.Mul(first.x, factor), new_constant(op, m, offset, third.held, second.held))


class DistributeOffset(Rule):
    """``((x + a) * b) + c => x * b + (a * b + c)``."""

    def before(self, op: Any, b: Any, c: Any) -> Any:
        second = op.either(*_PRODUCTS)(
            op.either(*_SUMS)(..., _name="first", _shared=True), b.constant, _name="second"
        )
        return op.either(*_SUMS)(second, c.constant, _name="third")

    def after(self, op: Any, m: Match) -> Any:
        first, second, third = _steps(m)
        inner, number, last = term_of(first), factor_of(second).number, term_of(third).offset
        moved = inner.offset * number
        # Near x = -a the sum was as exact as c; it stays so only beside a c of that size.
        require_no_cancellation(m, moved, last)
        offset = new_constant(op, m, moved + last, first.held, third.held)
        number = -number if inner.negates else number
        factor = new_constant(op, m, number, first.held, second.held, factor=True)
        return op.Add(op.Mul(first.x, factor), offset)


@dataclass(frozen=True)
class MergeConstantSteps(RuleSet):
    """Merge arithmetic with constants into fewer steps.

    ``(x + a) + b => x + (a + b)`` and ``(x * a) * b => x * (a * b)``, with - and / alike and the
    constants on either side:

    Before::

        agraph (float[N,2] x) => (float[N,2] y) {
            a = Constant <value = float[2] {2.0, 4.0}> ()
            b = Constant <value = float {8.0}> ()
            c = Constant <value = float {3.0}> ()
            d = Constant <value = float {1.0}> ()
            s = Mul(a, x)
            t = Div(s, b)
            u = Add(t, c)
            y = Sub(d, u)
        }

    After::

        agraph (float[N,2] x) => (float[N,2] y) {
            a = Constant <value = float[2] {0.25, 0.5}> ()
            d = Constant <value = float {-2.0}> ()
            t = Mul(x, a)
            y = Sub(d, t)
        }

    ``((x * a) + b) * c => x * (a * c) + b * c`` and ``((x + a) * b) + c => x * b + (a * b + c)``:

    Before::

        agraph (float[N,2] x) => (float[N,2] y) {
            a = Constant <value = float {2.0}> ()
            b = Constant <value = float {1.0}> ()
            c = Constant <value = float {0.5}> ()
            d = Constant <value = float {1.0}> ()
            s = Mul(x, a)
            t = Add(s, b)
            u = Mul(t, c)
            y = Add(u, d)
        }

    After::

        agraph (float[N,2] x) => (float[N,2] y) {
            k = Constant <value = float {1.0}> ()
            c = Constant <value = float {1.5}> ()
            t = Mul(x, k)
            y = Add(t, c)
        }

    Integers wrap in the same way, so for sums and products of them nothing changes. Offsets that
    nearly cancel stay: ``(x + 2**23) - 2**23`` rounds x on purpose. So does what broadcasting would
    make larger, overflow, or underflow. FLOAT: constants are formed in float64 and rounded once.
    Catalogue rows A24, E2. Source: the field axioms, which hold within rounding.
    """

    name: ClassVar[str] = "merge-constant-steps"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (
        MergeSums,
        MergeProducts,
        SubtractSum,
        DivideByProduct,
        DistributeFactor,
        DistributeOffset,
    )
