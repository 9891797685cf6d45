"""Two Slices in a row are one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.movement.cuts import compose, cuts_of, emit_slice


@dataclass(frozen=True)
class ComposeSlices(Rule):
    """Join a Slice of a Slice.

    ``Slice(Slice(x, axes a), axes b) => Slice(x, axes a + b)`` where a and b are disjoint:

    Before::

        agraph (float[4,6] x) => (float[2,3] y)
            <int64[1] zero = {0}, int64[1] two = {2}, int64[1] three = {3}, int64[1] one = {1}> {
            a = Slice(x, zero, two, zero)
            y = Slice(a, zero, three, one)
        }

    After::

        agraph (float[4,6] x) => (float[2,3] y)
            <int64[1] zero = {0}, int64[1] two = {2}, int64[1] three = {3}, int64[1] one = {1},
             int64[2] starts = {0, 0}, int64[2] ends = {2, 3}, int64[2] axes = {0, 1}> {
            y = Slice(x, starts, ends, axes)
        }

    ``x[s:e:t][u:v:w] => x[s + u t : min(e, s + v t) : t w]`` on one axis. With a static size
    negative starts, ends and steps are resolved first; without one they join only where clamping
    cannot change the meaning:

    Before::

        agraph (float[N] x) => (float[M] y)
            <int64[1] one = {1}, int64[1] two = {2}, int64[1] nine = {9}, int64[1] axis = {0}> {
            a = Slice(x, one, nine, axis, two)
            y = Slice(a, one, two)
        }

    After::

        agraph (float[N] x) => (float[M] y)
            <int64[1] starts = {3}, int64[1] ends = {5}, int64[1] axes = {0}, int64[1] steps = {2}> {
            y = Slice(x, starts, ends, axes, steps)
        }

    BITWISE: elements only move. Catalogue row C9. Source: ONNX operator specification of Slice;
    composition of arithmetic progressions.
    """

    name: ClassVar[str] = "compose-slices"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, x: Any) -> Any:
        return op.Slice(op.Slice(x, ..., _name="inner"), ..., _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        shape = m.shape("x")
        joined = cuts_of(m, m.node("inner"), len(shape))
        for axis, then in cuts_of(m, m.node("outer"), len(shape)).items():
            first = joined.get(axis)
            both = then if first is None else compose(shape[axis], first, then)
            if both is None:
                m.decline(f"what both take of axis {axis} depends on its size, which is not known")
            joined[axis] = both
        return emit_slice(op, m, m["x"], joined)
