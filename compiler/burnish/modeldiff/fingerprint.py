"""What identifies a node by structure: not its name, but what it computes, from what, for whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

import xxhash

from burnish.ir import Attr, AttributeType, Graph, Node, TensorProtocol, Value, constant
from burnish.match import COMMUTATIVE
from burnish.modeldiff.defaults import plain
from burnish.modeldiff.setting import Setting, inner_graphs
from burnish.modeldiff.smallness import is_spelled_out
from burnish.text import digest

__all__ = ["Fingerprints", "commutes", "fingerprint", "given", "graph_hash", "tensor_hash"]

_NOTHING: Mapping[Value, str] = MappingProxyType({})


def fingerprint(*parts: object) -> str:
    """A digest of ``parts``, told apart by their text."""
    return xxhash.xxh3_128_hexdigest(repr([str(part) for part in parts]).encode())


def tensor_hash(tensor: TensorProtocol) -> str:
    """Type, shape and content of a tensor."""
    return fingerprint("tensor", tensor.dtype.name, list(tensor.shape), digest(tensor))


def attribute_hash(attr: Attr) -> str:
    """Name and value of an attribute that holds no graph."""
    if attr.is_ref():
        return fingerprint(attr.name, "ref", attr.ref_attr_name)
    if attr.type == AttributeType.TENSOR:
        return fingerprint(attr.name, tensor_hash(attr.value))
    if attr.type == AttributeType.TENSORS:
        return fingerprint(attr.name, *map(tensor_hash, attr.value))
    return fingerprint(attr.name, attr.type, plain(attr))


def commutes(node: Node) -> bool:
    """Whether the two operands of ``node`` may be exchanged."""
    return node.op_type in COMMUTATIVE and node.domain == "" and len(node.inputs) == 2


def given(node: Node) -> tuple[Value | None, ...]:
    """The inputs of ``node`` without empty slots at the end."""
    values = node.inputs
    count = len(values)
    while count and values[count - 1] is None:
        count -= 1
    return tuple(values[:count])


class Fingerprints:
    """What identifies the values and nodes of one graph.

    Nodes that only hold a constant are none here: a constant is its content, whether it is stored
    as an initializer, as a Constant node, in this graph or around it.

    Attributes:
        graph: the graph.
        setting: what its nodes mean.
        nodes: the nodes that compute.
        operators: by node, what it does, as one word.
        tokens: what is known of values so far.
        results: how graph outputs are identified.
        shell: a node's operator and attributes, without its inputs and what is inside.
        own: the same with what is inside, but not which outer values that reads.
        reads: a node's inputs, then the outer values its subgraphs read.
        weighed: nodes that read a weight, as it is or prepared by nodes that read nothing else.
    """

    def __init__(
        self, graph: Graph, setting: Setting, known: Mapping[Value, str] = _NOTHING
    ) -> None:
        self.graph = graph
        self.setting = setting
        self.tokens: dict[Value, str] = dict(known)
        for index, value in enumerate(graph.inputs):
            self.tokens[value] = fingerprint("input", index)
        self.results = {value: str(index) for index, value in enumerate(graph.outputs)}
        self.nodes: list[Node] = []
        self.operators: dict[Node, str] = {}
        self.shell: dict[Node, str] = {}
        self.own: dict[Node, str] = {}
        self.reads: dict[Node, tuple[Value | None, ...]] = {}
        self.weighed: set[Node] = set()
        prepared: set[Value] = set()
        for node in graph:
            if len(node.outputs) == 1 and constant(node.outputs[0]) is not None:
                continue
            self.nodes.append(node)
            self._describe(node)
            self._weigh(node, prepared)

    def _describe(self, node: Node) -> None:
        setting = self.setting
        values = given(node)
        self.operators[node] = setting.operator(node)
        self.shell[node] = self.own[node] = fingerprint(
            self.operators[node],
            [value is not None for value in values],
            setting.outputs(node),
            *map(attribute_hash, setting.attributes(node)),
            *(name for name, _ in inner_graphs(node)),
        )
        self.reads[node] = values
        body = setting.body(node)
        if body:
            self.own[node] = fingerprint(self.shell[node], body)
        if inner := inner_graphs(node):
            captured: dict[Value, None] = {}
            hashes = [graph_hash(graph, setting, _NOTHING, captured) for _, graph in inner]
            self.own[node] = fingerprint(self.shell[node], *hashes)
            self.reads[node] = (*values, *captured)

    def _weigh(self, node: Node, prepared: set[Value]) -> None:
        fixed = True
        for value in self.reads[node]:
            held = constant(value)
            if value in prepared or (held is not None and not is_spelled_out(held)):
                self.weighed.add(node)
            fixed = fixed and (value is None or held is not None or value in prepared)
        if fixed and node in self.weighed:
            prepared.update(node.outputs)

    def token(self, value: Value | None) -> str:
        """What ``value`` is: a graph input, a constant's content, or a result of a node."""
        if value is None:
            return ""
        found = self.tokens.get(value)
        if found is None:
            held = constant(value)
            found = tensor_hash(held) if held is not None else "captured"
            self.tokens[value] = found
        return found

    @cached_property
    def above(self) -> dict[Node, str]:
        """By node: its operator and everything it is computed from."""
        found: dict[Node, str] = {}
        for node in self.nodes:
            inputs = [self.token(value) for value in given(node)]
            inner = inner_graphs(node)
            inside = [graph_hash(graph, self.setting, self.tokens, {}) for _, graph in inner]
            found[node] = fingerprint(
                self.own[node], *(sorted(inputs) if commutes(node) else inputs), *inside
            )
            for index, value in enumerate(node.outputs):
                self.tokens[value] = fingerprint(found[node], index)
        return found

    @cached_property
    def below(self) -> dict[Node, str]:
        """By node: its operator, its constants, and everything that is computed from it."""
        readers: dict[Value, list[tuple[Node, int]]] = defaultdict(list)
        for node, slot, value in self.uses():
            readers[value].append((node, slot))
        found: dict[Node, str] = {}
        for node in reversed(self.nodes):
            uses = [
                fingerprint(
                    index,
                    sorted(fingerprint(found[reader], slot) for reader, slot in readers[value]),
                )
                for index, value in enumerate(node.outputs)
                if value in readers
            ]
            ends = [self.results.get(value, "") for value in node.outputs]
            constants = [
                self.token(value) if value is not None and constant(value) is not None else ""
                for value in given(node)
            ]
            if commutes(node):
                constants.sort()
            found[node] = fingerprint(self.own[node], *uses, *ends, *constants)
        return found

    def uses(self) -> Iterator[tuple[Node, int, Value]]:
        """Every node with each value it reads and where: -1 inside a subgraph.

        Operands that may be exchanged stand in one place.
        """
        for node, values in self.reads.items():
            explicit = len(given(node))
            same = commutes(node)
            for slot, value in enumerate(values):
                if value is not None:
                    yield node, -1 if slot >= explicit else 0 if same else slot, value

    def order(self, node: Node, values: Sequence[Value | None]) -> list[str]:
        """The tokens of ``values``, sorted where their order does not count."""
        tokens = [self.token(value) for value in values]
        return sorted(tokens) if commutes(node) else tokens


def graph_hash(
    graph: Graph, setting: Setting, known: Mapping[Value, str], captured: dict[Value, None]
) -> str:
    """A subgraph or function body.

    Args:
        graph: it.
        setting: what its nodes mean.
        known: tokens of outer values; those not in it count as one and the same.
        captured: collects the outer values that it reads, constants left out.
    """
    prints = Fingerprints(graph, setting, known)
    inside: set[Value] = set(graph.inputs)
    inside.update(value for node in prints.nodes for value in node.outputs)
    used = [value for values in prints.reads.values() for value in values] + list(graph.outputs)
    for value in used:
        if value is not None and value not in inside and constant(value) is None:
            captured[value] = None
    nodes = sorted(prints.above.values())
    return fingerprint(len(graph.inputs), nodes, [prints.token(value) for value in graph.outputs])
