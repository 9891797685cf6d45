"""What rules must prove before they drop or merge operators, asked in one way everywhere."""

from __future__ import annotations

from typing import Any

from burnish.ir import Array, Node, Value, attribute, constant_array
from burnish.match import Match

__all__ = [
    "adds_nothing_to_the_shape",
    "as_result",
    "has_static_contents",
    "is_filled_with",
    "operand",
    "require_same_shape",
    "same_shape",
    "static_ints",
    "whole_axes",
]


def same_shape(m: Match, left: Value, right: Value) -> bool:
    """Whether two values have the same shape in every run, as far as we can prove."""
    return m.ctx.shapes.known_equal_shapes(left, right)


def require_same_shape(m: Match, x: Value, y: Value) -> None:
    """Decline unless ``y`` has the shape of ``x`` in every run."""
    m.require(
        same_shape(m, x, y),
        f"{y.name} {_shape_text(m, y)} may not have the shape of {x.name} {_shape_text(m, x)}",
    )


def _shape_text(m: Match, value: Value) -> str:
    shape = m.ctx.shapes.shape(value)
    return "of unknown rank" if shape is None else f"[{', '.join(map(str, shape))}]"


def operand(node: Node, index: int) -> Value | None:
    """Input ``index`` of ``node``, or None when it is absent."""
    return node.inputs[index] if index < len(node.inputs) else None


def static_ints(m: Match, node: Node, name: str, index: int) -> tuple[int, ...] | None:
    """Integers given as attribute ``name`` (older opsets) or as constant input ``index``."""
    held: Any = attribute(node, name)
    if held is not None:
        return (held,) if isinstance(held, int) else tuple(held)
    value = operand(node, index)
    if value is None:
        return None
    array = constant_array(value)
    if array is not None:
        return tuple(int(item) for item in array.reshape(-1))
    contents = m.ctx.shapes.contents(value)
    return None if contents is None else contents.ints()


def has_static_contents(node: Node, name: str, index: int) -> bool:
    """Whether the integers of :func:`static_ints` are given at all, as attribute or input."""
    return name in node.attributes or operand(node, index) is not None


def whole_axes(axes: tuple[int, ...], rank: int) -> tuple[int, ...] | None:
    """``axes`` counted from the front, in ascending order; None when they do not fit ``rank``."""
    found = {axis + rank if axis < 0 else axis for axis in axes}
    if len(found) != len(axes) or any(not 0 <= axis < rank for axis in found):
        return None
    return tuple(sorted(found))


def is_filled_with(array: Array, element: float) -> bool:
    """Whether every element equals ``element`` (zeros of either sign are equal).

    The first element is looked at alone: most constants need not be read from disk any further.
    """
    if array.size == 0 or array.dtype.kind in "OSU" or array.reshape(-1)[0] != element:
        return False
    return bool((array == element).all())


def adds_nothing_to_the_shape(m: Match, name: str, c: Array) -> None:
    """Decline unless variable ``name`` with constant ``c`` has the shape of the variable.

    Broadcasting goes both ways, so a constant may enlarge the other operand.
    """
    if m.opset < 7:  # the second operand was broadcast to the first, never the other way
        m.require(m.root.inputs[0] is m[name], "the constant gives the result its shape")
        return
    if c.ndim == 0:
        return
    shape = m.shape(name)
    m.require(c.ndim <= len(shape), "the constant has more axes than the other operand")
    fits = zip(reversed(c.shape), reversed(shape), strict=False)
    m.require(
        all(size == 1 or size == dim for size, dim in fits),
        "the constant may broadcast the other operand to a larger shape",
    )


def as_result(op: Any, m: Match, x: Value) -> Value:
    """``x``, or ``Identity(x)`` where the result is a graph output that ``x`` cannot be.

    Only for patterns of at least two nodes: there even the Identity is one node less.
    """
    result = m.root.outputs[0]
    producer = x.producer()
    if producer is not None and producer.graph is None:
        return x  # just made, it takes over the name
    fixed = x.is_graph_input() or x.is_graph_output() or x.is_initializer()
    if result.is_graph_output() and (fixed or x.graph is not result.graph):
        made: Value = op.Identity(x)
        return made
    return x
