"""What stands in a model, found by looking at all of it, and again after each change.

A :class:`Census` knows every scope and, of every node, what it reads and how it is written. Taken
again it tells which nodes came or changed. Two things rest on that: the recorder writes down what
a pass did, and rules look again only where something is different. No pass is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TypeAlias

from burnish.ir import Attr, Graph, Model, Node, Scope, TensorProtocol, Value, nested_graphs

__all__ = ["Census", "Entry", "Kind", "ScopeState", "Signature", "downstream"]

Signature: TypeAlias = (
    "tuple[str, str, str, tuple[str | None, ...], tuple[str | None, ...], tuple[Attr, ...]]"
)
"""All that a node's line is written from: it does not change when the node does.

Operator, domain, overload, names read, names of results, attributes."""

Kind: TypeAlias = tuple[str, str]
"""Domain and operator."""

Entry: TypeAlias = "tuple[Sequence[Value | None], Signature]"
"""The values a node reads, to see at a glance that nothing changed, and its signature."""


_FEW_READERS = 4
"""No rule asks whether a value has exactly this many readers, or more."""


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
        changed: nodes in the order they came or were found changed, or stand at a value that
            lost a reader, again and again; it only grows, so a position in it is a moment. Nodes
            that stood there at first are not in it.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.states: dict[Graph, ScopeState] = {}
        self.changed: list[Node] = []
        self._by_kind: dict[Kind, list[tuple[int, Node, Scope]]] = {}
        self._near: dict[tuple[int, int], dict[Kind, list[Node]]] = {}
        self.take()
        self.changed.clear()

    def take(self) -> None:
        """Look at everything again."""
        before, self.states = self.states, {}
        self._by_kind, self._near = {}, {}
        renamed: set[Node] = set()
        model = self._model
        self._look(Scope(model.graph, model.opset_imports, None, 0), before, renamed)
        for function in model.functions.values():
            scope = Scope(function.graph, function.opset_imports, function, 0)
            self._look(scope, before, renamed)
        for graph, gone in before.items():
            if graph not in self.states:
                read = (value for inputs, _ in gone.nodes.values() for value in inputs)
                self.changed.extend(_around(read))
        if any(
            before[graph].inputs != state.inputs
            for graph, state in self.states.items()
            if graph in before
        ):
            # What was an input may be a constant now, to subgraphs too.
            self.changed.extend(node for state in self.states.values() for node in state.nodes)

    def scopes(self) -> list[Scope]:
        """Every scope, outer first."""
        return [state.scope for state in self.states.values()]

    def kinds(self) -> Set[Kind]:
        """The kinds of node that stand in the model."""
        if not self._by_kind:
            self._sort()
        return self._by_kind.keys()

    def nodes(self, kinds: Iterable[Kind]) -> list[tuple[Node, Scope]]:
        """The nodes of any of these kinds, ``(domain, op_type)``, in order, with their scopes."""
        if not self._by_kind:
            self._sort()
        lists = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        if len(lists) == 1:
            return [(node, scope) for _, node, scope in lists[0]]
        found = [entry for entries in lists for entry in entries]
        found.sort(key=lambda entry: entry[0])
        return [(node, scope) for _, node, scope in found]

    def near(self, moment: int, distance: int) -> Mapping[Kind, list[Node]]:
        """What came or changed since a moment, and what reads it, by kind.

        Many ask the same in a row, so answers are kept until the next look.

        Args:
            moment: a length of :attr:`changed`.
            distance: how many nodes downstream, the changed one included.
        """
        found = self._near.get((moment, distance))
        if found is None:
            found = self._near[moment, distance] = {}
            for node in downstream(self.changed[moment:], distance):
                found.setdefault((node.domain, node.op_type), []).append(node)
        return found

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
        lost: list[Value | None] = []
        for node in graph:
            entry = known.get(node)
            if entry is not None and node.inputs is entry[0] and node not in renamed:
                signature = entry[1]
                # Plain comparisons: this runs for every node after every change.
                results = node.outputs
                if len(results) == 1:
                    same = (results[0].name,) == signature[4]
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
            if entry is not None:
                lost.extend(value for value in entry[0] if value not in made[0])
            # A node that is new here may have moved from another scope, and changed its names.
            if old is not None and (entry is None or made[1][4] != entry[1][4]):
                renamed.update(user for value in node.outputs for user in value.consumers())
            graphs = nested_graphs(node)
            if graphs:
                nested[node] = graphs
        for node, (inputs, _) in known.items():
            if node not in nodes:
                lost.extend(inputs)
        self.changed.extend(_around(lost))
        return state


def _around(lost: Iterable[Value | None]) -> list[Node]:
    """What stands at values that lost a reader and have few left: who makes and who reads them."""
    found: dict[Node, None] = {}
    for value in dict.fromkeys(lost):
        if value is None or len(value.uses()) > _FEW_READERS:
            continue
        producer = value.producer()
        if producer is not None:
            found[producer] = None
        found.update(dict.fromkeys(value.consumers()))
    return [node for node in found if node.graph is not None]


def downstream(nodes: Iterable[Node], distance: int) -> list[Node]:
    """``nodes`` and what reads them, up to ``distance`` nodes downstream, each once."""
    level = list(dict.fromkeys(nodes))
    found = dict.fromkeys(level)
    for _ in range(1, distance):
        readers = [use.node for node in level for output in node.outputs for use in output.uses()]
        level = [node for node in dict.fromkeys(readers) if node not in found]
        found.update(dict.fromkeys(level))
    return list(found)


def _signature(node: Node) -> Signature:
    return (
        node.op_type,
        node.domain,
        node.overload,
        tuple([value.name if value is not None else None for value in node.inputs]),
        tuple([value.name for value in node.outputs]),
        tuple(node.attributes.data.values()),
    )
