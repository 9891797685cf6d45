"""Steps of a reduction inside function bodies that cannot be inlined without losing the fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx

from burnish.reduction.case import Case, copied, reads
from burnish.reduction.deltas import minimize
from burnish.reduction.nodes import renamed
from burnish.reduction.search import Search

__all__ = ["bypass_in_functions"]


def bypass_in_functions(search: Search) -> None:
    """Let readers of a node of a function read its first input; types are known to none.

    What nobody in the function reads any more goes with it.
    """
    base = search.best
    items = [
        (number, index)
        for number, function in enumerate(base.proto.functions)
        for index in range(len(function.node))
    ]

    def holds(kept: Sequence[tuple[int, int]]) -> bool:
        return search.attempt(_bypassed(base, set(items) - set(kept)))

    minimize(items, holds)


def _bypassed(case: Case, gone: set[tuple[int, int]]) -> Case | None:
    proto = copied(case.proto)
    for number, function in enumerate(proto.functions):
        chosen = {index for each, index in gone if each == number}
        if chosen and not _bypass(function, chosen):
            return None
    return replace(case, proto=proto)


def _bypass(function: onnx.FunctionProto, chosen: set[int]) -> bool:
    """Remove the nodes ``chosen``; False where a function would return what goes into it."""
    source: dict[str, str] = {}
    for index in chosen:
        node = function.node[index]
        first = next(iter(reads(node)), None)
        if first is None:
            return False
        source.update({name: first for name in node.output if name})

    def resolved(name: str) -> str:
        while name in source:
            name = source[name]
        return name

    nodes = [node for index, node in enumerate(function.node) if index not in chosen]
    mapping = {name: resolved(name) for name in source}
    # The function's results keep their names: what they stem from takes these.
    results = {mapping.get(name, name): name for name in function.output}
    made = {name for node in nodes for name in node.output}
    if len(results) < len(function.output) or not results.keys() <= made:
        return False
    mapping = {name: results.get(other, other) for name, other in mapping.items()} | results
    kept: list[onnx.NodeProto] = []
    wanted = set(function.output)
    for node in reversed(nodes):
        copy = onnx.NodeProto()
        copy.CopyFrom(renamed(node, mapping))
        for place, name in enumerate(copy.output):
            copy.output[place] = mapping.get(name, name)
        if not wanted.isdisjoint(copy.output):
            kept.append(copy)
            wanted.update(reads(copy))
    del function.node[:]
    function.node.extend(reversed(kept))
    return True
