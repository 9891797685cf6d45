"""Layer normalization, spelled out in means and a root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model, Value
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.idioms.expressions import claim
from burnish_passes.idioms.normalizations import (
    ANCHORS,
    NarrowNormalization,
    Statistics,
    affine_operand,
    is_spatial,
    normalized_dims,
    require_single,
    scale_of,
    standardization,
    statistics,
)


def _emit(op: Any, m: Match, found: Statistics, scale: Value | None, bias: Value | None) -> Value:
    dtype = require_single(m, found, "LayerNormalization", 17)
    dims = normalized_dims(m, found)
    affine = [affine_operand(op, m, scale, dims, dtype)]
    if bias is not None:
        affine.append(affine_operand(op, m, bias, dims, dtype))
    claim(m, found.x, *(value for value in (scale, bias) if value is not None))
    axis = None if len(dims) == 1 else -len(dims)
    made: Value = op.LayerNormalization(found.x, *affine, axis=axis, epsilon=found.epsilon)
    return made


class Standardized(Rule):
    """``scale * (x - mean) / sqrt(variance + epsilon)``, in whatever order; scale may miss."""

    def before(self, op: Any) -> Any:
        return op.either("Div", "Mul")(..., _name="quotient")

    def after(self, op: Any, m: Match) -> Any:
        found = standardization(m, spatial=False)
        scale = scale_of(m, m.root.outputs[0], found, numerator=True)
        return _emit(op, m, found, scale, None)


class Shifted(Rule):
    """``x * s + (bias - mean * s)`` where ``s = scale / sqrt(variance + epsilon)``."""

    def before(self, op: Any, x: Any, s: Any, mean: Any, bias: Any) -> Any:
        return op.Add(op.Mul(x, s), op.Sub(bias, op.Mul(mean, s)))

    def after(self, op: Any, m: Match) -> Any:
        found = next((each for each in statistics(m) if each.x is m["x"]), None)
        m.suppose(found is not None and found.centred and not is_spatial(m, found))
        assert found is not None
        m.suppose(found.is_mean(m, m["mean"]))
        scale = scale_of(m, m["s"], found, numerator=False)
        return _emit(op, m, found, scale, m["bias"])


class NarrowLayerNormalization(NarrowNormalization):
    """The casts around one go."""

    op_type: ClassVar[str] = "LayerNormalization"


@dataclass(frozen=True)
class FuseLayerNormalization(RuleSet):
    """Write a standardization over the last axes as LayerNormalization.

    ``d / sqrt(mean(d * d) + epsilon) => LayerNormalization(x)`` where ``d = x - mean(x)``; a
    scale that is multiplied in between is taken along, and what follows is the business of
    ``fold-affine-into-normalization``.

    Before::

        agraph (float[N,3,4] x) => (float[N,3,4] y)
            <int64[1] axes = {-1}, float two = {2.0}, float epsilon = {0.001}> {
            a = ReduceMean(x, axes)
            b = Sub(x, a)
            c = Pow(b, two)
            d = ReduceMean(c, axes)
            e = Add(d, epsilon)
            f = Sqrt(e)
            y = Div(b, f)
        }

    After::

        agraph (float[N,3,4] x) => (float[N,3,4] y) {
            w = Constant <value = float[4] {1.0, 1.0, 1.0, 1.0}> ()
            y = LayerNormalization <epsilon = 0.001> (x, w)
        }

    ``x * s + (bias - mean * s) => LayerNormalization(x, scale, bias)``, as Keras has it, and
    halves that are cast to 32 bits and back:

    Before::

        agraph (float16[N,2] x) => (float16[N,2] y)
            <int64[1] axes = {-1}, float epsilon = {0.001}, float[2] scale = {2.0, 3.0},
             float[2] bias = {4.0, 5.0}> {
            z = Cast <to = 1> (x)
            a = ReduceMean(z, axes)
            b = Sub(z, a)
            c = Mul(b, b)
            d = ReduceMean(c, axes)
            e = Add(d, epsilon)
            f = Sqrt(e)
            g = Reciprocal(f)
            s = Mul(g, scale)
            h = Mul(z, s)
            i = Mul(a, s)
            j = Sub(bias, i)
            k = Add(h, j)
            y = Cast <to = 10> (k)
        }

    After::

        agraph (float16[N,2] x) => (float16[N,2] y) {
            scale = Constant <value = float16[2] {16384, 16896}> ()
            bias = Constant <value = float16[2] {17408, 17664}> ()
            y = LayerNormalization <epsilon = 0.001> (x, scale, bias)
        }

    FLOAT: sums are formed in another order, and halves are summed in 32 bits. Not in double
    precision, of which the operator promises only 32 bits. Catalogue row F5. Source: Ba et al.
    2016, arXiv 1607.06450; ONNX operator specification of LayerNormalization.
    """

    name: ClassVar[str] = "fuse-layer-normalization"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (Standardized, Shifted, NarrowLayerNormalization)

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without means or such an operator."""
        if ctx.nodes(model, (*ANCHORS, ("", "LayerNormalization"))):
            super().run(model, ctx)
