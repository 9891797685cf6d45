"""Products of one input with several constants, joined into one product and a Split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from burnish.graph import SOURCES, Placement, remove_unread, replace_value, sources_of
from burnish.ir import (
    Array,
    Attr,
    Graph,
    Node,
    Scope,
    Value,
    constant,
    constant_array,
    convert_attributes,
    make_tensor,
)
from burnish.passdef import Context

__all__ = ["Branch", "Joined", "is_read_once", "only_reader"]


@dataclass(frozen=True)
class Branch:
    """One of the products.

    Attributes:
        nodes: the product, then what is joined along with it.
        weight: its constant, which nobody else reads.
        size: how many columns or channels it makes.
        bias: what is added to each of them, or None.
    """

    nodes: tuple[Node, ...]
    weight: Value
    size: int
    bias: Value | None

    @property
    def result(self) -> Value:
        """What the readers of the branch read."""
        return self.nodes[-1].outputs[0]


def is_read_once(value: Value) -> bool:
    """Whether one node reads ``value``, once, and it is no graph output."""
    return len(value.uses()) == 1 and not value.is_graph_output()


def only_reader(value: Value, graph: Graph) -> Node | None:
    """The one node of ``graph`` that reads ``value``, if nothing else does."""
    if not is_read_once(value):
        return None
    reader = value.consumers()[0]
    return reader if reader.graph is graph else None


@dataclass(frozen=True)
class Joined:
    """The one product that stands for several, while it is being made.

    Attributes:
        branches: what it stands for, in the order of their nodes.
        scope: where they are.
        ctx: the context of the pass.
    """

    branches: Sequence[Branch]
    scope: Scope
    ctx: Context

    def weight(self, axis: int) -> Value:
        """The weights side by side along ``axis``."""
        arrays = [_held(branch.weight) for branch in self.branches]
        return self._constant(np.concatenate(arrays, axis=axis), "weight")

    def bias(self) -> Value | None:
        """The biases one behind the other, if there are any.

        Where one is missing -0.0 is added, which changes no number.
        """
        if all(branch.bias is None for branch in self.branches):
            return None
        dtype = _held(self.branches[0].weight).dtype
        parts = [
            np.broadcast_to(
                np.array(-0.0, dtype) if branch.bias is None else _held(branch.bias).reshape(-1),
                branch.size,
            )
            for branch in self.branches
        ]
        return self._constant(np.concatenate(parts), "bias")

    def node(
        self, op_type: str, inputs: Sequence[Value | None], attributes: Sequence[Attr]
    ) -> Node:
        """A node of the joined product."""
        return Node("", op_type, inputs, attributes, num_outputs=1)

    def replace(self, made: Sequence[Node], axis: int) -> None:
        """Put the nodes, then a Split of the last one's result, in place of the branches."""
        sizes = [branch.size for branch in self.branches]
        whole = made[-1].outputs[0]
        count = len(sizes)
        if self.scope.opsets.get("", 0) < 13:
            given = convert_attributes({"axis": axis, "split": sizes})
            split = Node("", "Split", [whole], given, num_outputs=count)
        else:
            parts = self._constant(np.array(sizes, dtype=np.int64), "sizes")
            given = convert_attributes({"axis": axis})
            split = Node("", "Split", [whole, parts], given, num_outputs=count)
        self._commit([*made, split])

    def _commit(self, made: Sequence[Node]) -> None:
        graph, first = self.scope.graph, self.branches[0].nodes[0]
        old = [node for branch in self.branches for node in branch.nodes]
        sources = tuple(dict.fromkeys(name for node in old for name in sources_of(node)))
        placement = Placement(self.scope)
        for node in made:
            node.meta[SOURCES] = sources
            placement.name_outputs(node, self.branches[0].result, self.ctx.names)
        graph.insert_before(first, made)
        for branch, part in zip(self.branches, made[-1].outputs, strict=True):
            replace_value(branch.result, part, fresh=True)
        remove_unread(old)
        for node, was in zip(made, self.branches[0].nodes, strict=False):
            if was.graph is None and was.op_type == node.op_type:
                node.name = was.name

    def _constant(self, array: Array, what: str) -> Value:
        held = constant(self.branches[0].weight)
        dtype = held.dtype if held is not None and what != "sizes" else None
        name = self.ctx.names.fresh(f"{self.branches[0].weight.name}_joined_{what}")
        return Placement(self.scope).add_constant(
            make_tensor(array, dtype), name, before=self.branches[0].nodes[0]
        )


def _held(value: Value) -> Array:
    array = constant_array(value)
    assert array is not None, f"{value.name} was a constant when the branch was found"
    return array
