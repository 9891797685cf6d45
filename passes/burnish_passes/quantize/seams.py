"""Where a factor per channel may move from the weights on one side to those on the other.

Between a layer and the layers that read it stand operators ``f`` with ``f(c x) = c f(x)`` for
positive c: positively homogeneous ones. Channel i of everything in between may be divided by any
positive number, if all layers that read it multiply by it (Nagel et al., "Data-Free Quantization
Through Weight Equalization and Bias Correction", 2019, section 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from burnish.calibration import TensorStatistics
from burnish.ir import Array, Node, Scope, Value, attribute, constant, constant_array, label
from burnish.passdef import Context
from burnish_passes.proofs import operand
from burnish_passes.quantize.channels import (
    LINEAR,
    Layer,
    layer_of,
    put_constant,
    why_not_exclusive,
)

__all__ = ["Blocked", "Reader", "Seam", "Shift", "seam_after"]

_ELEMENTWISE: Final = frozenset({"Abs", "Identity", "LeakyRelu", "Neg", "PRelu", "Relu"})
_POOLS: Final = frozenset(
    {"AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool", "MaxPool"}
)
_VIEWS: Final = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})


class Blocked(Exception):
    """A factor cannot move on; the message says why."""


@dataclass(frozen=True)
class Reader:
    """A layer whose inputs the channels are.

    Attributes:
        layer: the layer.
        repeat: how many of its input channels in a row belong to one channel (Flatten).
    """

    layer: Layer
    repeat: int


@dataclass(frozen=True)
class Shift:
    """A constant that is added on the way, and has to be divided with what it is added to.

    Attributes:
        node: the Add or Sub.
        index: which input the constant is.
        axis: the axis of the channels in the result, of this rank.
        rank: of the result.
    """

    node: Node
    index: int
    axis: int
    rank: int

    @property
    def held(self) -> Array:
        """The constant, float64 ``[..., C or 1, ...]`` of full rank."""
        array = constant_array(self.node.inputs[self.index])
        assert array is not None
        return array.astype(np.float64).reshape((1,) * (self.rank - array.ndim) + array.shape)

    def scaled(self, factor: Array) -> Array:
        """The constant with channel ``i`` times ``factor[i]``."""
        form = tuple(-1 if axis == self.axis else 1 for axis in range(self.rank))
        return self.held * factor.reshape(form)

    def sizes(self, channels: int) -> Array:
        """The largest size of the constant in each channel."""
        others = tuple(axis for axis in range(self.rank) if axis != self.axis)
        return np.broadcast_to(np.abs(self.held).max(axis=others), (channels,))


@dataclass(frozen=True)
class Seam:
    """All that lies between where channels come from and the layers that read them.

    Attributes:
        readers: the layers.
        shifts: what is added in between.
        values: what changes its numbers, with the axis of the channels.
        ends: those of ``values`` that layers read.
    """

    readers: tuple[Reader, ...]
    shifts: tuple[Shift, ...]
    values: tuple[tuple[Value, int], ...]
    ends: tuple[tuple[Value, int], ...]

    def reading(self, tables: Mapping[Node, Array], channels: int) -> Array:
        """The largest weight that reads each channel, ``[C]``."""
        found = np.zeros(channels)
        for reader in self.readers:
            sizes = reader.layer.by_input(tables[reader.layer.node])
            found = np.maximum(found, sizes.reshape(channels, reader.repeat).max(axis=1))
        return found

    @property
    def axes(self) -> dict[str, int]:
        """The axis of channels of each value that layers read, by name."""
        return {str(value.name): axis for value, axis in self.ends}

    def seen(self, found: Mapping[str, TensorStatistics], channels: int) -> Array:
        """The largest number that layers read in each channel, ``[C]``, from statistics."""
        largest = np.zeros(channels)
        for name in self.axes:
            kept = found[name].channels
            if kept is not None and kept.count:
                sizes = kept.absolute_maximum.reshape(channels, -1).max(axis=1)
                largest = np.maximum(largest, sizes)
        return largest

    def divide(self, factor: Array, scope: Scope, ctx: Context) -> None:
        """Divide what lies between by ``factor``, and multiply the readers' weights by it.

        The values in between get new names, since they hold other numbers.
        """
        for shift in self.shifts:
            held = constant(shift.node.inputs[shift.index])
            assert held is not None  # as seam_after saw
            scaled = shift.scaled(1.0 / factor)
            put_constant(scope, ctx, shift.node, shift.index, scaled, held.dtype)
        for reader in self.readers:
            layer, held = reader.layer, reader.layer.held
            wide = held.numpy().astype(np.float64)
            scaled = layer.scaled_inputs(wide, np.repeat(factor, reader.repeat))
            put_constant(scope, ctx, layer.node, 1, scaled, held.dtype)
        for value, _ in self.values:
            value.name = ctx.names.fresh(f"{value.name}_scaled")


def seam_after(value: Value, axis: int, ctx: Context) -> Seam:
    """The seam that begins at ``value``.

    Args:
        value: what comes out of where the channels come from.
        axis: its axis of channels, from 0.
        ctx: knows shapes.

    Raises:
        Blocked: when something else than layers reads it.
    """
    walk = _Walk(ctx, value)
    walk.follow(value, axis)
    if not walk.readers:
        raise Blocked("no layer with constant weights reads it")
    return Seam(tuple(walk.readers), tuple(walk.shifts), tuple(walk.values), tuple(walk.ends))


class _Walk:
    """From a value to its readers, all of them."""

    def __init__(self, ctx: Context, start: Value) -> None:
        self.ctx = ctx
        self.graph = start.graph
        self.readers: list[Reader] = []
        self.shifts: list[Shift] = []
        self.values: list[tuple[Value, int]] = []
        self.ends: list[tuple[Value, int]] = []

    def follow(self, start: Value, axis: int) -> None:
        pending = [(start, axis, 1)]
        while pending:
            value, axis, repeat = pending.pop()
            if value.is_graph_output():
                raise Blocked(f"{value.name} is a graph output")
            self.values.append((value, axis))
            for use in value.uses():
                if use.node.graph is not self.graph:
                    raise Blocked(f"a subgraph reads {value.name}")
                if not self.ends_here(use.node, use.idx, value, axis, repeat):
                    pending.append(self.through(use.node, use.idx, value, axis, repeat))

    def ends_here(self, node: Node, index: int, value: Value, axis: int, repeat: int) -> bool:
        layer = layer_of(node) if index == 0 else None
        if layer is None:
            return False
        rank = len(self.shape(value))
        wanted = rank - 1 if node.op_type == "MatMul" else 1
        if axis != wanted:
            raise Blocked(f"{label(node)} sums along another axis")
        why = why_not_exclusive(layer)
        if why:
            raise Blocked(f"{label(node)}: {why}")
        self.readers.append(Reader(layer, repeat))
        if self.ends[-1:] != [(value, axis)]:
            self.ends.append((value, axis))
        return True

    def through(
        self, node: Node, index: int, value: Value, axis: int, repeat: int
    ) -> tuple[Value, int, int]:
        """The result of a homogeneous operator, its axis of channels, and its repeat."""
        if node.domain != "" or any(output.uses() for output in node.outputs[1:]):
            raise Blocked(f"{label(node)} ({node.op_type}) reads it")
        result = node.outputs[0]
        kind = node.op_type
        if (kind in _ELEMENTWISE and index == 0) or self.is_half_open(node):
            return result, axis, repeat
        if kind in _POOLS and axis == 1:
            return result, axis, repeat
        if kind == "Transpose":
            rank = len(self.shape(value))
            perm = attribute(node, "perm", tuple(reversed(range(rank))))
            return result, perm.index(axis), repeat
        if kind in _VIEWS and index == 0:
            return result, axis, repeat * self.spread(node, value, result, axis)
        if kind in ("Mul", "Div") and self.has_constant(node, index):
            self.keeps_channels(value, result, axis)
            return result, axis, repeat
        if kind in ("Add", "Sub") and self.has_constant(node, index):
            self.shifts.append(self.shift(node, index, value, axis, repeat))
            return result, axis, repeat
        if kind in LINEAR and index == 0:
            raise Blocked(f"the weights of {label(node)} are no constant of one layer")
        raise Blocked(f"{label(node)} ({kind}) reads it")

    def is_half_open(self, node: Node) -> bool:
        """Whether it is a Clip at zero or infinity, or at nothing."""
        if node.op_type != "Clip" or "min" in node.attributes or "max" in node.attributes:
            return False
        for index, plain in ((1, (0.0, -np.inf)), (2, (np.inf,))):
            bound = operand(node, index)
            array = constant_array(bound)
            if bound is not None and (array is None or float(array.reshape(-1)[0]) not in plain):
                return False
        return True

    def spread(self, node: Node, value: Value, result: Value, axis: int) -> int:
        """How many elements in a row of ``result`` come from one channel."""
        before, after = self.shape(value), self.shape(result)
        if len(after) > axis and before[:axis] == after[:axis]:
            if before[axis] == after[axis]:
                return 1
            inner = before[axis + 1 :]
            sizes = [size for size in inner if isinstance(size, int)]
            if len(after) == axis + 1 and len(sizes) == len(inner):
                return int(np.prod(sizes, dtype=np.int64))
        raise Blocked(f"{label(node)} ({node.op_type}) may mix channels")

    def has_constant(self, node: Node, index: int) -> bool:
        """Whether the other operand of a binary operator is a constant; in a Div, the divisor."""
        if node.op_type == "Div" and index != 0:
            return False
        return constant_array(operand(node, 1 - index)) is not None

    def shift(self, node: Node, index: int, value: Value, axis: int, repeat: int) -> Shift:
        self.keeps_channels(value, node.outputs[0], axis)
        rank = len(self.shape(value))
        found = Shift(node, 1 - index, axis, rank)
        channels = self.shape(value)[axis]
        if repeat > 1:
            raise Blocked(f"{label(node)} adds to channels that were flattened")
        if found.held.size != 1 and found.held.shape[axis] != channels:
            raise Blocked(f"{label(node)} adds a constant that is not per channel")
        return found

    def keeps_channels(self, value: Value, result: Value, axis: int) -> None:
        before, after = self.shape(value), self.shape(result)
        if len(before) != len(after) or before[axis] != after[axis]:
            raise Blocked(f"{result.name} has other channels than {value.name}")

    def shape(self, value: Value) -> tuple[object, ...]:
        shape = self.ctx.shapes.shape(value)
        if shape is None:
            raise Blocked(f"the rank of {value.name} is not known")
        return shape
