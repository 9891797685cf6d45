"""What nobody reads goes: nodes, initializers, functions, opset imports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from burnish.graph import is_unread
from burnish.ir import Graph, Model, Node, all_nodes, nested_graphs, remove_node
from burnish.passdef import Context, Pass


@dataclass(frozen=True)
class RemoveDeadCode(Pass):
    """Remove nodes, initializers, functions and opset imports that no output depends on.

    Graph inputs stay, read or not: they are the model's interface.

    Before::

        agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
            t = Exp(x)
            u = Add(t, w)
            y = Relu(x)
        }

    After::

        agraph (float[2] x) => (float[2] y) {
            y = Relu(x)
        }

    Catalogue row D9. Source: dead code elimination, any compiler text.
    """

    name: ClassVar[str] = "remove-dead-code"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Sweep inner scopes first, so that what only dead inner nodes read is dead too."""
        for scope in reversed(ctx.scopes(model)):
            self._sweep(scope.graph, ctx)
        self._functions(model, ctx)
        self._imports(model, ctx)

    def _sweep(self, graph: Graph, ctx: Context) -> None:
        for node in reversed(graph):
            if is_unread(node) and ctx.applies(self.name, node):
                remove_node(node)
        for name, value in list(graph.initializers.items()):
            if value.uses() or value.is_graph_output() or value.is_graph_input():
                continue
            if ctx.applies(self.name, name):
                del graph.initializers[name]

    def _functions(self, model: Model, ctx: Context) -> None:
        if not model.functions:
            return
        called: set[tuple[str, str, str]] = set()
        pending = list(_calls(model.graph))
        while pending:
            key = pending.pop()
            if key in called or key not in model.functions:
                continue
            called.add(key)
            pending.extend(_calls(model.functions[key].graph))
        for key in [key for key in model.functions if key not in called]:
            if ctx.applies(self.name, "::".join(filter(None, key))):
                del model.functions[key]

    def _imports(self, model: Model, ctx: Context) -> None:
        imported = [domain for domain in model.opset_imports if domain]
        if not imported:
            return
        used = {node.domain for node in all_nodes(model)} | {key[0] for key in model.functions}
        for domain in [domain for domain in imported if domain not in used]:
            if ctx.applies(self.name, f"import of {domain}"):
                del model.opset_imports[domain]


def _calls(graph: Graph) -> Iterator[tuple[str, str, str]]:
    pending: list[Node] = list(graph)
    while pending:
        node = pending.pop()
        yield node.op_identifier()
        for inner in nested_graphs(node):
            pending.extend(inner)
