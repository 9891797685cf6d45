"""A constant factor or offset before a convolution goes into its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.constants import held_shape
from burnish_passes.linear.affine import AFFINE, affine_before
from burnish_passes.linear.weights import constant_or_absent, rounded_constant


def _pads_nothing(conv: Node, kernel: Array) -> bool:
    """Whether a Conv sees no padding, whatever the size of its input."""
    automatic = attribute(conv, "auto_pad", "NOTSET")
    if isinstance(automatic, bytes):
        automatic = automatic.decode()
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        # One tap never reaches beyond the input; two may, depending on its size.
        return all(size == 1 for size in kernel.shape[2:])
    return automatic == "VALID" or not any(attribute(conv, "pads", ()))


def _places_are_alike(conv: Node, kernel: Array) -> bool:
    """Whether every place of the output gets the same from a constant input."""
    if conv.op_type == "Conv":
        return _pads_nothing(conv, kernel)
    # Elsewhere fewer taps of a ConvTranspose overlap at the border, or none between strides.
    spread = any(size != 1 for size in kernel.shape[2:])
    spread = spread or any(step != 1 for step in attribute(conv, "strides", ()))
    sized = "output_shape" in conv.attributes or any(attribute(conv, "output_padding", ()))
    return not spread and not sized and _pads_nothing(conv, kernel)


def _folded(conv: Node, kernel: Array, factor: Array, shift: Array) -> tuple[Array, Array]:
    """The kernel that scales its input channels itself, and what the shift adds per output."""
    group: int = attribute(conv, "group", 1)
    space = (1,) * (kernel.ndim - 2)
    per_group = kernel.shape[0] // group
    parts = kernel.astype(np.float64).reshape(group, per_group, *kernel.shape[1:])
    if conv.op_type == "Conv":
        along, inputs = (group, 1, kernel.shape[1], *space), tuple(range(2, parts.ndim))
    else:
        along, inputs = (group, per_group, 1, *space), (1, *range(3, parts.ndim))
    added = (parts * shift.reshape(along)).sum(axis=inputs)
    return (parts * factor.reshape(along)).reshape(kernel.shape), added.reshape(-1)


class FoldBeforeConv(Rule):
    """``Conv(affine(x), W, b)`` with constants."""

    def before(self, op: Any, w: Any, b: Any) -> Any:
        inner = op.either(*AFFINE)(..., _name="inner", _shared=True)
        return op.either("Conv", "ConvTranspose")(inner, w.constant, b.optional, _name="conv")

    def after(self, op: Any, m: Match) -> Any:
        conv, shape = m.node("conv"), held_shape(m, "w")
        channels = shape[1] * attribute(conv, "group", 1) if conv.op_type == "Conv" else shape[0]
        found = affine_before(m, m.node("inner"), 1, channels)
        m.require(len(m.shape_of(found.x)) == len(shape), "the ranks of x and W differ")
        kernel = m.const("w")
        weight, added = _folded(conv, kernel, found.factor, found.shift)
        inputs: list[Value | None] = [found.x, self.weight(op, m, found.factor, weight)]
        if found.shift.any():
            m.require(
                _places_are_alike(conv, kernel), "the offset is not there where the Conv pads"
            )
            old = constant_or_absent(m, "b")
            total = added if old is None else old + added
            inputs.append(rounded_constant(op, m, total, "w", "bias", m.get("b")))
        elif m.get("b") is not None:
            inputs.append(m["b"])
        return getattr(op, conv.op_type)(*inputs, _attributes=conv.attributes.values())

    def weight(self, op: Any, m: Match, factor: Array, exact: Array) -> Value:
        """The new kernel; the old one where the factor is 1."""
        if bool((factor == 1.0).all()):
            return m["w"]
        return rounded_constant(op, m, exact, "w", "weight", m["w"])


@dataclass(frozen=True)
class FoldAffineBeforeConv(RuleSet):
    """Fold constants before a Conv or ConvTranspose into its weights.

    ``Conv(x * g + s, W, b) => Conv(x, W * g, b + sum(W * s))`` with g and s per input channel,
    spelled as BatchNormalization, Mul, Div, Add or Sub.

    Before::

        agraph (float[1,2,3,3] x) => (float[1,1,2,2] y) {
            w = Constant <value = float[1,2,1,1] {1.0, 2.0}> ()
            c = Constant <value = float[2,1,1] {3.0, 5.0}> ()
            d = Constant <value = float {1.0}> ()
            t = Mul(c, x)
            u = Sub(t, d)
            y = Conv <strides = [2, 2]> (u, w)
        }

    After::

        agraph (float[1,2,3,3] x) => (float[1,1,2,2] y) {
            w = Constant <value = float[1,2,1,1] {3.0, 10.0}> ()
            b = Constant <value = float[1] {-3.0}> ()
            y = Conv <strides = [2, 2]> (x, w, b)
        }

    Padding is zero, not the offset, so an offset before a Conv that pads stays:

    Before::

        agraph (float[1,1,3,3] x) => (float[1,1,3,3] y) {
            w = Constant <value = float[1,1,1,3] {1.0, 2.0, 4.0}> ()
            d = Constant <value = float {1.0}> ()
            u = Add(x, d)
            y = Conv <pads = [0, 1, 0, 1]> (u, w)
        }

    After::

        agraph (float[1,1,3,3] x) => (float[1,1,3,3] y) {
            w = Constant <value = float[1,1,1,3] {1.0, 2.0, 4.0}> ()
            d = Constant <value = float {1.0}> ()
            u = Add(x, d)
            y = Conv <pads = [0, 1, 0, 1]> (u, w)
        }

    A ConvTranspose takes an offset only if it has one tap and stride 1: else fewer taps overlap at
    the border. FLOAT: products are formed in float64 and rounded once to the type of the weights.
    Catalogue rows A3, A7, A8, A9. Source: convolution is linear in its input and in W.
    """

    name: ClassVar[str] = "fold-affine-before-conv"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (FoldBeforeConv,)
