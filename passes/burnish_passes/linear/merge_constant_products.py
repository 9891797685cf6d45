"""Two products with constant matrices become one, where that computes no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Value, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.constants import held_shape
from burnish_passes.linear.gemm import added_up, other_attributes
from burnish_passes.linear.weights import constant_or_absent, rounded_constant

_LARGEST = 2**33
"""Multiplications that are still worth doing at compile time (seconds)."""


def _pays(m: Match, rows: int, middle: int, columns: int) -> None:
    """Decline unless one matrix of rows x columns is at most as large as the two it replaces.

    Elements of the matrices are multiplications for each row of the other operand, too.
    """
    kept = [name for name in ("v", "w") if len(m[name].uses()) > 1]
    m.require(not kept, "a matrix has another reader and would stay")
    fewer = rows * columns <= middle * (rows + columns)
    m.require(fewer, "one product would be more multiplications than two")
    m.require(rows * middle * columns <= _LARGEST, "the matrices are too large to multiply here")


def _matrices(m: Match) -> tuple[tuple[int, ...], tuple[int, ...]]:
    first, second = held_shape(m, "v"), held_shape(m, "w")
    m.suppose(len(first) == len(second) == 2 and m.dtype("w").is_floating_point())
    m.suppose(m.opset >= 7)
    return first, second


def _wide(m: Match, name: str) -> Array:
    array: Array = m.const(name).astype(np.float64)
    return array


class MergeRight(Rule):
    """``MatMul(MatMul(x, V), W) => MatMul(x, V W)``."""

    def before(self, op: Any, x: Any, v: Any, w: Any) -> Any:
        return op.MatMul(op.MatMul(x, v.constant, _name="inner"), w.constant, _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        first, second = _matrices(m)
        _pays(m, first[0], first[1], second[1])
        product = _wide(m, "v") @ _wide(m, "w")
        return op.MatMul(m["x"], rounded_constant(op, m, product, "w", "weight", m["w"]))


class MergeLeft(Rule):
    """``MatMul(W, MatMul(V, x)) => MatMul(W V, x)``."""

    def before(self, op: Any, x: Any, v: Any, w: Any) -> Any:
        return op.MatMul(w.constant, op.MatMul(v.constant, x, _name="inner"), _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        first, second = _matrices(m)
        _pays(m, second[0], second[1], first[1])
        product = _wide(m, "w") @ _wide(m, "v")
        return op.MatMul(rounded_constant(op, m, product, "w", "weight", m["w"]), m["x"])


class MergeOverBias(Rule):
    """``MatMul(MatMul(x, V) + b, W) => MatMul(x, V W) + b W``."""

    def before(self, op: Any, x: Any, v: Any, b: Any, w: Any) -> Any:
        inner = op.Add(op.MatMul(x, v.constant, _name="inner"), b.constant)
        return op.MatMul(inner, w.constant, _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        first, second = _matrices(m)
        m.require(held_shape(m, "b") == (first[1],), "the bias is not one number for each column")
        _pays(m, first[0], first[1], second[1])
        outer = _wide(m, "w")
        weight = rounded_constant(op, m, _wide(m, "v") @ outer, "w", "weight", m["w"])
        bias = rounded_constant(op, m, _wide(m, "b") @ outer, "w", "bias", m["b"])
        return op.Add(op.MatMul(m["x"], weight), bias)


class MergeGemms(Rule):
    """``Gemm(Gemm(x, V, b), W, c) => Gemm(x, V W, b W + c)``."""

    def before(self, op: Any, x: Any, v: Any, b: Any, w: Any, c: Any) -> Any:
        inner = op.Gemm(x, v.constant, b.optional, _name="inner")
        return op.Gemm(inner, w.constant, c.optional, _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        _matrices(m)
        m.require(not m.attr("outer", "transA", 0), "the result of the first is transposed")
        first, second = self.matrix(m, "v", "inner"), self.matrix(m, "w", "outer")
        _pays(m, first.shape[0], first.shape[1], second.shape[1])
        bias = self.bias(op, m, second)
        product = m.attr("inner", "alpha", 1.0) * m.attr("outer", "alpha", 1.0) * (first @ second)
        weight = rounded_constant(op, m, product, "w", "weight", m["w"])
        kept = other_attributes(m.node("inner"), "alpha", "beta", "transB")
        return op.Gemm(m["x"], weight, *bias, _attributes=kept)

    def matrix(self, m: Match, name: str, gemm: str) -> Array:
        """The constant as it is multiplied."""
        held = _wide(m, name)
        return held.T if m.attr(gemm, "transB", 0) else held

    def bias(self, op: Any, m: Match, second: Array) -> list[Value]:
        """The addends of both, after the second matrix; none where neither has one."""
        parts: list[Array] = []
        first = constant_or_absent(m, "b")
        if first is not None:
            m.require(first.ndim <= 1 or first.shape[0] == 1, "the addend differs between rows")
            spread = np.broadcast_to(first.reshape(-1), second.shape[:1])
            factor = m.attr("inner", "beta", 1.0) * m.attr("outer", "alpha", 1.0)
            parts.append(factor * (spread @ second))
        last = m.get("c")
        beta: float = m.attr("outer", "beta", 1.0)
        if last is not None and constant(last) is None:
            m.require(not parts and beta == 1.0, "the addend of the second is not a constant")
            return [last]
        old = constant_or_absent(m, "c")
        if old is not None:
            parts.append(beta * old)
        if not parts:
            return []
        return [rounded_constant(op, m, added_up(m, *parts), "w", "bias", m.get("c") or m["b"])]


@dataclass(frozen=True)
class MergeConstantProducts(RuleSet):
    """Multiply the constant matrices of two products in a row, where that saves work.

    ``(x V) W => x (V W)`` where V W has no more elements than V and W together; MatMul on either
    side, with a bias between, and Gemm.

    Before::

        agraph (float[B,N,2] x) => (float[B,N,2] y) {
            v = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            w = Constant <value = float[2,2] {1.0, 0.0, 2.0, 1.0}> ()
            t = MatMul(x, v)
            y = MatMul(t, w)
        }

    After::

        agraph (float[B,N,2] x) => (float[B,N,2] y) {
            w = Constant <value = float[2,2] {5.0, 2.0, 11.0, 4.0}> ()
            y = MatMul(x, w)
        }

    A bottleneck (low rank) stays, it is there to save work:

    Before::

        agraph (float[B,N,3] x) => (float[B,N,3] y) {
            v = Constant <value = float[3,1] {1.0, 2.0, 3.0}> ()
            w = Constant <value = float[1,3] {1.0, 0.0, 2.0}> ()
            t = MatMul(x, v)
            y = MatMul(t, w)
        }

    After::

        agraph (float[B,N,3] x) => (float[B,N,3] y) {
            v = Constant <value = float[3,1] {1.0, 2.0, 3.0}> ()
            w = Constant <value = float[1,3] {1.0, 0.0, 2.0}> ()
            t = MatMul(x, v)
            y = MatMul(t, w)
        }

    FLOAT: the matrices are multiplied in float64 and rounded once. Catalogue row A19. Source: the
    product of matrices is associative.
    """

    name: ClassVar[str] = "merge-constant-products"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (MergeRight, MergeLeft, MergeOverBias, MergeGemms)
