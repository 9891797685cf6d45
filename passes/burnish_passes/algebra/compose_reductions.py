"""A reduction of a reduction runs over the axes of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.algebra.reductions import emit_reduction, keeps_dims, reduced_axes

_OF_ITSELF = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum")
"""Reductions that may run over one axis after the other."""


@dataclass(frozen=True)
class ComposeReductions(Rule):
    """Reduce over the axes of two reductions at once.

    ``Reduce(Reduce(x, a), b) => Reduce(x, a + b)`` for Sum, Mean, Max, Min and Prod.

    Before::

        agraph (float[2,3,4] x) => (float[3] y) {
            last = Constant <value = int64[1] {-1}> ()
            first = Constant <value = int64[1] {0}> ()
            a = ReduceMean <keepdims = 0> (x, last)
            y = ReduceMean <keepdims = 0> (a, first)
        }

    After::

        agraph (float[2,3,4] x) => (float[3] y) {
            both = Constant <value = int64[2] {0, 2}> ()
            y = ReduceMean <keepdims = 0> (x, both)
        }

    FLOAT: sums are formed in another order. The mean of means is the mean, as every inner one is
    over equally many elements; that of integers is not, since each is rounded. Catalogue row E12,
    its second half. Source: these operations are associative and commutative.
    """

    name: ClassVar[str] = "compose-reductions"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either(*_OF_ITSELF)(x, ..., _name="inner")
        return op.either(*_OF_ITSELF)(inner, ..., _name="outer")

    def when(self, m: Match) -> None:
        m.suppose(m.node("inner").op_type == m.root.op_type)
        if m.root.op_type == "ReduceMean":
            m.require(m.dtype("x").is_floating_point(), "each mean of integers is rounded")

    def after(self, op: Any, m: Match) -> Any:
        inner, outer = m.node("inner"), m.node("outer")
        rank = len(m.shape("x"))
        first = reduced_axes(m, inner, rank)
        left = [axis for axis in range(rank) if keeps_dims(inner) or axis not in first]
        then = tuple(left[axis] for axis in reduced_axes(m, outer, len(left)))
        m.suppose(bool(first) and bool(then))
        # One reduction keeps all its axes or none.
        kept = keeps_dims(outer) and keeps_dims(inner)
        dropped = not keeps_dims(outer) and (not keeps_dims(inner) or set(first) <= set(then))
        m.require(kept or dropped, "one of the two keeps its axes, the other drops them")
        axes = sorted({*first, *then})
        return emit_reduction(op, m, m.root.op_type, m["x"], axes, int(kept))
