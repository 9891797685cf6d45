"""Normalization of each channel, or each group of channels, spelled out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import DataType, Model, Value, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.idioms.expressions import claim
from burnish_passes.idioms.normalizations import (
    ANCHORS,
    require_single,
    scale_of,
    spread,
    standardization,
)
from burnish_passes.proofs import require_same_shape


def _constant(op: Any, array: Any, dtype: DataType) -> Value:
    made: Value = op.constant(np.ascontiguousarray(array.astype(dtype.numpy())), dtype=dtype)
    return made


class StandardizedChannel(Rule):
    """``scale * (x - mean) / sqrt(variance + epsilon)`` over height and width."""

    def before(self, op: Any) -> Any:
        return op.either("Div", "Mul")(..., _name="quotient")

    def after(self, op: Any, m: Match) -> Any:
        found = standardization(m, spatial=True)
        scale = scale_of(m, m.root.outputs[0], found, numerator=True)
        dtype = require_single(m, found, "InstanceNormalization", 6)
        shape = m.shape_of(found.x)
        channels = shape[1]
        assert isinstance(channels, int)
        held = np.ones(1) if scale is None else constant_array(scale)
        if held is None:
            m.decline("the scale is known only when the model runs")
        gain = spread(m, held, (channels, *[1] * (len(shape) - 2))).reshape(channels)
        claim(m, found.x, *(() if scale is None else (scale,)))
        return op.InstanceNormalization(
            found.x,
            _constant(op, gain, dtype),
            _constant(op, np.zeros(channels), dtype),
            epsilon=found.epsilon,
        )


class NormalizedGroups(Rule):
    """``Reshape(InstanceNormalization(Reshape(x, [N, G, -1])), shape of x)``."""

    def before(self, op: Any, x: Any, scale: Any, bias: Any) -> Any:
        apart = op.Reshape(x, ..., _name="apart")
        norm = op.InstanceNormalization(apart, scale.constant, bias.constant, _name="norm")
        return op.Reshape(norm, ..., _name="together")

    def after(self, op: Any, m: Match) -> Any:
        x, dtype = m["x"], m.dtype("scale")
        m.require(m.opset >= 21, "GroupNormalization has a scale for each channel from opset 21")
        require_same_shape(m, x, m.root.outputs[0])
        shape, apart = m.shape("x"), m.shape_of(m.node("apart").outputs[0])
        groups, channels = m.const("scale").size, shape[1] if len(shape) > 2 else None
        if not isinstance(channels, int):
            m.decline("the number of channels is not known")
        m.require(channels % groups == 0, "the groups do not divide the channels")
        m.require(shape[0] == apart[0], "the Reshape may mix samples")
        gain, shift = (np.repeat(m.const(name), channels // groups) for name in ("scale", "bias"))
        return op.GroupNormalization(
            x,
            _constant(op, gain, dtype),
            _constant(op, shift, dtype),
            epsilon=attribute(m.node("norm"), "epsilon", 1e-5),
            num_groups=groups,
        )


@dataclass(frozen=True)
class FuseChannelNormalization(RuleSet):
    """Write a standardization of each channel or group of channels as one operator.

    ``d / sqrt(mean(d * d) + epsilon) => InstanceNormalization(x)`` where ``d = x - mean(x)`` and
    the means are those of each channel over two or more axes:

    Before::

        agraph (float[N,2,4,4] x) => (float[N,2,4,4] y)
            <int64[2] axes = {2, 3}, float epsilon = {0.001}> {
            a = ReduceMean(x, axes)
            b = Sub(x, a)
            c = Mul(b, b)
            d = ReduceMean(c, axes)
            e = Add(d, epsilon)
            f = Sqrt(e)
            y = Div(b, f)
        }

    After::

        agraph (float[N,2,4,4] x) => (float[N,2,4,4] y) {
            scale = Constant <value = float[2] {1.0, 1.0}> ()
            bias = Constant <value = float[2] {0.0, 0.0}> ()
            y = InstanceNormalization <epsilon = 0.001> (x, scale, bias)
        }

    ``Reshape(InstanceNormalization(Reshape(x, [N, G, -1]))) => GroupNormalization(x)`` from opset
    21, where the target has a kernel.

    What is multiplied or added afterwards is the business of ``fold-affine-into-normalization``.
    FLOAT: sums are formed in another order. Not in double precision, for which runtimes have no
    kernels. Catalogue row F8. Source: ONNX operator specifications of InstanceNormalization and
    GroupNormalization; Wu and He 2018, arXiv 1803.08494.
    """

    name: ClassVar[str] = "fuse-channel-normalization"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (StandardizedChannel, NormalizedGroups)

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without means or such an operator."""
        if ctx.nodes(model, (*ANCHORS, ("", "InstanceNormalization"))):
            super().run(model, ctx)
