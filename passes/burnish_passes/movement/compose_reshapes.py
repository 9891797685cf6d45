"""Reshape, Flatten, Squeeze and Unsqueeze in a row become one, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish.symbolic import Dim, is_positive, known_equal
from burnish_passes.movement.views import VIEWS, emit_axes, emit_reshape, expressible, known_axes
from burnish_passes.proofs import as_result, operand, same_shape, static_ints


def _middle(m: Match) -> Value:
    """The value between the two operators."""
    return m.node("inner").outputs[0]


class CancelViews(Rule):
    """Two views that give back the shape they were given."""

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either(*VIEWS)(x, ..., _name="inner", _shared=True)
        return op.either(*VIEWS)(inner, ..., _name="outer")

    def when(self, m: Match) -> None:
        m.suppose(same_shape(m, m["x"], m.root.outputs[0]))

    def after(self, op: Any, m: Match) -> Any:
        return as_result(op, m, m["x"])


class ComposeAxes(Rule):
    """Squeezes and Unsqueezes that together only remove, or only insert, axes of size 1."""

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either("Squeeze", "Unsqueeze")(x, ..., _name="inner", _shared=True)
        return op.either("Squeeze", "Unsqueeze")(inner, ..., _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        first, then = (known_axes(m, m.node(name)) for name in ("inner", "outer"))
        m.require(first is not None and then is not None, "the axes are not known")
        kinds = (m.node("inner").op_type, m.node("outer").op_type)
        removed, inserted = _composed(m, kinds, first or (), then or ())
        m.suppose(not (removed and inserted))
        if removed:
            return emit_axes(op, m, "Squeeze", m["x"], removed)
        if inserted:
            return emit_axes(op, m, "Unsqueeze", m["x"], inserted)
        return as_result(op, m, m["x"])


def _composed(
    m: Match, kinds: tuple[str, str], first: Sequence[int], then: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Axes of ``x`` that vanish, and positions in the result of axes that are new."""
    shape = m.ctx.shapes.shape(m["x"])
    # Beyond the last axis mentioned all stay in order, so any rank that is large enough will do.
    rank = max((*first, *then), default=0) + len(first) + len(then) + 1
    axes: list[int | None] = list(range(rank if shape is None else len(shape)))
    for kind, positions in zip(kinds, (first, then), strict=True):
        if kind == "Unsqueeze":
            for position in positions:
                m.require(position <= len(axes), "an axis is out of range")
                axes.insert(position, None)
        else:
            m.require(
                all(position < len(axes) for position in positions), "an axis is out of range"
            )
            axes = [axis for place, axis in enumerate(axes) if place not in positions]
    kept = {axis for axis in axes if axis is not None}
    total = rank if shape is None else len(shape)
    removed = [axis for axis in range(total) if axis not in kept]
    return removed, [place for place, axis in enumerate(axes) if axis is None]


