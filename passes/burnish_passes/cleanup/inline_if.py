"""An If whose condition is known becomes the branch it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.graph import SOURCES, replace_value, sources_of, why_not_replaceable
from burnish.ir import Graph, Model, Node, Scope, Value, constant_array, remove_node
from burnish.passdef import Context, Pass


@dataclass(frozen=True)
class InlineIf(Pass):
    """Replace an If with a constant condition by the nodes of the branch it takes.

    ``If(true, then, else)`` => the nodes of ``then``.

    The branch's values get new names where they could meet others; its initializers move along.
    A branch result that is not computed in the branch and stands for a graph output is passed
    through an Identity.

    Before::

        agraph (float[2] x) => (float[2] y) <bool cond = {1}> {
            y = If (cond) <
                then_branch = then () => (float[2] t) { t = Relu(x) },
                else_branch = other () => (float[2] e) { e = Neg(x) }
            >
        }

    After::

        agraph (float[2] x) => (float[2] y) <bool cond = {1}> {
            y = Relu(x)
        }

    Catalogue row D12. Source: ONNX operator specification of If.
    """

    name: ClassVar[str] = "inline-if"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Inline until no If with a known condition is left (branches may hold more)."""
        while self._sweep(model, ctx):
            pass

    def _sweep(self, model: Model, ctx: Context) -> bool:
        """One look at every scope; what an inlined branch brings is looked at in the next one."""
        changed = False
        for node, scope in ctx.nodes(model, [("", "If")]):
            if node.graph is scope.graph:
                changed |= self._inline(node, scope, ctx)
        return changed

    def _inline(self, node: Node, scope: Scope, ctx: Context) -> bool:
        condition = constant_array(node.inputs[0])
        if condition is None or condition.size != 1:
            return False
        taken = "then_branch" if condition.reshape(-1)[0] else "else_branch"
        if scope.function is not None and node.attributes[taken].as_graph().initializers:
            ctx.declined(self.name, node, "its branch has initializers, a function has none")
            return False
        if not ctx.applies(self.name, node, f"takes its {taken}"):
            return False
        branch = node.attributes[taken].as_graph()
        self._rename(branch, ctx)
        results = self._move(branch, node, scope.graph)
        for was, becomes in zip(node.outputs, results, strict=True):
            self._hand_over(was, becomes, node, ctx)
        remove_node(node)
        return True

    def _rename(self, branch: Graph, ctx: Context) -> None:
        for value in branch.initializers.copy().values():
            value.name = ctx.names.fresh(value.name or "value")
        for inner in branch:
            for output in inner.outputs:
                if output.name:
                    output.name = ctx.names.fresh(output.name)

    def _move(self, branch: Graph, node: Node, graph: Graph) -> list[Value]:
        results = list(branch.outputs)
        nodes = list(branch)
        constants = list(branch.initializers.values())
        branch.outputs.clear()
        branch.initializers.clear()
        branch.remove(nodes)
        for value in constants:
            graph.register_initializer(value)
        for inner in nodes:
            inner.meta[SOURCES] = tuple(dict.fromkeys((*sources_of(inner), *sources_of(node))))
        graph.insert_before(node, nodes)
        return results

    def _hand_over(self, was: Value, becomes: Value, node: Node, ctx: Context) -> None:
        if why_not_replaceable(was, becomes, ctx.shapes) is None:
            replace_value(was, becomes, fresh=False)
            return
        identity = Node("", "Identity", [becomes])
        identity.outputs[0].name = ctx.names.fresh(f"{was.name}_Identity")
        identity.meta[SOURCES] = sources_of(node)
        graph = node.graph
        assert isinstance(graph, Graph)
        graph.insert_before(node, identity)
        replace_value(was, identity.outputs[0], fresh=True)
