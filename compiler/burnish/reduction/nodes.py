"""Steps of a reduction that take nodes away, or connections between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import onnx

from burnish.reduction.case import Case, nodes_within, reads
from burnish.reduction.cut import keep_nodes, rebuilt
from burnish.reduction.deltas import minimize
from burnish.reduction.search import Search
from burnish.reduction.values import Known
from burnish.serial.tokens import nested_graphs

__all__ = ["bypass_nodes", "cut_inner_nodes", "cut_nodes"]


def cut_nodes(search: Search) -> None:
    """Cut nodes of the main graph out; their results become inputs."""
    base = search.best
    known = search.known(base)
    everything = range(len(base.graph.node))
    minimize(everything, lambda kept: search.attempt(keep_nodes(base, known, kept)))


def bypass_nodes(search: Search) -> None:
    """Let readers of a node read its input, where input and result are of one type.

    Cutting a node breaks the path it stands on; this shortens the path.
    """
    for choice in range(2):
        _bypass(search, choice)


def _bypass(search: Search, choice: int) -> None:
    base = search.best
    known = search.known(base)
    links = dict(_links(base, known, choice))

    def holds(kept: Sequence[int]) -> bool:
        left = set(kept)
        gone = {index: link for index, link in links.items() if index not in left}
        return search.attempt(_bypassed(base, known, gone))

    minimize(list(links), holds)


def _links(case: Case, known: Known, choice: int) -> Iterator[tuple[int, tuple[str, str]]]:
    """``(node, (result, input of the same type))``, for the input that is the ``choice``-th."""
    computed = {info.name for info in case.graph.input}
    computed.update(name for node in case.graph.node for name in node.output)
    for index, node in enumerate(case.graph.node):
        results = [name for name in node.output if name]
        kind = known.type(results[0]) if results else None
        if kind is None:
            continue
        alike = [name for name in reads(node) if name in computed and known.type(name) == kind]
        if len(alike) > choice:
            yield index, (results[0], alike[choice])


def _bypassed(case: Case, known: Known, links: Mapping[int, tuple[str, str]]) -> Case | None:
    """The case without the nodes that ``links`` names."""
    source = dict(links.values())

    def resolved(name: str) -> str:
        while name in source:
            name = source[name]
        return name

    mapping = {name: resolved(name) for name in source}
    nodes = [node for index, node in enumerate(case.graph.node) if index not in links]
    outputs = dict.fromkeys(mapping.get(info.name, info.name) for info in case.graph.output)
    return rebuilt(case, known, [renamed(node, mapping) for node in nodes], list(outputs))


def renamed(node: onnx.NodeProto, mapping: Mapping[str, str]) -> onnx.NodeProto:
    """A copy that reads other values, in its subgraphs too; nothing is shadowed in a loaded model."""
    if mapping.keys().isdisjoint(reads(node)):
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for each in (copy, *nodes_within([copy])):
        for index, name in enumerate(each.input):
            each.input[index] = mapping.get(name, name)
    return copy


# --- subgraphs


def cut_inner_nodes(search: Search) -> None:
    """Cut nodes of subgraphs out; their results become inputs of the model, which they capture."""
    base = search.best
    known = search.known(base)
    count = sum(1 for _ in nodes_within(base.graph.node))
    minimize(range(count), lambda kept: search.attempt(_keep_inner(base, known, set(kept))))


def _keep_inner(case: Case, known: Known, kept: set[int]) -> Case | None:
    nodes = list(case.graph.node)
    numbers = itertools.count()
    pruned = [_pruned(node, numbers, kept, known) for node in nodes]
    return rebuilt(case, known, pruned, [info.name for info in case.graph.output])


def _pruned(
    node: onnx.NodeProto, numbers: Iterator[int], kept: set[int], known: Known
) -> onnx.NodeProto:
    """A copy of ``node`` whose subgraphs hold the nodes ``kept`` only.

    Args:
        node: any node.
        numbers: counts the nodes of subgraphs, in the order of :func:`nodes_within`.
        kept: the numbers of the nodes to keep.
        known: learns of the types of values that are new.
    """
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for graph in nested_graphs(copy):
        returned = {info.name for info in graph.output}
        nodes: list[onnx.NodeProto] = []
        for inner in graph.node:
            number = next(numbers)
            below = _pruned(inner, numbers, kept, known)
            if number in kept:
                nodes.append(below)
            else:
                nodes.extend(_stand_ins(inner, returned, known))
        del graph.node[:]
        graph.node.extend(nodes)
    return copy


def _stand_ins(node: onnx.NodeProto, returned: set[str], known: Known) -> Iterator[onnx.NodeProto]:
    """What returns the results of a node that is cut: a subgraph cannot return outer values."""
    if node.op_type == "Identity" and node.output[0] in returned:
        yield node  # there is nothing smaller
        return
    for name in node.output:
        if name in returned:
            given = f"{name}_given"
            known.liken(given, name)
            yield onnx.helper.make_node("Identity", [given], [name])
