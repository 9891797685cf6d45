"""Outliers of activations moved into the weights that read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from burnish.errors import InputError
from burnish.graph import SOURCES, sources_of
from burnish.ir import (
    Array,
    Model,
    Node,
    Scope,
    Value,
    attribute,
    constant,
    label,
    make_tensor,
)
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.proofs import operand
from burnish_passes.quantize.channels import layer_of, put_constant, why_not_exclusive
from burnish_passes.quantize.seams import Blocked, Reader, Seam, seam_after

_NORMS: Final = frozenset(
    {"LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"}
)
_PRODUCTS: Final = frozenset({"Gemm", "MatMul"})
_ROUNDS: Final = 1000
_SETTLED: Final = 1e-3
"""Logarithms of factors below this end the search."""
_WORTHWHILE: Final = 0.02
"""Factors nearer to 1 than this, in logarithms, change nothing."""


@dataclass(frozen=True)
class SmoothQuant(Pass):
    """Divide the channels of an activation, and multiply the weights that read them.

    Channel j is divided by ``s[j] = max|x[j]| ** alpha / max|w[j]| ** (1 - alpha)``, with the
    largest activation on the calibration data and the largest weight of all MatMul and Gemm that
    read it. Activations of transformers have a few channels a hundred times as large as the rest,
    which leave the rest few codes; weights are even. ``alpha`` 0.5 makes both equally hard, 0.75
    and more is for models with more outliers.

    The division goes into the LayerNormalization, RMSNormalization, constant factor or layer the
    activation comes from, when nothing else reads it. Else nothing is done, or, with ``insert``, a
    Mul stands before the layers.

    Here every channel of the activation is as large as its constant:

    Before::

        agraph (float[4, 2] x) => (float[4, 1] y)
        <float[2, 1] w = {1.0, 1.0}, float[2] c = {16.0, 1.0}> {
            ones = Sign(x)
            a = Mul(ones, c)
            y = MatMul(a, w)
        }

    After::

        agraph (float[4, 2] x) => (float[4, 1] y)
        <float[2, 1] w = {4.0, 1.0}, float[2] c = {4.0, 1.0}> {
            ones = Sign(x)
            a = Mul(ones, c)
            y = MatMul(a, w)
        }

    FLOAT: multiplied and divided by one number. Source: Xiao et al., "SmoothQuant: Accurate and
    Efficient Post-Training Quantization for Large Language Models", 2023, equation 4.

    Raises:
        InputError: when ``alpha`` is not between 0 and 1, or there is no calibration data.
    """

    name: ClassVar[str] = "smooth-quant"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True
    alpha: float = 0.5
    insert: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise InputError("alpha lies between 0 and 1", where=self.name, mend="0.5 is usual")

    def run(self, model: Model, ctx: Context) -> None:
        """Find where to divide, look at the data once, then scale."""
        places = list(self._places(model, ctx))
        if not places:
            return
        axes = {name: axis for place in places for name, axis in place.seam.axes.items()}
        found = ctx.statistics(self.name, model, list(axes), axes)
        largest = [place.seam.seen(found, place.channels) for place in places]
        tables = _tables(places)
        weights = [place.seam.reading(tables, place.channels) for place in places]
        factors = _settled(places, largest, tables, self.alpha)
        for place, sizes, reads, factor in zip(places, largest, weights, factors, strict=True):
            if np.abs(np.log(factor)).max(initial=0.0) <= _WORTHWHILE:
                continue
            gain = (
                f"a channel has {_share(sizes):.0%} of the range of its activation on average, "
                f"now {_share(sizes / factor):.0%}; of the weights {_share(reads):.0%}, "
                f"now {_share(reads * factor):.0%}"
            )
            if ctx.applies(self.name, place.where, gain):
                place.divide(factor, ctx)

    def _places(self, model: Model, ctx: Context) -> Iterator[_Place]:
        """Where a factor can go; the nearest place to each layer, once."""
        served: set[Node] = set()
        scope = ctx.scopes(model)[0]
        blocked: dict[str, tuple[Node, str]] = {}
        for kinds in (_NORMS, frozenset({"Mul"}), _PRODUCTS):
            for node in scope.graph:
                if node.op_type not in kinds:
                    continue
                try:
                    place = _place(node, scope, ctx)
                except Blocked as found:
                    blocked.setdefault(label(node), (node, str(found)))
                    continue
                layers = {reader.layer.node for reader in place.seam.readers}
                if layers.isdisjoint(served):
                    served |= layers
                    yield place
        for node, why in blocked.values():
            if node.op_type in _NORMS:
                ctx.declined(self.name, node, why)
        if self.insert:
            yield from _insertions(scope, ctx, served)


@dataclass(frozen=True)
class _Place:
    """Where activations are divided.

    Attributes:
        where: the node that will do it; a layer when a Mul has to be put before it.
        indices: the inputs of ``where`` that are divided; none when a Mul is put in.
        seam: from there to the layers.
        channels: how many.
        scope: where all that stands.
    """

    where: Node
    indices: tuple[int, ...]
    seam: Seam
    channels: int
    scope: Scope

    def divide(self, factor: Array, ctx: Context) -> None:
        """Write the factors into constants."""
        if not self.indices:
            _put_mul(self, factor, ctx)
        for index in self.indices:
            held = constant(self.where.inputs[index])
            assert held is not None  # as _place saw
            wide, layer = held.numpy().astype(np.float64), layer_of(self.where)
            if layer is not None and index == 1:
                wide = layer.scaled_outputs(wide, 1.0 / factor)
            else:
                wide = wide / factor
            put_constant(self.scope, ctx, self.where, index, wide, held.dtype)
        self.seam.divide(factor, self.scope, ctx)


def _place(node: Node, scope: Scope, ctx: Context) -> _Place:
    """``node`` as where the activation is divided.

    Raises:
        Blocked: when it cannot be.
    """
    result = node.outputs[0]
    shape = ctx.shapes.shape(result)
    if not shape or not isinstance(shape[-1], int):
        raise Blocked(f"the number of channels of {result.name} is not known")
    indices = _divisible(node, len(shape), shape[-1])
    seam = seam_after(result, len(shape) - 1, ctx)
    for reader in seam.readers:
        if reader.layer.node.op_type not in _PRODUCTS:
            raise Blocked(f"{label(reader.layer.node)} is no matrix product")
    return _Place(node, indices, seam, shape[-1], scope)


def _divisible(node: Node, rank: int, channels: int) -> tuple[int, ...]:
    """The constant inputs of ``node`` that make its result ``1 / s`` times as large."""
    layer = layer_of(node)
    if layer is not None:
        why = why_not_exclusive(layer)
        if why:
            raise Blocked(why)
        return (1,) if layer.bias is None else (1, 2)
    if node.op_type == "Mul":
        for index in (0, 1):
            held = constant(node.inputs[index])
            if held is not None and tuple(held.shape.numpy())[-1:] == (channels,):
                return (index,)
        raise Blocked("it multiplies by no constant for each channel")
    if node.op_type in _PRODUCTS:
        raise Blocked("its weights are no constant")
    if attribute(node, "axis", -1) not in (-1, rank - 1):
        raise Blocked("it normalizes several axes together")
    indices = tuple(index for index in (1, 2) if operand(node, index) is not None)
    for index in indices:
        held = constant(node.inputs[index])
        if held is None or tuple(held.shape.numpy())[-1:] != (channels,):
            raise Blocked("its scale or bias is no constant for each channel")
    return indices


def _insertions(scope: Scope, ctx: Context, served: set[Node]) -> Iterator[_Place]:
    """The layers that nothing before them can serve, together with those that read the same."""
    groups: dict[Value, list[Reader]] = {}
    for node in scope.graph:
        layer = layer_of(node)
        value = operand(node, 0)
        if layer is None or value is None or node in served or node.op_type not in _PRODUCTS:
            continue
        if why_not_exclusive(layer) is None and constant(value) is None:
            groups.setdefault(value, []).append(Reader(layer, 1))
    for value, readers in groups.items():
        shape = ctx.shapes.shape(value)
        if shape and isinstance(shape[-1], int):
            seam = Seam(tuple(readers), (), (), ((value, len(shape) - 1),))
            yield _Place(readers[0].layer.node, (), seam, shape[-1], scope)


def _put_mul(place: _Place, factor: Array, ctx: Context) -> None:
    value, _ = place.seam.ends[0]
    dtype = ctx.shapes.dtype(value)
    assert dtype is not None
    divisor = make_tensor((1.0 / factor).astype(dtype.numpy()), dtype)
    made = Node("", "Mul", [value, None], num_outputs=1)
    made.outputs[0].name = ctx.names.fresh(f"{value.name}_smooth")
    made.meta[SOURCES] = sources_of(place.where)
    place.scope.graph.insert_before(place.where, made)
    made.outputs[0].type, made.outputs[0].shape = value.type, value.shape
    put_constant(place.scope, ctx, made, 1, divisor.numpy(), dtype)
    for reader in place.seam.readers:
        reader.layer.node.replace_input_with(0, made.outputs[0])


def _tables(places: list[_Place]) -> dict[Node, Array]:
    """The largest weights of all layers at all places."""
    found: dict[Node, Array] = {}
    for place in places:
        source = layer_of(place.where) if 1 in place.indices else None
        layers = [reader.layer for reader in place.seam.readers]
        for layer in [*layers, *([source] if source is not None else [])]:
            found[layer.node] = layer.table
    return found


def _settled(
    places: list[_Place], largest: list[Array], tables: dict[Node, Array], alpha: float
) -> list[Array]:
    """The factor of each place.

    A layer that is divided on one side and multiplied on the other has other largest weights then,
    so the factors are found again until they are all 1.
    """
    totals = [np.ones(place.channels) for place in places]
    for _ in range(_ROUNDS):
        moved = 0.0
        for index, place in enumerate(places):
            reads = place.seam.reading(tables, place.channels)
            factor = _factors(largest[index] / totals[index], reads, alpha)
            totals[index] = totals[index] * factor
            moved = max(moved, float(np.abs(np.log(factor)).max(initial=0.0)))
            for reader in place.seam.readers:
                node, spread = reader.layer.node, np.repeat(factor, reader.repeat)
                tables[node] = reader.layer.scaled_inputs(tables[node], spread)
            source = layer_of(place.where) if place.where in tables and place.indices else None
            if source is not None:
                tables[source.node] = source.scaled_outputs(tables[source.node], 1.0 / factor)
        if moved <= _SETTLED:
            break
    return totals


def _factors(largest: Array, weights: Array, alpha: float) -> Array:
    """Equation 4; 1 for channels that are always zero, or that no weight reads."""
    alive = (largest > 0) & (weights > 0)
    sizes, reads = np.where(alive, largest, 1.0), np.where(alive, weights, 1.0)
    found: Array = np.where(alive, sizes**alpha / reads ** (1 - alpha), 1.0)
    return found


def _share(sizes: Array) -> float:
    """The share of the whole range that a channel uses on average."""
    top = sizes.max(initial=0.0)
    return float(np.mean(sizes) / top) if top > 0 else 1.0
