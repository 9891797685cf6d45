"""Constant factors and any addend after Gemm go into its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Value, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish.symbolic import Dim
from burnish_passes.constants import held_shape, no_large_copy, not_larger
from burnish_passes.linear.affine import sole_axis
from burnish_passes.linear.gemm import added_up, fits_product, gemm_takes, other_attributes
from burnish_passes.linear.weights import constant_or_absent, rounded_constant


def _product_shape(m: Match) -> tuple[Dim, ...]:
    """The shape of the Gemm, once it is clear that it is one we may change."""
    m.suppose(m.opset >= 7 and gemm_takes(m, m.dtype("a")))
    return m.shape_of(m.node("Gemm").outputs[0])


class FoldAddend(Rule):
    """``Gemm(A, B, C) + d`` with constants C and d, or without C."""

    def before(self, op: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        return op.either("Add", "Sub")(op.Gemm(a, b, c.optional), d)

    def after(self, op: Any, m: Match) -> Any:
        known = constant(m["d"]) is not None
        m.suppose(known or (m.root.op_type == "Add" and m.get("c") is None))
        product = _product_shape(m)
        fits = fits_product(m.shape("d"), product)
        m.require(fits, "the addend may enlarge the product")
        gemm, addend = m.node("Gemm"), m["d"]
        if m.get("c") is not None or m.root.op_type == "Sub":
            addend = self.sum(op, m)
        return op.Gemm(m["a"], m["b"], addend, _attributes=other_attributes(gemm, "beta"))

    def sum(self, op: Any, m: Match) -> Value:
        """``beta * C + d`` as a constant."""
        old, d = constant_or_absent(m, "c"), m.const("d").astype(np.float64)
        d = d if m.root.op_type == "Add" else -d
        if old is None:
            return rounded_constant(op, m, d, "d", "bias", m["d"])
        total = added_up(m, m.attr("Gemm", "beta", 1.0) * old, d)
        return rounded_constant(op, m, total, "d", "bias", m["c"])


class FoldFactor(Rule):
    """``Gemm(A, W, C) * d`` with constants, d a number or a row; a number also into alpha."""

    def before(self, op: Any, a: Any, w: Any, c: Any, d: Any) -> Any:
        return op.either("Mul", "Div")(op.Gemm(a, w, c.optional), d.constant)

    def after(self, op: Any, m: Match) -> Any:
        product, gemm = _product_shape(m), m.node("Gemm")
        columns = sole_axis(m, held_shape(m, "d"), 2, 1)
        m.require(columns == 1 or columns == product[1], "the constant would enlarge the product")
        d = m.const("d").astype(np.float64).reshape(-1)
        with np.errstate(all="ignore"):
            factor: Array = d if m.root.op_type == "Mul" else 1.0 / d
        m.require(bool(np.isfinite(factor).all()), "the factor is not finite")
        if constant(m["w"]) is None or (m.get("c") is not None and constant(m["c"]) is None):
            m.require(factor.size == 1, "the matrix or the addend is not a constant")
            return self.scaled(op, m, float(factor[0]))
        no_large_copy(m, m["w"])
        scaled = self.weight(m, factor)
        bias: list[Value] = []
        old = constant_or_absent(m, "c")
        if old is not None:
            not_larger(m, old, factor)
            no_large_copy(m, m["c"])
            bias.append(rounded_constant(op, m, old * factor, "w", "bias", m["c"]))
        weight = rounded_constant(op, m, scaled, "w", "weight", m["w"])
        return op.Gemm(m["a"], weight, *bias, _attributes=other_attributes(gemm))

    def weight(self, m: Match, factor: Array) -> Array:
        """The matrix with its columns scaled, or its rows where it is transposed."""
        held: Array = m.const("w").astype(np.float64)
        return held * (factor[:, None] if m.attr("Gemm", "transB", 0) else factor)

    def scaled(self, op: Any, m: Match, factor: float) -> Value:
        """The same Gemm with larger factors, which are float32."""
        alpha, beta = (m.attr("Gemm", name, 1.0) * factor for name in ("alpha", "beta"))
        with np.errstate(all="ignore"):
            near = np.array([alpha, beta], np.float32)
        usual = np.isfinite(near) & (np.abs(near) >= np.finfo(np.float32).tiny)
        m.require(bool(usual.all()), "alpha or beta would leave the range of float32")
        double = m.dtype("a").itemsize > 4 and (float(near[0]), float(near[1])) != (alpha, beta)
        m.require(not double, "alpha or beta would be rounded to float32")
        kept = other_attributes(m.node("Gemm"), "alpha", "beta")
        given = {"alpha": float(near[0])}
        inputs = [m["a"], m["w"]]
        if m.get("c") is not None:
            inputs.append(m["c"])
            given["beta"] = float(near[1])
        made: Value = op.Gemm(*inputs, _attributes=kept, **given)
        return made


@dataclass(frozen=True)
class FoldAffineIntoGemm(RuleSet):
    """Fold an addend or a constant factor into the Gemm before it.

    ``Gemm(A, B, C) + d => Gemm(A, B, beta * C + d)`` and ``Gemm(A, W, C) * d =>
    Gemm(A, W * d, C * d)`` with constants; ``- d`` and ``/ d`` alike.

    Before::

        agraph (float[N,2] a) => (float[N,2] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            c = Constant <value = float[2] {1.0, 2.0}> ()
            d = Constant <value = float[2] {2.0, 4.0}> ()
            e = Constant <value = float {1.0}> ()
            t = Gemm(a, w, c)
            u = Mul(t, d)
            y = Sub(u, e)
        }

    After::

        agraph (float[N,2] a) => (float[N,2] y) {
            w = Constant <value = float[2,2] {2.0, 8.0, 6.0, 16.0}> ()
            c = Constant <value = float[2] {1.0, 7.0}> ()
            y = Gemm(a, w, c)
        }

    A Gemm without C takes any addend that cannot enlarge it:

    Before::

        agraph (float[N,2] a, float[2,3] b, float[N,3] d) => (float[N,3] y) {
            t = Gemm(a, b)
            y = Add(d, t)
        }

    After::

        agraph (float[N,2] a, float[2,3] b, float[N,3] d) => (float[N,3] y) {
            y = Gemm(a, b, d)
        }

    A factor of two computed matrices goes into alpha and beta. FLOAT: constants are formed in
    float64 and rounded once. Catalogue rows A9, A10, A12. Source: ONNX operator specification of
    Gemm, whose C broadcasts to the product but never the product to C.
    """

    name: ClassVar[str] = "fold-affine-into-gemm"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (FoldAddend, FoldFactor)
