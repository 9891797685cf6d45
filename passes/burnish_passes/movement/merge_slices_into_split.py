"""Slices that divide an axis among them are one Split."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Graph, Model, Node, Scope, Value
from burnish.match import Declined, Match, Mismatch
from burnish.passdef import Context, Exactness, Pass
from burnish.symbolic import Dim, is_nonnegative, known_equal
from burnish_passes.movement.split_parts import emit_split
from burnish_passes.movement.together import replace_together
from burnish_passes.proofs import has_static_contents, operand, static_ints


@dataclass(frozen=True)
class _Piece:
    """``[start, start + size)`` of an axis, which a Slice takes."""

    node: Node
    axis: int
    start: Dim
    size: Dim


@dataclass(frozen=True)
class MergeSlicesIntoSplit(Pass):
    """Merge Slices that together take every element of an axis once into one Split.

    ``x[:k], x[k:] => Split(x, [k, n - k])``, the order in which they stand does not matter.

    Before::

        agraph (float[2,6] x) => (float[2,6] y)
            <int64[1] zero = {0}, int64[1] three = {3}, int64[1] end = {9223372036854775807},
             int64[1] axis = {1}> {
            a = Slice(x, three, end, axis)
            b = Neg(a)
            c = Slice(x, zero, three, axis)
            y = Concat <axis = 1> (b, c)
        }

    After::

        agraph (float[2,6] x) => (float[2,6] y)
            <int64[1] zero = {0}, int64[1] three = {3}, int64[1] end = {9223372036854775807},
             int64[1] axis = {1}> {
            c, a = Split <axis = 1, num_outputs = 2> (x)
            b = Neg(a)
            y = Concat <axis = 1> (b, c)
        }

    Sizes known only when the model runs must be provably equal, so that none need be computed.

    BITWISE: elements only move. Catalogue row C12. Source: ONNX operator specifications of Slice
    and Split.
    """

    name: ClassVar[str] = "merge-slices-into-split"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the Slices of each value in turn."""
        readers: dict[tuple[Value, Graph], list[tuple[Node, Scope]]] = {}
        for node, scope in ctx.nodes(model, [("", "Slice")]):
            data = operand(node, 0)
            if data is not None:
                readers.setdefault((data, scope.graph), []).append((node, scope))
        for entries in readers.values():
            if len(entries) > 1:
                self._merge(entries, ctx)

    def _merge(self, entries: Sequence[tuple[Node, Scope]], ctx: Context) -> None:
        by_axis: dict[int, list[_Piece]] = {}
        for node, scope in entries:
            piece = _piece(Match(node, scope, ctx))
            if piece is not None and piece.size != 0:
                by_axis.setdefault(piece.axis, []).append(piece)
        scope = entries[0][1]
        for axis, pieces in by_axis.items():
            shape = ctx.shapes.shape(_data(pieces[0].node)) or ()
            chain = _chain(pieces, shape[axis])
            if len(chain) < 2:
                continue
            nodes = [piece.node for piece in pieces if piece in chain]
            build = functools.partial(_split, axis=axis, chain=chain)
            replace_together(self.name, Match(nodes[0], scope, ctx), nodes, build)


def _data(node: Node) -> Value:
    value = node.inputs[0]
    assert value is not None
    return value


def _piece(m: Match) -> _Piece | None:
    """What the Slice takes, if that is a run of one axis."""
    try:
        return _found_piece(m)
    except (Declined, Mismatch):
        return None


def _found_piece(m: Match) -> _Piece:
    node = m.root
    axes, steps = static_ints(m, node, "axes", 3), static_ints(m, node, "steps", 4)
    m.suppose(steps == (1,) or not has_static_contents(node, "steps", 4))
    m.suppose(axes is not None or not has_static_contents(node, "axes", 3))
    before, after = m.shape_of(_data(node)), m.shape_of(node.outputs[0])
    starts: Sequence[Dim] | None = static_ints(m, node, "starts", 1)
    if starts is None:
        value = operand(node, 1)
        contents = None if value is None else m.ctx.shapes.contents(value)
        starts = None if contents is None else contents.dims()
    if starts is None or len(starts) != 1:
        raise Mismatch
    axis = (axes or (0,))[0] % len(before)
    start, size = starts[0], before[axis]
    if is_nonnegative(start) is False and isinstance(size, int):
        start = start + size
    # A start behind the end takes nothing, and then the sizes do not add up.
    m.suppose(bool(is_nonnegative(start)))
    return _Piece(node, axis, start, after[axis])


def _chain(pieces: Sequence[_Piece], total: Dim) -> list[_Piece]:
    """The pieces in the order in which they make up the whole axis; none when they do not."""
    left = list(pieces)
    found: list[_Piece] = []
    place: Dim = 0
    while not known_equal(place, total):
        following = [piece for piece in left if known_equal(piece.start, place)]
        if not following:
            return []
        found.append(following[0])
        left.remove(following[0])
        place = place + following[0].size
    numbers = all(isinstance(piece.size, int) for piece in found)
    return found if numbers or all(known_equal(p.size, found[0].size) for p in found) else []


def _split(op: Any, m: Match, axis: int, chain: Sequence[_Piece]) -> Sequence[tuple[Value, Value]]:
    sizes = [piece.size if isinstance(piece.size, int) else 1 for piece in chain]
    parts = emit_split(op, m, _data(m.root), sizes, axis)
    return [(piece.node.outputs[0], part) for piece, part in zip(chain, parts, strict=True)]
