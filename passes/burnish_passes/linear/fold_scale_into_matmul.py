"""A constant factor after a product of matrices goes into the constant one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.constants import held_shape, no_large_copy, not_larger
from burnish_passes.linear.affine import sole_axis
from burnish_passes.linear.weights import rounded_constant


def _factor(m: Match, rank: int, axis: int, size: int) -> Array:
    """What variable ``c`` multiplies the product by, float64[size] or [1], along ``axis``."""
    length = sole_axis(m, held_shape(m, "c"), rank, axis % max(rank, 1))
    m.require(length in (1, size), "the constant would enlarge the product")
    c = m.const("c").astype(np.float64).reshape(-1)
    with np.errstate(all="ignore"):
        factor: Array = c if m.root.op_type == "Mul" else 1.0 / c
    m.require(bool(np.isfinite(factor).all()), "the factor is not finite")
    return factor


def _starts(m: Match) -> None:
    shape = held_shape(m, "w")
    m.suppose(m.opset >= 7 and len(shape) >= 2 and m.dtype("w").is_floating_point())


def _rank(m: Match) -> int:
    return len(m.shape_of(m.node("MatMul").outputs[0]))


class FoldIntoRight(Rule):
    """``MatMul(a, W) * c => MatMul(a, W * c)`` for a number or a row."""

    def before(self, op: Any, a: Any, w: Any, c: Any) -> Any:
        return op.either("Mul", "Div")(op.MatMul(a, w.constant), c.constant)

    def after(self, op: Any, m: Match) -> Any:
        _starts(m)
        factor = _factor(m, _rank(m), -1, held_shape(m, "w")[-1])
        no_large_copy(m, m["w"])
        weight = m.const("w").astype(np.float64) * factor
        return op.MatMul(m["a"], rounded_constant(op, m, weight, "w", "weight", m["w"]))


class FoldIntoLeft(Rule):
    """``MatMul(W, a) * c => MatMul(W * c, a)`` for a number or a column."""

    def before(self, op: Any, a: Any, w: Any, c: Any) -> Any:
        return op.either("Mul", "Div")(op.MatMul(w.constant, a), c.constant)

    def after(self, op: Any, m: Match) -> Any:
        _starts(m)
        # A vector on the right takes the last axis away, and the rows of W with it to the end.
        axis = -1 if len(m.shape("a")) == 1 else -2
        factor = _factor(m, _rank(m), axis, held_shape(m, "w")[-2])
        no_large_copy(m, m["w"])
        weight = m.const("w").astype(np.float64) * factor[:, None]
        return op.MatMul(rounded_constant(op, m, weight, "w", "weight", m["w"]), m["a"])


class FoldIntoBoth(Rule):
    """``(MatMul(a, W) + b) * c => MatMul(a, W * c) + b * c`` for a number or a row."""

    def before(self, op: Any, a: Any, w: Any, b: Any, c: Any) -> Any:
        biased = op.Add(op.MatMul(a, w.constant), b.constant, _name="bias")
        return op.either("Mul", "Div")(biased, c.constant)

    def after(self, op: Any, m: Match) -> Any:
        _starts(m)
        rank = _rank(m)
        m.require(len(held_shape(m, "b")) <= rank, "the bias gives the result its rank")
        factor = _factor(m, rank, -1, held_shape(m, "w")[-1])
        no_large_copy(m, m["w"])
        no_large_copy(m, m["b"])
        old = m.const("b").astype(np.float64)
        not_larger(m, old, factor)
        weight = m.const("w").astype(np.float64) * factor
        product = op.MatMul(m["a"], rounded_constant(op, m, weight, "w", "weight", m["w"]))
        return op.Add(product, rounded_constant(op, m, old * factor, "w", "bias", m["b"]))


@dataclass(frozen=True)
class FoldScaleIntoMatmul(RuleSet):
    """Fold a constant factor into the MatMul before it.

    ``MatMul(a, W) * c => MatMul(a, W * c)`` where c is a number or acts per column of the result,
    and ``/ c`` alike; with a constant left matrix c acts per row.

    Before::

        agraph (float[B,N,2] x) => (float[B,N,2] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            c = Constant <value = float[2] {2.0, 4.0}> ()
            t = MatMul(x, w)
            y = Div(t, c)
        }

    After::

        agraph (float[B,N,2] x) => (float[B,N,2] y) {
            w = Constant <value = float[2,2] {0.5, 0.5, 1.5, 1.0}> ()
            y = MatMul(x, w)
        }

    A constant bias between them is scaled too:

    Before::

        agraph (float[B,N,2] x) => (float[B,N,2] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            b = Constant <value = float[2] {1.0, 5.0}> ()
            c = Constant <value = float {2.0}> ()
            t = MatMul(x, w)
            u = Add(b, t)
            y = Mul(u, c)
        }

    After::

        agraph (float[B,N,2] x) => (float[B,N,2] y) {
            w = Constant <value = float[2,2] {2.0, 4.0, 6.0, 8.0}> ()
            b = Constant <value = float[2] {2.0, 10.0}> ()
            t = MatMul(x, w)
            y = Add(t, b)
        }

    Not of integers: a quotient of them is rounded. A large matrix that others read too stays: the
    model would hold it twice. FLOAT: products are formed in float64 and rounded once to the type
    of W. Catalogue row A10. Source: a product of matrices is linear in both.
    """

    name: ClassVar[str] = "fold-scale-into-matmul"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (FoldIntoRight, FoldIntoLeft, FoldIntoBoth)
