"""Sequences whose elements are known are not made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.movement.cuts import Cut, emit_slice
from burnish_passes.movement.views import emit_axes
from burnish_passes.proofs import as_result, operand, static_ints


def _elements(node: Node) -> list[Value]:
    """What a SequenceConstruct holds; nothing for SequenceEmpty."""
    return [value for value in node.inputs if value is not None]


def _place(m: Match, count: int, default: int) -> int:
    """The constant position a sequence operator names, from the front, below ``count``."""
    given = m.get("place")
    if given is None:
        return default
    place = int(m.const("place").reshape(-1)[0])
    m.require(-count <= place < count, "the position is out of range")
    return place % count


class AtOfList(Rule):
    """``SequenceAt(SequenceConstruct(a, b), 1) => b``."""

    def before(self, op: Any, place: Any) -> Any:
        items = op.SequenceConstruct(..., _name="list", _shared=True)
        return op.SequenceAt(items, place.constant)

    def after(self, op: Any, m: Match) -> Any:
        elements = _elements(m.node("list"))
        return as_result(op, m, elements[_place(m, len(elements), 0)])


class LengthOfList(Rule):
    """``SequenceLength(SequenceConstruct(a, b)) => 2``."""

    def before(self, op: Any) -> Any:
        items = op.either("SequenceConstruct", "SequenceEmpty")
        return op.SequenceLength(items(..., _name="list", _shared=True))

    def after(self, op: Any, m: Match) -> Any:
        count = op.constant(np.array(len(_elements(m.node("list"))), dtype=np.int64))
        return op.Identity(count) if m.root.outputs[0].is_graph_output() else count


class InsertIntoList(Rule):
    """``SequenceInsert(SequenceConstruct(a, b), c) => SequenceConstruct(a, b, c)``."""

    def before(self, op: Any, x: Any, place: Any) -> Any:
        items = op.either("SequenceConstruct", "SequenceEmpty")
        made = items(..., _name="list", _shared=True)
        return op.SequenceInsert(made, x, place.constant.optional)

    def after(self, op: Any, m: Match) -> Any:
        elements = _elements(m.node("list"))
        place = len(elements)
        if m.get("place") is not None:
            place = int(m.const("place").reshape(-1)[0])
            m.require(abs(place) <= len(elements), "the position is out of range")
        elements.insert(place, m["x"])
        return op.SequenceConstruct(*elements)


class EraseFromList(Rule):
    """``SequenceErase(SequenceConstruct(a, b), 0) => SequenceConstruct(b)``."""

    def before(self, op: Any, place: Any) -> Any:
        items = op.SequenceConstruct(..., _name="list", _shared=True)
        return op.SequenceErase(items, place.constant.optional)

    def after(self, op: Any, m: Match) -> Any:
        elements = _elements(m.node("list"))
        m.require(len(elements) > 1, "nothing would be left")
        del elements[_place(m, len(elements), len(elements) - 1)]
        return op.SequenceConstruct(*elements)


class ConcatOfList(Rule):
    """``ConcatFromSequence(SequenceConstruct(a, b)) => Concat(a, b)``, unsqueezed for a new axis."""

    def before(self, op: Any) -> Any:
        items = op.SequenceConstruct(..., _name="list", _shared=True)
        return op.ConcatFromSequence(items, _name="join")

    def after(self, op: Any, m: Match) -> Any:
        elements = _elements(m.node("list"))
        axis = m.attr("join", "axis")
        if m.attr("join", "new_axis", 0):
            made = {item: emit_axes(op, m, "Unsqueeze", item, [axis]) for item in _once(elements)}
            elements = [made[item] for item in elements]
        return op.Concat(*elements, axis=axis)


def _once(elements: list[Value]) -> list[Value]:
    """Each element once, in order."""
    return list(dict.fromkeys(elements))


def _split_axis(m: Match, node: Node) -> int:
    """The axis a SplitToSequence divides, from the front."""
    data = node.inputs[0]
    rank = len(m.shape_of(data)) if data is not None else 0
    axis: int = attribute(node, "axis", 0)
    m.require(-rank <= axis < rank, "the axis is out of range")
    return axis % rank


def _drops_axis(node: Node) -> bool:
    """Whether the elements lack the axis: they are single places, by default with it."""
    return operand(node, 1) is None and attribute(node, "keepdims", 1) == 0


def _pieces(m: Match, node: Node) -> list[range]:
    """What of the axis each element of a SplitToSequence holds; declines when not known."""
    data, given = node.inputs[0], operand(node, 1)
    total = m.shape_of(data)[_split_axis(m, node)] if data is not None else None
    sizes = (1,) if given is None else static_ints(m, node, "split", 1)
    if sizes is None:
        m.decline("the sizes of the elements are not known")
    if given is not None and len(m.shape_of(given)) == 1:
        ends = np.cumsum(sizes).tolist()
        return [range(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    if not isinstance(total, int):
        m.decline("how many elements there are is not known")
    m.require(sizes[0] > 0, "the elements are empty")
    return [range(start, min(start + sizes[0], total)) for start in range(0, total, sizes[0])]


class AtOfSplit(Rule):
    """``SequenceAt(SplitToSequence(x), i) => x[i:i + 1]``, or the Gather without the axis."""

    def before(self, op: Any, place: Any) -> Any:
        parts = op.SplitToSequence(..., _name="split", _shared=True)
        return op.SequenceAt(parts, place.constant)

    def after(self, op: Any, m: Match) -> Any:
        split = m.node("split")
        axis, data = _split_axis(m, split), split.inputs[0]
        assert data is not None
        if _drops_axis(split):
            place = op.constant(np.array(int(m.const("place").reshape(-1)[0]), dtype=np.int64))
            return op.Gather(data, place, axis=axis)
        pieces = _pieces(m, split)
        piece = pieces[_place(m, len(pieces), 0)]
        return emit_slice(op, m, data, {axis: Cut(piece.start, piece.stop)})


class LengthOfSplit(Rule):
    """``SequenceLength(SplitToSequence(x))`` is a number when the sizes are."""

    def before(self, op: Any) -> Any:
        return op.SequenceLength(op.SplitToSequence(..., _name="split", _shared=True))

    def after(self, op: Any, m: Match) -> Any:
        count = op.constant(np.array(len(_pieces(m, m.node("split"))), dtype=np.int64))
        return op.Identity(count) if m.root.outputs[0].is_graph_output() else count


class ConcatOfSplit(Rule):
    """``ConcatFromSequence(SplitToSequence(x)) => x`` along one axis."""

    def before(self, op: Any) -> Any:
        parts = op.SplitToSequence(..., _name="split", _shared=True)
        return op.ConcatFromSequence(parts, _name="join")

    def after(self, op: Any, m: Match) -> Any:
        split = m.node("split")
        axis, data = _split_axis(m, split), split.inputs[0]
        assert data is not None
        dropped = _drops_axis(split)
        rank = len(m.shape_of(data))
        m.suppose(m.attr("join", "new_axis", 0) == int(dropped))
        m.suppose(m.attr("join", "axis") % rank == axis)
        return as_result(op, m, data)


@dataclass(frozen=True)
class ResolveSequences(RuleSet):
    """Resolve sequences whose elements are known.

    SequenceAt and SequenceLength of a list written down; SequenceInsert and SequenceErase are
    another list; ConcatFromSequence of it is Concat:

    Before::

        agraph (float[2] a, float[2] b) => (float[4] y, float[2] z) {
            one = Constant <value = int64 {1}> ()
            list = SequenceConstruct(a)
            both = SequenceInsert(list, b)
            y = ConcatFromSequence <axis = 0> (both)
            t = SequenceAt(both, one)
            z = Neg(t)
        }

    After::

        agraph (float[2] a, float[2] b) => (float[4] y, float[2] z) {
            y = Concat <axis = 0> (a, b)
            z = Neg(b)
        }

    An element of SplitToSequence is a Slice, and joining all of them gives back the whole:

    Before::

        agraph (float[6] x) => (float[2] y, float[6] z) {
            two = Constant <value = int64 {2}> ()
            last = Constant <value = int64 {-1}> ()
            parts = SplitToSequence(x, two)
            t = SequenceAt(parts, last)
            y = Neg(t)
            u = ConcatFromSequence <axis = 0> (parts)
            z = Relu(u)
        }

    After::

        agraph (float[6] x) => (float[2] y, float[6] z)
            <int64[1] start = {4}, int64[1] end = {6}, int64[1] axis = {0}> {
            t = Slice(x, start, end, axis)
            y = Neg(t)
            z = Relu(x)
        }

    BITWISE: elements only move. Catalogue row C21. Source: ONNX operator specifications.
    """

    name: ClassVar[str] = "resolve-sequences"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (
        AtOfList,
        LengthOfList,
        InsertIntoList,
        EraseFromList,
        ConcatOfList,
        AtOfSplit,
        LengthOfSplit,
        ConcatOfSplit,
    )
