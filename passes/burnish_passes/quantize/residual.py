"""Residual Adds: one operand is the result of a product, the other skipped it."""

from __future__ import annotations

from collections.abc import Iterator, Set

from burnish.ir import Graph, Node, Value, constant

__all__ = ["residual_adds"]


def residual_adds(graph: Graph, products: Set[Node]) -> Iterator[tuple[Node, int]]:
    """Each Add of a product's result and another value, with the position of the other value.

    Where both are results of products, the second counts as the one that skipped.
    """
    for node in graph:
        if node.op_type != "Add" or node.domain != "" or len(node.inputs) != 2:
            continue
        if any(value is None or constant(value) is not None for value in node.inputs):
            continue
        sides = [_comes_straight_from(value, products) for value in node.inputs]
        if any(sides):
            yield node, 1 if sides[0] else 0


def _comes_straight_from(value: Value | None, products: Set[Node]) -> bool:
    return value is not None and value.producer() in products and len(value.uses()) == 1
