"""Taking whole operands of a Concat, or joining the whole of a Split, copies nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.movement.split_parts import axis_of, operand_starts, part_sizes, run_between
from burnish_passes.proofs import as_result, has_static_contents, static_ints


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
    made: Value = op.Concat(*chosen, _attributes=concat.attributes.values())
    return made


_END = 2**31 - 1


class SliceOfConcat(Rule):
    """A Slice that takes whole operands of a Concat."""

    def before(self, op: Any) -> Any:
        concat = op.Concat(..., _name="concat", _shared=True)
        return op.Slice(concat, ..., _name="slice")

    def after(self, op: Any, m: Match) -> Any:
        concat, cut = m.node("concat"), m.node("slice")
        axis = axis_of(m, concat, 1)
        rank = len(m.shape_of(concat.outputs[0]))
        starts, ends = static_ints(m, cut, "starts", 1), static_ints(m, cut, "ends", 2)
        axes, steps = static_ints(m, cut, "axes", 3), static_ints(m, cut, "steps", 4)
        if not starts or not ends:
            m.decline("where the Slice begins or ends is not known")
        known = axes is not None or not has_static_contents(cut, "axes", 3)
        known = known and (steps is not None or not has_static_contents(cut, "steps", 4))
        m.require(known, "axes or steps of the Slice are not known")
        m.require(steps is None or set(steps) == {1}, "the Slice skips or reverses")
        axes = tuple(range(len(starts))) if axes is None else axes
        m.suppose(len(starts) == len(ends) == len(axes) == 1 and axes[0] % rank == axis)
        chosen = self.chosen(op, m, concat, starts[0], ends[0], axis)
        if chosen is None:
            m.decline("the Slice does not take whole operands of known size")
        return as_result(op, m, chosen)

    def chosen(
        self, op: Any, m: Match, concat: Node, first: int, last: int, axis: int
    ) -> Value | None:
        """The operands between the two positions, which may count from the end."""
        offsets = operand_starts(m, concat, axis)
        total = offsets[-1] if len(offsets) == len(concat.inputs) + 1 else None
        if total is not None:
            first, last, _ = slice(first, last).indices(total)
        elif first in offsets and last >= _END:
            rest = concat.inputs[len(offsets) - 1 - offsets[::-1].index(first) :]
            if len(rest) == 1:
                return rest[0]
            made: Value = op.Concat(*rest, _attributes=concat.attributes.values())
            return made
        return _selected(op, m, concat, first, last, axis)


class SplitOfConcat(Rule):
    """A Split each part of which is made of whole operands of a Concat."""

    def before(self, op: Any) -> Any:
        concat = op.Concat(..., _name="concat", _shared=True)
        return op.Split(concat, ..., _name="split", _outputs=...)

    def after(self, op: Any, m: Match) -> Any:
        concat, split = m.node("concat"), m.node("split")
        axis = axis_of(m, concat, 1)
        default = attribute(split, "axis", 0)
        m.suppose(default % len(m.shape_of(concat.outputs[0])) == axis)
        offsets = operand_starts(m, concat, axis)
        m.require(len(offsets) == len(concat.inputs) + 1, "a size is known only when it runs")
        sizes = part_sizes(m, split, offsets[-1])
        if sizes is None:
            m.decline("the sizes of the parts are not known")
        results: list[Value] = []
        start = 0
        for size in sizes:
            chosen = _selected(op, m, concat, start, start + size, axis)
            if chosen is None:
                m.decline("a part does not consist of whole operands")
            results.append(chosen)
            start += size
        return tuple(results)


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

    BITWISE: elements only move. Catalogue row C11. Source: ONNX operator specifications of
    Concat, Split and Slice.
    """

    name: ClassVar[str] = "select-from-split"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (JoinWholeSplit, SliceOfConcat, SplitOfConcat)
