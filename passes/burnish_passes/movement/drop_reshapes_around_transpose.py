"""Axes joined, moved together and parted again are moved one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import attribute
from burnish.match import Match
from burnish.rewrite import Rule
from burnish.symbolic import Dim, known_equal
from burnish_passes.movement.views import emit_axes


def _groups(apart: Sequence[Dim], joined: Sequence[Dim]) -> list[list[int]] | None:
    """Which axes of ``apart`` each axis of ``joined`` is the product of, or None."""
    groups: list[list[int]] = []
    axis = 0
    for size in joined:
        group: list[int] = []
        total: Dim = 1
        while axis < len(apart) and (not group or not known_equal(total, size)):
            total = total * apart[axis]
            group.append(axis)
            axis += 1
        if not group or not known_equal(total, size):
            return None
        groups.append(group)
    return groups if axis == len(apart) else None


@dataclass(frozen=True)
class DropReshapesAroundTranspose(Rule):
    """Drop the Reshapes that join axes for a Transpose and part them again after it.

    ``Reshape(Transpose(Reshape(x))) => Transpose(x)`` when each axis between is a product of
    neighbouring axes of ``x``, and the last Reshape parts them into the same. Axes of size 1 that
    go on the way are squeezed first.

    Before::

        agraph (float[B,2,6,4] x) => (float[B,2,4,6] y)
        <int64[3] join = {-1, 6, 4}, int64[4] apart = {-1, 2, 4, 6}> {
            j = Reshape(x, join)
            t = Transpose <perm = [0, 2, 1]>(j)
            y = Reshape(t, apart)
        }

    After::

        agraph (float[B,2,6,4] x) => (float[B,2,4,6] y) {
            y = Transpose <perm = [0, 1, 3, 2]>(x)
        }

    PyTorch's newer exporter moves the last axes of keys so. Catalogue row C4. Source: elements of
    joined axes keep their order.
    """

    name: ClassVar[str] = "drop-reshapes-around-transpose"

    def before(self, op: Any, x: Any, first: Any, second: Any) -> Any:
        return op.Reshape(op.Transpose(op.Reshape(x, first, _name="join")), second)

    def after(self, op: Any, m: Match) -> Any:
        shape = m.shape("x")
        joined = m.shape_of(m.node("join").outputs[0])
        surplus = max(len(shape) - len(m.shape_of(m.root.outputs[0])), 0)
        ones = [axis for axis, size in enumerate(shape) if size == 1][:surplus]
        apart = [size for axis, size in enumerate(shape) if axis not in ones]
        groups = _groups(apart, joined)
        m.suppose(groups is not None)
        assert groups is not None
        perm = attribute(m.node("Transpose"), "perm", tuple(reversed(range(len(joined)))))
        moved = [axis for place in perm for axis in groups[place]]
        result = m.shape_of(m.root.outputs[0])
        fits = len(result) == len(moved) and all(
            known_equal(result[place], apart[axis]) for place, axis in enumerate(moved)
        )
        m.suppose(fits)
        x = emit_axes(op, m, "Squeeze", m["x"], ones) if ones else m["x"]
        return op.Transpose(x, perm=moved)
