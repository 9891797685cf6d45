"""Means that quantization shifted, put back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from burnish.ir import Array, Model, Node, read_values
from burnish.loading import load
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.proofs import operand
from burnish_passes.quantize.biases import Bias, bias_of
from burnish_passes.quantize.channels import LINEAR
from burnish_passes.quantize.float_model import FloatModel
from burnish_passes.quantize.parameters import reads_codes


@dataclass(frozen=True)
class CorrectBias(Pass):
    """Shift the biases of quantized layers until their results have the means of the float model.

    Rounded weights and clipped activations move the mean of a channel, and all that follows. The
    mean of each channel of a layer's results on the calibration data is compared with that of the
    float model, and the difference taken from the bias. Layers that read it come after it, since
    then they see other inputs: there is one pass over the data for as many layers as lie one behind
    the other. Codes of int32 are changed by whole steps. When the means are not nearer in the end,
    nothing is changed.

    The float model is the one that ``remember-float-model`` kept; without it nothing is done:

    Before::

        agraph (float[2, 1] x) => (float[2, 1] y)
        <int8[1, 1] w = {100}, float s = {0.01}, int8 z = {0}, float[1] b = {0.5}> {
            v = DequantizeLinear(w, s, z)
            y = Gemm(x, v, b)
        }

    After::

        agraph (float[2, 1] x) => (float[2, 1] y)
        <int8[1, 1] w = {100}, float s = {0.01}, int8 z = {0}, float[1] b = {0.5}> {
            v = DequantizeLinear(w, s, z)
            y = Gemm(x, v, b)
        }

    LOSSY. Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
    Correction", 2019, appendix D (empirical bias correction).

    Raises:
        InputError: when there is no calibration data.
    """

    name: ClassVar[str] = "correct-bias"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Find the shifts on a copy, then write the biases."""
        known = ctx.recall(FloatModel)
        layers = list(_layers(model, known, ctx, self.name))
        if not layers or known.model is None:
            return
        axes = {layer.reference: layer.axis for layer in layers}
        wanted = ctx.statistics(self.name, known.model, list(axes), axes)
        for layer in layers:
            seen = wanted[layer.reference]
            assert seen.channels is not None  # they were asked for
            layer.mean, layer.deviation = seen.channels.mean, float(np.sqrt(seen.variance))
        trial = _Trial(self.name, model, layers, ctx)
        first = trial.measured(layers)
        for level in sorted({layer.level for layer in layers}):
            trial.correct([layer for layer in layers if layer.level == level])
        last = trial.measured(layers)
        was, now = (_off(layers, found) for found in (first, last))
        if sum(np.square(now)) >= sum(np.square(was)):
            if any(np.any(shift) for shift in trial.shifts.values()):
                ctx.declined(self.name, "model", "the means would not be nearer on the whole")
            return
        scope = ctx.scopes(model)[0]
        for layer, before, after in zip(layers, was, now, strict=True):
            shift = trial.shifts[layer.name]
            gain = (
                f"means were off by {before:.2%} of the deviation of its results, now {after:.2%}"
            )
            if np.any(shift) and ctx.applies(self.name, layer.node, gain):
                layer.bias.shift(shift, scope, ctx)


class _Trial:
    """A copy of the model in which biases are shifted layer by layer.

    Attributes:
        shifts: what was added to the results of each layer, ``[C]``, by name.
    """

    def __init__(self, rule: str, model: Model, layers: Sequence[_Layer], ctx: Context) -> None:
        self.rule, self.ctx, self.model = rule, ctx, load(model)
        self.inside = Context.of(self.model, ctx.target)
        self.made = {str(out.name): node for node in self.model.graph for out in node.outputs}
        self.shifts = {layer.name: np.zeros_like(layer.mean) for layer in layers}

    def measured(self, layers: Sequence[_Layer]) -> list[Array]:
        """How far the mean of each channel is from the float model's, ``[C]`` for each layer."""
        axes = {layer.name: layer.axis for layer in layers}
        seen = self.ctx.statistics(self.rule, self.model, list(axes), axes)
        found = []
        for layer in layers:
            channels = seen[layer.name].channels
            assert channels is not None  # it was asked for
            found.append(channels.mean - layer.mean)
        return found

    def correct(self, layers: Sequence[_Layer]) -> None:
        """Take what is measured now from the biases of layers that do not read each other."""
        scope = self.inside.scopes(self.model)[0]
        for layer, difference in zip(layers, self.measured(layers), strict=True):
            shift = layer.bias.rounded(-difference)
            self.shifts[layer.name] = shift
            bias = bias_of(self.made[layer.name])
            assert isinstance(bias, Bias)  # as in the original
            bias.shift(shift, scope, self.inside)


@dataclass
class _Layer:
    """A layer on codes with a bias.

    Attributes:
        node: the layer.
        bias: where its bias is.
        reference: the name of the same result in the float model.
        axis: of the channels in it.
        level: how many layers lie before it, one behind the other.
        mean: of each channel in the float model, ``[C]``.
        deviation: of all its results in the float model.
    """

    node: Node
    bias: Bias
    reference: str
    axis: int
    level: int
    mean: Array
    deviation: float = 1.0

    @property
    def name(self) -> str:
        """The name of its result."""
        return str(self.node.outputs[0].name)


def _off(layers: Sequence[_Layer], found: Sequence[Array]) -> list[float]:
    """The shift of a channel in each layer, in deviations of the layer's results."""
    sizes = []
    for layer, difference in zip(layers, found, strict=True):
        unit = layer.deviation if layer.deviation > 0 else 1.0
        sizes.append(float(np.sqrt(np.mean(np.square(difference)))) / unit)
    return sizes


def _layers(model: Model, known: FloatModel, ctx: Context, rule: str) -> Iterator[_Layer]:
    """The layers to correct; the others say why not."""
    levels = _levels(model)
    for node in model.graph:
        if node.domain != "" or node.op_type not in LINEAR or not _on_codes(node):
            continue
        bias, reference = bias_of(node), known.counterpart(node)
        shape = ctx.shapes.shape(node.outputs[0])
        if known.model is None:
            why = "the float model is not known: put remember-float-model before quantization"
            ctx.declined(rule, node, why)
        elif isinstance(bias, str):
            ctx.declined(rule, node, bias)
        elif reference is None:
            ctx.declined(rule, node, "the float model has no such layer")
        elif shape is None:
            ctx.declined(rule, node, "the rank of its result is not known")
        else:
            axis = len(shape) - 1 if node.op_type == "MatMul" else 1
            yield _Layer(node, bias, str(reference.name), axis, levels[node], np.zeros(0))


def _levels(model: Model) -> dict[Node, int]:
    """How many layers on codes lie before each node, one behind the other."""
    found: dict[Node, int] = {}
    for node in model.graph:
        makers = [value.producer() for value in read_values(node)]
        before = [
            found[item] + (item.op_type in LINEAR and _on_codes(item))
            for item in makers
            if item is not None and item in found
        ]
        found[node] = max(before, default=0)
    return found


def _on_codes(node: Node) -> bool:
    """Whether its weights or what it reads come from codes."""
    return any(reads_codes(operand(node, index)) is not None for index in (0, 1))
