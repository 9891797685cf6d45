"""What stands in a model, found by looking at all of it, and again after each change.

A :class:`Census` knows every scope and, of every node, what it reads and how it is written. Taken
again it tells which nodes came or changed. Two things rest on that: the recorder writes down what
a pass did, and rules look again only where something is different. No pass is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from burnish.ir import Attr, Graph, Model, Node, Scope, TensorProtocol, Value, nested_graphs

__all__ = ["Census", "Entry", "ScopeState", "Signature"]

Signature: TypeAlias = (
    "tuple[str, str, str, tuple[str | None, ...], tuple[str | None, ...], tuple[Attr, ...]]"
)
"""All that a node's line is written from: it does not change when the node does.

Operator, domain, overload, names read, names of results, attributes."""

Entry: TypeAlias = "tuple[Sequence[Value | None], Signature]"
"""The values a node reads, to see at a glance that nothing changed, and its signature."""


@dataclass
class ScopeState:
    """One graph as it stood.

    Attributes:
        scope: the graph and what its nodes mean.
        inputs: its inputs.
        constants: what its initializers hold, by name.
        nodes: its nodes in order.
        nested: those nodes that hold subgraphs, with them.
    """

    scope: Scope
    inputs: tuple[Value, ...]
    constants: dict[str, TensorProtocol | None]
    nodes: dict[Node, Entry] = field(default_factory=dict)
    nested: dict[Node, list[Graph]] = field(default_factory=dict)


class Census:
    """Every scope of a model and its nodes, at the moment :meth:`take` was last called.

    Attributes:
        states: what stands in each scope, outer scopes first.
        changed: nodes in the order they came or were found changed, again and again; it only
            grows, so a position in it is a moment. Nodes that stood there at first are not in it.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.states: dict[Graph, ScopeState] = {}
        self.changed: list[Node] = []
        self._by_kind: dict[tuple[str, str], list[tuple[int, Node, Scope]]] = {}
        self.take()
        self.changed.clear()

    def take(self) -> None:
        """Look at everything again."""
        before, self.states = self.states, {}
        self._by_kind = {}
        renamed: set[Node] = set()
        model = self._model
        self._look(Scope(model.graph, model.opset_imports, None, 0), before, renamed)
        for function in model.functions.values():
            scope = Scope(function.graph, function.opset_imports, function, 0)
            self._look(scope, before, renamed)

    def scopes(self) -> list[Scope]:
        """Every scope, outer first."""
        return [state.scope for state in self.states.values()]

    def nodes(self, kinds: Iterable[tuple[str, str]]) -> list[tuple[Node, Scope]]:
        """The nodes of any of these kinds, ``(domain, op_type)``, in order, with their scopes."""
        if not self._by_kind:
            self._sort()
        lists = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        if len(lists) == 1:
            return [(node, scope) for _, node, scope in lists[0]]
        found = [entry for entries in lists for entry in entries]
        found.sort(key=lambda entry: entry[0])
        return [(node, scope) for _, node, scope in found]

    def _sort(self) -> None:
        by_kind = self._by_kind
        position = 0
        for state in self.states.values():
            scope = state.scope
            for node, (_, signature) in state.nodes.items():
                position += 1
                kind = (signature[1], signature[0])
                if kind in by_kind:
                    by_kind[kind].append((position, node, scope))
                else:
                    by_kind[kind] = [(position, node, scope)]

    def _look(self, scope: Scope, before: Mapping[Graph, ScopeState], renamed: set[Node]) -> None:
        old = before.get(scope.graph)
        state = self._state(scope, old, renamed)
        self.states[scope.graph] = state
        if old is not None and old.inputs != state.inputs:
            self.changed.extend(state.nodes)  # what is constant may have changed
        for graphs in state.nested.values():
            for graph in graphs:
                inner = Scope(graph, scope.opsets, scope.function, scope.depth + 1)
                self._look(inner, before, renamed)

    def _state(self, scope: Scope, old: ScopeState | None, renamed: set[Node]) -> ScopeState:
        """The state of ``scope`` now; ``renamed`` collects readers of values with a new name."""
        graph = scope.graph
        initializers = graph.initializers.data
        constants = {name: value.const_value for name, value in initializers.items()}
        state = ScopeState(scope, tuple(graph.inputs), constants)
        nodes, nested = state.nodes, state.nested
        known: Mapping[Node, Entry] = {}
        holding: Mapping[Node, list[Graph]] = {}
        if old is not None:
            known, holding = old.nodes, old.nested
            for name, held in old.constants.items():
                if name in constants and constants[name] is not held:
                    self.changed.extend(initializers[name].consumers())
        for node in graph:
            entry = known.get(node)
            if entry is not None and node.inputs is entry[0] and node not in renamed:
                signature = entry[1]
                # Plain comparisons: this runs for every node after every change.
                results = node.outputs
                if len(results) == 1:
                    same = results[0].name == signature[4][0]
                else:
                    same = tuple([value.name for value in results]) == signature[4]
                attributes = node.attributes.data
                if attributes or signature[5]:
                    same = same and tuple(attributes.values()) == signature[5]
                if same and node.op_type == signature[0]:
                    nodes[node] = entry
                    if node in holding:
                        nested[node] = holding[node]
                    continue
            self.changed.append(node)
            nodes[node] = made = (node.inputs, _signature(node))
            if entry is not None and made[1][4] != entry[1][4]:
                renamed.update(user for value in node.outputs for user in value.consumers())
            graphs = nested_graphs(node)
            if graphs:
                nested[node] = graphs
        return state


def _signature(node: Node) -> Signature:
    return (
        node.op_type,
        node.domain,
        node.overload,
        tuple([value.name if value is not None else None for value in node.inputs]),
        tuple([value.name for value in node.outputs]),
        tuple(node.attributes.data.values()),
    )
