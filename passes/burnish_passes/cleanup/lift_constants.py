"""Constant nodes become initializers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.graph import Placement, replace_value
from burnish.ir import Model, Node, Scope, TensorType, constant, remove_node
from burnish.passdef import Context, Pass


@dataclass(frozen=True)
class LiftConstants(Pass):
    """Turn ``Constant`` nodes into initializers, which every runtime holds once.

    ``c = Constant(value)`` => an initializer ``c``.

    Constants that are graph outputs stay nodes, because an output must be computed; so do those
    of function bodies, which have no initializers. Sparse ones become sparse initializers.

    Before::

        agraph (float[2] x) => (float[2] y) {
            c = Constant <value = float[2] {1, 2}> ()
            y = Add(x, c)
        }

    After::

        agraph (float[2] x) => (float[2] y) <float[2] c = {1, 2}> {
            y = Add(x, c)
        }

    Catalogue row D7. Source: ONNX IR specification, initializers.
    """

    name: ClassVar[str] = "lift-constants"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Lift in the main graph and in subgraphs."""
        for node, scope in ctx.nodes(model, [("", "Constant")]):
            if scope.function is None:
                self._lift(node, scope, ctx)

    def _lift(self, node: Node, scope: Scope, ctx: Context) -> None:
        output = node.outputs[0]
        held = constant(output)
        if held is None or output.is_graph_output():
            return
        if not isinstance(output.type, TensorType | None) or not ctx.applies(self.name, node):
            return
        lifted = Placement(scope).constant(held, output.name or ctx.names.fresh("constant"))
        replace_value(output, lifted, fresh=True)
        remove_node(node)
        scope.graph.register_initializer(lifted)
