"""Softmax and its logarithm, spelled out in exponentials and sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model, Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.algebra.reductions import keeps_dims, reduced_axes
from burnish_passes.idioms.expressions import claim, made_by

_ANCHORS = tuple(("", op) for op in ("Exp", "LogSoftmax", "ReduceLogSumExp", "Softmax"))


def _axis(m: Match, reduction: Node, x: Value) -> int | None:
    """The one axis a reduction of ``x`` runs over and keeps; None when it is not like that."""
    shape = m.ctx.shapes.shape(x)
    if shape is None or not keeps_dims(reduction):
        return None
    axes = reduced_axes(m, reduction, len(shape))
    return axes[0] if len(axes) == 1 else None


def _emit(op: Any, m: Match, op_type: str, x: Value, reduction: Node, reduced: Value) -> Value:
    axis = _axis(m, reduction, reduced)
    if axis is None:
        m.decline("the sum does not run over one axis and keep it")
    last = len(m.shape_of(x)) - 1
    m.require(m.opset >= 13 or axis == last, "before opset 13 it runs over all the last axes")
    claim(m, x)
    axis = -1 if axis == last and m.opset >= 13 else axis
    made: Value = getattr(op, op_type)(x, axis=axis)
    return made


class Quotient(Rule):
    """``Exp(x) / ReduceSum(Exp(x)) => Softmax(x)``."""

    def before(self, op: Any, summed: Any) -> Any:
        top = op.Exp(..., _name="top")
        return op.Div(top, op.ReduceSum(summed, ..., _name="sum"))

    def after(self, op: Any, m: Match) -> Any:
        top, bottom = m.node("top"), made_by(m, m["summed"], "Exp")
        m.suppose(bottom is not None)
        assert bottom is not None
        x = top.inputs[0]
        m.suppose(x is not None and bottom.inputs[0] is x)
        assert x is not None
        return _emit(op, m, "Softmax", x, m.node("sum"), m["summed"])


class Difference(Rule):
    """``x - ReduceLogSumExp(x) => LogSoftmax(x)``."""

    def before(self, op: Any, x: Any) -> Any:
        return op.Sub(x, op.ReduceLogSumExp(x, ..., _name="sum"))

    def after(self, op: Any, m: Match) -> Any:
        return _emit(op, m, "LogSoftmax", m["x"], m.node("sum"), m["x"])


class DifferenceOfLogarithm(Rule):
    """``x - Log(ReduceSum(Exp(x))) => LogSoftmax(x)``, for targets that avoid ReduceLogSumExp."""

    def before(self, op: Any, x: Any) -> Any:
        exponential = op.Exp(x, _name="exp")
        return op.Sub(x, op.Log(op.ReduceSum(exponential, ..., _name="sum")))

    def after(self, op: Any, m: Match) -> Any:
        return _emit(op, m, "LogSoftmax", m["x"], m.node("sum"), m.node("exp").outputs[0])


class ShiftedArgument(Rule):
    """``Softmax(x - ReduceMax(x)) => Softmax(x)``, also of LogSoftmax."""

    def before(self, op: Any, x: Any) -> Any:
        largest = op.ReduceMax(x, ..., _name="max")
        return op.either("Softmax", "LogSoftmax")(op.Sub(x, largest))

    def after(self, op: Any, m: Match) -> Any:
        rank = len(m.shape("x"))
        axis = attribute(m.root, "axis", -1 if m.opset >= 13 else 1) % rank
        m.require(m.opset >= 13 or axis == rank - 1, "it runs over several axes")
        m.require(
            _axis(m, m.node("max"), m["x"]) == axis, "the maximum is taken along another axis"
        )
        return getattr(op, m.root.op_type)(m["x"], _attributes=m.root.attributes.values())


@dataclass(frozen=True)
class FuseSoftmax(RuleSet):
    """Write quotients of exponentials as Softmax.

    ``Exp(x - max) / ReduceSum(Exp(x - max)) => Softmax(x)``, with or without the maximum:

    Before::

        agraph (float[N,3] x) => (float[N,3] y) <int64[1] axes = {1}> {
            a = ReduceMax(x, axes)
            b = Sub(x, a)
            c = Exp(b)
            d = ReduceSum(c, axes)
            y = Div(c, d)
        }

    After::

        agraph (float[N,3] x) => (float[N,3] y) {
            y = Softmax <axis = -1> (x)
        }

    ``x - ReduceLogSumExp(x) => LogSoftmax(x)``:

    Before::

        agraph (float[N,3,2] x) => (float[N,3,2] y) <int64[1] axes = {1}> {
            a = ReduceLogSumExp(x, axes)
            y = Sub(x, a)
        }

    After::

        agraph (float[N,3,2] x) => (float[N,3,2] y) {
            y = LogSoftmax <axis = 1> (x)
        }

    Subtracting the maximum before either changes nothing: they do it themselves. FLOAT: the
    rounding is another; where the exponentials overflow, the formula without the maximum gives
    NaN or 0 and Softmax the true value. Catalogue row F9. Source: ONNX operator specifications of
    Softmax and LogSoftmax.
    """

    name: ClassVar[str] = "fuse-softmax"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (
        Quotient,
        Difference,
        DifferenceOfLogarithm,
        ShiftedArgument,
    )

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without exponentials."""
        if ctx.nodes(model, _ANCHORS):
            super().run(model, ctx)
