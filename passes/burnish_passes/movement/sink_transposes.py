"""Transposes move through operators to where they cancel."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from burnish.errors import PassError
from burnish.ir import Graph, Model, Node, Scope, Value, label
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.movement.change_layouts import change_layouts
from burnish_passes.movement.layout_region import Region, is_transpose
from burnish_passes.movement.layouts import Perm, inverse, is_identity, permutation
from burnish_passes.movement.minimum_cut import Budget

__all__ = ["SinkTransposes", "sink_transposes"]

_WORK_PER_NODE = 16
_SMALLEST_REGION = 400
_SWEEPS = 4


@dataclass(frozen=True)
class SinkTransposes(Pass):
    """Store the results of operators in the order of axes that needs the fewest Transposes.

    ``Transpose[p](x) + c => Transpose[p](x + Transpose[p^-1](c))``, and likewise through unary and
    broadcasting operators, Concat, Split, Slice, Pad, Squeeze, Unsqueeze, Gather, Expand, Tile,
    CumSum, ArgMax, ArgMin, QuantizeLinear, DequantizeLinear, Cast, Where, nearest Resize, and
    Reshape where it joins or splits axes that stay together. Constants are transposed when
    compiling. A region of operators changes only if there are then no more nodes and Transposes
    move no more elements, and fewer of one: the cost falls with each change, so they end.

    Before::

        agraph (float[1,2,3,4] x) => (float[1,2,3,4] y) <float[2] c = {1, 2}> {
            a = Transpose <perm = [0, 2, 3, 1]> (x)
            b = Add(a, c)
            d = Relu(b)
            y = Transpose <perm = [0, 3, 1, 2]> (d)
        }

    After::

        agraph (float[1,2,3,4] x) => (float[1,2,3,4] y)
            <float[2] c = {1, 2}, float[1,2,1,1] d = {1, 2}> {
            b = Add(x, d)
            y = Relu(b)
        }

    Attributes name the axes anew; two Transposes before a Concat become one behind it:

    Before::

        agraph (float[1,2,3,4] x, float[1,5,3,4] z) => (float[12,7] y) <int64[2] s = {12, 7}> {
            a = Transpose <perm = [0, 2, 3, 1]> (x)
            b = Transpose <perm = [0, 2, 3, 1]> (z)
            c = Concat <axis = -1> (a, b)
            y = Reshape(c, s)
        }

    After::

        agraph (float[1,2,3,4] x, float[1,5,3,4] z) => (float[12,7] y) <int64[2] s = {12, 7}> {
            c = Concat <axis = 1> (x, z)
            t = Transpose <perm = [0, 2, 3, 1]> (c)
            y = Reshape(t, s)
        }

    BITWISE: elements move, and each is computed from the same elements as before. Catalogue rows
    C2, C3 and C4. Source: minimum cut (Ford and Fulkerson, 1956) over the choice of layout of each
    operator; ONNX operator specifications.
    """

    name: ClassVar[str] = "sink-transposes"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the surroundings of every Transpose until none can be improved."""
        sink_transposes(model, ctx, self.name, exact=True)


def sink_transposes(model: Model, ctx: Context, title: str, *, exact: bool) -> None:
    """Change the layouts around Transposes while that pays.

    Args:
        model: the model.
        ctx: its context.
        title: the pass, for remarks.
        exact: leave operators alone that add up elements in the order in which they are stored.
    """
    scopes = {scope.graph: scope for scope in ctx.scopes(model)}
    budget = Budget(_WORK_PER_NODE * sum(len(graph) for graph in scopes))
    for _ in range(_SWEEPS):
        nodes = ctx.nodes(model, [("", "Transpose")])
        if not nodes:
            return
        spent = ctx.fuel.spent
        _Sweep(scopes, ctx, title, budget, exact).run([node for node, _ in nodes])
        if ctx.fuel.spent == spent:
            return


class _Sweep:
    def __init__(
        self, scopes: dict[Graph, Scope], ctx: Context, title: str, budget: Budget, exact: bool
    ) -> None:
        self.scopes = scopes
        self.ctx = ctx
        self.title = title
        self.budget = budget
        self.exact = exact
        self.seen: set[tuple[Value, Perm]] = set()
        self.allowed = 0

    def run(self, nodes: list[Node]) -> None:
        pending = deque(nodes)
        self.allowed = 10 * len(nodes) + 1000
        while pending:
            node = pending.popleft()
            if isinstance(node.graph, Graph) and is_transpose(node, node.graph):
                pending.extend(self.visit(node, self.scopes[node.graph]))

    def visit(self, node: Node, scope: Scope) -> list[Node]:
        """Try the layouts in which ``node`` would not be needed; return Transposes to look at."""
        source = node.inputs[0]
        shape = None if source is None else self.ctx.shapes.shape(source)
        perm = permutation(node, None if shape is None else len(shape))
        if source is None or perm is None or is_identity(perm):
            return []
        for value, layout in ((node.outputs[0], inverse(perm)), (source, perm)):
            if (value, layout) not in self.seen:
                around = self.improve(node, scope, value, layout)
                if around is not None:
                    return around
        return []

    def improve(self, node: Node, scope: Scope, value: Value, layout: Perm) -> list[Node] | None:
        """Change what pays around ``value``; None when nothing does."""
        budget = Budget(max(self.budget.left, _SMALLEST_REGION))
        given = budget.left
        region = Region(scope, self.ctx.shapes, value, layout, budget, exact=self.exact)
        changed = region.cheapest(budget) if region.nodes else set()
        self.budget.spend(given - budget.left)
        before, after = region.cost(set()), region.cost(changed)
        if not changed or not before.falls_to(after):
            if budget.left >= 0:
                self.seen.update(region.layouts.items())
            return None
        why = f"Transposes move {after.elements} elements, not {before.elements}"
        if not self.ctx.applies(self.title, node, why):
            return None
        self.allowed -= 1
        if self.allowed < 0:
            raise PassError(f"{self.title} does not come to rest", where=label(node))
        return change_layouts(region, changed, scope, self.ctx)
