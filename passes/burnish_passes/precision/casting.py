"""Writing a decision about types into the graph, with as few Casts as it takes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from burnish.graph import SOURCES, Placement, replace_value, sources_of
from burnish.ir import (
    DataType,
    Node,
    Scope,
    TensorType,
    Value,
    constant,
    convert_attributes,
    make_tensor,
    remove_node,
)
from burnish.passdef import Context
from burnish_passes.constants import SMALL
from burnish_passes.precision.deciding import Slots
from burnish_passes.precision.formats import Format

__all__ = ["Casting"]


class Casting:
    """One graph in which some nodes change their type.

    Every value is cast at most once in each direction, right where it is made.

    Attributes:
        casts: how many Casts were put in.
        flushed: how many elements of constants became zero.
    """

    def __init__(
        self, scope: Scope, ctx: Context, format: Format, reduced: Mapping[Node, Slots]
    ) -> None:
        self.scope, self.ctx, self.format, self.reduced = scope, ctx, format, reduced
        self.short: dict[Value, Value] = {}
        self.casts = 0
        self.flushed = 0

    def write(self) -> None:
        """Make the nodes anew in the shorter type; then serve those that read float32."""
        reduced = self.reduced
        replaced = [
            (node, self._made(node, reduced[node])) for node in self.scope.graph if node in reduced
        ]
        for node, made in reversed(replaced):
            self._hand_over(node, made, reduced[node])
        for value, short in self.short.items():
            if constant(value) is not None:
                self._retire(value, short)

    def _made(self, node: Node, slots: Slots) -> Node:
        inputs = [
            self._shortened(value) if index in slots.inputs and value is not None else value
            for index, value in enumerate(node.inputs)
        ]
        attributes = list(node.attributes.values())
        made = Node("", node.op_type, inputs, attributes, num_outputs=len(node.outputs))
        made.name = node.name
        made.meta[SOURCES] = sources_of(node)
        for index, (was, becomes) in enumerate(zip(node.outputs, made.outputs, strict=True)):
            becomes.shape = was.shape
            if index in slots.outputs:
                becomes.type = TensorType(self.format.dtype)
                self.short[was] = becomes
            else:
                becomes.type = was.type
                becomes.name = "" if was.name == "" else None
        self.scope.graph.insert_before(node, made)
        return made

    def _shortened(self, value: Value) -> Value:
        """``value`` in the shorter type."""
        found = self.short.get(value)
        if found is not None:
            return found
        held = constant(value)
        name = self.ctx.names.fresh(f"{value.name}_{self.format.name}")
        if held is not None and (held.nbytes <= SMALL or self._alone(value)):
            numbers = held.numpy()
            short = numbers.astype(self.format.dtype.numpy())
            self.flushed += int(np.count_nonzero(numbers) - np.count_nonzero(short))
            found = Placement(self.scope).add_constant(make_tensor(short, self.format.dtype), name)
        else:
            producer, graph = value.producer(), self.scope.graph
            cast = self._cast(value, self.format.dtype)
            found = cast.outputs[0]
            found.name = name
            if producer is None:
                graph.insert_before(graph[0], cast)
            else:
                graph.insert_after(producer, cast)
        self.short[value] = found
        return found

    def _alone(self, value: Value) -> bool:
        """Whether nobody needs a constant in float32: it should not be stored twice."""
        return not value.is_graph_output() and all(
            use.node in self.reduced and use.idx in self.reduced[use.node].inputs
            for use in value.uses()
        )

    def _cast(self, value: Value, to: DataType) -> Node:
        cast = Node("", "Cast", [value], convert_attributes({"to": int(to)}), num_outputs=1)
        cast.outputs[0].type = TensorType(to)
        cast.outputs[0].shape = value.shape
        producer = value.producer()
        cast.meta[SOURCES] = () if producer is None else sources_of(producer)
        self.casts += 1
        return cast

    def _hand_over(self, node: Node, made: Node, slots: Slots) -> None:
        """Let the readers of ``node`` that are left read ``made``, and remove ``node``."""
        for index, (was, becomes) in enumerate(zip(node.outputs, made.outputs, strict=True)):
            if index not in slots.outputs:
                if was.name != "":
                    replace_value(was, becomes, fresh=True)
            elif was.uses() or was.is_graph_output():
                becomes.name = self.ctx.names.fresh(f"{was.name}_{self.format.name}")
                cast = self._cast(becomes, DataType.FLOAT)
                self.scope.graph.insert_before(node, cast)
                replace_value(was, cast.outputs[0], fresh=True)
            else:
                was.name, becomes.name = None, was.name
        remove_node(node)

    def _retire(self, value: Value, short: Value) -> None:
        """Drop a constant that nobody reads any more; its short form takes the name."""
        if value.uses() or value.is_graph_output() or value.is_graph_input():
            return
        name, producer, graph = value.name, value.producer(), value.graph
        if producer is not None:
            remove_node(producer)
        elif graph is not None:
            graph.initializers.pop(str(name), None)
        value.name = None
        short.name = name
