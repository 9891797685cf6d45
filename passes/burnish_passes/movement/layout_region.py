"""Which operators around a Transpose to store in another layout, so that fewer elements move.

From one value in a new layout a *region* grows over operators that can work in other layouts. At
its border stand Transposes, constants (transposed for nothing) and whatever keeps its layout. Each
operator of the region either changes to its new layout or does not; where a value is written in one
and read in the other, a Transpose moves all its elements. The cheapest choice is a minimum cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from burnish.ir import Graph, Node, Scope, Value, attribute, constant, nested_graphs
from burnish.match import refers_to_parameter
from burnish.shapes import REDUCTIONS, Shapes
from burnish.symbolic import Dim, Expr, is_nonnegative, product
from burnish_passes.movement.layouts import (
    Anchor,
    Perm,
    Relayout,
    View,
    inverse,
    is_identity,
    permutation,
)
from burnish_passes.movement.layouts_elementwise import ELEMENTWISE
from burnish_passes.movement.layouts_reshaping import RESHAPING
from burnish_passes.movement.minimum_cut import Budget, Network

__all__ = ["Cost", "Region", "is_transpose"]

_HANDLERS: Final = {**ELEMENTWISE, **RESHAPING}
_ROUNDING: Final = frozenset({"LogSoftmax", "Softmax", *REDUCTIONS})
"""They add up elements in the order in which these are stored."""
_SHARED_BYTES: Final = 16 << 10
"""A constant of more bytes is transposed only if that makes no second copy of it."""
_UNLIMITED: Final = 1 << 200
_ELEMENT: Final = 1 << 24
"""What moving one element costs, in nodes: any number of nodes is cheaper."""

Side: TypeAlias = Node | Literal["new", "old", "either"]
"""What decides the layout in which a value is written or read: a node, or the border."""


@dataclass(frozen=True)
class Cost:
    """What a choice of layouts costs: elements that Transposes move, and nodes."""

    elements: Dim
    nodes: int

    def falls_to(self, other: Cost) -> bool:
        """Whether ``other`` never has more of either, and less of one.

        With sizes that are not known, "less" is judged at one assignment of sizes, the same
        always: there the cost falls each time, so changes come to an end.
        """
        saved = self.elements - other.elements
        if other.nodes > self.nodes or not is_nonnegative(saved):
            return False
        return typical(saved) > 0 or other.nodes < self.nodes


def typical(dim: Dim) -> int:
    """``dim`` where every symbol is 16."""
    if not isinstance(dim, Expr):
        return dim
    total = 0
    for monomial, factor in dim.terms:
        term = factor
        for atom in monomial:
            size = 16
            if atom.op == "floordiv":
                size = typical(atom.args[0]) // max(typical(atom.args[1]), 1)
            elif atom.op in ("max", "min"):
                sizes = [typical(item) for item in atom.args]
                size = max(sizes) if atom.op == "max" else min(sizes)
            term *= size
        total += term
    return total


def is_transpose(node: Node, graph: object) -> bool:
    """Whether ``node`` is a Transpose of this graph that moves a computed value."""
    if node.op_type != "Transpose" or node.domain or node.graph is not graph:
        return False
    return constant(node.inputs[0]) is None and refers_to_parameter(node) is None


class Region:
    """What can be reached from ``value`` in layout ``perm``.

    Attributes:
        layouts: the layout of each value in it that is not a constant.
        nodes: its operators, and what they become.
    """

    def __init__(
        self, scope: Scope, shapes: Shapes, value: Value, perm: Perm, budget: Budget, *, exact: bool
    ) -> None:
        self.graph: Graph = scope.graph
        self.layouts: dict[Value, Perm] = {}
        self.nodes: dict[Node, Relayout] = {}
        self._scope = scope
        self._shapes = shapes
        self._exact = exact
        self._refused: set[Node] = set()
        self._grow(value, perm, budget)

    # ---- growth ----------------------------------------------------------------------------------

    def _grow(self, value: Value, perm: Perm, budget: Budget) -> None:
        shape = self._shapes.shape(value)
        if shape is None or len(shape) != len(perm) or is_identity(perm):
            return
        self.layouts[value] = perm
        pending = deque([value])
        while pending:
            item = pending.popleft()
            if not budget.spend(1):
                return
            for node, anchor in self._neighbours(item):
                if node in self.nodes or node in self._refused:
                    continue
                relayout = self._relayout(node, anchor)
                if relayout is None:
                    self._refused.add(node)
                    continue
                self.nodes[node] = relayout
                for found, layout in _written_and_read(node, relayout):
                    if found not in self.layouts and constant(found) is None:
                        self.layouts[found] = layout
                        pending.append(found)

    def _neighbours(self, value: Value) -> Iterator[tuple[Node, Anchor]]:
        perm = self.layouts[value]
        producer = value.producer()
        index = value.index()
        if producer is not None and index is not None and self._may_change(producer):
            yield producer, Anchor(index, True, perm)
        for use in value.uses():
            if self._may_change(use.node):
                yield use.node, Anchor(use.idx, False, perm)

    def _may_change(self, node: Node) -> bool:
        if node.op_type not in _HANDLERS or node.domain or node.graph is not self.graph:
            return False
        if not self._exact:
            return True
        if node.op_type == "Resize":
            return bool(attribute(node, "mode", "nearest") == "nearest")
        return node.op_type not in _ROUNDING

    def _relayout(self, node: Node, anchor: Anchor) -> Relayout | None:
        """What ``node`` becomes, if that agrees with the layouts given so far."""
        if refers_to_parameter(node) is not None or any(True for _ in nested_graphs(node)):
            return None
        view = View(node, self._scope.opsets.get("", 0), self._shapes)
        relayout = _HANDLERS[node.op_type](view, anchor)
        if relayout is None:
            return None
        for value, layout in _written_and_read(node, relayout):
            shape = self._shapes.shape(value)
            if shape is None or len(shape) > len(layout):
                return None
            held = constant(value)
            if held is not None:
                if held.nbytes > _SHARED_BYTES and len(value.uses()) > 1:
                    return None
            elif self.layouts.get(value, layout) != layout or len(shape) != len(layout):
                return None
        return relayout

    # ---- the choice ------------------------------------------------------------------------------

    def writer(self, value: Value) -> Side:
        """What decides in which layout ``value`` is there."""
        node = value.producer()
        if node is None:
            return "old"
        if node in self.nodes:
            return node
        if is_transpose(node, self.graph) and not self._is_inside(node):
            perm = permutation(node, len(self.layouts[value]))
            return "new" if perm == inverse(self.layouts[value]) else "either"
        return "old"

    def readers(self, value: Value) -> set[Side]:
        """What decides in which layouts ``value`` is wanted."""
        perm = self.layouts[value]
        found: set[Side] = {"old"} if value.is_graph_output() else set()
        outputs = 0
        for use in value.uses():
            relayout = self.nodes.get(use.node)
            if relayout is not None and relayout.operands[use.idx] == perm:
                found.add(use.node)
            elif self.turns_freely(use.node, value):
                if permutation(use.node, len(perm)) == perm:
                    # One value cannot be two graph outputs: the second keeps its Transpose.
                    is_output = use.node.outputs[0].is_graph_output()
                    found.add("old" if is_output and outputs else "new")
                    outputs += is_output
            else:
                found.add("old")
        return found

    def turns_freely(self, node: Node, value: Value) -> bool:
        """Whether ``node`` is a Transpose that reads ``value`` as well in another layout."""
        producer = value.producer()
        if producer is not None and is_transpose(producer, self.graph):
            return False
        return is_transpose(node, self.graph) and not self._is_inside(node)

    def _is_inside(self, transpose: Node) -> bool:
        """Whether both ends of a Transpose lie in the region: it stays, or it would count twice."""
        return transpose.inputs[0] in self.layouts and transpose.outputs[0] in self.layouts

    def cheapest(self, budget: Budget) -> set[Node]:
        """The nodes to change, as few as possible; none when nothing is saved."""
        network = Network()
        for value in self.layouts:
            capacity = typical(self.elements(value)) * _ELEMENT + 1
            writer, readers = self.writer(value), self.readers(value)
            start = ("value", value) if writer == "either" else writer
            # One Transpose serves all who want the other layout.
            for wanted, vertex in (("old", ("to old", value)), ("new", ("to new", value))):
                serving = [reader for reader in readers if reader != _other(wanted)]
                if writer == wanted or not serving:
                    continue
                if wanted == "old":
                    network.join(start, vertex, capacity)
                else:
                    network.join(vertex, start, capacity)
                for reader in serving:
                    if wanted == "old":
                        network.join(vertex, reader, _UNLIMITED)
                    else:
                        network.join(reader, vertex, _UNLIMITED)
        for node, relayout in self.nodes.items():
            if relayout.unsqueezed:
                network.join(node, "old", len(relayout.unsqueezed))
        near = network.near("new", "old", budget)
        return set() if near is None else {node for node in self.nodes if node in near}

    def elements(self, value: Value) -> Dim:
        """How many elements ``value`` has."""
        return product(self._shapes.shape(value) or ())

    def cost(self, changed: Set[Node]) -> Cost:
        """What Transposes move, and how many nodes there are, when ``changed`` are changed.

        Only what depends on the choice counts.
        """
        elements: Dim = 0
        nodes = sum(len(self.nodes[node].unsqueezed) for node in changed)
        for value in self.layouts:
            writer = self.writer(value)
            wanted = {_side(reader, changed) for reader in self.readers(value)}
            given = _side(writer, changed)
            if writer == "either":
                given = next(iter(wanted)) if len(wanted) == 1 else "old"
            if wanted - {given}:
                elements = elements + self.elements(value)
                nodes += 1
        return Cost(elements, nodes)


def _other(side: str) -> str:
    return "new" if side == "old" else "old"


def _side(side: Side, changed: Set[Node]) -> str:
    if isinstance(side, Node):
        return "new" if side in changed else "old"
    return side


def _written_and_read(node: Node, relayout: Relayout) -> Iterator[tuple[Value, Perm]]:
    """The values of a node that change their layout."""
    for value, perm in zip(node.outputs, relayout.results, strict=False):
        if perm is not None and not is_identity(perm):
            yield value, perm
    for given, perm in zip(node.inputs, relayout.operands, strict=False):
        if given is not None and perm is not None and not is_identity(perm):
            yield given, perm
