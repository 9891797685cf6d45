"""A constant factor or offset before a product of matrices goes into the constant matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.constants import held_shape, no_large_copy
from burnish_passes.linear.affine import AFFINE, Affine, affine_before
from burnish_passes.linear.gemm import added_up, gemm_takes, other_attributes
from burnish_passes.linear.weights import constant_or_absent, rounded_constant


def _new_weight(op: Any, m: Match, found: Affine, axis: int) -> Value:
    """``w`` with the factor along its ``axis``, the one that is summed over."""
    if bool((found.factor == 1.0).all()):
        return m["w"]
    no_large_copy(m, m["w"])
    held = m.const("w").astype(np.float64)
    across = [1] * held.ndim
    across[axis] = -1
    return rounded_constant(op, m, held * found.factor.reshape(across), "w", "weight", m["w"])


class FoldBeforeGemm(Rule):
    """``Gemm(affine(x), W, C)`` with constants."""

    def before(self, op: Any, w: Any, c: Any) -> Any:
        inner = op.either(*AFFINE)(..., _name="inner", _shared=True)
        return op.Gemm(inner, w.constant, c.optional)

    def after(self, op: Any, m: Match) -> Any:
        gemm, summed = m.root, 0 if m.attr("Gemm", "transA", 0) else 1
        m.suppose(m.opset >= 7 and m.dtype("w").is_floating_point())
        axis = 1 if m.attr("Gemm", "transB", 0) else 0
        found = affine_before(m, m.node("inner"), summed, held_shape(m, "w")[axis])
        if not found.shift.any():
            weight = _new_weight(op, m, found, axis)
            return op.Gemm(found.x, weight, *gemm.inputs[2:], _attributes=other_attributes(gemm))
        old, held = constant_or_absent(m, "c"), m.const("w").astype(np.float64)
        offset = m.attr("Gemm", "alpha", 1.0) * np.tensordot(found.shift, held, (0, axis))
        if old is not None:
            offset = added_up(m, m.attr("Gemm", "beta", 1.0) * old, offset)
        return op.Gemm(
            found.x,
            _new_weight(op, m, found, axis),
            rounded_constant(op, m, offset, "w", "bias", m.get("c")),
            _attributes=other_attributes(gemm, "beta"),
        )


class FoldBeforeMatMul(Rule):
    """``MatMul(affine(x), W)``; an offset only of matrices, where the result is a Gemm."""

    def before(self, op: Any, w: Any) -> Any:
        return op.MatMul(op.either(*AFFINE)(..., _name="inner", _shared=True), w.constant)

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(m.dtype("w").is_floating_point() and len(held_shape(m, "w")) >= 2)
        found = affine_before(m, m.node("inner"), -1, held_shape(m, "w")[-2])
        if not found.shift.any():
            return op.MatMul(found.x, _new_weight(op, m, found, -2))
        # Of more axes, the offset would become an Add behind the product: nothing is gained.
        m.suppose(_are_matrices(m, found.x))
        offset = found.shift @ m.const("w").astype(np.float64)
        weight = _new_weight(op, m, found, -2)
        return op.Gemm(found.x, weight, rounded_constant(op, m, offset, "w", "bias"))


class FoldIntoLeftMatrix(Rule):
    """``MatMul(W, affine(x))``; an offset only of matrices, where the result is a Gemm."""

    def before(self, op: Any, w: Any) -> Any:
        return op.MatMul(w.constant, op.either(*AFFINE)(..., _name="inner", _shared=True))

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(m.dtype("w").is_floating_point() and len(held_shape(m, "w")) >= 2)
        m.suppose(len(m.shape_of(m.node("inner").outputs[0])) >= 2)
        found = affine_before(m, m.node("inner"), -2, held_shape(m, "w")[-1])
        if not found.shift.any():
            return op.MatMul(_new_weight(op, m, found, -1), found.x)
        m.suppose(_are_matrices(m, found.x))
        offset = m.const("w").astype(np.float64) @ found.shift
        weight = _new_weight(op, m, found, -1)
        bias = rounded_constant(op, m, offset.reshape(-1, 1), "w", "bias")
        return op.Gemm(weight, found.x, bias)


def _are_matrices(m: Match, x: Value) -> bool:
    matrices = len(m.shape_of(x)) == 2 and len(held_shape(m, "w")) == 2
    return matrices and gemm_takes(m, m.dtype("w"))


class FoldOffsetIntoBias(Rule):
    """``MatMul(affine(x), W) + b``, where the offset joins the bias."""

    def before(self, op: Any, w: Any, b: Any) -> Any:
        product = op.MatMul(op.either(*AFFINE)(..., _name="inner", _shared=True), w.constant)
        return op.Add(product, b.constant)

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(m.dtype("w").is_floating_point() and len(held_shape(m, "w")) == 2)
        found = affine_before(m, m.node("inner"), -1, held_shape(m, "w")[-2])
        m.suppose(bool(found.shift.any()))
        rank = len(m.shape_of(found.x))
        m.require(len(held_shape(m, "b")) <= rank, "the bias gives the result its rank")
        offset = found.shift @ m.const("w").astype(np.float64)
        bias: Array = added_up(m, m.const("b").astype(np.float64), offset)
        weight = _new_weight(op, m, found, -2)
        new = rounded_constant(op, m, bias, "w", "bias", m["b"])
        return op.Add(op.MatMul(found.x, weight), new)


@dataclass(frozen=True)
class FoldAffineBeforeMatmul(RuleSet):
    """Fold constants before a Gemm or MatMul into its constant matrix.

    ``(x * g + s) W + C => x (g W) + (C + s W)`` with g and s along the axis that is summed over,
    spelled as BatchNormalization, Mul, Div, Add or Sub.

    Before::

        agraph (float[N,2] x) => (float[N,2] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            g = Constant <value = float[2] {2.0, 10.0}> ()
            s = Constant <value = float {1.0}> ()
            t = Mul(x, g)
            u = Add(s, t)
            y = Gemm(u, w)
        }

    After::

        agraph (float[N,2] x) => (float[N,2] y) {
            w = Constant <value = float[2,2] {2.0, 4.0, 30.0, 40.0}> ()
            c = Constant <value = float[2] {4.0, 6.0}> ()
            y = Gemm(x, w, c)
        }

    With more than two axes an offset needs a bias to go to:

    Before::

        agraph (float[B,N,2] x) => (float[B,N,1] y) {
            w = Constant <value = float[2,1] {1.0, 2.0}> ()
            b = Constant <value = float[1] {0.5}> ()
            s = Constant <value = float[2] {1.0, 3.0}> ()
            t = Sub(x, s)
            u = MatMul(t, w)
            y = Add(u, b)
        }

    After::

        agraph (float[B,N,2] x) => (float[B,N,1] y) {
            w = Constant <value = float[2,1] {1.0, 2.0}> ()
            b = Constant <value = float[1] {-6.5}> ()
            t = MatMul(x, w)
            y = Add(t, b)
        }

    A large matrix that others read too stays as it is: the model would hold it twice. FLOAT:
    products are formed in float64 and rounded once to the type of W. Catalogue rows A4, A9, A10.
    Source: a product of matrices is linear in both.
    """

    name: ClassVar[str] = "fold-affine-before-matmul"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (
        FoldBeforeGemm,
        FoldBeforeMatMul,
        FoldIntoLeftMatrix,
        FoldOffsetIntoBias,
    )
