"""Weights of layers that follow each other made equally large, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from burnish.ir import Array, Model, Scope, constant
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.quantize.balancing import WORTHWHILE, Joint, State, balance, is_equal
from burnish_passes.quantize.channels import Layer, layer_of, put_constant, why_not_exclusive
from burnish_passes.quantize.seams import Blocked, seam_after


@dataclass(frozen=True)
class EqualizeLayers(Pass):
    """Scale the channels between two layers so that both layers' weights have equal ranges.

    Output channel i of the first layer is divided by ``s[i] = sqrt(r1[i] / r2[i])`` and input
    channel i of the layers that read it multiplied by it, where r1 and r2 are the largest weights
    of the channel on either side. With one scale for a whole weight tensor, channels with small
    weights have few codes; equal channels share them. Between the layers may stand what passes a
    factor on: Relu, LeakyRelu, PRelu, pools, Transpose, Flatten, constant factors and sums; not
    Clip to 6, Sigmoid, or a sum of two branches.

    It is for weights with one scale each: over nine convolutional models, weights rounded so gave
    answers 0 to 11 decibels nearer. With a scale for each channel there is little to gain.

    A channel is not divided so far that its numbers become the largest of all: they are held to
    those of the largest channel on the calibration data, or, without data, in the bias.

    Before::

        agraph (float[1, 2] x) => (float[1, 1] y)
        <float[2, 2] v = {4.0, 1.0, -1.0, 0.5}, float[2, 1] w = {1.0, 4.0}> {
            a = MatMul(x, v)
            b = Relu(a)
            y = MatMul(b, w)
        }

    After::

        agraph (float[1, 2] x) => (float[1, 1] y)
        <float[2, 2] v = {2.0, 2.0, -0.5, 1.0}, float[2, 1] w = {2.0, 2.0}> {
            a = MatMul(x, v)
            b = Relu(a)
            y = MatMul(b, w)
        }

    FLOAT: scaled and scaled back, each weight rounded once more. Source: Nagel et al., "Data-Free
    Quantization Through Weight Equalization and Bias Correction", 2019, section 4.1, iterated to
    the end.
    """

    name: ClassVar[str] = "equalize-layers"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Find the seams, find the factors on tables of largest weights, then scale once."""
        places = list(self._places(model, ctx))
        joints = [place.joint for place in places]
        free = State.of(joints, [np.zeros_like(place.reach) for place in places])
        if is_equal(joints, free):
            return
        _learn_reach(self.name, places, model, ctx)
        first = State.of(joints, [place.reach for place in places])
        if is_equal(joints, first):
            return
        totals, last = balance(joints, first)
        for place, total in zip(places, totals, strict=True):
            node = place.joint.layer.node
            if np.abs(total).max(initial=0.0) <= WORTHWHILE / 10:
                continue
            old, new = _precision(place.joint, first), _precision(place.joint, last)
            gain = f"a channel has {old:.0%} of the range of its weights on average, now {new:.0%}"
            if not place.fits(total):
                ctx.declined(self.name, node, "scaled weights would overflow")
            elif ctx.applies(self.name, node, gain):
                place.scale(np.exp(total), ctx)

    def _places(self, model: Model, ctx: Context) -> Iterator[_Place]:
        for scope in ctx.scopes(model):
            if scope.function is not None:
                continue
            for node in scope.graph:
                layer = layer_of(node)
                if layer is None:
                    continue
                try:
                    place = _place(layer, scope, ctx)
                except Blocked as blocked:
                    ctx.declined(self.name, node, str(blocked))
                else:
                    yield place


@dataclass
class _Place:
    """A joint in a graph.

    Attributes:
        joint: a layer and the seam after it.
        scope: where it stands.
        reach: how large the numbers of each channel are, ``[C]``.
    """

    joint: Joint
    scope: Scope
    reach: Array

    def fits(self, total: Array) -> bool:
        """Whether every number is finite in its type, once scaled."""
        factor, layer = np.exp(total), self.joint.layer
        largest = [layer.scaled_outputs(layer.table, 1.0 / factor).max(initial=0.0)]
        if layer.bias is not None:
            largest.append((np.abs(_bias(layer)) / factor).max(initial=0.0))
        for reader in self.joint.seam.readers:
            spread = np.repeat(factor, reader.repeat)
            largest.append(reader.layer.scaled_inputs(reader.layer.table, spread).max(initial=0.0))
        return bool(max(largest) < float(np.finfo(layer.held.numpy().dtype).max))

    def scale(self, factor: Array, ctx: Context) -> None:
        """Write the factors into the weights."""
        layer = self.joint.layer
        node, held = layer.node, layer.held
        scaled = layer.scaled_outputs(held.numpy().astype(np.float64), 1.0 / factor)
        put_constant(self.scope, ctx, node, 1, scaled, held.dtype)
        bias = constant(layer.bias)
        if bias is not None:
            put_constant(self.scope, ctx, node, 2, _bias(layer) / factor, bias.dtype)
        self.joint.seam.divide(factor, self.scope, ctx)


def _bias(layer: Layer) -> Array:
    held = constant(layer.bias)
    assert held is not None
    return held.numpy().astype(np.float64)


def _place(layer: Layer, scope: Scope, ctx: Context) -> _Place:
    """The joint after ``layer``.

    Raises:
        Blocked: when there is none.
    """
    why = why_not_exclusive(layer)
    if why:
        raise Blocked(why)
    result = layer.node.outputs[0]
    shape = ctx.shapes.shape(result)
    if shape is None:
        raise Blocked(f"the rank of {result.name} is not known")
    axis = len(shape) - 1 if layer.node.op_type == "MatMul" else 1
    seam = seam_after(result, axis, ctx)
    channels = len(layer.by_output(layer.table))
    reach = np.zeros(channels)
    if layer.bias is not None:
        sizes = np.atleast_2d(np.abs(_bias(layer)))  # a Gemm may add other numbers in each row
        reach += sizes.max(axis=0, initial=0.0)
    for shift in seam.shifts:
        reach += shift.sizes(channels)
    return _Place(Joint(layer, seam), scope, reach)


def _learn_reach(name: str, places: list[_Place], model: Model, ctx: Context) -> None:
    """How large the numbers of each channel are on the calibration data, where there is some."""
    if ctx.calibration is None:
        return
    inner = [place for place in places if place.scope.depth == 0]
    axes = {name: axis for place in inner for name, axis in place.joint.seam.axes.items()}
    found = ctx.statistics(name, model, list(axes), axes)
    for place in inner:
        place.reach = place.joint.seam.seen(found, len(place.reach))


def _precision(joint: Joint, state: State) -> float:
    """The share of the whole tensor's range that a channel uses, over channels and layers."""
    made = joint.layer.by_output(state.tables[joint.layer.node])
    read = joint.seam.reading(state.tables, len(made))
    parts = [side / side.max() for side in (made, read) if side.max(initial=0.0) > 0]
    return float(np.mean(np.concatenate(parts))) if parts else 1.0
