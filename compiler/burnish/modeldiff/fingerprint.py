"""What identifies a node by structure: not its name, but what it computes, from what, and for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property

import xxhash

from burnish.ir import (
    Attr,
    AttributeType,
    Graph,
    Node,
    TensorProtocol,
    Value,
    constant,
    nested_graphs,
)
from burnish.text import digest, value_text

__all__ = ["Fingerprints", "counterparts", "fingerprint", "graph_hash", "name_interface"]


def fingerprint(*parts: object) -> str:
    """A digest of ``parts``, told apart by their text."""
    return xxhash.xxh3_128_hexdigest(repr([str(part) for part in parts]).encode())


def _tensor_hash(tensor: TensorProtocol) -> str:
    return fingerprint("tensor", tensor.dtype.name, list(tensor.shape), digest(tensor))


def _attribute_hash(attr: Attr) -> str:
    if attr.is_ref():
        return fingerprint(attr.name, "ref", attr.ref_attr_name)
    if attr.type == AttributeType.TENSOR:
        return fingerprint(attr.name, _tensor_hash(attr.as_tensor()))
    if attr.type == AttributeType.TENSORS:
        return fingerprint(attr.name, *map(_tensor_hash, attr.as_tensors()))
    return fingerprint(attr.name, attr.type, attr.value)


class Fingerprints:
    """What identifies the values and nodes of one graph.

    Attributes:
        graph: the graph.
        tokens: what is known of values so far.
        results: how graph outputs are identified.
        own: a node's operator, attributes and subgraphs, without its inputs.
        reads: a node's inputs, then the outer values its subgraphs read.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tokens: dict[Value, str] = {}
        for index, value in enumerate(graph.inputs):
            self.tokens[value] = fingerprint("input", index, value_text(value).partition(":")[2])
        self.results = {value: str(index) for index, value in enumerate(graph.outputs)}
        self.own: dict[Node, str] = {}
        self.reads: dict[Node, tuple[Value | None, ...]] = {}
        for node in graph:
            self.own[node], captured = _own(node)
            self.reads[node] = (*node.inputs, *captured)

    def token(self, value: Value | None) -> str:
        """What ``value`` is: a graph input, a constant's content, or a result of a node."""
        if value is None:
            return ""
        found = self.tokens.get(value)
        if found is None:
            held = constant(value)
            found = _tensor_hash(held) if held is not None else fingerprint("unknown", value.name)
            self.tokens[value] = found
        return found

    @cached_property
    def above(self) -> dict[Node, str]:
        """By node: its operator and everything it is computed from."""
        found: dict[Node, str] = {}
        for node in self.graph:
            inputs = [self.token(value) for value in self.reads[node]]
            found[node] = fingerprint(self.own[node], *inputs)
            is_constant = len(node.outputs) == 1 and constant(node.outputs[0]) is not None
            for index, value in enumerate(node.outputs):
                if not is_constant:
                    self.tokens[value] = fingerprint(found[node], index)
        return found

    @cached_property
    def below(self) -> dict[Node, str]:
        """By node: its operator, its constants, and everything that is computed from it."""
        readers: dict[Value, list[tuple[Node, int]]] = defaultdict(list)
        for node, values in self.reads.items():
            for slot, value in enumerate(values):
                if value is not None:
                    readers[value].append((node, slot))
        found: dict[Node, str] = {}
        for node in reversed(list(self.graph)):
            uses = [
                fingerprint(
                    index,
                    sorted(fingerprint(found[reader], slot) for reader, slot in readers[value]),
                )
                for index, value in enumerate(node.outputs)
            ]
            ends = [self.results.get(value, "") for value in node.outputs]
            constants = [
                self.token(value) if value is not None and constant(value) is not None else ""
                for value in self.reads[node]
            ]
            found[node] = fingerprint(self.own[node], *uses, *ends, *constants)
        return found


def _own(node: Node) -> tuple[str, list[Value]]:
    """A node without its inputs, and the outer values its subgraphs read, in order of use."""
    attributes = [
        _attribute_hash(attr)
        for _, attr in sorted(node.attributes.items())
        if attr.type not in (AttributeType.GRAPH, AttributeType.GRAPHS)
    ]
    captured: dict[Value, str] = {}
    inner = [graph_hash(graph, captured) for graph in nested_graphs(node)]
    slots = [value is not None for value in node.inputs]
    outputs = [bool(value.name) for value in node.outputs]
    parts = (node.domain, node.op_type, node.overload, slots, outputs, *attributes, *inner)
    return fingerprint(*parts), list(captured)


def graph_hash(graph: Graph, captured: dict[Value, str]) -> str:
    """A subgraph or function body; outer values are numbered as they are met."""
    prints = Fingerprints(graph)
    inside: set[Value] = {*graph.inputs, *graph.initializers.values()}
    inside.update(value for node in graph for value in node.outputs)
    used = [value for values in prints.reads.values() for value in values] + list(graph.outputs)
    for value in used:
        if value is not None and value not in inside and value not in captured:
            captured[value] = fingerprint("captured", len(captured))
    prints.tokens.update(captured)
    nodes = sorted(prints.above.values())
    return fingerprint(len(graph.inputs), nodes, [prints.token(value) for value in graph.outputs])


def name_interface(before: Graph, after: Graph, old: Fingerprints, new: Fingerprints) -> None:
    """Identify inputs and outputs of the two graphs: by name, then by order."""
    for left, right in counterparts(before.inputs, after.inputs):
        new.tokens[right] = old.tokens[left] = fingerprint("input", left.name)
    paired: set[Value] = set()
    for left, right in counterparts(before.outputs, after.outputs):
        old.results[left] = new.results[right] = f"output {left.name}"
        paired.update((left, right))
    for prints in (old, new):
        for value in prints.results:
            if value not in paired:
                prints.results[value] = f"other output {value.name}"


def counterparts(before: Sequence[Value], after: Sequence[Value]) -> Iterator[tuple[Value, Value]]:
    """Pair values of two interfaces: by name, then the others in order."""
    named = {value.name: value for value in after}
    both = {value.name for value in before} & named.keys()
    for value in before:
        if value.name in both:
            yield value, named[value.name]
    left = [value for value in before if value.name not in both]
    right = [value for value in after if value.name not in both]
    yield from zip(left, right, strict=False)
