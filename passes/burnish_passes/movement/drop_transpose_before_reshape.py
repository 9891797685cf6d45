"""A Transpose that moves only axes of size 1 does not matter to a Reshape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.match import Match
from burnish.rewrite import Rule
from burnish_passes.movement.views import emit_reshape, expressible


@dataclass(frozen=True)
class DropTransposeBeforeReshape(Rule):
    """Let a Reshape read past a Transpose that keeps the order of the elements.

    ``Reshape(Transpose(x), s) => Reshape(x, s)`` when the axes of ``x`` that are not of size 1
    stay in order. A 0 in ``s`` copies a size; it is written anew when that size stood elsewhere.

    Before::

        agraph (float[2,1,3] x) => (float[6] y) <int64[1] shape = {6}> {
            t = Transpose <perm = [0, 2, 1]> (x)
            y = Reshape(t, shape)
        }

    After::

        agraph (float[2,1,3] x) => (float[6] y) <int64[1] shape = {6}> {
            y = Reshape(x, shape)
        }

    Catalogue row C3. Source: ONNX operator specifications of Transpose and Reshape.
    """

    name: ClassVar[str] = "drop-transpose-before-reshape"
    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any, shape: Any) -> Any:
        return op.Reshape(op.Transpose(x, _shared=True), shape.constant)

    def when(self, m: Match) -> None:
        given = m.shape("x")
        order = m.attr("Transpose", "perm") or tuple(reversed(range(len(given))))
        moved = [axis for axis in order if given[axis] != 1]
        m.require(moved == sorted(moved), "it moves an axis that may be larger than 1")

    def after(self, op: Any, m: Match) -> Any:
        sizes = m.const("shape").tolist()
        kept = m.node("Reshape").attributes.values()
        if 0 not in sizes or m.attr("Reshape", "allowzero", 0):
            return op.Reshape(m["x"], m["shape"], _attributes=kept)
        target = expressible(m.shape("x"), m.shape_of(m.root.outputs[0]))
        if target is None:
            m.decline("a size it copies stands elsewhere before the Transpose")
        return emit_reshape(op, m, m["x"], target)
