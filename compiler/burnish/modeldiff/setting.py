"""What gives the nodes of a graph their meaning: opsets in force, and the functions they call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from burnish.ir import (
    Attr,
    AttributeType,
    Function,
    Graph,
    Node,
    nested_graphs,
)
from burnish.modeldiff.defaults import GRAPHS, counted_attributes, is_optional_output

__all__ = ["FunctionKey", "Setting", "inner_graphs"]

FunctionKey = tuple[str, str, str]
"""Domain, name and overload."""


@dataclass(frozen=True)
class Setting:
    """What the nodes of one graph mean.

    Attributes:
        opsets: ``{domain: version}`` in force.
        functions: of the model.
        groups: how a function that both models have is called in both; None where all functions
            are told apart by their bodies alone.
        bodies: computes what identifies the body of a function.
    """

    opsets: Mapping[str, int]
    functions: Mapping[FunctionKey, Function]
    groups: Mapping[FunctionKey, str] | None
    bodies: Callable[[FunctionKey], str]

    def of(self, function: Function) -> Setting:
        """The same inside ``function``."""
        return replace(self, opsets=function.opset_imports)

    def operator(self, node: Node) -> str:
        """What the node does, as one word."""
        key = node.op_identifier()
        if key not in self.functions:
            return ".".join(key) if key[2] else f"{key[0]}.{key[1]}"
        return "call" if self.groups is None else self.groups.get(key, f"call {'.'.join(key)}")

    def body(self, node: Node) -> str:
        """What identifies the function that the node calls; empty for an operator."""
        key = node.op_identifier()
        return self.bodies(key) if key in self.functions else ""

    def attributes(self, node: Node) -> list[Attr]:
        """The attributes that say something, see :mod:`burnish.modeldiff.defaults`."""
        called = self.functions.get(node.op_identifier())
        if called is not None:
            return counted_attributes(node, None, called.attributes)
        return counted_attributes(node, self.opsets.get(node.domain))

    def outputs(self, node: Node) -> list[bool]:
        """Which results the node gives; one that may be left out and nobody reads is not given."""
        found = [bool(value.name) for value in node.outputs]
        version = self.opsets.get(node.domain)
        while len(found) > 1:
            value = node.outputs[len(found) - 1]
            unread = not value.uses() and not value.is_graph_output()
            optional = is_optional_output(node.op_type, node.domain, version, len(found) - 1)
            if found[-1] and not (unread and optional):
                break
            found.pop()
        return found


def inner_graphs(node: Node) -> list[tuple[str, Graph]]:
    """The subgraphs of ``node`` by attribute name, in alphabetical order."""
    if not nested_graphs(node):
        return []
    found: list[tuple[str, Graph]] = []
    for name, attr in sorted(node.attributes.data.items()):
        if attr.type not in GRAPHS or attr.is_ref():
            continue
        if attr.type == AttributeType.GRAPH:
            found.append((name, attr.as_graph()))
        else:
            found.extend((f"{name} {index}", one) for index, one in enumerate(attr.as_graphs()))
    return found
