"""A constant factor or offset after a convolution goes into its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.linear.weights import (
    constant_or_absent,
    emit_conv,
    out_channels,
    scaled_kernel,
)


def _per_channel(m: Match) -> Array:
    """Constant ``c`` as float64[M], one number for each output channel.

    It must right-align to [M, 1, ..., 1]: a bare [M] belongs to the last axis, not to the channels.
    """
    kernel, c = m.const("w"), m.const("c")
    rank, channels = kernel.ndim, out_channels(m.node("conv"), m.const("w"))
    shape = c.shape
    if m.opset < 7:
        shape = _legacy_shape(m, c, rank)
    m.require(len(shape) <= rank, "the constant has more axes than the result")
    full = (1,) * (rank - len(shape)) + shape
    m.require(
        all(size == 1 for axis, size in enumerate(full) if axis != 1),
        "the constant does not act per channel",
    )
    m.require(full[1] in (1, channels), "the constant would enlarge the channels")
    spread: Array = np.broadcast_to(c.astype(np.float64).reshape(-1), (channels,))
    return spread


def _legacy_shape(m: Match, c: Array, rank: int) -> tuple[int, ...]:
    """The shape of ``c`` as broadcast before opset 7: aligned at ``axis``, to the left operand."""
    left = m.root.inputs[0]
    m.require(left is not None and left is m.node("conv").outputs[0], "it broadcasts the Conv")
    axis = m.attr("op", "axis")
    if axis is None:
        return tuple(c.shape)
    axis = axis + rank if axis < 0 else axis
    return (*map(int, c.shape), *[1] * (rank - axis - c.ndim))


class FoldAfter(Rule):
    """A constant operand on either side of Add and Mul, on the right of Sub and Div."""

    def before(self, op: Any, x: Any, w: Any, b: Any, c: Any) -> Any:
        conv = op.either("Conv", "ConvTranspose")(x, w.constant, b.optional, _name="conv")
        return op.either("Add", "Div", "Mul", "Sub")(conv, c.constant, _name="op")

    def after(self, op: Any, m: Match) -> Any:
        c, bias = _per_channel(m), constant_or_absent(m, "b")
        start = np.zeros(c.shape) if bias is None else bias
        if m.root.op_type in ("Add", "Sub"):
            return emit_conv(op, m, None, start + c if m.root.op_type == "Add" else start - c)
        with np.errstate(all="ignore"):
            factor = c if m.root.op_type == "Mul" else 1.0 / c
        m.require(bool(np.isfinite(factor).all()), "the factor is not finite")
        return _scaled(op, m, factor, start * factor)


class FoldSubtractedFrom(Rule):
    """``c - Conv(x, W, b) => Conv(x, -W, c - b)``."""

    def before(self, op: Any, x: Any, w: Any, b: Any, c: Any) -> Any:
        conv = op.either("Conv", "ConvTranspose")(x, w.constant, b.optional, _name="conv")
        return op.Sub(c.constant, conv, _name="op")

    def after(self, op: Any, m: Match) -> Any:
        c, bias = _per_channel(m), constant_or_absent(m, "b")
        return _scaled(op, m, np.full(c.shape, -1.0), c if bias is None else c - bias)


def _scaled(op: Any, m: Match, factor: Array, bias: Array) -> Value:
    return emit_conv(op, m, scaled_kernel(m.node("conv"), m.const("w"), factor), bias)


@dataclass(frozen=True)
class FoldAffineIntoConv(RuleSet):
    """Fold a constant Mul, Div, Add or Sub into the Conv or ConvTranspose before it.

    ``Conv(x, W, b) * c => Conv(x, c * W, c * b)`` and ``Conv(x, W, b) + c => Conv(x, W, b + c)``,
    the constant on either side; ``/ c`` and ``- c`` alike.

    Before::

        agraph (float[1,1,4,4] x) => (float[1,2,4,4] y) {
            w = Constant <value = float[2,1,1,1] {1.0, 2.0}> ()
            c = Constant <value = float[2,1,1] {3.0, 5.0}> ()
            d = Constant <value = float {1.0}> ()
            t = Conv(x, w)
            u = Mul(c, t)
            y = Add(u, d)
        }

    After::

        agraph (float[1,1,4,4] x) => (float[1,2,4,4] y) {
            w = Constant <value = float[2,1,1,1] {3.0, 10.0}> ()
            b = Constant <value = float[2] {1.0, 1.0}> ()
            y = Conv(x, w, b)
        }

    A bare [C] acts along the last axis, not on the channels:

    Before::

        agraph (float[1,1,2,2] x) => (float[1,2,2,2] y) {
            w = Constant <value = float[2,1,1,1] {1.0, 2.0}> ()
            c = Constant <value = float[2] {3.0, 5.0}> ()
            t = Conv(x, w)
            y = Mul(t, c)
        }

    After::

        agraph (float[1,1,2,2] x) => (float[1,2,2,2] y) {
            w = Constant <value = float[2,1,1,1] {1.0, 2.0}> ()
            c = Constant <value = float[2] {3.0, 5.0}> ()
            t = Conv(x, w)
            y = Mul(t, c)
        }

    FLOAT: products are formed in float64 and rounded once to the type of the weights. Catalogue
    rows A5, A6, A9. Source: convolution is linear in W and b.
    """

    name: ClassVar[str] = "fold-affine-into-conv"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (FoldAfter, FoldSubtractedFrom)
