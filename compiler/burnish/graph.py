"""Safe edits of a graph: replace a value, remove what nobody reads, place a constant.

Rules get these through the engine; passes that are not local use them directly.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from burnish.ir import (
    DataType,
    Graph,
    Node,
    Scope,
    Shape,
    TensorProtocol,
    TensorType,
    Value,
    convert_attributes,
    label,
    read_values,
    remove_node,
    schema,
)
from burnish.passdef import Names
from burnish.shapes import Shapes
from burnish.target import Target

__all__ = [
    "SOURCES",
    "Placement",
    "detach",
    "invalid_at_opset",
    "is_computed_from",
    "is_unread",
    "remove_unread",
    "replace_value",
    "reuse_names",
    "sources_of",
    "unwelcome",
    "why_not_emitted",
    "why_not_replaceable",
]

SOURCES = "burnish.sources"
"""Key in ``node.meta``: the labels of the source nodes a node was made from."""


def sources_of(node: Node) -> tuple[str, ...]:
    """The source nodes ``node`` came from; itself when no pass made it."""
    made_from: tuple[str, ...] | None = node.meta.get(SOURCES)
    return made_from if made_from is not None else (label(node),)


@dataclass(frozen=True)
class Placement:
    """How new things are put into a scope."""

    scope: Scope

    def constant(self, held: TensorProtocol, name: str) -> Value:
        """A constant value, not yet in the graph.

        Function bodies have no initializers, so there it is the result of a ``Constant`` node
        that the caller inserts; elsewhere the caller registers it as an initializer.
        """
        if self.scope.function is not None:
            node = constant_node(held, name)
            return node.outputs[0]
        held.name = name
        known = held.shape
        shape = known if isinstance(known, Shape) and known.frozen else Shape(known.numpy())
        return Value(name=name, type=TensorType(held.dtype), shape=shape, const_value=held)

    def add_constant(self, held: TensorProtocol, name: str, before: Node | None = None) -> Value:
        """A constant value in the graph, before node ``before`` (or first) if it needs a node."""
        value = self.constant(held, name)
        graph = self.scope.graph
        producer = value.producer()
        if producer is None:
            graph.register_initializer(value)
        elif before is not None:
            graph.insert_before(before, producer)
        elif len(graph):
            graph.insert_before(graph[0], producer)
        else:
            graph.append(producer)
        return value

    def name_outputs(self, node: Node, after: Value, names: Names) -> None:
        """Name the results of a new node for what it does and the value it helps to make."""
        for output in node.outputs:
            if output.name is None:
                output.name = names.fresh(f"{after.name}_{node.op_type}")


def constant_node(held: TensorProtocol, name: str) -> Node:
    """A detached ``Constant`` node that produces a value called ``name``."""
    output = Value(
        name=name, type=TensorType(held.dtype), shape=Shape(held.shape.numpy()), const_value=held
    )
    return Node("", "Constant", [], convert_attributes({"value": held}), outputs=[output])


@functools.cache
def _signature(
    op_type: str, domain: str, version: int
) -> tuple[int, int, frozenset[str]] | str | None:
    found = schema(op_type, domain, version)
    if found is None:
        return f"opset {version} has no {op_type}"
    if found.deprecated:
        return f"{op_type} is deprecated at opset {version}"
    return found.min_input, found.max_input, frozenset(found.attributes)


def invalid_at_opset(node: Node, opsets: Mapping[str, int]) -> str | None:
    """Why ``node`` may not be written in a graph with these opsets, or None when it may."""
    version = opsets.get(node.domain)
    if version is None:
        return f"domain '{node.domain}' of {node.op_type} is not imported"
    if node.domain != "":
        return None
    signature = _signature(node.op_type, node.domain, version)
    if not isinstance(signature, tuple):
        return signature
    fewest, most, attributes = signature
    if not fewest <= len(node.inputs) <= most:
        return f"{node.op_type} at opset {version} does not take {len(node.inputs)} inputs"
    for name in node.attributes:
        if name not in attributes:
            return f"{node.op_type} at opset {version} has no attribute {name}"
    return None


def unwelcome(node: Node, opsets: Mapping[str, int], target: Target) -> str | None:
    """Why ``node`` should not be made for ``target``, or None when it may be."""
    limits = target.limits
    if node.domain:
        return None
    if not limits.welcomes(node.op_type):
        return f"{target.name} has no good kernel for {node.op_type}"
    missing = {part for op_type, part in limits.missing_parts if op_type == node.op_type}
    if missing:
        used = missing.intersection(_parts(node, opsets.get("", 0)))
        if used:
            return f"{target.name} has no {node.op_type} with {', '.join(sorted(used))}"
    return None


def why_not_emitted(node: Node, opsets: Mapping[str, int], target: Target) -> str | None:
    """Why no pass may put ``node`` into a graph with these opsets, or None when one may."""
    return invalid_at_opset(node, opsets) or unwelcome(node, opsets, target)


def _parts(node: Node, version: int) -> Iterable[str]:
    """The attributes of ``node`` and the formal names of the inputs and outputs it has."""
    found = schema(node.op_type, "", version)
    yield from node.attributes
    if found is not None:
        yield from (
            part.name for part, value in zip(found.inputs, node.inputs, strict=False) if value
        )
        yield from (
            part.name
            for part, value in zip(found.outputs, node.outputs, strict=False)
            if value.name != ""
        )


def why_not_replaceable(was: Value, becomes: Value, shapes: Shapes) -> str | None:
    """Why readers of ``was`` may not read ``becomes``, or None when they may.

    Types and shapes must not contradict each other; whether they are *provably* equal is the
    caller's business. A graph output keeps its name, so what replaces it must be a result of a
    node of the same graph that is not an output already.
    """
    if was is becomes:
        return f"{was.name} would replace itself"
    before, after = shapes.dtype(was), shapes.dtype(becomes)
    if before is not None and after is not None and before != after:
        return f"the type would change from {_dtype(before)} to {_dtype(after)}"
    if (
        was.type is not None
        and becomes.type is not None
        and type(was.type) is not type(becomes.type)
    ):
        return f"the type would change from {was.type} to {becomes.type}"
    left, right = shapes.shape(was), shapes.shape(becomes)
    if left is not None and right is not None:
        if len(left) != len(right):
            return f"the rank would change from {len(left)} to {len(right)}"
        for one, other in zip(left, right, strict=True):
            if isinstance(one, int) and isinstance(other, int) and one != other:
                return f"the shape would change from {_dims(left)} to {_dims(right)}"
    if was.is_graph_output():
        if becomes.is_graph_output():
            return f"{was.name} and {becomes.name} are both graph outputs"
        if becomes.is_graph_input() or becomes.is_initializer():
            return f"{was.name} is a graph output and {becomes.name} is not computed here"
        producer = becomes.producer()
        if producer is not None and producer.graph not in (None, was.graph):
            return f"{was.name} is a graph output and {becomes.name} belongs to an outer graph"
    return None


def _dims(shape: tuple[object, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"


def _dtype(dtype: DataType) -> str:
    return dtype.name.lower()


def _inherit_type(was: Value, becomes: Value) -> None:
    """What was known of ``was`` is now known of ``becomes``."""
    if becomes.type is None:
        becomes.type = was.type
    if was.shape is None or becomes.is_graph_input() or becomes.const_value is not None:
        return
    if becomes.shape is None:
        becomes.shape = was.shape
    elif len(becomes.shape) == len(was.shape) and not becomes.is_initializer():
        dims = [
            old if isinstance(old, int) or (not isinstance(new, int) and new.value is None) else new
            for old, new in zip(was.shape, becomes.shape, strict=True)
        ]
        becomes.shape = Shape(dims)


def replace_value(was: Value, becomes: Value, *, fresh: bool) -> None:
    """Let every reader of ``was`` read ``becomes``, graph outputs and subgraphs included.

    Args:
        was: the value replaced; its producer stays until removed.
        becomes: the replacement, not refused by :func:`why_not_replaceable`.
        fresh: whether ``becomes`` is new, so that it may take over the name.
    """
    is_output, name = was.is_graph_output(), was.name
    if is_output:
        graph = was.graph
        assert graph is not None
        for index, output in enumerate(graph.outputs):
            if output is was:
                graph.outputs[index] = becomes
        becomes.type, becomes.shape = was.type, was.shape
    else:
        _inherit_type(was, becomes)
    if is_output or fresh:
        was.name = None
        becomes.name = name
    was.replace_all_uses_with(becomes)


def is_computed_from(values: Iterable[Value | None], results: Iterable[Value]) -> bool:
    """Whether one of ``values`` is one of ``results``, or is computed from one."""
    targets = set(results)
    pending = [value for value in values if value is not None]
    seen: set[Value] = set()
    while pending:
        value = pending.pop()
        if value in targets:
            return True
        if value in seen:
            continue
        seen.add(value)
        producer = value.producer()
        if producer is not None:
            pending.extend(read_values(producer))
    return False


def detach(nodes: Iterable[Node]) -> None:
    """Let new nodes that did not join a graph read nothing, so that nobody counts their uses.

    Their subgraphs are left as they are: those may be the ones of the nodes in the graph.
    """
    for node in nodes:
        for index in range(len(node.inputs)):
            node.replace_input_with(index, None)


def reuse_names(
    made: Sequence[Node], consumed: Sequence[Node], names: Sequence[str | None]
) -> None:
    """Give new nodes the names of removed nodes of their type, so that diffs stay small.

    Args:
        made: the new nodes.
        consumed: the nodes they come from; those still in a graph keep their names.
        names: the names these had.
    """
    free = [
        (node.op_type, name)
        for node, name in zip(consumed, names, strict=True)
        if name and node.graph is None
    ]
    for node in made:
        for item in free:
            if item[0] == node.op_type:
                node.name = item[1]
                free.remove(item)
                break


def is_unread(node: Node) -> bool:
    """Whether no node and no graph output needs any result of ``node``."""
    return not any(output.uses() or output.is_graph_output() for output in node.outputs)


def remove_unread(nodes: Iterable[Node]) -> list[Value]:
    """Remove those of ``nodes`` that nobody reads, then what only they read, and so on.

    Returns:
        The values that removed nodes had read and that are still there.
    """
    released: dict[Value, None] = {}
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if not isinstance(node.graph, Graph) or not is_unread(node):
            continue
        for output in node.outputs:
            released.pop(output, None)
        for value in remove_node(node):
            released[value] = None
            producer = value.producer()
            if producer is not None:
                pending.append(producer)
    return list(released)
