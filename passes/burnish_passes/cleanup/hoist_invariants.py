"""What is the same in every round of a loop is computed once, before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from burnish.ir import Graph, Model, Node, Scope, Value, is_deterministic, read_values
from burnish.passdef import Context, Pass
from burnish_passes.cleanup.trips import runs_at_least_once

_CANNOT_FAIL: Final = frozenset(
    {"Abs", "Acos", "Asin", "Atan", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSigmoid"}
    | {"HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Neg", "Not", "Reciprocal"}
    | {"Relu", "Round", "Shape", "Sigmoid", "Sign", "Sin", "Size", "Softplus", "Sqrt", "Tan"}
    | {"Tanh"}
)
"""Operators that compute something of any operand, so they may run where the loop does not."""


@dataclass(frozen=True)
class HoistInvariants(Pass):
    """Move nodes of a Loop or Scan body that read only outer values before the loop.

    ``Loop { t = f(outer) ... } => t = f(outer), Loop { ... }``

    Where the loop may run no round at all, only operators that cannot fail are moved: a Reshape
    that does not fit would stop a model that never gets to it. Results of the body stay in it.

    Before::

        agraph (float[2] x, int64 n) => (float[2] y) <bool go = {1}> {
            y = Loop (n, go, x) <
                body = step (int64 i, bool more, float[2] s) => (bool next, float[2] t) {
                    next = Identity (more)
                    e = Exp (x)
                    t = Mul (s, e)
                }
            >
        }

    After::

        agraph (float[2] x, int64 n) => (float[2] y) <bool go = {1}> {
            e = Exp (x)
            y = Loop (n, go, x) <
                body = step (int64 i, bool more, float[2] s) => (bool next, float[2] t) {
                    next = Identity (more)
                    t = Mul (s, e)
                }
            >
        }

    BITWISE. Catalogue row D13. Source: loop-invariant code motion.
    """

    name: ClassVar[str] = "hoist-invariants"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Empty inner loops first, so that what they release may leave the outer ones too."""
        found = ctx.nodes(model, [("", "Loop"), ("", "Scan")])
        for node, scope in sorted(found, key=lambda item: -item[1].depth):
            self._hoist(node, scope, ctx)

    def _hoist(self, node: Node, scope: Scope, ctx: Context) -> None:
        body = node.attributes["body"].as_graph()
        certain = runs_at_least_once(node, ctx)
        for inner in list(body):
            if not self._may_move(inner, body, scope, certain):
                continue
            if not ctx.applies(self.name, inner, "it is the same in every round"):
                return
            self._move(inner, body, node, scope, ctx)

    def _may_move(self, inner: Node, body: Graph, scope: Scope, certain: bool) -> bool:
        if inner.op_type == "Constant" or not inner.outputs:
            return False
        if not certain and (inner.domain != "" or inner.op_type not in _CANNOT_FAIL):
            return False
        if any(output.is_graph_output() for output in inner.outputs):
            return False
        if not all(_is_known_before(value, body, scope) for value in read_values(inner)):
            return False
        return is_deterministic(inner, scope.opsets)

    def _move(self, inner: Node, body: Graph, node: Node, scope: Scope, ctx: Context) -> None:
        for value in read_values(inner):
            if value.is_initializer() and value.graph is body:
                assert value.name is not None
                del body.initializers[value.name]
                value.name = ctx.names.fresh(value.name)
                scope.graph.register_initializer(value)
        body.remove(inner)
        # Bodies that stand side by side may use one name each.
        for output in inner.outputs:
            if output.name:
                output.name = ctx.names.fresh(output.name)
        scope.graph.insert_before(node, inner)


def _is_known_before(value: Value, body: Graph, scope: Scope) -> bool:
    """Whether ``value`` is there before the loop runs, or is a constant that can be.

    What a node reads belongs to the body, to a graph around it, or to the node's own subgraphs.
    A constant that the body yields has to stay in the body.
    """
    if value.graph is not body:
        return True
    bound = value.is_graph_input() or value.is_graph_output()
    return value.is_initializer() and not bound and scope.function is None
