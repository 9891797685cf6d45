"""Gemm transposes its matrices itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model, attribute
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.linear.gemm import gemm_takes


class _Fold(Rule):
    """What all four places have in common.

    Attributes:
        flag: which attribute of Gemm turns the matrix round.
        place: which input it is.
    """

    flag: ClassVar[str]
    place: ClassVar[int]

    def when(self, m: Match) -> None:
        # Any other perm of a matrix moves nothing, and is dropped as that.
        m.suppose(attribute(m.node("Transpose"), "perm", (1, 0)) == (1, 0))


class _IntoGemm(_Fold):
    def after(self, op: Any, m: Match) -> Any:
        gemm = m.root
        operands = list(gemm.inputs)
        operands[self.place] = m["x"]
        kept = [attr for name, attr in gemm.attributes.items() if name != self.flag]
        turned = None if attribute(gemm, self.flag, 0) else 1
        return op.Gemm(*operands, _attributes=kept, **{self.flag: turned})


class LeftOfGemm(_IntoGemm):
    """``Gemm(Transpose(A), B, C)``."""

    flag: ClassVar[str] = "transA"
    place: ClassVar[int] = 0

    def before(self, op: Any, x: Any) -> Any:
        return op.Gemm(op.Transpose(x, _shared=True), ...)


class RightOfGemm(_IntoGemm):
    """``Gemm(A, Transpose(B), C)``."""

    flag: ClassVar[str] = "transB"
    place: ClassVar[int] = 1

    def before(self, op: Any, other: Any, x: Any) -> Any:
        return op.Gemm(other, op.Transpose(x, _shared=True), ...)


class _IntoMatMul(_Fold):
    def after(self, op: Any, m: Match) -> Any:
        m.suppose(len(m.shape("x")) == 2 and len(m.shape("other")) == 2)
        source = m["x"].producer()
        quantized = source is not None and source.op_type == "DequantizeLinear"
        m.require(not quantized, "runtimes look for MatMul behind a DequantizeLinear")
        dtype = m.dtype("x")
        takes = gemm_takes(m, dtype)
        m.require(takes, f"Gemm at opset {m.opset} is not for {dtype.name.lower()}")
        operands = list(m.root.inputs)
        operands[self.place] = m["x"]
        return op.Gemm(*operands, **{self.flag: 1})


class LeftOfMatMul(_IntoMatMul):
    """``MatMul(Transpose(A), B)`` of matrices."""

    flag: ClassVar[str] = "transA"
    place: ClassVar[int] = 0

    def before(self, op: Any, x: Any, other: Any) -> Any:
        return op.MatMul(op.Transpose(x), other)


class RightOfMatMul(_IntoMatMul):
    """``MatMul(A, Transpose(B))`` of matrices."""

    flag: ClassVar[str] = "transB"
    place: ClassVar[int] = 1

    def before(self, op: Any, other: Any, x: Any) -> Any:
        return op.MatMul(other, op.Transpose(x))


@dataclass(frozen=True)
class FoldTransposeIntoGemm(RuleSet):
    """Let Gemm read a matrix that was transposed for it.

    ``Gemm[transB = t](A, Transpose(B), C) => Gemm[transB = 1 - t](A, B, C)``, A alike, and
    ``MatMul(A, Transpose(B)) => Gemm[transB = 1](A, B)`` for matrices.

    Before::

        agraph (float[N,3] a, float[5,3] b, float[N,3] d) => (float[N,5] y, float[3,5] z) {
            t = Transpose <perm = [1, 0]> (b)
            y = Gemm(a, t)
            u = Transpose (d)
            z = MatMul(u, y)
        }

    After::

        agraph (float[N,3] a, float[5,3] b, float[N,3] d) => (float[N,5] y, float[3,5] z) {
            y = Gemm <transB = 1> (a, b)
            z = Gemm <transA = 1> (d, y)
        }

    A constant that other nodes read as it is (a tied embedding) so stays the only copy. FLOAT: a
    runtime may form its sums in another order. Only ``perm = [1, 0]`` turns a matrix round.
    Catalogue row A15, and A16 for matrices. Source: ONNX operator specification of Gemm.
    """

    name: ClassVar[str] = "fold-transpose-into-gemm"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (
        LeftOfGemm,
        RightOfGemm,
        LeftOfMatMul,
        RightOfMatMul,
    )

    def run(self, model: Model, ctx: Context) -> None:
        """Look at products only where something is transposed at all."""
        if ctx.nodes(model, [("", "Transpose")]):
            super().run(model, ctx)
