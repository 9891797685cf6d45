"""The factors of Gemm go into its constants."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from burnish.ir import Value, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.constants import no_large_copy
from burnish_passes.linear.gemm import gemm_takes, other_attributes
from burnish_passes.linear.weights import rounded_constant


class FoldGemmFactors(Rule):
    """Fold alpha and beta of Gemm into its constant operands.

    ``Gemm[alpha, beta](A, W, C) => Gemm(A, alpha * W, beta * C)``.

    Before::

        agraph (float[N,2] a) => (float[N,2] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            c = Constant <value = float[2] {1.0, 2.0}> ()
            y = Gemm <alpha = 0.5, beta = 3.0> (a, w, c)
        }

    After::

        agraph (float[N,2] a) => (float[N,2] y) {
            w = Constant <value = float[2,2] {0.5, 1.0, 1.5, 2.0}> ()
            c = Constant <value = float[2] {3.0, 6.0}> ()
            y = Gemm(a, w, c)
        }

    Compilers have a faster path where both are 1. Each factor goes alone where only one of them
    has a constant to go to. A large constant that others read too stays. FLOAT: products are
    formed in float64 and rounded once. Catalogue row A11. Source: ONNX operator specification of
    Gemm.
    """

    name: ClassVar[str] = "fold-gemm-factors"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, a: Any, b: Any, c: Any) -> Any:
        return op.Gemm(a, b, c.optional)

    def after(self, op: Any, m: Match) -> Any:
        alpha, beta = m.attr("Gemm", "alpha", 1.0), m.attr("Gemm", "beta", 1.0)
        m.suppose((alpha != 1.0 or beta != 1.0) and m.opset >= 7 and gemm_takes(m, m.dtype("a")))
        inputs: list[Value] = [m["a"], m["b"]]
        folded: set[str] = set()
        if alpha not in (0.0, 1.0):
            # The right matrix is the weight, except where the left one alone is constant.
            name = "b" if constant(m["b"]) is not None or constant(m["a"]) is None else "a"
            if constant(m[name]) is not None:
                inputs["ab".index(name)] = self.scaled(op, m, name, alpha)
                folded.add("alpha")
        if m.get("c") is None:
            folded.add("beta")
        else:
            inputs.append(m["c"])
            if beta not in (0.0, 1.0) and constant(m["c"]) is not None:
                inputs[2] = self.scaled(op, m, "c", beta)
                folded.add("beta")
        gone = folded & set(m.root.attributes)
        m.require(bool(gone), "what they multiply is not constant")
        return op.Gemm(*inputs, _attributes=other_attributes(m.root, *gone))

    def scaled(self, op: Any, m: Match, name: str, factor: float) -> Value:
        """Constant ``name`` times a factor."""
        no_large_copy(m, m[name])
        m.require(bool(np.isfinite(factor)), "a factor is not finite")
        what = "bias" if name == "c" else "weight"
        exact = m.const(name).astype(np.float64) * factor
        return rounded_constant(op, m, exact, name, what, m[name])
