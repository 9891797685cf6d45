"""BatchNormalization goes into a MatMul even when the axes are rearranged between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.constants import held_shape, no_large_copy
from burnish_passes.linear.weights import batch_norm_affine, normalised, rounded_constant


def _columns_become_channels(m: Match, view: Node, columns: int) -> None:
    """Decline unless the last axis of the product is axis 1 of what is normalised."""
    before, after = m.shape_of(m.node("MatMul").outputs[0]), m.shape_of(view.outputs[0])
    if view.op_type == "Transpose":
        perm = attribute(view, "perm") or tuple(reversed(range(len(before))))
        kept = len(perm) > 1 and perm[1] == len(before) - 1
    else:
        # Elements keep their order, so a last axis of the same size holds the same columns.
        kept = len(after) == 2 and after[1] == columns
    m.require(kept, "the columns of MatMul do not become the channels")


def _rebuilt(op: Any, view: Node, x: Value) -> Value:
    made: Value = getattr(op, view.op_type)(
        x, *view.inputs[1:], _attributes=view.attributes.values()
    )
    return made


def _folded(m: Match) -> tuple[Array, Array]:
    """The scaled matrix, and what is added to its product before the view, in float64."""
    shape = held_shape(m, "w")
    m.suppose(m.opset >= 7 and len(shape) == 2)
    _columns_become_channels(m, m.node("view"), shape[1])
    factor, shift = batch_norm_affine(m)
    m.require(factor.shape == shape[1:], "the columns and statistics differ")
    no_large_copy(m, m["w"])
    if "b" in m.values:
        m.require(held_shape(m, "b") == shape[1:], "the bias is not one number for each column")
        shift = shift + m.const("b").astype(np.float64) * factor
    return m.const("w").astype(np.float64) * factor, shift


def _scaled(op: Any, m: Match) -> Value:
    """The view of the product with new weights and bias."""
    weight, shift = _folded(m)
    product = op.MatMul(m["a"], rounded_constant(op, m, weight, "w", "weight", m["w"]))
    biased = op.Add(product, rounded_constant(op, m, shift, "w", "bias", m.get("b")))
    return _rebuilt(op, m.node("view"), biased)


class FoldAcrossView(Rule):
    """``BN(view(MatMul(A, W)))``."""

    def before(self, op: Any, a: Any, w: Any, scale: Any, bias: Any, mean: Any, var: Any) -> Any:
        view = op.either("Reshape", "Transpose")(op.MatMul(a, w.constant), ..., _name="view")
        return normalised(op, view, scale, bias, mean, var)

    def after(self, op: Any, m: Match) -> Any:
        return _scaled(op, m)


class FoldAcrossBiasAndView(Rule):
    """``BN(view(MatMul(A, W) + b))``."""

    def before(
        self, op: Any, a: Any, w: Any, b: Any, scale: Any, bias: Any, mean: Any, var: Any
    ) -> Any:
        product = op.Add(op.MatMul(a, w.constant), b.constant)
        view = op.either("Reshape", "Transpose")(product, ..., _name="view")
        return normalised(op, view, scale, bias, mean, var)

    def after(self, op: Any, m: Match) -> Any:
        return _scaled(op, m)


@dataclass(frozen=True)
class FoldBatchNormAcrossViews(RuleSet):
    """Fold BatchNormalization into a MatMul across a Reshape or Transpose.

    ``BN(view(MatMul(A, W) + b)) => view(MatMul(A, g * W) + (g * b + bias - mean * g))`` with
    ``g = scale / sqrt(var + epsilon)``, where the view makes the columns the channels.

    Before::

        agraph (float[B,N,2] a) => (float[B,2,N] y) {
            w = Constant <value = float[2,2] {1.0, 2.0, 3.0, 4.0}> ()
            b = Constant <value = float[2] {1.0, 1.0}> ()
            scale = Constant <value = float[2] {2.0, 4.0}> ()
            bias = Constant <value = float[2] {1.0, 1.0}> ()
            mean = Constant <value = float[2] {0.5, 0.0}> ()
            var = Constant <value = float[2] {4.0, 4.0}> ()
            t = MatMul(a, w)
            u = Add(t, b)
            v = Transpose <perm = [0, 2, 1]> (u)
            y = BatchNormalization <epsilon = 0.0> (v, scale, bias, mean, var)
        }

    After::

        agraph (float[B,N,2] a) => (float[B,2,N] y) {
            w = Constant <value = float[2,2] {1.0, 4.0, 3.0, 8.0}> ()
            b = Constant <value = float[2] {1.5, 3.0}> ()
            t = MatMul(a, w)
            u = Add(t, b)
            y = Transpose <perm = [0, 2, 1]> (u)
        }

    FLOAT: products are formed in float64 and rounded once to the type of W. Catalogue row A2.
    Source: a product of matrices is linear in its right operand, and a view only moves elements.
    """

    name: ClassVar[str] = "fold-batch-norm-across-views"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (FoldAcrossView, FoldAcrossBiasAndView)
