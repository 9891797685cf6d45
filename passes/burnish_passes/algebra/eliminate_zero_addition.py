"""Adding or subtracting zero vanishes where nobody can see the sign of zero."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.ir import Node, Value, constant_array, label
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import adds_nothing_to_the_shape, is_filled_with

_SEES = frozenset({"BitCast", "If", "Loop", "Pow", "Reciprocal", "Scan", "SequenceMap"})
"""Operators that turn the sign of zero into something else, or may do so inside."""
_LOSES = frozenset(
    {"ArgMax", "ArgMin", "Cos", "Cosh", "Equal", "Exp", "Greater", "GreaterOrEqual"}
    | {"HardSigmoid", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "LogSoftmax", "NonZero"}
    | {"QuantizeLinear", "Shape", "Sigmoid", "Size", "Softmax", "Softplus"}
)
"""Operators that give the same for both zeros."""
_FARTHEST = 10_000
"""Readers followed before giving up."""


class EliminateZeroAddition(Rule):
    """Remove additions and subtractions of zero.

    ``x + 0 => x`` and ``x - 0 => x``, for floats too.

    Before::

        agraph (float[2,3] x) => (float[2,3] y) {
            zero = Constant <value = float {0.0}> ()
            t = Add(zero, x)
            y = Relu(t)
        }

    After::

        agraph (float[2,3] x) => (float[2,3] y) {
            y = Relu(x)
        }

    FLOAT: -0.0 stays -0.0 where ``-0.0 + 0.0`` gave 0.0; all other numbers are the same bits. That
    must not grow: ``1 / -0.0`` is another infinity. So everything computed from the result is
    followed, until it is a graph output or the sign is lost (as in ``Exp``, a comparison, or an
    addition of something that is not zero), and the rule declines when something on the way may
    tell the two zeros apart: a divisor, Reciprocal, a base of Pow, an operator we do not know.
    What is exact in every bit is done by ``eliminate-neutral-element``. Catalogue row E1. Source:
    IEEE 754-2019 section 6.3.
    """

    name: ClassVar[str] = "eliminate-zero-addition"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any, c: Any) -> Any:
        return op.either("Add", "Sub")(x, c.constant, _name="op")

    def when(self, m: Match) -> None:
        m.suppose(is_filled_with(m.const("c"), 0.0))
        adds_nothing_to_the_shape(m, "x", m.const("c"))
        whole = m.scope.depth == 0 and m.scope.function is None
        m.require(whole, "its result may leave the subgraph or function")
        reader = _reader_of_the_sign(m.root.outputs[0])
        if reader is not None:
            m.decline(f"{label(reader)} may tell -0.0 from 0.0")

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


def _reader_of_the_sign(result: Value) -> Node | None:
    """A node that may compute something else from -0.0 than from 0.0, and lies downstream."""
    pending = [result]
    graph = result.graph
    seen: set[tuple[Node, int]] = set()
    while pending:
        value = pending.pop()
        for use in value.uses():
            node = use.node
            if (node, use.idx) in seen:
                continue
            if len(seen) >= _FARTHEST or node.graph is not graph or _sees_sign(node, use.idx):
                return node
            seen.add((node, use.idx))
            if not _loses_sign(node):
                pending.extend(node.outputs)
    return None


def _sees_sign(node: Node, position: int) -> bool:
    if node.domain != "" or node.op_type in _SEES:
        return True
    return node.op_type == "Div" and position == 1


def _loses_sign(node: Node) -> bool:
    if node.op_type in _LOSES:
        return True
    if node.op_type != "Add":
        return False
    added = [constant_array(value) for value in node.inputs]
    return any(array is not None and bool((array != 0).all()) for array in added)
