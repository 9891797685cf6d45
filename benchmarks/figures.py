"""Sizes of saved models: nodes over all scopes, operators, bytes on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import onnx


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attr in node.attribute:
            if attr.type == onnx.AttributeProto.GRAPH:
                yield from _nodes(attr.g.node)
            elif attr.type == onnx.AttributeProto.GRAPHS:
                for graph in attr.graphs:
                    yield from _nodes(graph.node)


def operators(path: Path) -> dict[str, int]:
    """How often each operator occurs in the main graph, all subgraphs and function bodies.

    Operators outside the ONNX domain are written ``domain::Name``. The most frequent come first.
    """
    model = onnx.load(path, load_external_data=False)
    found: Counter[str] = Counter()
    bodies = [model.graph.node, *(function.node for function in model.functions)]
    for node in (node for body in bodies for node in _nodes(body)):
        plain = node.domain in ("", "ai.onnx")
        found[node.op_type if plain else f"{node.domain}::{node.op_type}"] += 1
    return dict(found.most_common())


def bytes_on_disk(folder: Path) -> int:
    """The size of all files in ``folder``: a model and its external data."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
