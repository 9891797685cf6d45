"""Reductions of squares, absolute values, logarithms and exponentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import DataType, Model, Value
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.algebra.reductions import emit_reduction, keeps_dims, reduced_axes
from burnish_passes.idioms.expressions import claim, made_by, power_of

_ANCHORS = (("", "ReduceSum"), ("", "ReduceSumSquare"))
_ONNX_FLOATS = (DataType.FLOAT, DataType.FLOAT16, DataType.BFLOAT16, DataType.DOUBLE)


def _emit(op: Any, m: Match, op_type: str, x: Value) -> Value:
    """``op_type`` of ``x`` as the matched node ``sum`` reduces it."""
    total = m.node("sum")
    m.require(m.ctx.shapes.dtype(x) in _ONNX_FLOATS, "runtimes reduce only floats like that")
    axes = reduced_axes(m, total, len(m.shape_of(x)))
    m.require(bool(axes), "no axis is reduced")
    claim(m, x)
    return emit_reduction(op, m, op_type, x, axes, int(keeps_dims(total)))


class SumOfParts(Rule):
    """``ReduceSum(x * x) => ReduceSumSquare(x)``, ``ReduceSum(Abs(x)) => ReduceL1(x)``."""

    def before(self, op: Any) -> Any:
        part = op.either("Abs", "Mul", "Pow")(..., _name="part")
        return op.ReduceSum(part, ..., _name="sum")

    def after(self, op: Any, m: Match) -> Any:
        part = m.node("part")
        if part.op_type == "Abs" and part.inputs[0] is not None:
            return _emit(op, m, "ReduceL1", part.inputs[0])
        square = power_of(m, part.outputs[0])
        m.suppose(square is not None and square[1] == 2)
        assert square is not None
        return _emit(op, m, "ReduceSumSquare", square[0])


class RootOfSum(Rule):
    """``Sqrt(ReduceSumSquare(x)) => ReduceL2(x)``."""

    def before(self, op: Any, x: Any) -> Any:
        return op.Sqrt(op.ReduceSumSquare(x, ..., _name="sum"))

    def after(self, op: Any, m: Match) -> Any:
        return _emit(op, m, "ReduceL2", m["x"])


class LogarithmOfSum(Rule):
    """``Log(ReduceSum(Exp(x))) => ReduceLogSumExp(x)``; without Exp, ``ReduceLogSum(x)``."""

    def before(self, op: Any, summed: Any) -> Any:
        return op.Log(op.ReduceSum(summed, ..., _name="sum"))

    def after(self, op: Any, m: Match) -> Any:
        exponential = made_by(m, m["summed"], "Exp")
        x = None if exponential is None else exponential.inputs[0]
        only = len(m["summed"].uses()) == 1 and not m["summed"].is_graph_output()
        if x is not None and only:
            return _emit(op, m, "ReduceLogSumExp", x)
        return _emit(op, m, "ReduceLogSum", m["summed"])


@dataclass(frozen=True)
class FuseReductions(RuleSet):
    """Reduce in one operator what is squared, rooted, or taken the logarithm of.

    ``ReduceSum(x * x) => ReduceSumSquare(x)``, ``Sqrt(ReduceSumSquare(x)) => ReduceL2(x)``,
    ``ReduceSum(Abs(x)) => ReduceL1(x)``:

    Before::

        agraph (float[N,3] x) => (float[N] y, float[N,1] z)
            <int64[1] axes = {1}, float two = {2.0}> {
            a = Pow(x, two)
            b = ReduceSum <keepdims = 0> (a, axes)
            y = Sqrt(b)
            c = Abs(x)
            z = ReduceSum(c, axes)
        }

    After::

        agraph (float[N,3] x) => (float[N] y, float[N,1] z) <int64[1] axes = {1}> {
            y = ReduceL2 <keepdims = 0> (x, axes)
            b = Constant <value = int64[1] {1}> ()
            z = ReduceL1 <keepdims = 1> (x, b)
        }

    ``Log(ReduceSum(Exp(x))) => ReduceLogSumExp(x)`` and ``Log(ReduceSum(x)) => ReduceLogSum(x)``:

    Before::

        agraph (float[N,3] x) => (float[N,1] y) <int64[1] axes = {1}> {
            a = Exp(x)
            b = ReduceSum(a, axes)
            y = Log(b)
        }

    After::

        agraph (float[N,3] x) => (float[N,1] y) <int64[1] axes = {1}> {
            y = ReduceLogSumExp <keepdims = 1> (x, axes)
        }

    FLOAT: sums are formed in another order. ONNX defines these operators by these formulas; where
    ``Exp`` overflows the formula is inf, and a runtime's kernel may give the true value. Not of
    integers, for which runtimes lack kernels. Catalogue row F9. Source: ONNX operator
    specifications of the reductions.
    """

    name: ClassVar[str] = "fuse-reductions"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (SumOfParts, RootOfSum, LogarithmOfSum)

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without sums."""
        if ctx.nodes(model, _ANCHORS):
            super().run(model, ctx)
