"""Taking whole operands of a Concat, or joining the whole of a Split, copies nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar

from burnish.ir import Node, Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.movement.cuts import ENDLESS, Cut, cut_of, emit_slice
from burnish_passes.movement.split_parts import (
    axis_of,
    emit_split,
    operand_starts,
    part_sizes,
    run_between,
)
from burnish_passes.proofs import as_result


def _whole_split_at(m: Match, position: int) -> Node | None:
    """The Split all of whose parts the Concat joins in order, starting at that input."""
    value = m.root.inputs[position]
    split = None if value is None else value.producer()
    if split is None or split.op_type != "Split" or split.domain or value is not split.outputs[0]:
        return None
    given = m.root.inputs[position : position + len(split.outputs)]
    if len(given) != len(split.outputs) or split.graph is not m.root.graph:
        return None
    return split if all(map(_same, given, split.outputs)) else None


def _same(left: Value | None, right: Value) -> bool:
    return left is right


class JoinWholeSplit(Rule):
    """``Concat(a, *Split(x), b) => Concat(a, x, b)``, and ``=> x`` without ``a`` and ``b``."""

    def before(self, op: Any) -> Any:
        return op.Concat(..., _name="concat")

    def when(self, m: Match) -> None:
        m.suppose(any(_whole_split_at(m, place) for place in range(len(m.root.inputs))))

    def after(self, op: Any, m: Match) -> Any:
        axis = axis_of(m, m.root, 1)
        operands: list[Value | None] = []
        place = 0
        while place < len(m.root.inputs):
            split = _whole_split_at(m, place)
            if split is None or axis_of(m, split, 0) != axis:
                operands.append(m.root.inputs[place])
                place += 1
            else:
                m.include(split)
                operands.append(split.inputs[0])
                place += len(split.outputs)
        m.require(bool(m.included), "Split and Concat have different axes")
        if len(operands) == 1 and operands[0] is not None:
            return as_result(op, m, operands[0])
        return op.Concat(*operands, _attributes=m.root.attributes.values())


def _selected(op: Any, m: Match, concat: Node, first: int, last: int, axis: int) -> Value | None:
    """The operands that make up ``[first, last)`` of a Concat, or None when one is cut."""
    run = run_between(operand_starts(m, concat, axis), first, last)
    if run is None:
        return None
    chosen = [concat.inputs[place] for place in run]
    if len(chosen) == 1:
        return chosen[0]
    if len(chosen) == len(concat.inputs):
        return concat.outputs[0]
    return _joined(op, concat, chosen)


def _joined(op: Any, concat: Node, operands: Sequence[Value | None]) -> Value | None:
    if len(operands) == 1:
        return operands[0]
    made: Value = op.Concat(*operands, _attributes=concat.attributes.values())
    return made


def _cut_operand(
    op: Any, m: Match, concat: Node, starts: list[int], positions: range, axis: int
) -> Value | None:
    """A Slice of the one operand that has all these positions, or None."""
    low, high = min(positions[0], positions[-1]), max(positions[0], positions[-1])
    for value, start, end in zip(concat.inputs, starts, starts[1:], strict=False):
        if value is not None and start <= low and high < end:
            inside = range(positions.start - start, positions.stop - start, positions.step)
            return emit_slice(op, m, value, {axis: Cut.of(inside)})
    return None


class SliceOfConcat(Rule):
    """A Slice that takes whole operands of a Concat, or of one operand alone."""

    def before(self, op: Any) -> Any:
        concat = op.Concat(..., _name="concat", _shared=True)
        return op.Slice(concat, ..., _name="slice")

    def after(self, op: Any, m: Match) -> Any:
        concat = m.node("concat")
        axis = axis_of(m, concat, 1)
        place, cut = cut_of(m, m.node("slice"))
        m.suppose(place == axis)
        starts = operand_starts(m, concat, axis)
        if len(starts) == len(concat.inputs) + 1:
            positions = cut.positions(starts[-1])
        elif cut.start in starts and cut.end >= ENDLESS and cut.step == 1:
            rest = concat.inputs[len(starts) - 1 - starts[::-1].index(cut.start) :]
            joined = _joined(op, concat, rest)
            m.require(joined is not None, "an operand is absent")
            return as_result(op, m, joined) if joined is not None else None
        else:
            known = min(cut.start, cut.end) >= 0 and max(cut.start, cut.end) <= starts[-1]
            m.require(known and cut.step > 0, "the Slice reaches operands whose size is not known")
            positions = range(cut.start, cut.end, cut.step)
        m.require(len(positions) > 0, "the Slice takes nothing")
        chosen = None
        if positions.step == 1:
            chosen = _selected(op, m, concat, positions.start, positions.stop, axis)
        if chosen is None:
            chosen = _cut_operand(op, m, concat, starts, positions, axis)
        if chosen is None:
            m.decline("the Slice takes parts of several operands")
        return as_result(op, m, chosen)


class SplitOfConcat(Rule):
    """A Split whose parts are operands of a Concat, several of them, or parts of one."""

    def before(self, op: Any) -> Any:
        concat = op.Concat(..., _name="concat", _shared=True)
        return op.Split(concat, ..., _name="split", _outputs=...)

    def after(self, op: Any, m: Match) -> Any:
        concat, split = m.node("concat"), m.node("split")
        axis = axis_of(m, concat, 1)
        m.suppose(axis_of(m, split, 0) == axis)
        starts = operand_starts(m, concat, axis)
        m.require(len(starts) == len(concat.inputs) + 1, "a size is known only when it runs")
        sizes = part_sizes(m, split, starts[-1])
        if sizes is None:
            m.decline("the sizes of the parts are not known")
        m.require(min(sizes) > 0, "a part is empty")
        results: list[Value] = []
        first = 0
        while len(results) < len(sizes):
            size = sizes[len(results)]
            chosen = _selected(op, m, concat, first, first + size, axis)
            if chosen is None:
                results.extend(_split_operand(op, m, concat, starts, sizes[len(results) :], axis))
                first = sum(sizes[: len(results)])
            else:
                results.append(chosen)
                first += size
        made = [node.op_type for node in op.nodes]
        m.require("Split" not in made or made.count("Split") + made.count("Concat") == 1, _MORE)
        return tuple(results)


_MORE = "there would be as many operators as before"


def _split_operand(
    op: Any, m: Match, concat: Node, starts: list[int], sizes: Sequence[int], axis: int
) -> Sequence[Value]:
    """The parts of the one operand that as many of ``sizes`` as needed fill exactly.

    The sizes are those of the parts from the start of that operand on.
    """
    first = starts[-1] - sum(sizes)
    for value, start, end in zip(concat.inputs, starts, starts[1:], strict=False):
        ends = list(accumulate(sizes, initial=first))
        if start == first and end > start and end in ends and value is not None:
            made: Sequence[Value] = emit_split(op, m, value, sizes[: ends.index(end)], axis)
            return made
    m.decline("a part takes from several operands")


@dataclass(frozen=True)
class SelectFromSplit(RuleSet):
    """Take the operand instead of cutting it out again.

    ``Concat(Split(x)) => x``, all parts in order, along one axis:

    Before::

        agraph (float[2,6] x) => (float[2,6] y) {
            a, b = Split <axis = 1, num_outputs = 2> (x)
            t = Concat <axis = 1> (a, b)
            y = Relu(t)
        }

    After::

        agraph (float[2,6] x) => (float[2,6] y) {
            y = Relu(x)
        }

    ``Slice(Concat(a, b)) => b`` and ``Split(Concat(a, b)) => a, b`` where the cuts are the joints:

    Before::

        agraph (float[2,3] a, float[2,4] b) => (float[2,4] y, float[2,3] z, float[2,4] w) {
            starts = Constant <value = int64[1] {3}> ()
            ends = Constant <value = int64[1] {7}> ()
            axes = Constant <value = int64[1] {1}> ()
            sizes = Constant <value = int64[2] {3, 4}> ()
            t = Concat <axis = 1> (a, b)
            u = Slice(t, starts, ends, axes)
            y = Relu(u)
            p, q = Split <axis = 1> (t, sizes)
            z = Relu(p)
            w = Sigmoid(q)
        }

    After::

        agraph (float[2,3] a, float[2,4] b) => (float[2,4] y, float[2,3] z, float[2,4] w) {
            y = Relu(b)
            z = Relu(a)
            w = Sigmoid(b)
        }

    A cut that lies inside one operand is made there, and the Concat is not needed for it:

    Before::

        agraph (float[3] a, float[4] b) => (float[2] y) {
            starts = Constant <value = int64[1] {4}> ()
            ends = Constant <value = int64[1] {6}> ()
            t = Concat <axis = 0> (a, b)
            y = Slice(t, starts, ends)
        }

    After::

        agraph (float[3] a, float[4] b) => (float[2] y)
            <int64[1] starts = {1}, int64[1] ends = {3}, int64[1] axes = {0}> {
            y = Slice(b, starts, ends, axes)
        }

    BITWISE: elements only move. Catalogue row C11. Source: ONNX operator specifications of
    Concat, Split and Slice.
    """

    name: ClassVar[str] = "select-from-split"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (JoinWholeSplit, SliceOfConcat, SplitOfConcat)
