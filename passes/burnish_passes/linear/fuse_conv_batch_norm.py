"""BatchNormalization after a convolution goes into its weights."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.linear.weights import (
    batch_norm_affine,
    constant_or_absent,
    emit_conv,
    normalised,
    out_channels,
    scaled_kernel,
)


class FuseConvBatchNorm(Rule):
    """Fold BatchNormalization into the Conv or ConvTranspose before it.

    ``BN(Conv(x, W, b)) => Conv(x, g * W, (b - mean) * g + bias)`` with
    ``g = scale / sqrt(var + epsilon)`` per output channel.

    Before::

        agraph (float[1,1,4,4] x) => (float[1,2,4,4] y) {
            w = Constant <value = float[2,1,1,1] {1.0, 2.0}> ()
            scale = Constant <value = float[2] {2.0, 4.0}> ()
            bias = Constant <value = float[2] {1.0, 1.0}> ()
            mean = Constant <value = float[2] {0.5, 0.0}> ()
            var = Constant <value = float[2] {4.0, 4.0}> ()
            t = Conv(x, w)
            y = BatchNormalization <epsilon = 0.0> (t, scale, bias, mean, var)
        }

    After::

        agraph (float[1,1,4,4] x) => (float[1,2,4,4] y) {
            w = Constant <value = float[2,1,1,1] {1.0, 4.0}> ()
            b = Constant <value = float[2] {0.5, 1.0}> ()
            y = Conv(x, w, b)
        }

    FLOAT: products are formed in float64 and rounded once to the type of the weights. All of W,
    b, scale, bias, mean and var must be constants, and BatchNormalization must not be training.
    Shared weights are copied. Catalogue row A1. Source: Jacob et al. 2018 (arXiv 1712.05877),
    section 3.2.
    """

    name: ClassVar[str] = "fuse-conv-batch-norm"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(
        self, op: Any, x: Any, w: Any, b: Any, scale: Any, bias: Any, mean: Any, var: Any
    ) -> Any:
        conv = op.either("Conv", "ConvTranspose")(x, w.constant, b.optional, _name="conv")
        return normalised(op, conv, scale, bias, mean, var)

    def after(self, op: Any, m: Match) -> Any:
        conv, kernel = m.node("conv"), m.const("w")
        factor, shift = batch_norm_affine(m)
        channels = out_channels(conv, kernel)
        m.require(factor.shape == (channels,), "the channels of Conv and statistics differ")
        bias = constant_or_absent(m, "b")
        new_bias = shift if bias is None else bias * factor + shift
        return emit_conv(op, m, scaled_kernel(conv, kernel, factor), np.asarray(new_bias))
