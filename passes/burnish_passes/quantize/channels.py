"""Linear layers seen channel by channel: how large their weights are, and scaling them.

The weights of Conv ``[O, I/group, ...]`` and of a transposed Gemm ``[O, I]`` count output channels
along their first axis; those of ConvTranspose ``[I, O/group, ...]``, Gemm and MatMul ``[I, O]``
input channels. That is all the difference there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from burnish.graph import Placement
from burnish.ir import (
    Array,
    DataType,
    Node,
    Scope,
    TensorProtocol,
    Value,
    attribute,
    constant,
    make_tensor,
)
from burnish.passdef import Context
from burnish_passes.proofs import operand

__all__ = [
    "LINEAR",
    "Layer",
    "exclusive",
    "layer_of",
    "put_constant",
    "why_not_exclusive",
]

LINEAR: Final = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_FLOATS: Final = frozenset({DataType.FLOAT, DataType.DOUBLE, DataType.FLOAT16})


@dataclass(frozen=True)
class Layer:
    """A linear operator with constant weights.

    Attributes:
        node: Conv, ConvTranspose, Gemm or MatMul; its second input holds the weights.
        outputs_first: whether the first axis of the weights counts output channels.
        group: groups of channels that do not see each other.
    """

    node: Node
    outputs_first: bool
    group: int = 1

    @property
    def held(self) -> TensorProtocol:
        """The weights, of rank 2 or more, as they stand."""
        found = constant(self.node.inputs[1])
        assert found is not None  # as layer_of saw
        return found

    @property
    def bias(self) -> Value | None:
        """The third input."""
        return operand(self.node, 2)

    @property
    def table(self) -> Array:
        """The largest size of a weight between two channels: float64, the first two axes."""
        sizes = np.abs(self.held.numpy()).astype(np.float64)
        found: Array = sizes.max(axis=tuple(range(2, sizes.ndim)), initial=0.0)
        return found

    def by_output(self, table: Array) -> Array:
        """The largest entry of each output channel, ``[O]``."""
        return self._along_first(table) if self.outputs_first else self._along_second(table)

    def by_input(self, table: Array) -> Array:
        """The largest entry of each input channel, ``[I]``."""
        return self._along_second(table) if self.outputs_first else self._along_first(table)

    def scaled_outputs(self, array: Array, factor: Array) -> Array:
        """Weights, or a table of them, with output channel ``i`` times ``factor[i]``."""
        if self.outputs_first:
            return self._scaled_first(array, factor)
        return self._scaled_second(array, factor)

    def scaled_inputs(self, array: Array, factor: Array) -> Array:
        """Weights, or a table of them, with input channel ``i`` times ``factor[i]``."""
        if self.outputs_first:
            return self._scaled_second(array, factor)
        return self._scaled_first(array, factor)

    def _along_first(self, table: Array) -> Array:
        found: Array = table.max(axis=1, initial=0.0)
        return found

    def _along_second(self, table: Array) -> Array:
        grouped = table.reshape(self.group, -1, table.shape[1])
        found: Array = grouped.max(axis=1, initial=0.0).reshape(-1)
        return found

    def _scaled_first(self, array: Array, factor: Array) -> Array:
        return array * factor.reshape(-1, *[1] * (array.ndim - 1))

    def _scaled_second(self, array: Array, factor: Array) -> Array:
        grouped = array.reshape(self.group, -1, *array.shape[1:])
        spread = factor.reshape(self.group, 1, array.shape[1], *[1] * (array.ndim - 2))
        return (grouped * spread).reshape(array.shape)


def layer_of(node: Node) -> Layer | None:
    """``node`` as a layer; None when it is none, or its weights are not constant numbers."""
    if node.domain != "" or node.op_type not in LINEAR or len(node.outputs) != 1:
        return None
    held = constant(operand(node, 1))
    if held is None or held.dtype not in _FLOATS:
        return None
    rank = len(held.shape)
    if node.op_type == "MatMul":
        return Layer(node, outputs_first=False) if rank == 2 else None
    if node.op_type == "Gemm":
        if attribute(node, "transA", 0):
            return None
        return Layer(node, outputs_first=bool(attribute(node, "transB", 0)))
    group: int = attribute(node, "group", 1)
    return Layer(node, outputs_first=node.op_type == "Conv", group=group)


def exclusive(value: Value) -> bool:
    """Whether one node alone reads a constant."""
    return len(value.uses()) == 1 and not value.is_graph_output()


def why_not_exclusive(layer: Layer) -> str | None:
    """Why the weights of a layer may not be changed; None when they may."""
    weights = layer.node.inputs[1]
    if weights is None or not exclusive(weights):
        return "its weights have another reader"
    if layer.bias is not None and constant(layer.bias) is None:
        return "its bias is no constant"
    return None


def put_constant(
    scope: Scope, ctx: Context, node: Node, index: int, array: Array, dtype: DataType
) -> Value:
    """Let ``node`` read a new constant as input ``index``, rounded once to ``dtype``.

    The new value is named after the one it takes the place of, which goes when nobody reads it.
    """
    old = operand(node, index)
    hint = old.name if old is not None and old.name else f"{node.outputs[0].name}_constant"
    held = make_tensor(array.astype(dtype.numpy()), dtype)
    new = Placement(scope).add_constant(held, ctx.names.fresh(str(hint)), before=node)
    node.replace_input_with(index, new)
    if old is not None and not old.uses() and not old.is_graph_output():
        _forget(old)
    return new


def _forget(value: Value) -> None:
    """Remove a constant that nobody reads."""
    producer, graph = value.producer(), value.graph
    if producer is not None and producer.graph is not None:
        producer.graph.remove(producer)
    elif producer is None and graph is not None and not value.is_graph_input():
        graph.initializers.pop(str(value.name), None)
