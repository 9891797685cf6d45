"""Bounds in a row become one, and bounds that hold anyway vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Node, Value, label
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish_passes.algebra.bounds import BOUNDING, Bounds, bounded, emit_bounds
from burnish_passes.algebra.signs import is_nonnegative
from burnish_passes.proofs import as_result


def _two(m: Match) -> tuple[Value, Bounds, Bounds]:
    """What is bounded twice, the inner bounds, and those of both."""
    inner, outer = bounded(m, m.node("inner")), bounded(m, m.node("outer"))
    for node, found in ((m.node("inner"), inner), (m.node("outer"), outer)):
        m.suppose(found is not None or node.op_type == "Clip")
        m.require(found is not None, f"the bounds of {label(node)} are not finite constants")
    assert inner is not None
    assert outer is not None
    m.suppose(outer[0] is m.node("inner").outputs[0])
    return inner[0], inner[1], outer[1].after(inner[1])


class DropHeldBounds(Rule):
    """``Relu(Clip(x, 0, 6)) => Clip(x, 0, 6)``: the inner bounds imply the outer ones."""

    def before(self, op: Any) -> Any:
        inner = op.either(*BOUNDING)(..., _name="inner", _shared=True)
        return op.either("Clip", "Relu")(inner, ..., _name="outer")

    def when(self, m: Match) -> None:
        _, inner, both = _two(m)
        m.suppose((inner.low, inner.high) == (both.low, both.high))
        # An absent bound of a Clip may cut infinities off that Relu, Max or Min let through.
        m.suppose(inner.clip or not both.clip or None not in (both.low, both.high))

    def after(self, op: Any, m: Match) -> Any:
        return as_result(op, m, m.node("inner").outputs[0])


class MergeBounds(Rule):
    """``Clip(Clip(x, a, b), c, d) => Clip(x, ...)``, Relu being a Clip from 0."""

    def before(self, op: Any) -> Any:
        inner = op.either(*BOUNDING)(..., _name="inner")
        return op.either("Clip", "Relu")(inner, ..., _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        x, _, both = _two(m)
        return emit_bounds(op, m, x, both)


class MergeExtrema(Rule):
    """``Max(Min(x, b), a) => Clip(x, a, b)``, and the other ways to write it."""

    def before(self, op: Any, c: Any) -> Any:
        inner = op.either(*BOUNDING)(..., _name="inner")
        return op.either("Max", "Min")(inner, c.constant, _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        x, _, both = _two(m)
        return emit_bounds(op, m, x, both)


class RaiseMaxToRelu(Rule):
    """``Max(x, 0) => Relu(x)``."""

    def before(self, op: Any, x: Any, zero: Any) -> Any:
        return op.Max(x, zero.constant, _name="outer")

    def when(self, m: Match) -> None:
        found = bounded(m, m.root)
        m.suppose(found is not None and found[0] is m["x"] and found[1].low == 0)
        m.suppose(m.dtype("x").is_floating_point())

    def after(self, op: Any, m: Match) -> Any:
        return op.Relu(m["x"])


class DropBoundOfNonnegative(Rule):
    """``Relu(x) => x``, ``Abs(x) => x``, for ``x`` that is never negative."""

    def before(self, op: Any, x: Any) -> Any:
        return op.either("Abs", "Relu")(x)

    def when(self, m: Match) -> None:
        m.suppose(_is_computed(m["x"].producer()))
        m.suppose(is_nonnegative(m["x"], strictly=m.root.op_type == "Abs"))
        m.suppose(m.dtype("x").is_floating_point())

    def after(self, op: Any, m: Match) -> Any:
        return as_result(op, m, m["x"])


def _is_computed(node: Node | None) -> bool:
    return node is not None and node.op_type != "Constant"


@dataclass(frozen=True)
class ComposeClips(RuleSet):
    """Bound a value once.

    ``Clip(Clip(x, a, b), c, d) => Clip(x, a', b')``, the bounds being the images of ``a`` and
    ``b``; Relu, ``Max(x, a)`` and ``Min(x, b)`` take part as Clips with one bound.
    ``Max(x, 0) => Relu(x)``; ``Relu(x) => x`` and ``Abs(x) => x`` where ``x`` is never negative.

    Before::

        agraph (float[4] x, float[4] z) => (float[4] y, float[4] w) {
            zero = Constant <value = float {0.0}> ()
            six = Constant <value = float {6.0}> ()
            a = Relu(x)
            y = Min(a, six)
            b = Max(z, zero)
            c = Exp(b)
            w = Relu(c)
        }

    After::

        agraph (float[4] x, float[4] z) => (float[4] y, float[4] w) {
            zero = Constant <value = float {0.0}> ()
            six = Constant <value = float {6.0}> ()
            y = Clip(x, zero, six)
            b = Relu(z)
            w = Exp(b)
        }

    Ranges that do not meet leave one number:

    Before::

        agraph (float[4] x) => (float[4] y) {
            zero = Constant <value = float {0.0}> ()
            six = Constant <value = float {6.0}> ()
            eight = Constant <value = float {8.0}> ()
            ten = Constant <value = float {10.0}> ()
            a = Clip(x, zero, six)
            y = Clip(a, eight, ten)
        }

    After::

        agraph (float[4] x) => (float[4] y) {
            low = Constant <value = float {8.0}> ()
            high = Constant <value = float {8.0}> ()
            y = Clip(x, low, high)
        }

    FLOAT: NaN, infinities and all numbers stay what they were, but which zero a runtime returns
    for ``Relu(-0.0)`` or ``Max(-0.0, 0.0)`` differs from operator to operator. Infinite bounds
    stay: runtimes disagree whether a Clip without an upper bound lets inf pass. Catalogue row E7.
    Source: a product of monotone step functions is one.
    """

    name: ClassVar[str] = "compose-clips"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (
        DropBoundOfNonnegative,
        DropHeldBounds,
        MergeBounds,
        MergeExtrema,
        RaiseMaxToRelu,
    )
