"""Transposes in a row become one."""

from __future__ import annotations

from typing import Any, ClassVar

from burnish.ir import Node, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import as_result


def _permutation(m: Match, node: Node, rank: int) -> tuple[int, ...]:
    """The ``perm`` of a Transpose; absent, it reverses the axes."""
    perm: tuple[int, ...] | None = attribute(node, "perm")
    return tuple(reversed(range(rank))) if perm is None else perm


def _rank(m: Match) -> int:
    """The rank of the transposed value, from either perm or from what is known of ``x``."""
    for name in ("inner", "outer"):
        perm = m.attr(name, "perm")
        if perm is not None:
            return len(perm)
    return len(m.shape("x"))


class ComposeTransposes(Rule):
    """Merge consecutive Transposes; drop them where they cancel.

    ``Transpose[q](Transpose[p](x)) => Transpose[r](x)`` with ``r[i] = p[q[i]]``, and ``=> x``
    where ``r`` is the identity. The inner one stays if it has other readers.

    Before::

        agraph (float[2,3,4,5] x) => (float[2,5,3,4] y) {
            t = Transpose <perm = [0, 2, 3, 1]> (x)
            y = Transpose <perm = [0, 2, 3, 1]> (t)
        }

    After::

        agraph (float[2,3,4,5] x) => (float[2,5,3,4] y) {
            y = Transpose <perm = [0, 3, 1, 2]> (x)
        }

    Two that cancel vanish:

    Before::

        agraph (float[2,3,4] x) => (float[2,3,4] y) {
            t = Transpose <perm = [0, 2, 1]> (x)
            u = Transpose <perm = [0, 2, 1]> (t)
            y = Relu(u)
        }

    After::

        agraph (float[2,3,4] x) => (float[2,3,4] y) {
            y = Relu(x)
        }

    BITWISE: elements only move. Catalogue row C1. Source: composition of permutations; ONNX
    operator specification of Transpose (``perm`` defaults to the reversed axes).
    """

    name: ClassVar[str] = "compose-transposes"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def before(self, op: Any, x: Any) -> Any:
        return op.Transpose(op.Transpose(x, _name="inner", _shared=True), _name="outer")

    def after(self, op: Any, m: Match) -> Any:
        rank = _rank(m)
        first = _permutation(m, m.node("inner"), rank)
        then = _permutation(m, m.node("outer"), rank)
        m.require(len(first) == len(then), "the two permutations differ in length")
        perm = [first[axis] for axis in then]
        if perm == sorted(perm):
            return as_result(op, m, m["x"])
        return op.Transpose(m["x"], perm=perm)
