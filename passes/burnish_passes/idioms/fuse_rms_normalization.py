"""Normalization by the root of the mean square, spelled out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.idioms.expressions import claim
from burnish_passes.idioms.normalizations import (
    ANCHORS,
    NarrowNormalization,
    affine_operand,
    normalized_dims,
    require_single,
    scale_of,
    statistics,
)


class RootMeanSquare(Rule):
    """``scale * x / sqrt(mean(x * x) + epsilon)``, in whatever order; scale may miss."""

    def before(self, op: Any) -> Any:
        return op.either("Div", "Mul")(..., _name="quotient")

    def after(self, op: Any, m: Match) -> Any:
        found = next((each for each in statistics(m) if not each.centred), None)
        m.suppose(found is not None)
        assert found is not None
        scale = scale_of(m, m.root.outputs[0], found, numerator=True)
        dtype = require_single(m, found, "RMSNormalization", 23)
        dims = normalized_dims(m, found)
        gain = affine_operand(op, m, scale, dims, dtype)
        claim(m, found.x, *(() if scale is None else (scale,)))
        axis = None if len(dims) == 1 else -len(dims)
        return op.RMSNormalization(found.x, gain, axis=axis, epsilon=found.epsilon)


class NarrowRmsNormalization(NarrowNormalization):
    """The casts around one go."""

    op_type: ClassVar[str] = "RMSNormalization"


@dataclass(frozen=True)
class FuseRmsNormalization(RuleSet):
    """Write a division by the root mean square over the last axes as RMSNormalization.

    ``x / sqrt(mean(x * x) + epsilon) => RMSNormalization(x)``, also multiplied by a reciprocal or
    by the power -0.5; a scale that is multiplied in between is taken along, and what follows is
    the business of ``fold-affine-into-normalization``.

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[N,3,2] x) => (float[N,3,2] y)
            <int64[1] axes = {-1}, float two = {2.0}, float power = {-0.5},
             float epsilon = {0.001}, float[2] scale = {2.0, 3.0}> {
            a = Pow(x, two)
            b = ReduceMean(a, axes)
            c = Add(epsilon, b)
            d = Pow(c, power)
            e = Mul(d, scale)
            y = Mul(x, e)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[N,3,2] x) => (float[N,3,2] y) {
            scale = Constant <value = float[2] {2.0, 3.0}> ()
            y = RMSNormalization <epsilon = 0.001> (x, scale)
        }

    Halves that are cast to 32 bits and back, as in Llama:

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float16[N,2] x) => (float16[N,2] y)
            <int64[1] axes = {-1}, float epsilon = {0.001}> {
            z = Cast <to = 1> (x)
            a = Mul(z, z)
            b = ReduceMean(a, axes)
            c = Add(b, epsilon)
            d = Sqrt(c)
            e = Div(z, d)
            y = Cast <to = 10> (e)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float16[N,2] x) => (float16[N,2] y) {
            scale = Constant <value = float16[2] {15360, 15360}> ()
            y = RMSNormalization <epsilon = 0.001> (x, scale)
        }

    FLOAT: sums are formed in another order, and halves are summed in 32 bits. Not in double
    precision, of which the operator promises only 32 bits. Catalogue row F6. Source: Zhang and
    Sennrich 2019, arXiv 1910.07467; ONNX operator specification of RMSNormalization.
    """

    name: ClassVar[str] = "fuse-rms-normalization"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (RootMeanSquare, NarrowRmsNormalization)

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without means or such an operator."""
        if ctx.nodes(model, (*ANCHORS, ("", "RMSNormalization"))):
            super().run(model, ctx)
