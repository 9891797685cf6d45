"""An axis is split before a transpose, where a Reshape stands already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import attribute
from burnish.match import Match
from burnish.rewrite import Rule
from burnish.symbolic import Dim, known_equal
from burnish_passes.movement.views import emit_reshape, expressible


def _split_axis(before: Sequence[Dim], after: Sequence[Dim]) -> int | None:
    """The axis of ``before`` that ``after`` has as two, all others being equal."""
    if len(after) != len(before) + 1:
        return None
    for axis, dim in enumerate(before):
        same = zip(
            (*before[:axis], *before[axis + 1 :]), (*after[:axis], *after[axis + 2 :]), strict=True
        )
        product = after[axis] * after[axis + 1]
        if known_equal(product, dim) and all(known_equal(*dims) for dims in same):
            return axis
    return None


@dataclass(frozen=True)
class SplitAxisBeforeTranspose(Rule):
    """Split an axis in the Reshape before a Transpose instead of in one after it.

    ``Reshape(Transpose(Reshape(x))) => Transpose(Reshape(x))`` where the outer Reshape splits one
    axis and leaves the others.

    Before::

        agraph (float[3,2,8] x) => (float[2,4,3,2] y)
        <int64[3] joined = {3, 8, 2}, int64[4] apart = {2, 4, 3, 2}> {
            a = Reshape(x, joined)
            b = Transpose <perm = [1, 0, 2]>(a)
            y = Reshape(b, apart)
        }

    After::

        agraph (float[3,2,8] x) => (float[2,4,3,2] y)
        <int64[4] split = {3, 2, 4, 2}> {
            b = Reshape(x, split)
            y = Transpose <perm = [1, 2, 0, 3]>(b)
        }

    torch.nn.MultiheadAttention writes this for queries, keys and values. BITWISE: no number is
    touched. Catalogue row C3. Source: ONNX operators Reshape and Transpose.
    """

    name: ClassVar[str] = "split-axis-before-transpose"

    def before(self, op: Any, x: Any) -> Any:
        inner = op.Reshape(x, ..., _name="inner")
        return op.Reshape(op.Transpose(inner), ..., _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        transpose = m.node("Transpose")
        shapes = [
            m.ctx.shapes.shape(value)
            for value in (m["x"], m.node("inner").outputs[0], transpose.outputs[0])
        ]
        result = m.ctx.shapes.shape(m.root.outputs[0])
        source, before, moved = shapes
        m.suppose(source is not None and before is not None)
        m.suppose(moved is not None and result is not None)
        assert source is not None
        assert before is not None
        assert moved is not None
        assert result is not None
        axis = _split_axis(moved, result)
        m.suppose(axis is not None)
        assert axis is not None
        perm = list(attribute(transpose, "perm", tuple(reversed(range(len(before))))))
        place = perm[axis]
        parts = (*before[:place], *result[axis : axis + 2], *before[place + 1 :])
        target = expressible(source, parts)
        m.require(target is not None, f"the sizes of {m.root.outputs[0].name} are not known")
        assert target is not None
        order = [at + (at > place) for at in perm]
        order[axis : axis + 1] = [place, place + 1]
        return op.Transpose(emit_reshape(op, m, m["x"], target), perm=order)
