"""BatchNormalization after a product of matrices goes into the right matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.linear.weights import (
    batch_norm_affine,
    constant_or_absent,
    normalised,
    rounded_constant,
)


def _constants(op: Any, m: Match, weight: Array, offset: Array) -> tuple[Value, Value]:
    """``weight`` and ``offset``, given in float64, in the type of the matched weight ``w``."""
    return (
        rounded_constant(op, m, weight, "w", "weight", m["w"]),
        rounded_constant(op, m, offset, "w", "bias", m.get("c")),
    )


class FoldIntoGemm(Rule):
    """``BN(Gemm(A, W, C))`` with constant W and C."""

    def before(
        self, op: Any, a: Any, w: Any, c: Any, scale: Any, bias: Any, mean: Any, var: Any
    ) -> Any:
        return normalised(op, op.Gemm(a, w.constant, c.optional), scale, bias, mean, var)

    def after(self, op: Any, m: Match) -> Any:
        m.require(m.opset >= 7, "Gemm before opset 7 broadcasts in another way")
        gemm, (factor, shift) = m.node("Gemm"), batch_norm_affine(m)
        weight, old = m.const("w").astype(np.float64), constant_or_absent(m, "c")
        transposed = m.attr("Gemm", "transB", 0) != 0
        channels = weight.shape[0 if transposed else 1]
        m.require(factor.shape == (channels,), "the columns of Gemm and statistics differ")
        offset = shift
        if old is not None:
            m.require(old.size == 1 or old.size == old.shape[-1], "the addend differs between rows")
            offset = m.attr("Gemm", "beta", 1.0) * old.reshape(-1) * factor + shift
        scaled = weight * (factor[:, None] if transposed else factor)
        kept = [attr for attr in gemm.attributes.values() if attr.name != "beta"]
        return op.Gemm(m["a"], *_constants(op, m, scaled, offset), _attributes=kept)


class FoldIntoMatMul(Rule):
    """``BN(MatMul(A, W))`` of matrices, which becomes a Gemm."""

    def before(self, op: Any, a: Any, w: Any, scale: Any, bias: Any, mean: Any, var: Any) -> Any:
        return normalised(op, op.MatMul(a, w.constant), scale, bias, mean, var)

    def after(self, op: Any, m: Match) -> Any:
        m.require(m.opset >= 7, "Gemm before opset 7 broadcasts in another way")
        weight = m.const("w").astype(np.float64)
        m.require(len(m.shape("a")) == weight.ndim == 2, "the operands are not matrices")
        factor, shift = batch_norm_affine(m)
        m.require(factor.shape == weight.shape[1:], "the columns and statistics differ")
        return op.Gemm(m["a"], *_constants(op, m, weight * factor, shift))


@dataclass(frozen=True)
class FoldBatchNormIntoGemm(RuleSet):
    """Fold BatchNormalization into the Gemm or MatMul before it.

    ``BN(Gemm(A, W, C)) => Gemm(A, W * g, C * g + bias - mean * g)`` with
    ``g = scale / sqrt(var + epsilon)`` per column.

    Before::

        agraph (float[N,2] a) => (float[N,2] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            c = Constant <value = float[2] {1.0, 1.0}> ()
            scale = Constant <value = float[2] {2.0, 4.0}> ()
            bias = Constant <value = float[2] {1.0, 1.0}> ()
            mean = Constant <value = float[2] {0.5, 0.0}> ()
            var = Constant <value = float[2] {4.0, 4.0}> ()
            t = Gemm(a, w, c)
            y = BatchNormalization <epsilon = 0.0> (t, scale, bias, mean, var)
        }

    After::

        agraph (float[N,2] a) => (float[N,2] y) {
            w = Constant <value = float[2,2] {1.0, 4.0, 3.0, 8.0}> ()
            c = Constant <value = float[2] {1.5, 3.0}> ()
            y = Gemm(a, w, c)
        }

    FLOAT: products are formed in float64 and rounded once to the type of W. Catalogue row A2.
    Source: a product of matrices is linear in its right operand.
    """

    name: ClassVar[str] = "fold-batch-norm-into-gemm"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (FoldIntoGemm, FoldIntoMatMul)
