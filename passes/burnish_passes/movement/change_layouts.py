"""Put operators of a region into their new layouts, with Transposes where layouts meet."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

import numpy as np

from burnish.graph import SOURCES, Placement, remove_unread, replace_value, sources_of
from burnish.ir import Graph, Node, Scope, Value, constant, convert_attributes, make_tensor
from burnish.passdef import Context
from burnish_passes.movement.layout_region import Region, is_transpose
from burnish_passes.movement.layouts import (
    Perm,
    Relayout,
    follows,
    inverse,
    is_identity,
    permutation,
)

__all__ = ["change_layouts"]


def change_layouts(region: Region, changed: Set[Node], scope: Scope, ctx: Context) -> list[Node]:
    """Change the operators in ``changed``; return the Transposes now at the border of the region."""
    return _Change(region, changed, scope, ctx).run()


class _Change:
    def __init__(self, region: Region, changed: Set[Node], scope: Scope, ctx: Context) -> None:
        self.region = region
        self.changed = changed
        self.scope = scope
        self.ctx = ctx
        self.graph: Graph = scope.graph
        self.placement = Placement(scope)
        self.new: dict[Value, Value] = {}
        self.constants: dict[tuple[Value, tuple[int, ...], Perm], Value] = {}
        self.transposes: list[Node] = []

    def run(self) -> list[Node]:
        nodes = _sorted(node for node in self.region.nodes if node in self.changed)
        names = [node.name for node in nodes]
        # Before anything is rewired: a value that keeps its layout may be left without readers.
        border = self.border()
        made = [self.rebuild(node, self.region.nodes[node]) for node in nodes]
        for node in nodes:
            for value in node.outputs:
                self.serve_readers(value)
        remove_unread([*border, *nodes, *self.transposes])
        for node, name in zip(made, names, strict=True):
            node.name = name
        return [node for node in (*border, *self.transposes) if node.graph is self.graph]

    def border(self) -> list[Node]:
        """The Transposes around the region."""
        found: dict[Node, None] = {}
        for value in self.region.layouts:
            producer = value.producer()
            for node in (producer, *value.consumers()):
                if node is not None and is_transpose(node, self.graph):
                    found[node] = None
        return list(found)

    def rebuild(self, node: Node, relayout: Relayout) -> Node:
        """Insert ``node`` in its new layout."""
        inputs = [self.operand(node, index, relayout) for index in range(len(node.inputs))]
        for index, array in relayout.constants.items():
            inputs.extend([None] * (index + 1 - len(inputs)))
            inputs[index] = self.constant(array, f"{node.outputs[0].name}_{node.op_type}")
        kept = [attr for name, attr in node.attributes.items() if name not in relayout.attributes]
        changes = {name: held for name, held in relayout.attributes.items() if held is not None}
        attributes = [*kept, *convert_attributes(changes)]
        made = Node("", node.op_type, inputs, attributes, num_outputs=len(node.outputs))
        made.meta[SOURCES] = sources_of(node)
        for was, becomes, perm in zip(node.outputs, made.outputs, relayout.results, strict=True):
            becomes.type = was.type
            if perm is None or is_identity(perm):
                becomes.shape = was.shape
                becomes.name = self.ctx.names.fresh(f"{was.name}_moved")
            else:
                becomes.name = self.ctx.names.fresh(f"{was.name}_transposed")
                self.new[was] = becomes
        self.graph.insert_before(node, made)
        for was, becomes in zip(node.outputs, made.outputs, strict=True):
            if was not in self.new:
                replace_value(was, becomes, fresh=True)
        return made

    def operand(self, node: Node, index: int, relayout: Relayout) -> Value | None:
        """What the new node reads in place of an input."""
        value, perm = node.inputs[index], relayout.operands[index]
        if value is None or index in relayout.constants:
            return None
        if index in relayout.unsqueezed:
            return self.unsqueezed(value, relayout.unsqueezed[index], node)
        if perm is None or is_identity(perm):
            return value
        held = constant(value)
        if held is not None:
            shape = relayout.shapes.get(index, tuple(held.shape.numpy()))
            return self.transposed_constant(value, shape, perm)
        if value not in self.new:
            self.new[value] = self.transposed(value, perm, node)
        return self.new[value]

    def transposed(self, value: Value, perm: Perm, reader: Node) -> Value:
        """``value``, which itself stays, in another layout."""
        producer = value.producer()
        if producer is not None and is_transpose(producer, self.graph):
            source = producer.inputs[0]
            inner = permutation(producer, len(perm))
            assert source is not None
            assert inner is not None
            value, perm = source, follows(inner, perm)
            if is_identity(perm):
                return value
            producer = value.producer()
        for other in value.consumers():
            if is_transpose(other, self.graph) and permutation(other, len(perm)) == perm:
                self.graph.remove(other)  # it may stand behind the new reader
                self.place(other, producer)
                return other.outputs[0]
        return self.transpose(value, perm, producer, sources_of(reader))

    def transpose(
        self, value: Value, perm: Perm, behind: Node | None, sources: tuple[str, ...]
    ) -> Value:
        """A new Transpose of ``value``, placed right behind the node that computes it."""
        node = Node("", "Transpose", [value], convert_attributes({"perm": list(perm)}))
        node.meta[SOURCES] = sources
        output = node.outputs[0]
        output.type = value.type
        output.name = self.ctx.names.fresh(f"{value.name}_Transpose")
        self.place(node, behind)
        self.transposes.append(node)
        return output

    def place(self, node: Node, behind: Node | None) -> None:
        """Insert ``node`` right behind another of this graph, or first."""
        if behind is not None and behind.graph is self.graph:
            self.graph.insert_after(behind, node)
        else:
            self.graph.insert_before(self.graph[0], node)

    def unsqueezed(self, value: Value, axes: tuple[int, ...], reader: Node) -> Value:
        """``value`` with axes of size 1 added."""
        attributes: dict[str, Any] = {}
        inputs = [value]
        if self.scope.opsets.get("", 0) < 13:
            attributes["axes"] = list(axes)
        else:
            inputs.append(self.constant(np.array(axes, dtype=np.int64), f"{value.name}_axes"))
        node = Node("", "Unsqueeze", inputs, convert_attributes(attributes))
        node.meta[SOURCES] = sources_of(reader)
        node.outputs[0].type = value.type
        node.outputs[0].name = self.ctx.names.fresh(f"{value.name}_Unsqueeze")
        self.graph.insert_before(reader, node)
        return node.outputs[0]

    def constant(self, array: np.ndarray[Any, Any], hint: str) -> Value:
        """A new constant."""
        return self.placement.add_constant(make_tensor(array), self.ctx.names.fresh(hint))

    def transposed_constant(self, value: Value, shape: tuple[int, ...], perm: Perm) -> Value:
        """A constant in another layout, made once."""
        key = (value, shape, perm)
        if key not in self.constants:
            held = constant(value)
            assert held is not None
            array = held.numpy().reshape(shape).transpose(perm)
            name = self.ctx.names.fresh(f"{value.name}_transposed")
            tensor = make_tensor(array, held.dtype)
            self.constants[key] = self.placement.add_constant(tensor, name)
        return self.constants[key]

    def serve_readers(self, value: Value) -> None:
        """Let all who read ``value``, now computed in another layout, read what they need."""
        stored = self.new.get(value)
        if stored is None:
            return
        perm = self.region.layouts[value]
        rest = value.is_graph_output()
        for use in value.uses():
            relayout = self.region.nodes.get(use.node)
            if use.node in self.changed and relayout is not None:
                rest = rest or relayout.operands[use.idx] != perm
            elif not self.turned(use.node, value, stored, perm):
                rest = True
        if rest:
            producer = stored.producer()
            assert producer is not None
            back = self.transpose(stored, inverse(perm), producer, sources_of(producer))
            replace_value(value, back, fresh=True)

    def turned(self, node: Node, value: Value, stored: Value, perm: Perm) -> bool:
        """Let a Transpose of ``value`` read ``stored`` instead; False when it is none."""
        if not self.region.turns_freely(node, value):
            return False
        asked = permutation(node, len(perm))
        assert asked is not None
        then = follows(inverse(perm), asked)
        result = node.outputs[0]
        if not is_identity(then):
            made = self.transpose(stored, then, stored.producer(), sources_of(node))
            replace_value(result, made, fresh=True)
            return True
        if result.is_graph_output() and stored.is_graph_output():
            return False
        # Equal to the first such result, the stored value takes its name.
        fresh = stored.name is not None and stored.name.endswith("_transposed")
        replace_value(result, stored, fresh=fresh)
        return True


def _sorted(nodes: Iterable[Node]) -> list[Node]:
    """``nodes`` so that none reads what a later one computes."""
    members = dict.fromkeys(nodes)
    found: dict[Node, None] = {}
    for start in members:
        stack = [start]
        while stack:
            node = stack[-1]
            needs = (
                []
                if node in found
                else [
                    producer
                    for value in node.inputs
                    if value is not None
                    and (producer := value.producer()) in members
                    and producer not in found
                ]
            )
            if needs:
                stack.extend(item for item in needs if item is not None)
            else:
                found[stack.pop()] = None
    return list(found)
