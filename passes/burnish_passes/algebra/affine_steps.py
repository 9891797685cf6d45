"""Arithmetic with one constant operand, and two such steps as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from burnish.ir import Array, Node, Value, constant, constant_array
from burnish.match import Match, Mismatch
from burnish_passes.constants import no_large_copy
from burnish_passes.linear.weights import rounded, smallest_normal

__all__ = [
    "Factor",
    "Step",
    "Term",
    "factor_of",
    "new_constant",
    "require_no_cancellation",
    "step_of",
    "term_of",
]

_CANCELLED = 64.0
"""How many times larger than what remains a sum may have been on the way."""


@dataclass(frozen=True)
class Step:
    """An operator with one constant operand ``c``; ``swapped`` when that is the left one."""

    node: Node
    x: Value
    held: Value
    c: Array
    swapped: bool


@dataclass(frozen=True)
class Term:
    """``x + offset``, or ``offset - x`` when ``negates``."""

    negates: bool
    offset: Array

    def then(self, outer: Term) -> Term:
        """This, and after it ``outer``."""
        with np.errstate(all="ignore"):
            offset = outer.offset + (-self.offset if outer.negates else self.offset)
        return Term(self.negates != outer.negates, np.asarray(offset))


@dataclass(frozen=True)
class Factor:
    """``x * over / under``, or ``over / under / x`` when ``inverts``."""

    inverts: bool
    over: Array
    under: Array

    def then(self, outer: Factor) -> Factor:
        """This, and after it ``outer``."""
        with np.errstate(all="ignore"):
            if outer.inverts:
                over, under = outer.over * self.under, outer.under * self.over
            else:
                over, under = self.over * outer.over, self.under * outer.under
        return Factor(self.inverts != outer.inverts, np.asarray(over), np.asarray(under))

    @property
    def number(self) -> Array:
        """The one constant."""
        with np.errstate(all="ignore"):
            return np.asarray(self.over / self.under)


def step_of(node: Node, *, wide: bool) -> Step:
    """``node``, of two operands, as a step on the one that is not a constant.

    Args:
        node: Add, Sub, Mul or Div.
        wide: give the constant as float64; else in its own type, in which integers wrap.

    Raises:
        Mismatch: when neither operand is a constant.
    """
    left, right = node.inputs
    swapped = constant(right) is None
    x, held = (right, left) if swapped else (left, right)
    array = constant_array(held)
    if x is None or held is None or array is None:
        raise Mismatch
    return Step(node, x, held, array.astype(np.float64) if wide else array, swapped)


def term_of(step: Step) -> Term:
    """An Add or Sub as what it adds."""
    with np.errstate(all="ignore"):
        negative = step.node.op_type == "Sub" and not step.swapped
        offset = np.asarray(np.negative(step.c)) if negative else step.c
    return Term(step.node.op_type == "Sub" and step.swapped, offset)


def factor_of(step: Step) -> Factor:
    """A Mul or Div as what it multiplies by."""
    one = np.ones((), step.c.dtype)
    if step.node.op_type == "Div" and not step.swapped:
        return Factor(False, one, step.c)
    return Factor(step.node.op_type == "Div", step.c, one)


def require_no_cancellation(m: Match, part: Array, total: Array) -> None:
    """Decline when ``total`` is much smaller than the offset ``part`` it comes from.

    ``(x + 2**23) - 2**23`` rounds x, on purpose; and a small difference of large offsets that was
    exact for x nearby would no longer be.
    """
    m.require(
        bool((np.abs(part) <= _CANCELLED * np.abs(total)).all()),
        "the constants nearly cancel, so that the first may be there to round",
    )


def new_constant(op: Any, m: Match, exact: Array, *old: Value, factor: bool = False) -> Value:
    """A constant in the place of ``old`` ones, rounded once; declines when it is larger.

    Args:
        op: the builder.
        m: the match.
        exact: its elements, in float64 where they are not integers.
        old: the constants it replaces; it gets the type and name of the last.
        factor: whether all elements must keep all their digits, being factors.
    """
    sizes = [held.size for held in map(constant, old) if held is not None]
    m.require(exact.size <= max(sizes), "the new constant would be larger")
    for value in old:
        no_large_copy(m, value)
    like = constant_array(old[-1])
    dtype = m.ctx.shapes.dtype(old[-1])
    assert like is not None
    if dtype is not None and not dtype.is_floating_point():
        made: Value = op.constant(exact.astype(like.dtype), hint=old[-1].name, dtype=dtype)
        return made
    small = np.abs(exact) < smallest_normal(like.dtype)
    m.require(
        not factor or not bool((small & (exact != 0)).any()),
        "the new factor is too small for its type",
    )
    narrow = rounded(m, exact, like, "constant")
    made = op.constant(narrow, hint=old[-1].name, dtype=dtype)
    return made
