"""Layers with constant weights: which they are, what else reads the weights, what may be done."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from burnish.graph import remove_unread
from burnish.ir import (
    Array,
    DataType,
    Model,
    Node,
    Scope,
    Value,
    attribute,
    constant,
    constant_array,
    label,
)
from burnish.passdef import Context
from burnish_passes.proofs import operand
from burnish_passes.quantize.parameters import reads_codes

__all__ = [
    "Layer",
    "Selection",
    "drop_unread_constant",
    "is_called",
    "last_products",
    "layer_at",
    "owner_of",
    "why_not_constant",
]

_WEIGHT = {"Conv": 1, "Gather": 0, "Gemm": 1, "MatMul": 1}
"""Which input of an operator is the weight."""


@dataclass(frozen=True, eq=False)
class Layer:
    """An operator with a constant weight.

    Attributes:
        node: the operator.
        scope: where it stands.
        held: the constant.
        turned: whether the operator uses the constant with its two axes swapped.
    """

    node: Node
    scope: Scope
    held: Value
    turned: bool

    @property
    def index(self) -> int:
        """Which input of the node is the weight."""
        return _WEIGHT[self.node.op_type]

    @property
    def is_product(self) -> bool:
        """Whether it is ``x @ W``."""
        return self.node.op_type in ("Gemm", "MatMul")

    @property
    def weight(self) -> Array:
        """The constant as the operator uses it: ``[K, N]`` for products."""
        array = constant_array(self.held)
        assert array is not None
        return array.T if self.turned else array

    @property
    def dtype(self) -> DataType:
        """The element type of the constant."""
        held = constant(self.held)
        assert held is not None
        return held.dtype

    @property
    def source(self) -> Value | None:
        """What the weight is multiplied with, if its rows are the layer's inputs one by one."""
        turned = self.node.op_type == "Gemm" and attribute(self.node, "transA", 0)
        return None if turned or not self.is_product else operand(self.node, 0)

    def observed(self, model: Model) -> str | None:
        """The name of :attr:`source`, when it is computed or given in the main graph."""
        value = self.source
        if value is None or self.scope.graph is not model.graph or value.const_value is not None:
            return None
        producer = value.producer()
        here = value.is_graph_input() if producer is None else producer.graph is model.graph
        return value.name if here and constant(value) is None else None

    def use(self, value: Value) -> None:
        """Let the node read ``value``, which has the axes of :attr:`weight`."""
        released = operand(self.node, self.index)
        self.node.replace_input_with(self.index, value)
        if self.node.op_type == "Gemm":
            self.node.attributes.pop("transB", None)
        producer = None if released is None else released.producer()
        if producer is not None and released is not self.held:
            remove_unread([producer])


def layer_at(node: Node, scope: Scope) -> Layer | None:
    """The layer ``node`` is; None when its weight is no constant of floating-point numbers."""
    value = operand(node, _WEIGHT[node.op_type])
    turned = node.op_type == "Gemm" and bool(attribute(node, "transB", 0))
    before = _before_transpose(value)
    if before is not None and node.op_type in ("Gemm", "MatMul"):
        value, turned = before, not turned
    held = constant(value)
    if value is None or held is None or held.dtype not in (DataType.FLOAT, DataType.FLOAT16):
        return None
    if node.op_type == "Gather" and _picks_scales(node):
        return None
    return Layer(node, scope, value, turned)


def _before_transpose(value: Value | None) -> Value | None:
    """What a Transpose turned a matrix of; None when ``value`` is something else."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != "Transpose" or node.domain != "":
        return None
    found = operand(node, 0)
    held = constant(found)
    if held is None or len(held.shape) != 2 or attribute(node, "perm", (1, 0)) != (1, 0):
        return None
    return found


def _picks_scales(node: Node) -> bool:
    """Whether a Gather picks scales for a DequantizeLinear."""
    uses = [use for output in node.outputs for use in output.uses()]
    return bool(uses) and all(
        use.node.op_type == "DequantizeLinear" and use.idx == 1 for use in uses
    )


def why_not_constant(node: Node) -> str | None:
    """Why ``node`` is no layer; None when there is nothing to say of it."""
    value = operand(node, _WEIGHT[node.op_type])
    if value is None or reads_codes(value) is not None:
        return None
    if value.is_graph_input() and value.const_value is not None:
        return "its weight is an input with a default; freeze-initializers makes it a constant"
    if node.op_type in ("Gemm", "MatMul") and constant(operand(node, 0)) is not None:
        return "its constant is the first operand"
    if constant(value) is None and node.op_type != "Gather":
        return "its weight is known only when the model runs"
    return None


def drop_unread_constant(value: Value) -> None:
    """Remove a constant that nobody reads any more."""
    if value.uses() or value.is_graph_output() or value.is_graph_input():
        return
    producer = value.producer()
    if producer is not None:
        remove_unread([producer])
    elif value.graph is not None and value.is_initializer():
        del value.graph.initializers[str(value.name)]


def owner_of(value: Value, scopes: Iterable[Scope]) -> Scope:
    """The scope a constant is in."""
    producer = value.producer()
    graph = value.graph if producer is None else producer.graph
    return next(scope for scope in scopes if scope.graph is graph)


@dataclass(frozen=True)
class Selection:
    """Which layers a user wants.

    Attributes:
        only: operator types.
        exclude: patterns of node names or weight names; ``?`` stands for any character.
    """

    only: tuple[str, ...]
    exclude: tuple[str, ...] = ()

    def layers(self, model: Model, ctx: Context, rule: str) -> Iterator[Layer]:
        """The layers wanted; says of the others why not."""
        hits: set[str] = set()
        for node, scope in ctx.nodes(model, [("", op_type) for op_type in sorted(_WEIGHT)]):
            if node.op_type not in self.only:
                continue
            layer = layer_at(node, scope)
            if layer is None:
                why = why_not_constant(node)
                if why is not None:
                    ctx.declined(rule, node, why)
                continue
            left = [name for name in self.exclude if is_called(node, [layer.held], name)]
            if left:
                hits.update(left)
                ctx.declined(rule, node, f"the user left it out: {left[0]}")
                continue
            yield layer
        for name in self.exclude:
            if name not in hits and not _is_used(name, ctx.scopes(model)):
                ctx.note(rule, name, "nothing is called so")


def is_called(node: Node, weights: Iterable[Value | None], pattern: str) -> bool:
    """Whether a layer, or one of its weights, has a name that fits ``pattern``."""
    names = [label(node), *(value.name or "" for value in weights if value is not None)]
    return any(fnmatch.fnmatchcase(name, pattern) for name in names)


def _is_used(pattern: str, scopes: Iterable[Scope]) -> bool:
    return any(is_called(node, node.inputs, pattern) for scope in scopes for node in scope.graph)


def last_products(model: Model, layers: Sequence[Layer]) -> set[Node]:
    """The products of the main graph from whose results no other one of ``layers`` is computed."""
    products = {layer.node for layer in layers if layer.is_product}
    followed: dict[Node, bool] = {}
    for node in reversed(model.graph):
        # A reader that is not in this graph is in a subgraph, of which nothing is known here.
        followed[node] = any(
            reader in products or followed.get(reader, True)
            for output in node.outputs
            for reader in output.consumers()
        )
    return {node for node in products if not followed.get(node, True)}
