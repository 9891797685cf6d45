"""Gathers of constant places are Slices, and the other way round where that saves an operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Node, Value, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.movement.cuts import ENDLESS, Cut, cut_of, emit_slice
from burnish_passes.movement.split_parts import axis_of, part_sizes
from burnish_passes.movement.views import VIEWS, emit_axes, known_axes


def _gathered_axis(m: Match) -> int:
    """The axis of ``x`` a Gather takes from; ``x`` is data, neither constant nor a shape."""
    shape = m.shape("x")
    m.suppose(constant(m["x"]) is None)
    m.suppose(len(shape) > 1 or m.dtype("x").is_floating_point())
    axis: int = m.attr("gather", "axis", 0)
    m.require(-len(shape) <= axis < len(shape), "the axis is out of range")
    return axis % len(shape)


def _places(m: Match, size: int) -> list[int]:
    """The constant indices, counted from the front; declines those out of range."""
    given = m.const("places").reshape(-1).tolist()
    m.require(all(-size <= place < size for place in given), "an index is out of range")
    return [place % size for place in given]


def _size(m: Match, axis: int) -> int:
    size = m.shape("x")[axis]
    if not isinstance(size, int):
        m.decline("an index may be out of range: the size is known only when it runs")
    return size


class GatherOfRange(Rule):
    """``Gather(x, [2, 3, 4]) => x[2:5]``, and ``=> x`` where that is everything."""

    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any, places: Any) -> Any:
        return op.Gather(x, places.constant, _name="gather")

    def when(self, m: Match) -> None:
        held = constant(m["places"])
        m.suppose(held is not None and len(held.shape) == 1 and held.size > 0)

    def after(self, op: Any, m: Match) -> Any:
        axis = _gathered_axis(m)
        size = _size(m, axis)
        held = constant(m["places"])
        # A table of places, such as of relative positions, is not even read.
        m.suppose(held is not None and held.size <= size)
        places = _places(m, size)
        step = places[1] - places[0] if len(places) > 1 else 1
        positions = range(places[0], places[0] + len(places) * step, step) if step else range(0)
        m.suppose(places == list(positions))
        if positions == range(size):
            return m["x"]
        m.suppose(step == 1 or m.opset >= 10)
        return emit_slice(op, m, m["x"], {axis: Cut.of(positions)})


class GatherOfOne(Rule):
    """``Gather(x, 0) => Squeeze(x)`` where the axis has one element alone."""

    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any, places: Any) -> Any:
        return op.Gather(x, places.constant, _name="gather")

    def when(self, m: Match) -> None:
        held = constant(m["places"])
        m.suppose(held is not None and len(held.shape) == 0)

    def after(self, op: Any, m: Match) -> Any:
        axis = _gathered_axis(m)
        m.suppose(m.shape("x")[axis] == 1)
        _places(m, 1)
        return emit_axes(op, m, "Squeeze", m["x"], [axis])


class UnsqueezedGather(Rule):
    """``Unsqueeze(Gather(x, i)) => x[i:i + 1]`` where the axis comes back."""

    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any, places: Any) -> Any:
        return op.Unsqueeze(op.Gather(x, places.constant, _name="gather"), ..., _name="view")

    def when(self, m: Match) -> None:
        held = constant(m["places"])
        m.suppose(held is not None and len(held.shape) == 0)

    def after(self, op: Any, m: Match) -> Any:
        axis = _gathered_axis(m)
        m.suppose(known_axes(m, m.node("view")) == (axis,))
        place = _places(m, _size(m, axis))[0]
        return emit_slice(op, m, m["x"], {axis: Cut(place, place + 1)})


def _emit_gather(op: Any, m: Match, x: Value, place: int, axis: int) -> Value:
    m.require(place >= 0 or m.opset >= 11, "Gather counts from the end only from opset 11 on")
    made: Value = op.Gather(x, op.constant(np.array(place, dtype=np.int64)), axis=axis)
    return made


class SqueezedSlice(Rule):
    """``Squeeze(x[i:i + 1]) => Gather(x, i)``."""

    def before(self, op: Any, x: Any) -> Any:
        return op.Squeeze(op.Slice(x, ..., _name="slice"), ..., _name="view")

    def after(self, op: Any, m: Match) -> Any:
        axes = known_axes(m, m.node("view"))
        axis, cut = cut_of(m, m.node("slice"))
        m.suppose(axes == (axis,))
        last = cut.start == -1 and cut.end >= ENDLESS
        m.suppose(cut.step == 1)
        m.require(last or (cut.end == cut.start + 1 and cut.end != 0), "the Slice may take several")
        return _emit_gather(op, m, m["x"], cut.start, axis)


def _single_axis(m: Match, node: Node) -> int | None:
    """The axis a Squeeze removes when it removes just one and no other view would take it over."""
    if node.op_type != "Squeeze" or node.domain or node.graph is not m.root.graph:
        return None
    readers = node.outputs[0].consumers()
    if len(readers) == 1 and readers[0].op_type in VIEWS:
        return None
    axes = known_axes(m, node)
    return axes[0] if axes is not None and len(axes) == 1 else None


class SqueezedParts(Rule):
    """``Squeeze(Split(x)[i]) => Gather(x, i)`` where all that reads the parts is like this."""

    def before(self, op: Any) -> Any:
        # Any result of the Split may be the one, which a pattern cannot spell.
        return op.Squeeze(..., _name="view")

    def after(self, op: Any, m: Match) -> Any:
        part = m.root.inputs[0]
        split = None if part is None else part.producer()
        m.suppose(split is not None and split.op_type == "Split" and split.domain == "")
        assert split is not None
        assert part is not None
        m.suppose(split.graph is m.root.graph and split.inputs[0] is not None)
        for output in split.outputs:
            m.suppose(not output.is_graph_output() and len(output.uses()) <= 1)
        axis = axis_of(m, split, 0)
        readers = [reader for output in split.outputs for reader in output.consumers()]
        m.suppose(all(_single_axis(m, node) == axis for node in readers))
        x = split.inputs[0]
        assert x is not None
        total = m.shape_of(x)[axis]
        sizes = part_sizes(m, split, total) if isinstance(total, int) else None
        m.require(sizes is not None and set(sizes) == {1}, "a part may have several elements")
        m.include(split)
        return _emit_gather(op, m, x, split.outputs.index(part), axis)


@dataclass(frozen=True)
class SimplifyGather(RuleSet):
    """Take constant places the cheapest way.

    ``Gather(x, [1, 2]) => x[1:3]``, ``Gather(x, [0, 1, ..., n - 1]) => x``; a Slice copies whole
    runs and joins with other Slices:

    Before::

        agraph (float[2,4] x) => (float[2,2] y) {
            i = Constant <value = int64[2] {1, -2}> ()
            t = Gather <axis = 1> (x, i)
            y = Neg(t)
        }

    After::

        agraph (float[2,4] x) => (float[2,2] y)
            <int64[1] starts = {1}, int64[1] ends = {3}, int64[1] axes = {1}> {
            t = Slice(x, starts, ends, axes)
            y = Neg(t)
        }

    ``Unsqueeze(Gather(x, i)) => x[i:i + 1]``, and ``Squeeze(x[i:i + 1]) => Gather(x, i)``, which
    is one operator less each time; the same for a Split into single elements (``unbind``):

    Before::

        agraph (float[2,4] x) => (float[4] y, float[4] z) {
            axis = Constant <value = int64[1] {0}> ()
            p, q = Split <axis = 0, num_outputs = 2> (x)
            a = Squeeze(p, axis)
            b = Squeeze(q, axis)
            y = Neg(a)
            z = Relu(b)
        }

    After::

        agraph (float[2,4] x) => (float[4] y, float[4] z) <int64 zero = {0}, int64 one = {1}> {
            a = Gather <axis = 0> (x, zero)
            b = Gather <axis = 0> (x, one)
            y = Neg(a)
            z = Relu(b)
        }

    An axis of one element is removed without a copy: ``Gather(x, 0) => Squeeze(x)``.

    BITWISE: elements only move. A Gather out of range fails where a Slice would take less, so the
    size must be known. Catalogue row C13. Source: ONNX operator specifications of Gather and Slice.
    """

    name: ClassVar[str] = "simplify-gather"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (
        GatherOfRange,
        GatherOfOne,
        UnsqueezedGather,
        SqueezedSlice,
        SqueezedParts,
    )
