"""Sizes of saved models: nodes over all scopes, operators, bytes on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import onnx

_Functions = Mapping[tuple[str, str, str], onnx.FunctionProto]


def _nodes(nodes: Iterable[onnx.NodeProto], functions: _Functions) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        called = functions.get((node.domain, node.op_type, node.overload))
        if called is not None:
            yield from _nodes(called.node, functions)
            continue
        yield node
        for attr in node.attribute:
            graphs = [attr.g] if attr.type == onnx.AttributeProto.GRAPH else attr.graphs
            for graph in graphs:
                yield from _nodes(graph.node, functions)


def operators(path: Path) -> dict[str, int]:
    """How often each operator occurs in the main graph and all subgraphs.

    A call of a function counts as the nodes of its body, so that inlining changes nothing.
    Operators outside the ONNX domain are written ``domain::Name``. The most frequent come first.
    """
    model = onnx.load(path, load_external_data=False)
    functions = {(item.domain, item.name, item.overload): item for item in model.functions}
    found: Counter[str] = Counter()
    for node in _nodes(model.graph.node, functions):
        plain = node.domain in ("", "ai.onnx")
        found[node.op_type if plain else f"{node.domain}::{node.op_type}"] += 1
    return dict(found.most_common())


def bytes_on_disk(folder: Path) -> int:
    """The size of all files in ``folder``: a model and its external data."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
