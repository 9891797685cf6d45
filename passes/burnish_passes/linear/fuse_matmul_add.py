"""MatMul and Add of matrices become Gemm."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.linear.gemm import fits_product, gemm_takes


class FuseMatmulAdd(Rule):
    """Make a Gemm of a product of matrices and its bias.

    ``MatMul(A, B) + C => Gemm(A, B, C)`` for matrices A and B.

    Before::

        agraph (float[N,3] a, float[3,4] b, float[4] c) => (float[N,4] y) {
            t = MatMul(a, b)
            y = Add(c, t)
        }

    After::

        agraph (float[N,3] a, float[3,4] b, float[4] c) => (float[N,4] y) {
            y = Gemm(a, b, c)
        }

    FLOAT: a runtime may start its sums from C. A and B must have rank 2, and C must not enlarge
    the product. Catalogue row A13. Source: ONNX operator specification of Gemm.
    """

    name: ClassVar[str] = "fuse-matmul-add"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, a: Any, b: Any, c: Any) -> Any:
        return op.Add(op.MatMul(a, b), c)

    def when(self, m: Match) -> None:
        m.require(m.opset >= 7, "Gemm before opset 7 broadcasts in another way")
        left, right = m.shape("a"), m.shape("b")
        m.require(len(left) == len(right) == 2, "the operands of MatMul are not matrices")
        dtype = m.dtype("a")
        m.require(gemm_takes(m, dtype), f"Gemm at opset {m.opset} is not for {dtype.name.lower()}")
        addend = m.shape("c")
        m.require(len(addend) <= 2, "the addend has more than two axes")
        fits = fits_product(addend, (left[0], right[1]))
        m.require(fits, "the addend may enlarge the product")

    def after(self, op: Any, m: Match) -> Any:
        return op.Gemm(m["a"], m["b"], m["c"])