class ReshapeOfView(Rule):
    """A Reshape does not care how the axes were named before it."""

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either(*VIEWS)(x, ..., _name="inner", _shared=True)
        return op.Reshape(inner, ..., _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        outer = m.node("outer")
        allowzero = m.attr("outer", "allowzero", 0)
        given = static_ints(m, outer, "shape", 1)
        shape = operand(outer, 1)
        if allowzero or (given is not None and 0 not in given):
            return op.Reshape(m["x"], *outer.inputs[1:], _attributes=outer.attributes.values())
        if given is not None:
            return emit_reshape(op, m, m["x"], _without_foreign_zeros(m, given))
        m.require(shape is not None, "the shape is not known")
        contents = None if shape is None else m.ctx.shapes.contents(shape)
        sizes = None if contents is None else contents.dims()
        if sizes is None:
            m.decline("the shape is computed, and a size in it may be 0")
        for axis, size in enumerate(sizes):
            m.require(
                size == -1 or bool(is_positive(size)) or _is_passed_on(m, axis),
                f"size {axis} of the shape may be 0 when the model runs",
            )
        return op.Reshape(m["x"], *outer.inputs[1:], _attributes=outer.attributes.values())


def _sizes(m: Match, value: Value) -> Sequence[Dim | None]:
    return m.ctx.shapes.shape(value) or ()


def _is_passed_on(m: Match, axis: int) -> bool:
    """Whether the inner view leaves the size of ``axis`` where it is, so that 0 means the same."""
    before, after = _sizes(m, m["x"]), _sizes(m, _middle(m))
    if axis >= len(before) or axis >= len(after):
        return False
    size, other = before[axis], after[axis]
    return size is not None and other is not None and known_equal(size, other)


def _without_foreign_zeros(m: Match, given: Sequence[int]) -> list[int]:
    """``given`` for a Reshape of ``x``: each 0 copied a size of the inner result, not of ``x``."""
    after = _sizes(m, _middle(m))
    target = list(given)
    for axis, size in enumerate(given):
        if size != 0 or _is_passed_on(m, axis):
            continue
        copied = after[axis] if axis < len(after) else None
        if isinstance(copied, int) and copied > 0:
            target[axis] = copied
        elif -1 not in target and 0 not in (*target[:axis], *target[axis + 1 :]):
            target[axis] = -1
        else:
            m.decline(f"0 at {axis} copies a size of {_middle(m).name} that {m['x'].name} has not")
    return target


class ViewOfView(Rule):
    """Any two views are one Reshape where its sizes can be written down."""

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either(*VIEWS)(x, ..., _name="inner")
        return op.either("Flatten", "Squeeze", "Unsqueeze")(inner, ..., _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        target = expressible(m.shape("x"), m.shape_of(m.root.outputs[0]))
        if target is None:
            m.decline("more than one size of the result is known only when the model runs")
        return emit_reshape(op, m, m["x"], target)


@dataclass(frozen=True)
class ComposeReshapes(RuleSet):
    """Merge consecutive Reshape, Flatten, Squeeze and Unsqueeze.

    ``Reshape[s](view(x)) => Reshape[s'](x)``, where a 0 in ``s`` becomes the size it copied:

    Before::

        agraph (float[2,3,4] x) => (float[6,2,2] y) {
            shape = Constant <value = int64[2] {6, 4}> ()
            then = Constant <value = int64[3] {0, 2, -1}> ()
            t = Reshape(x, shape)
            y = Reshape(t, then)
        }

    After::

        agraph (float[2,3,4] x) => (float[6,2,2] y) {
            shape = Constant <value = int64[3] {6, 2, -1}> ()
            y = Reshape(x, shape)
        }

    ``Squeeze[q](Squeeze[p](x)) => Squeeze(x)``, the same for Unsqueeze (whose axes are positions
    in its result), and ``=> x`` where one undoes the other:

    Before::

        <ir_version: 8, opset_import: ["": 11]>
        agraph (float[3,4] x) => (float[1,3,1,4] y) {
            t = Unsqueeze <axes = [1]> (x)
            y = Unsqueeze <axes = [0]> (t)
        }

    After::

        <ir_version: 8, opset_import: ["": 11]>
        agraph (float[3,4] x) => (float[1,3,1,4] y) {
            y = Unsqueeze <axes = [0, 2]> (x)
        }

    A mixed chain is one Reshape where its sizes can be written as numbers, 0 and at most one -1:

    Before::

        agraph (float[N,2,3] x) => (float[N,6,1] y) {
            last = Constant <value = int64[1] {-1}> ()
            t = Flatten <axis = 1> (x)
            y = Unsqueeze(t, last)
        }

    After::

        agraph (float[N,2,3] x) => (float[N,6,1] y) {
            shape = Constant <value = int64[3] {0, 6, 1}> ()
            y = Reshape(x, shape)
        }

    BITWISE: elements keep their order. Catalogue rows C5, C7, C8. Source: ONNX operator
    specifications; row-major layout.
    """

    name: ClassVar[str] = "compose-reshapes"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (CancelViews, ComposeAxes, ReshapeOfView, ViewOfView)
