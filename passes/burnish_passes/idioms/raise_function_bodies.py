"""The function body of an ONNX operator becomes the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from burnish.graph import (
    SOURCES,
    detach,
    is_computed_from,
    remove_unread,
    replace_value,
    sources_of,
    why_not_emitted,
    why_not_replaceable,
)
from burnish.ir import Graph, Model, Node, Scope, Value, convert_attributes
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.idioms.body_proposals import Found, find_call
from burnish_passes.idioms.body_signatures import ROOTS, candidates
from burnish_passes.idioms.operand_conditions import Operands, why_refused


@dataclass(frozen=True)
class RaiseFunctionBodies(Pass):
    """Recognize the expanded body of an ONNX operator and put the operator back.

    ``body of X with its attributes`` => ``X``, for the operators that the standard defines by a
    function: activations, norms, reductions, Attention, RotaryEmbedding, DepthToSpace, windows.
    The body must stand as the standard writes it, so this runs before anything is simplified.

    Before::

        <ir_version: 10, opset_import: ["": 20]>
        agraph (float[2,3] x) => (float[2,3] y) {
            alpha = Constant <value_float = 0.25> ()
            alpha_cast = CastLike(alpha, x)
            zero = Constant <value = float {0}> ()
            zero_cast = CastLike(zero, x)
            negative = Less(x, zero_cast)
            scaled = Mul(alpha_cast, x)
            y = Where(negative, scaled, x)
        }

    After::

        <ir_version: 10, opset_import: ["": 20]>
        agraph (float[2,3] x) => (float[2,3] y) {
            y = LeakyRelu <alpha = 0.25> (x)
        }

    FLOAT: the body is the operator's definition, but a kernel may round otherwise, and may stay
    finite where the body overflows (Softplus). Catalogue rows F1-F6, F8-F11, F16 where the
    spelling is the standard's. Source: the function bodies in the operator schemas of onnx.
    """

    name: ClassVar[str] = "raise-function-bodies"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Raise until nothing more is found: the body of one operator may hold another."""
        while self._sweep(model, ctx):
            pass

    def _sweep(self, model: Model, ctx: Context) -> bool:
        """Look at every node where a body may end, the last first: the largest body wins."""
        unsorted: set[Graph] = set()
        changed = False
        for node, scope in reversed(ctx.nodes(model, ROOTS)):
            for op_type in candidates(node):
                if self._raise(op_type, node, scope, ctx, unsorted):
                    changed = True
                    break
        for graph in unsorted:
            graph.sort()
        return changed

    def _raise(
        self, op_type: str, node: Node, scope: Scope, ctx: Context, unsorted: set[Graph]
    ) -> bool:
        """Put ``op_type`` in the place of its body that ends at ``node``, if it stands there."""
        if node.graph is None or not ctx.target.limits.welcomes(op_type):
            return False
        version = scope.opsets.get("", 0)
        found = find_call(op_type, node, version, ctx)
        if found is None:
            return False
        inputs, outputs = _inputs(found), found.match.outputs()
        why = why_refused(Operands(op_type, version, inputs, found.attributes, ctx.shapes))
        made = _made(op_type, inputs, found, version)
        why = why or self._why_not(found, made, scope, ctx)
        if why is not None or not ctx.applies(self.name, node, f"it is the body of {op_type}"):
            if why is not None:
                ctx.declined(self.name, node, f"it is no {op_type}: {why}")
            detach([made])
            return False
        graph = node.graph
        assert isinstance(graph, Graph)
        members = list(found.match.members)
        made.meta[SOURCES] = tuple(
            dict.fromkeys(name for member in members for name in sources_of(member))
        )
        made.version = None
        graph.insert_before(node, [made])
        for index, was in outputs.items():
            replace_value(was, made.outputs[index], fresh=True)
        if len(outputs) > 1:
            unsorted.add(graph)
        remove_unread(members)
        return True

    def _why_not(self, found: Found, made: Node, scope: Scope, ctx: Context) -> str | None:
        """Why the operator may not stand here, or None."""
        why = why_not_emitted(made, scope.opsets, ctx.target)
        if why is not None:
            return why
        outputs = found.match.outputs()
        for index, was in outputs.items():
            why = why_not_replaceable(was, made.outputs[index], ctx.shapes)
            if why is not None:
                return why
        if found.match.reads_itself() or (
            len(outputs) > 1 and is_computed_from(made.inputs, outputs.values())
        ):
            return "one of its results feeds it"
        return None


def _inputs(found: Found) -> list[Value | None]:
    """The operands of the call, absent ones at the end left out."""
    inputs = [found.match.input(index) for index in range(len(found.match.body.level.inputs))]
    while inputs and inputs[-1] is None:
        inputs.pop()
    return inputs


def _made(op_type: str, inputs: Sequence[Value | None], found: Found, version: int) -> Node:
    """The operator, its results those that stand in the graph; a gap has an empty name."""
    present = found.match.outputs()
    outputs = [Value(name=None if index in present else "") for index in range(max(present) + 1)]
    attributes = convert_attributes(dict(found.attributes))
    return Node("", op_type, inputs, attributes, outputs=outputs, version=version)
