"""The same computation twice becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.graph import replace_value, why_not_replaceable
from burnish.ir import (
    Attr,
    AttributeType,
    Model,
    Node,
    Scope,
    is_deterministic,
    remove_node,
)
from burnish.passdef import Context, Pass
from burnish.text import digest

_EXCHANGEABLE = frozenset(
    {"Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Equal", "Mul", "Or", "Xor"}
)
"""Operators that give the same bits with their operands exchanged. Max and Min are not among
them: which of -0.0 and +0.0 they return may depend on the order."""


@dataclass(frozen=True)
class EliminateCommonSubexpressions(Pass):
    """Compute equal things once.

    ``u = f(a, b), v = f(a, b) => u`` for deterministic ``f``; operands of commutative operators
    are put in order first. Which operators are random comes from their schema. Two graph outputs
    keep their two names, so they are not merged.

    Before::

        agraph (float[2] a, float[2] b) => (float[2] y) {
            u = Add(a, b)
            v = Add(b, a)
            y = Mul(u, v)
        }

    After::

        agraph (float[2] a, float[2] b) => (float[2] y) {
            u = Add(a, b)
            y = Mul(u, u)
        }

    Catalogue row D8. Source: common subexpression elimination by value numbering.
    """

    name: ClassVar[str] = "eliminate-common-subexpressions"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Number the values of each graph; subgraphs are numbered on their own."""
        for scope in ctx.scopes(model):
            self._number(scope, ctx)

    def _number(self, scope: Scope, ctx: Context) -> None:
        seen: dict[tuple[object, ...], Node] = {}
        deterministic: dict[tuple[str, str], bool] = {}
        for node in scope.graph:
            kind = (node.domain, node.op_type)
            if kind not in deterministic:
                deterministic[kind] = is_deterministic(node, scope.opsets)
            if not deterministic[kind] or node.op_type == "Constant":
                continue
            key = _key(node)
            if key is None:
                continue
            first = seen.setdefault(key, node)
            if first is not node:
                self._merge(first, node, ctx)

    def _merge(self, first: Node, second: Node, ctx: Context) -> None:
        for was, becomes in zip(second.outputs, first.outputs, strict=True):
            why = why_not_replaceable(was, becomes, ctx.shapes)
            if why:
                ctx.declined(self.name, second, why)
                return
        if not ctx.applies(self.name, second, f"equals {first.outputs[0].name}"):
            return
        for was, becomes in zip(second.outputs, first.outputs, strict=True):
            replace_value(was, becomes, fresh=False)
        remove_node(second)


def _key(node: Node) -> tuple[object, ...] | None:
    """What makes two nodes equal, or None when they cannot be compared."""
    attributes: list[object] = []
    for name, attr in sorted(node.attributes.items()):
        if attr.is_ref() or attr.type in (AttributeType.GRAPH, AttributeType.GRAPHS):
            return None
        attributes.append((name, _attribute_key(attr)))
    inputs = [id(value) if value is not None else 0 for value in node.inputs]
    if node.op_type in _EXCHANGEABLE:
        inputs.sort()
    present = tuple(bool(output.name) for output in node.outputs)
    return (node.op_type, node.domain, node.overload, tuple(inputs), tuple(attributes), present)


def _attribute_key(attr: Attr) -> object:
    """Text that tells -0.0 from 0.0 and finds NaN equal to itself; tensors by their bytes."""
    if attr.type == AttributeType.TENSOR:
        held = attr.value
        return (held.dtype, tuple(held.shape), digest(held))
    return repr(attr.value)
