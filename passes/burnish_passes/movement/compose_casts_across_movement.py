"""Casts with only movement of elements between them become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import DataType, Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.movement.compose_casts import why_not_skipped
from burnish_passes.proofs import as_result

_MOVES = frozenset(
    {"Expand", "Flatten", "Gather", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
"""Operators that copy elements of their first input, of whatever type."""

_ALWAYS = frozenset(
    {DataType.BOOL, DataType.DOUBLE, DataType.FLOAT, DataType.FLOAT16}
    | {DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64}
    | {DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64}
)
"""Types that movement had from the first opset on."""


def _is_read_once(node: Node) -> bool:
    output = node.outputs[0]
    return not output.is_graph_output() and len(output.uses()) == 1


def _moves_before(cast: Node) -> tuple[list[Node], Node | None]:
    """The movement that leads to ``cast``, last operator first, and the Cast before it."""
    moves: list[Node] = []
    value = cast.inputs[0]
    while True:
        node = None if value is None else value.producer()
        if node is None or node.domain or node.graph is not cast.graph:
            return moves, None
        if node.op_type == "Cast":
            return moves, node
        if node.op_type not in _MOVES or not _is_read_once(node):
            return moves, None
        moves.append(node)
        value = node.inputs[0]


@dataclass(frozen=True)
class ComposeCastsAcrossMovement(Rule):
    """Let two Casts meet across Reshape, Transpose, Slice and their like.

    ``Cast[c](move(Cast[b](x))) => Cast[c](move(x))``, and ``=> move(x)`` where ``c`` is the type of
    ``x``, if every value of the type of ``x`` is a value of ``b``, as in ``compose-casts``.

    Before::

        agraph (float16[2,3] x) => (float16[6] y) <int64[1] s = {6}> {
            a = Cast <to = 1> (x)
            b = Transpose <perm = [1, 0]> (a)
            c = Reshape(b, s)
            d = Cast <to = 10> (c)
            y = Relu(d)
        }

    After::

        agraph (float16[2,3] x) => (float16[6] y) <int64[1] s = {6}> {
            b = Transpose <perm = [1, 0]> (x)
            c = Reshape(b, s)
            y = Relu(c)
        }

    BITWISE: movement copies elements of any type. Catalogue row C20. Source: value sets of the
    types, as for ``compose-casts``.
    """

    name: ClassVar[str] = "compose-casts-across-movement"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, x: Any) -> Any:
        return op.Cast(x, _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(m.opset >= 6)  # before, `to` is a string
        moves, inner = _moves_before(m.root)
        if not moves or inner is None or inner.inputs[0] is None:
            m.suppose(False)
        assert inner is not None
        value = inner.inputs[0]
        assert value is not None
        source = m.ctx.shapes.dtype(value)
        target = DataType(m.attr("outer", "to"))
        m.suppose(source is not None and (source == target or _is_read_once(inner)))
        assert source is not None
        why = why_not_skipped(source, DataType(attribute(inner, "to")), target)
        if why:
            m.decline(why)
        known = source in _ALWAYS or (source == DataType.BFLOAT16 and m.opset >= 13)
        m.require(known, f"not every operator moves {source.name.lower()}")
        return self.moved(op, m, value, moves, inner, source == target)

    def moved(
        self, op: Any, m: Match, value: Value, moves: list[Node], inner: Node, cancel: bool
    ) -> Value:
        """The same movement of ``value``, and the outer Cast unless the two ``cancel``."""
        for node in reversed(moves):
            m.include(node)
            build = getattr(op, node.op_type)
            value = build(value, *node.inputs[1:], _attributes=node.attributes.values())
        if _is_read_once(inner):
            m.include(inner)
        if cancel:
            return as_result(op, m, value)
        made: Value = op.Cast(value, _attributes=m.root.attributes.values())
        return made
