"""Recurrent operators that each take one step of a sequence become one over the sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Model, Node, Scope, Value
from burnish.match import Match
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.idioms.recurrent_steps import Chain, chains, is_needed, stacks
from burnish_passes.movement.together import replace_together
from burnish_passes.movement.views import emit_axes


@dataclass(frozen=True)
class ComposeRecurrentSteps(Pass):
    """Run GRU or LSTM over a sequence once, instead of once for each of its rows.

    ``s1 = GRU(x[0], s0); s2 = GRU(x[1], s1) => GRU(x[0:2], s0)`` where the weights are the same.
    The states after each step are rows of the result, and all of them joined are the result.

    Before::

        agraph (float[2,B,1] x, float[1,B,1] h, float[1,3,1] w, float[1,3,1] r)
            => (float[1,B,1] y, float[2,B,1] all)
        <int64[1] zero = {0}, int64 first = {0}, int64 second = {1}> {
            x1 = Gather(x, first)
            x2 = Gather(x, second)
            a1 = Unsqueeze(x1, zero)
            a2 = Unsqueeze(x2, zero)
            n1, h1 = GRU <hidden_size = 1>(a1, w, r, , , h)
            n2, y = GRU <hidden_size = 1>(a2, w, r, , , h1)
            all = Concat <axis = 0>(h1, y)
        }

    After::

        agraph (float[2,B,1] x, float[1,B,1] h, float[1,3,1] w, float[1,3,1] r)
            => (float[1,B,1] y, float[2,B,1] all)
        <int64[1] zero = {0}, int64 first = {0}, int64 second = {1}, int64[1] one = {1}> {
            n, y = GRU <hidden_size = 1>(x, w, r, , , h)
            all = Squeeze(n, one)
        }

    FLOAT: kernels take the rows of a sequence in one product. The rows must be consecutive, of one
    value; a row that is computed from an earlier state keeps its own step. Catalogue row F14.
    Source: ONNX operators GRU and LSTM, whose states are those of the last step.
    """

    name: ClassVar[str] = "compose-recurrent-steps"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look for chains in each graph."""
        found: dict[tuple[int, str], list[tuple[Node, Scope]]] = {}
        for node, scope in ctx.nodes(model, (("", "GRU"), ("", "LSTM"))):
            found.setdefault((id(scope.graph), node.op_type), []).append((node, scope))
        for group in found.values():
            if len(group) > 1:
                nodes = [node for node, _ in group]
                # One layer's rows may be another's states, so what is composed is looked at anew.
                while nodes and self._compose_one(nodes, group[0][1], ctx):
                    nodes = [node for node in nodes if node.graph is not None]

    def _compose_one(self, nodes: Sequence[Node], scope: Scope, ctx: Context) -> bool:
        for chain in chains(Match(nodes[0], scope, ctx), nodes):
            m = Match(chain.nodes[0], scope, ctx)
            if _cells_are_read(m, self.name, chain):
                continue
            states = [node.outputs[1] for node in chain.nodes]
            old = [*chain.nodes, *(stack.node for stack in stacks(m, states))]
            if replace_together(self.name, m, old, partial(_over_the_sequence, chain=chain)):
                return True
        return False


def _cells_are_read(m: Match, name: str, chain: Chain) -> bool:
    """Whether something reads a cell state of LSTM that only the single steps give."""
    for node in chain.nodes[:-1]:
        for value in node.outputs[2:]:
            if is_needed(value, set(chain.nodes)):
                m.ctx.declined(name, node, f"{value.name} is read, a state between two steps")
                return True
    return False


def _sequence(op: Any, m: Match, chain: Chain) -> Value:
    """The rows of the chain, ``[steps, batch, features]``."""
    x, count = chain.x, len(chain.nodes)
    if chain.start or m.shape_of(x)[chain.axis] != count:
        bounds = [chain.start, chain.start + count, chain.axis]
        if m.opset < 10:
            names = ("starts", "ends", "axes")
            x = op.Slice(x, **{name: [at] for name, at in zip(names, bounds, strict=True)})
        else:
            x = op.Slice(x, *(op.constant(np.array([at], dtype=np.int64)) for at in bounds))
    return x if chain.axis == 0 else op.Transpose(x, perm=[1, 0, 2])


def _over_the_sequence(op: Any, m: Match, *, chain: Chain) -> list[tuple[Value, Value]]:
    """What stands for each result that is read."""
    first, last = chain.nodes[0], chain.nodes[-1]
    results = getattr(op, first.op_type)(
        _sequence(op, m, chain),
        *first.inputs[1:],
        _attributes=first.attributes.values(),
        _outputs=len(first.outputs),
    )
    pairs = [
        (was, becomes)
        for was, becomes in zip(last.outputs[1:], results[1:], strict=True)
        if was.uses() or was.is_graph_output()
    ]
    states = [node.outputs[1] for node in chain.nodes]
    found = stacks(m, states)
    for stack in found:
        steps = emit_axes(op, m, "Squeeze", results[0], (1,))
        whole = op.Transpose(steps, perm=[1, 0, 2]) if stack.batch_first else steps
        pairs.append((stack.node.outputs[0], whole))
    gone = {*chain.nodes, *(stack.node for stack in found)}
    for index, state in enumerate(states[:-1]):
        if is_needed(state, gone):
            at = op.constant(np.array(index, dtype=np.int64))
            pairs.append((state, op.Gather(results[0], at, axis=0)))
    return pairs
