"""Several nodes replaced at once, where a pattern with one root cannot say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from burnish.graph import remove_unread, replace_value, why_not_emitted, why_not_replaceable
from burnish.ir import Node, Value
from burnish.match import Declined, Match, Mismatch, refers_to_parameter
from burnish.rewrite import Builder

__all__ = ["replace_together"]


def replace_together(
    name: str,
    m: Match,
    old: Sequence[Node],
    build: Callable[[Any, Match], Sequence[tuple[Value, Value]]],
) -> bool:
    """Put what ``build(op, m)`` makes in place of ``old``, or say why not, as the engine would.

    Args:
        name: the pass that speaks.
        m: a match at the node that remarks are about.
        old: the nodes replaced, in the order of the graph; the new ones stand before the first.
        build: gives each old result that is read, with what becomes of it.
    """
    op = Builder(m, m.root.outputs[0].name or "value")
    try:
        for node in old:
            parameter = refers_to_parameter(node)
            m.require(parameter is None, f"attribute {parameter} is a function parameter")
        pairs = build(op, m)
        _check(m, op, pairs)
    except Mismatch:
        op.discard()
        return False
    except Declined as declined:
        op.discard()
        m.ctx.declined(name, m.root, str(declined))
        return False
    if not m.ctx.applies(name, m.root):
        op.discard()
        return False
    op.insert(old[0], old, old[0].outputs[0])
    made = set(op.nodes)
    for was, becomes in pairs:
        replace_value(was, becomes, fresh=becomes.producer() in made)
    remove_unread(reversed(old))
    return True


def _check(m: Match, op: Builder, pairs: Sequence[tuple[Value, Value]]) -> None:
    for node in op.nodes:
        why = why_not_emitted(node, m.scope.opsets, m.ctx.target)
        m.require(why is None, why or "")
    for was, becomes in pairs:
        why = why_not_replaceable(was, becomes, m.ctx.shapes)
        m.require(why is None, why or "")
