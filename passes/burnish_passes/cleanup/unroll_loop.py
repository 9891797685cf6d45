"""A Loop that is known to run a few times becomes the nodes it would run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from burnish.graph import SOURCES, Placement, replace_value, sources_of, why_not_replaceable
from burnish.ir import (
    Array,
    Graph,
    Model,
    Node,
    Scope,
    Value,
    convert_attributes,
    is_deterministic,
    make_tensor,
    nested_graphs,
    remove_node,
)
from burnish.passdef import Context, Pass
from burnish_passes.cleanup.trips import trip_count


@dataclass(frozen=True)
class UnrollLoop(Pass):
    """Replace a Loop with a known number of rounds by its body, as often as it runs.

    ``Loop(n, true, s) => body(n - 1, ... body(1, body(0, s)))``; what the rounds yield besides the
    state is joined by a Concat.

    A Loop that runs once, or never, always goes; one that runs more often when that makes at most
    ``limit`` nodes. The condition must hold from the start and stay true, or end the Loop after
    its first round. Names are new in every round, and so are the body's initializers.

    Before::

        agraph (float[2] x) => (float[2] y) <int64 rounds = {2}, bool go = {1}> {
            y = Loop (rounds, go, x) <
                body = step (int64 i, bool more, float[2] s) => (bool next, float[2] t) {
                    next = Identity (more)
                    t = Mul (s, x)
                }
            >
        }

    After::

        agraph (float[2] x) => (float[2] y)
            <int64 rounds = {2}, bool go = {1}, bool first = {1}, bool second = {1}> {
            next = Identity (first)
            t = Mul (x, x)
            next_1 = Identity (second)
            y = Mul (t, x)
        }

    BITWISE. Catalogue row D13. Source: ONNX operator specification of Loop.

    Attributes:
        limit: how many nodes may take the place of a Loop that runs more than once.
    """

    name: ClassVar[str] = "unroll-loop"
    counted: ClassVar[bool] = True
    limit: int = 64

    def run(self, model: Model, ctx: Context) -> None:
        """Unroll inner Loops first, so that the rounds of outer ones bring no more of them."""
        found = ctx.nodes(model, [("", "Loop")])
        for node, scope in sorted(found, key=lambda item: -item[1].depth):
            self._unroll(node, scope, ctx)

    def _unroll(self, node: Node, scope: Scope, ctx: Context) -> None:
        trips = trip_count(node)
        if trips is None:
            return
        why = self._why_not(node, scope, trips)
        if why:
            ctx.declined(self.name, node, why)
            return
        if not ctx.applies(self.name, node, f"runs {trips} times"):
            return
        rounds = _Rounds(node, scope, ctx)
        for number in range(trips):
            rounds.run(number)
        rounds.hand_over()
        remove_node(node)

    def _why_not(self, node: Node, scope: Scope, trips: int) -> str | None:
        body = node.attributes["body"].as_graph()
        if scope.function is not None and body.initializers:
            return "its body has initializers, a function has none"
        if None in node.inputs[2:]:
            return "a state is absent"
        if trips == 0:
            collected = node.outputs[len(node.inputs) - 2 :]
            if any(value.uses() or value.is_graph_output() for value in collected):
                return "it never runs, and the shape of what it would collect is not known"
            return None
        if trips == 1:
            return None
        made = trips * _count(body)
        if made > self.limit:
            return f"{trips} rounds would make {made} nodes, more than {self.limit}"
        if not all(is_deterministic(inner, scope.opsets) for inner in body):
            return "every round draws its own random numbers"
        return None


def _count(graph: Graph) -> int:
    """Nodes of a graph, those of its subgraphs included."""
    return sum(1 + sum(map(_count, nested_graphs(node))) for node in graph)


@dataclass
class _Rounds:
    """The rounds of one Loop, put before it one by one."""

    node: Node
    scope: Scope
    ctx: Context
    state: list[Value] = field(default_factory=list)
    collected: list[list[Value]] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = list(self.node.inputs[2:])
        self.state = [value for value in given if value is not None]
        self.collected = [[] for _ in self.node.outputs[len(given) :]]

    def run(self, number: int) -> None:
        """Put the nodes of one round before the Loop."""
        body = self.node.attributes["body"].as_graph().clone(allow_outer_scope_values=True)
        self._rename(body)
        numbered, more = body.inputs[:2]
        given: dict[Value, Value] = dict(zip(body.inputs[2:], self.state, strict=True))
        results = list(body.outputs)[1:]
        if numbered.uses() or numbered in results:
            given[numbered] = self._scalar(np.int64(number), numbered)
        if more.uses() or more in results:
            given[more] = self._scalar(np.bool_(True), more)
        self._move(body, given)
        results = [given.get(value, value) for value in results]
        self.state = results[: len(self.state)]
        for rows, value in zip(self.collected, results[len(self.state) :], strict=True):
            rows.append(self._as_row(value))

    def _rename(self, body: Graph) -> None:
        names = self.ctx.names
        for value in body.initializers.copy().values():
            value.name = names.fresh(value.name or "value")
        for inner in body:
            self._rename_results(inner)

    def _rename_results(self, node: Node) -> None:
        for output in node.outputs:
            if output.name:
                output.name = self.ctx.names.fresh(output.name)
        for graph in nested_graphs(node):
            for value in graph.inputs:
                value.name = self.ctx.names.fresh(value.name or "value")
            self._rename(graph)

    def _scalar(self, number: np.generic, like: Value) -> Value:
        rank = 0 if like.shape is None else len(like.shape)
        array: Array = np.asarray(number).reshape((1,) * rank)
        name = self.ctx.names.fresh(like.name or "value")
        return Placement(self.scope).add_constant(make_tensor(array), name, self.node)

    def _move(self, body: Graph, given: Mapping[Value, Value]) -> None:
        nodes, constants = list(body), list(body.initializers.values())
        body.outputs.clear()
        body.initializers.clear()
        body.remove(nodes)
        for value in constants:
            self.scope.graph.register_initializer(value)
        for inner in nodes:
            inner.meta[SOURCES] = tuple(dict.fromkeys((*sources_of(inner), *sources_of(self.node))))
        self.scope.graph.insert_before(self.node, nodes)
        for was, becomes in given.items():
            was.replace_all_uses_with(becomes)

    def _insert(self, node: Node, hint: str) -> Value:
        node.outputs[0].name = self.ctx.names.fresh(hint)
        node.meta[SOURCES] = sources_of(self.node)
        self.scope.graph.insert_before(self.node, node)
        return node.outputs[0]

    def _as_row(self, value: Value) -> Value:
        """``value`` with a first axis of size 1."""
        hint = f"{value.name}_row"
        if self.scope.opsets[""] < 13:
            return self._insert(
                Node("", "Unsqueeze", [value], convert_attributes({"axes": [0]})), hint
            )
        name = self.ctx.names.fresh(f"{hint}_axes")
        axes = Placement(self.scope).add_constant(
            make_tensor(np.array([0], dtype=np.int64)), name, self.node
        )
        return self._insert(Node("", "Unsqueeze", [value, axes]), hint)

    def hand_over(self) -> None:
        """Let the readers of the Loop read the results of the last round, and the joined rows."""
        results = list(self.state)
        for rows in self.collected:
            if len(rows) > 1:
                joined = Node("", "Concat", rows, convert_attributes({"axis": 0}))
                rows = [self._insert(joined, f"{rows[0].name}_all")]
            results.extend(rows)
        for was, becomes in zip(self.node.outputs, results, strict=False):
            if not was.uses() and not was.is_graph_output():
                continue
            if why_not_replaceable(was, becomes, self.ctx.shapes) is not None:
                becomes = self._insert(Node("", "Identity", [becomes]), f"{was.name}_Identity")
            replace_value(was, becomes, fresh=False)
