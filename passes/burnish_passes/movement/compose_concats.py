"""Concats of Concats along one axis become one."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.ir import Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule


def _axis(node: Node) -> int | None:
    """The axis as written; None when a function's caller gives it."""
    attr = node.attributes.get("axis")
    if attr is not None and attr.is_ref():
        return None
    return int(attribute(node, "axis", 1))  # opset 1 has a default


def _joins(m: Match, outer: Node, inner: Node | None) -> bool:
    """Whether both are Concats along the same axis of the same graph."""
    if inner is None or inner.graph is not outer.graph:
        return False
    if any(node.op_type != "Concat" or node.domain for node in (outer, inner)):
        return False
    one, other = _axis(outer), _axis(inner)
    if one is None or other is None:
        return False
    if one != other and (one < 0) != (other < 0):
        shape = m.ctx.shapes.shape(inner.outputs[0])
        return shape is not None and one % len(shape) == other % len(shape)
    return one == other


def _is_absorbed(m: Match, inner: Node | None, outer: Node) -> bool:
    """Whether ``inner`` can vanish into ``outer``, which must be all that reads it."""
    if inner is None or not _joins(m, outer, inner) or inner.outputs[0].is_graph_output():
        return False
    return all(use.node is outer for use in inner.outputs[0].uses())


class ComposeConcats(Rule):
    """Flatten nested Concats along one axis.

    ``Concat(Concat(a, b), c) => Concat(a, b, c)``, wherever the inner one stands and however often
    the outer one reads it.

    Before::

        agraph (float[1,2] a, float[1,3] b) => (float[1,15] y) {
            t = Concat <axis = 1> (a, b)
            y = Concat <axis = -1> (t, a, b, t)
        }

    After::

        agraph (float[1,2] a, float[1,3] b) => (float[1,15] y) {
            y = Concat <axis = -1> (a, b, a, b, a, b)
        }

    BITWISE: elements only move. Catalogue row C10. Source: concatenation is associative.
    """

    name: ClassVar[str] = "compose-concats"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any) -> Any:
        return op.Concat(..., _name="outer")

    def when(self, m: Match) -> None:
        m.suppose(any(_joins(m, m.root, _producer(value)) for value in m.root.inputs))
        readers = m.root.outputs[0].consumers()
        # The outermost one of a chain takes them all at once: a chain of n costs n, not n * n.
        m.suppose(not (len(readers) == 1 and _is_absorbed(m, m.root, readers[0])))
        m.require(
            any(_is_absorbed(m, _producer(value), m.root) for value in m.root.inputs),
            "the inner Concat has another reader",
        )

    def after(self, op: Any, m: Match) -> Any:
        operands = _operands(m)
        return op.Concat(*operands, _attributes=m.root.attributes.values())


def _producer(value: Value | None) -> Node | None:
    return None if value is None else value.producer()


_REPEATED = 64
"""How many operands may be written down again because an inner Concat is read more than once."""


def _operands(m: Match) -> list[Value]:
    """What the outermost Concat joins in the end, in order.

    A chain of n Concats that each read the one before twice has 2**n operands; it stays.
    """
    pending: list[tuple[Value | None, Node]] = [
        (value, m.root) for value in reversed(m.root.inputs)
    ]
    included: set[Node] = set()
    operands: list[Value] = []
    allowed = len(m.root.inputs) + _REPEATED
    while pending:
        value, reader = pending.pop()
        inner = _producer(value)
        if inner is not None and _is_absorbed(m, inner, reader):
            if inner not in included:
                included.add(inner)
                m.include(inner)
                allowed += len(inner.inputs)
            pending.extend((each, inner) for each in reversed(inner.inputs))
        elif value is not None:
            operands.append(value)
        m.require(len(operands) <= allowed, "its operands would be repeated too often")
    return operands
