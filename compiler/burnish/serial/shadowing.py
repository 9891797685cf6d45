"""Values of subgraphs that share a name with one further out get a name of their own."""

from __future__ import annotations

from burnish.ir import Graph, Model, names_in_use, nested_graphs, outputs_of

__all__ = ["rename_shadowing"]


def rename_shadowing(model: Model) -> None:
    """Give values of subgraphs that share a name with a value further out a name of their own.

    Values may then be renamed and moved outwards without one hiding another: a branch may call
    its result like the outer graph calls a later one, and exporters do.
    """
    taken: set[str] = set()
    pending: list[tuple[Graph, frozenset[str]]] = [(model.graph, frozenset())]
    pending.extend((function.graph, frozenset()) for function in model.functions.values())
    while pending:
        graph, outer = pending.pop()
        inner = [nested for node in graph for nested in nested_graphs(node)]
        if not inner and not outer:
            continue
        own = [*graph.inputs, *graph.initializers.copy().values(), *outputs_of(graph)]
        for value in own:
            if value.name and value.name in outer:
                taken = taken or names_in_use(model)
                value.name = _unused(value.name, taken)
        names = outer.union(value.name for value in own if value.name)
        pending.extend((nested, names) for nested in inner)


def _unused(name: str, taken: set[str]) -> str:
    """``name`` with the first number behind it that makes it new; it is taken from then on."""
    number = 1
    while f"{name}_{number}" in taken:
        number += 1
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"
