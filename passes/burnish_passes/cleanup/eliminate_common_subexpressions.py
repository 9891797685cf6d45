"""The same computation twice becomes one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

import onnx.helper

from burnish.graph import replace_value, why_not_replaceable
from burnish.ir import (
    Attr,
    AttributeType,
    Graph,
    Model,
    Node,
    Scope,
    constant,
    is_deterministic,
    remove_node,
    schema,
)
from burnish.passdef import Context, Pass
from burnish.text import digest

_EXCHANGEABLE: Final = frozenset(
    {"Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Equal", "Mean", "Mul", "Or", "Sum"}
    | {"Xor"}
)
"""Operators that give the same bits with their two operands exchanged; which NaN they give is
nobody's business. Sum and Mean of more operands may round differently in another order."""
_EXTREMA: Final = frozenset({"Max", "Min"})
"""Which of -0.0 and +0.0 they return may depend on the order."""
_MIRRORED: Final[Mapping[str, str]] = MappingProxyType(
    {"Greater": "Less", "GreaterOrEqual": "LessOrEqual"}
)
"""The same comparison with its operands exchanged."""
_FEW: Final = 64
"""Constants of more elements are not searched for zeros."""


@dataclass(frozen=True)
class EliminateCommonSubexpressions(Pass):
    """Compute equal things once.

    ``u = f(a, b), v = f(a, b) => u`` for deterministic ``f``; operands of commutative operators
    are put in order first, ``a > b`` is ``b < a``, and an attribute that says what it says by
    default is no difference. Max and Min commute for integers, and beside a constant without
    zeros: else the order may decide between -0.0 and 0.0. Which operators are random comes from
    their schema. Two graph outputs keep their two names, so they are not merged.

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

    BITWISE. Catalogue row D8. Source: common subexpression elimination by value numbering.
    """

    name: ClassVar[str] = "eliminate-common-subexpressions"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Number the values of each graph; subgraphs are numbered on their own."""
        news, known = ctx.news(model, self.name), ctx.recall(_Keys)
        if news is not None:
            scopes: dict[object, Scope] = {scope.graph: scope for scope in ctx.scopes(model)}
            placed = ((node, scopes[node.graph]) for node in news if node.graph in scopes)
            if not any(known.stands_twice(node, scope, ctx) for node, scope in placed):
                return
        for scope in ctx.scopes(model):
            self._number(scope, ctx)

    def _number(self, scope: Scope, ctx: Context) -> None:
        seen: dict[tuple[object, ...], Node] = {}
        known = ctx.recall(_Keys)
        deterministic: dict[tuple[str, str], bool] = {}
        for node in scope.graph:
            kind = (node.domain, node.op_type)
            if kind not in deterministic:
                deterministic[kind] = is_deterministic(node, scope.opsets)
            if not deterministic[kind] or node.op_type == "Constant":
                continue
            key = known.of(node, scope, ctx)
            if key is None:
                continue
            first = seen.setdefault(key, node)
            if first is node:
                known.hold(key, node, scope)
            else:
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


class _Keys:
    """What made nodes equal when last asked; true while a node reads and says the same."""

    def __init__(self) -> None:
        self._known: dict[Node, tuple[tuple[object, ...], tuple[object, ...] | None]] = {}
        self._holders: dict[tuple[Graph, tuple[object, ...]], Node] = {}

    def stands_twice(self, node: Node, scope: Scope, ctx: Context) -> bool:
        """Whether another node equal to ``node`` was seen in the same graph."""
        key = None if node.op_type == "Constant" else self.of(node, scope, ctx)
        if key is None:
            return False
        holder = self._holders.setdefault((scope.graph, key), node)
        if holder is node:
            return False
        if holder.graph is scope.graph and self.of(holder, scope, ctx) == key:
            return True
        self.hold(key, node, scope)
        return False

    def hold(self, key: tuple[object, ...], node: Node, scope: Scope) -> None:
        """Remember that ``node`` has this key, and is the first in its graph."""
        self._holders[scope.graph, key] = node

    def of(self, node: Node, scope: Scope, ctx: Context) -> tuple[object, ...] | None:
        """As :func:`_key`."""
        version = scope.opsets.get(node.domain)
        rests_on = (node.inputs, version, *node.attributes.data.values())
        known = self._known.get(node)
        if known is None or known[0] != rests_on:
            known = self._known[node] = (rests_on, _key(node, scope, ctx))
        return known[1]


def _key(node: Node, scope: Scope, ctx: Context) -> tuple[object, ...] | None:
    """What makes two nodes equal, or None when they cannot be compared."""
    attributes: list[object] = []
    for name, attr in sorted(node.attributes.data.items()):
        if attr.is_ref() or attr.type in (AttributeType.GRAPH, AttributeType.GRAPHS):
            return None
        key = _attribute_key(attr)
        if key != _default(node.op_type, node.domain, scope.opsets.get(node.domain, 0), name):
            attributes.append((name, key))
    op_type, inputs = node.op_type, [id(value) if value is not None else 0 for value in node.inputs]
    if node.domain == "" and len(inputs) == 2:
        if op_type in _MIRRORED and "axis" not in node.attributes:
            op_type = _MIRRORED[op_type]
            inputs.reverse()
        elif op_type in _EXCHANGEABLE or (op_type in _EXTREMA and _zeros_do_not_meet(node, ctx)):
            inputs.sort()
    present = tuple(bool(output.name) for output in node.outputs)
    return (op_type, node.domain, node.overload, tuple(inputs), tuple(attributes), present)


def _zeros_do_not_meet(node: Node, ctx: Context) -> bool:
    """Whether the two operands of Max or Min are never zeros of either sign at one place."""
    for value in node.inputs:
        if value is None:
            return False
        dtype = ctx.shapes.dtype(value)
        if dtype is not None and dtype.is_integer():
            return True
        held = constant(value)
        if held is not None and held.size <= _FEW and bool((held.numpy() != 0).all()):
            return True
    return False


@functools.cache
def _default(op_type: str, domain: str, version: int, name: str) -> object:
    """What :func:`_attribute_key` gives for the default of an attribute; None without one."""
    known = schema(op_type, domain, version)
    described = None if known is None else known.attributes.get(name)
    if described is None or not described.default_value.type:
        return None
    held = onnx.helper.get_attribute_value(described.default_value)
    return repr(held.decode() if isinstance(held, bytes) else held)


def _attribute_key(attr: Attr) -> object:
    """Text that tells -0.0 from 0.0 and finds NaN equal to itself; tensors by their bytes."""
    if attr.type == AttributeType.TENSOR:
        held = attr.value
        return (held.dtype, tuple(held.shape), digest(held))
    return repr(attr.value)
