"""A reduction can drop or keep the axes it reduces by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish.shapes import REDUCTIONS
from burnish_passes.algebra.reductions import (
    ARG,
    keeps_dims,
    reduced_axes,
    with_keepdims,
)
from burnish_passes.movement.views import known_axes


def _require_same_axes(m: Match) -> None:
    """Decline unless the view is about just the axes that are reduced."""
    rank = len(m.shape("x"))
    reduced = reduced_axes(m, m.node("reduction"), rank)
    m.suppose(bool(reduced))
    axes = known_axes(m, m.root)
    if axes is None:
        m.decline(f"the axes of the {m.root.op_type} are not known")
    m.require(axes == reduced, f"the {m.root.op_type} is not about the reduced axes alone")


class UnsqueezeReduced(Rule):
    """``Unsqueeze(Reduce(x, keepdims=0)) => Reduce(x, keepdims=1)``."""

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either(*REDUCTIONS, *ARG)(x, ..., _name="reduction")
        return op.Unsqueeze(inner, ...)

    def when(self, m: Match) -> None:
        m.suppose(not keeps_dims(m.node("reduction")))
        _require_same_axes(m)

    def after(self, op: Any, m: Match) -> Any:
        return with_keepdims(op, m.node("reduction"), 1)


class SqueezeReduced(Rule):
    """``Squeeze(Reduce(x, keepdims=1)) => Reduce(x, keepdims=0)``."""

    def before(self, op: Any, x: Any) -> Any:
        inner = op.either(*REDUCTIONS, *ARG)(x, ..., _name="reduction")
        return op.Squeeze(inner, ...)

    def when(self, m: Match) -> None:
        m.suppose(keeps_dims(m.node("reduction")))
        _require_same_axes(m)

    def after(self, op: Any, m: Match) -> Any:
        return with_keepdims(op, m.node("reduction"), 0)


@dataclass(frozen=True)
class FoldIntoKeepdims(RuleSet):
    """Let a reduction keep or drop its axes instead of a Squeeze or Unsqueeze after it.

    ``Unsqueeze(Reduce(x, axes, keepdims=0), axes) => Reduce(x, axes, keepdims=1)`` and
    ``Squeeze(Reduce(x, axes, keepdims=1), axes) => Reduce(x, axes, keepdims=0)``, ArgMax and
    ArgMin alike.

    Before::

        agraph (float[2,3,4] x) => (float[2,1,4] y, float[2,4] z) {
            one = Constant <value = int64[1] {1}> ()
            back = Constant <value = int64[1] {-2}> ()
            a = ReduceMax <keepdims = 0> (x, one)
            y = Unsqueeze(a, back)
            b = ReduceSum(x, back)
            z = Squeeze(b, one)
        }

    After::

        agraph (float[2,3,4] x) => (float[2,1,4] y, float[2,4] z) {
            one = Constant <value = int64[1] {1}> ()
            back = Constant <value = int64[1] {-2}> ()
            y = ReduceMax <keepdims = 1> (x, one)
            z = ReduceSum <keepdims = 0> (x, back)
        }

    BITWISE: the same reduction. Catalogue row E12, its first half. Source: ONNX operator
    specifications of the reductions.
    """

    name: ClassVar[str] = "fold-into-keepdims"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (UnsqueezeReduced, SqueezeReduced)
