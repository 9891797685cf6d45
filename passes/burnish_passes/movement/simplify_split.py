"""A Split makes no parts that nobody reads alone."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar

from burnish.ir import Model, Node, Value
from burnish.match import Declined, Match
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.movement.cuts import BACK, Cut, emit_slice
from burnish_passes.movement.split_parts import axis_of, emit_split, part_sizes
from burnish_passes.movement.together import replace_together
from burnish_passes.proofs import static_ints


@dataclass(frozen=True)
class SimplifySplit(Pass):
    """Let a Split make only the parts that are needed.

    ``Split(x)[i] => Slice(x)`` when nobody reads another part:

    Before::

        agraph (float[2,6] x) => (float[2,2] y) {
            a, b, c = Split <axis = 1, num_outputs = 3> (x)
            y = Neg(b)
        }

    After::

        agraph (float[2,6] x) => (float[2,2] y)
            <int64[1] start = {2}, int64[1] end = {4}, int64[1] axis = {1}> {
            b = Slice(x, start, end, axis)
            y = Neg(b)
        }

    ``Concat(a, b) => ab`` when a and b are parts side by side that only this Concat reads; parts
    side by side that nobody reads are one, too:

    Before::

        agraph (float[6] x) => (float[4] y, float[2] z) {
            a, b, c = Split <axis = 0, num_outputs = 3> (x)
            t = Concat <axis = 0> (a, b)
            y = Neg(t)
            z = Relu(c)
        }

    After::

        agraph (float[6] x) => (float[4] y, float[2] z) <int64[2] sizes = {4, 2}> {
            t, c = Split <axis = 0> (x, sizes)
            y = Neg(t)
            z = Relu(c)
        }

    BITWISE: elements only move. Catalogue rows C11, C22. Source: ONNX operator specifications of
    Split and Slice.
    """

    name: ClassVar[str] = "simplify-split"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each Split once."""
        for node, scope in ctx.nodes(model, [("", "Split")]):
            if len(node.outputs) < 2:
                continue
            read = [_is_read(part) for part in node.outputs]
            if sum(read) == 1:
                build = functools.partial(_slice, place=read.index(True))
                replace_together(self.name, Match(node, scope, ctx), [node], build)
            elif any(read):
                self._join(Match(node, scope, ctx))

    def _join(self, m: Match) -> None:
        runs = list(_runs(m))
        if len(runs) in (1, len(m.root.outputs)):
            return
        concats = dict.fromkeys(run.concat for run in runs if run.concat is not None)
        old = [m.root, *(concat for concat in concats)]
        replace_together(self.name, m, old, functools.partial(_resplit, runs=runs))


@dataclass(frozen=True)
class _Run:
    """Parts side by side that become one: unread ones, or all that ``concat`` joins."""

    first: int
    count: int
    concat: Node | None = None


def _is_read(value: Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _runs(m: Match) -> Iterator[_Run]:
    """The parts in order, in the longest runs."""
    parts = m.root.outputs
    place = 0
    while place < len(parts):
        concat = _joined_by(m, place)
        count = 1
        if concat is not None:
            count = len(concat.inputs)
        elif not _is_read(parts[place]):
            while place + count < len(parts) and not _is_read(parts[place + count]):
                count += 1
        yield _Run(place, count, concat)
        place += count


def _joined_by(m: Match, place: int) -> Node | None:
    """The Concat that joins parts from this one on, in order, nothing else, and alone does."""
    split = m.root
    readers = split.outputs[place].consumers()
    if len(readers) != 1:
        return None
    concat = readers[0]
    parts = split.outputs[place : place + len(concat.inputs)]
    if concat.op_type != "Concat" or concat.domain or concat.graph is not split.graph:
        return None
    if len(parts) < 2 or list(concat.inputs) != list(parts):
        return None
    if any(part.is_graph_output() or len(part.uses()) != 1 for part in parts):
        return None
    try:
        same = axis_of(m, concat, 1) == axis_of(m, split, 0)
    except Declined:
        return None
    return concat if same else None


def _sizes(m: Match, axis: int) -> list[int]:
    """The sizes of all parts; declines when they are not known."""
    given = static_ints(m, m.root, "split", 1)
    data = m.root.inputs[0]
    total = None if data is None else m.shape_of(data)[axis]
    if isinstance(total, int):
        found = part_sizes(m, m.root, total)
    else:
        found = list(given) if given is not None and len(given) == len(m.root.outputs) else None
    if found is None:
        m.decline("the sizes of the parts are not known")
    return found


def _slice(op: Any, m: Match, place: int) -> Sequence[tuple[Value, Value]]:
    axis = axis_of(m, m.root, 0)
    sizes = _sizes(m, axis)
    start = sum(sizes[:place])
    last = place == len(sizes) - 1 and sizes[place] > 0
    cut = Cut(start, BACK if last else start + sizes[place])
    part = m.root.outputs[place]
    return [(part, emit_slice(op, m, _data(m), {axis: cut}))]


def _data(m: Match) -> Value:
    value = m.root.inputs[0]
    assert value is not None
    return value


def _resplit(op: Any, m: Match, runs: Sequence[_Run]) -> Sequence[tuple[Value, Value]]:
    axis = axis_of(m, m.root, 0)
    starts = list(accumulate(_sizes(m, axis), initial=0))
    sizes = [starts[run.first + run.count] - starts[run.first] for run in runs]
    parts = emit_split(op, m, _data(m), sizes, axis)
    pairs: list[tuple[Value, Value]] = []
    for run, part in zip(runs, parts, strict=True):
        was = m.root.outputs[run.first] if run.concat is None else run.concat.outputs[0]
        if _is_read(was):
            pairs.append((was, part))
    return pairs
