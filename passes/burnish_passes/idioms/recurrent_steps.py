"""Chains of recurrent operators that take one step each, and what reads their states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from burnish.ir import Node, Value, attribute, constant_array
from burnish.match import Match
from burnish.symbolic import Dim, known_equal
from burnish_passes.movement.views import VIEWS
from burnish_passes.proofs import operand, static_ints

__all__ = ["Chain", "Stack", "chains", "is_needed", "stacks"]

_STATES = {"GRU": (5,), "LSTM": (5, 6)}
"""Input positions of the states; the results follow the same order, after the sequence."""
_ALONE = {"GRU": (4,), "LSTM": (4, 7)}
"""Input positions that must be absent: lengths, peepholes."""


@dataclass(frozen=True)
class Chain:
    """Nodes of which each continues from the state of the one before, over rows of ``x``.

    Attributes:
        nodes: the steps, in order.
        x: what the rows come from.
        axis: the axis of ``x`` the steps go along: 0 or 1.
        start: the first row.
    """

    nodes: tuple[Node, ...]
    x: Value
    axis: int
    start: int


@dataclass(frozen=True)
class Stack:
    """A Concat of the states after all steps.

    Attributes:
        node: the Concat.
        batch_first: whether its result is ``[batch, steps, size]``, else ``[steps, batch, size]``.
    """

    node: Node
    batch_first: bool


def _viewed(value: Value | None) -> Value | None:
    """What ``value`` is a view of."""
    while value is not None:
        node = value.producer()
        if node is None or node.domain or node.op_type not in VIEWS:
            return value
        value = node.inputs[0]
    return None


def _follows(node: Node) -> Node | None:
    """The step whose states ``node`` starts from."""
    positions = _STATES[node.op_type]
    first = _viewed(operand(node, positions[0]))
    before = None if first is None else first.producer()
    if before is None or before.graph is not node.graph:
        return None
    if (before.domain, before.op_type) != ("", node.op_type):
        return None
    for place, position in enumerate(positions, start=1):
        state = _viewed(operand(node, position))
        if state is None or len(before.outputs) <= place or before.outputs[place] is not state:
            return None
    return before if _alike(before, node) else None


def _alike(left: Node, right: Node) -> bool:
    """Whether two steps compute the same of their operands."""
    if any(operand(left, index) is not operand(right, index) for index in (1, 2, 3)):
        return False
    if set(left.attributes) != set(right.attributes):
        return False
    return all(attribute(left, name) == attribute(right, name) for name in left.attributes)


def _is_plain(node: Node) -> bool:
    """Whether a step runs forward over all rows, and nobody reads its sequence of states."""
    if attribute(node, "direction", "forward") != "forward" or attribute(node, "layout", 0):
        return False
    if any(operand(node, index) is not None for index in _ALONE[node.op_type]):
        return False
    states = len(_STATES[node.op_type])
    if len(node.outputs) != 1 + states:
        return False
    return not node.outputs[0].uses() and not node.outputs[0].is_graph_output()


def chains(m: Match, nodes: Sequence[Node]) -> Iterator[Chain]:
    """The longest chains among ``nodes``, which stand in graph order."""
    plain = [node for node in nodes if _is_plain(node)]
    before = {node: _follows(node) for node in plain}
    members = set(plain)
    after: dict[Node, list[Node]] = {}
    for node, previous in before.items():
        if previous in members and previous is not None:
            after.setdefault(previous, []).append(node)
    for node in plain:
        if before[node] in members and len(after[before[node] or node]) == 1:
            continue
        steps = [node]
        while len(after.get(steps[-1], ())) == 1:
            steps.extend(after[steps[-1]])
        yield from _over_one_sequence(m, steps)


def _over_one_sequence(m: Match, steps: Sequence[Node]) -> Iterator[Chain]:
    """The parts of a chain that go along consecutive rows of one value."""
    part: list[Node] = []
    place: tuple[Value, int, int] | None = None
    for node in steps:
        row = _row(m, node)
        if part and place is not None and row == (place[0], place[1], place[2] + len(part)):
            part.append(node)
            continue
        if len(part) > 1 and place is not None:
            yield Chain(tuple(part), *place)
        part, place = ([node], row) if row is not None else ([], None)
    if len(part) > 1 and place is not None:
        yield Chain(tuple(part), *place)


def _row(m: Match, node: Node) -> tuple[Value, int, int] | None:
    """``(x, axis, index)`` where the step reads row ``index`` of ``x``, ``[..., features]``."""
    value = operand(node, 0)
    source = _viewed(value)
    taken = None if source is None else source.producer()
    if value is None or source is None or taken is None or taken.domain:
        return None
    if taken.op_type not in ("Gather", "Slice", "Split") or taken.graph is not node.graph:
        return None
    x = taken.inputs[0]
    shape = None if x is None else m.ctx.shapes.shape(x)
    given = m.ctx.shapes.shape(value)
    if x is None or shape is None or given is None or len(shape) != 3 or len(given) != 3:
        return None
    found = _taken_row(m, taken, source)
    if found is None:
        return None
    axis, index = found
    axis += 3 if axis < 0 else 0
    size = shape[axis] if axis in (0, 1) else None
    if size is None or (index < 0 and not isinstance(size, int)):
        return None
    index += size if index < 0 and isinstance(size, int) else 0
    fits = given[0] == 1 and known_equal(given[1], shape[1 - axis])
    return (x, axis, index) if fits and known_equal(given[2], shape[2]) else None


def _taken_row(m: Match, node: Node, source: Value) -> tuple[int, int] | None:
    """The axis and the one index that ``node`` takes."""
    if node.op_type == "Gather":
        at = constant_array(operand(node, 1))
        if at is None or at.size != 1:
            return None
        return attribute(node, "axis", 0), int(at.reshape(-1)[0])
    if node.op_type == "Split":
        axis = attribute(node, "axis", 0)
        shapes = [m.ctx.shapes.shape(output) for output in node.outputs]
        single = all(shape is not None and shape[axis] == 1 for shape in shapes)
        return (axis, list(node.outputs).index(source)) if single else None
    given = [static_ints(m, node, name, index) for index, name in _BOUNDS]
    if any(item is None or len(item) != 1 for item in given):
        return None
    start, end, axis = (item[0] for item in given if item is not None)
    return (axis, start) if end == start + 1 and end != 0 else None


_BOUNDS = ((1, "starts"), (2, "ends"), (3, "axes"))


def is_needed(value: Value, without: set[Node]) -> bool:
    """Whether anything but nodes ``without`` reads ``value`` or views of it."""
    if value.is_graph_output():
        return True
    for use in value.uses():
        node = use.node
        if node in without:
            continue
        if node.domain or node.op_type not in VIEWS or node.inputs[0] is not value:
            return True
        if is_needed(node.outputs[0], without):
            return True
    return False


def stacks(m: Match, states: Sequence[Value]) -> list[Stack]:
    """Where all ``states``, ``[1, batch, size]`` each, are joined in order."""
    found = []
    whole = m.ctx.shapes.shape(states[0])
    for concat in dict.fromkeys(_concats(states[0])):
        sources = [_viewed(value) for value in concat.inputs]
        if sources != list(states) or whole is None:
            continue
        parts = [m.ctx.shapes.shape(value) for value in concat.inputs if value is not None]
        axis = attribute(concat, "axis")
        axis += 3 if axis < 0 else 0
        if axis not in (0, 1):
            continue
        wanted = (1, *whole[1:]) if axis == 0 else (whole[1], 1, whole[2])
        if all(_is_shape(part, wanted) for part in parts):
            found.append(Stack(concat, axis == 1))
    return found


def _is_shape(shape: Sequence[Dim] | None, wanted: Sequence[Dim]) -> bool:
    if shape is None or len(shape) != len(wanted):
        return False
    pairs = zip(shape, wanted, strict=True)
    return all(known_equal(left, right) for left, right in pairs)


def _concats(value: Value) -> Iterator[Node]:
    producer = value.producer()
    for node in value.consumers():
        if node.domain or producer is None or node.graph is not producer.graph:
            continue
        if node.op_type == "Concat":
            yield node
        elif node.op_type in VIEWS and node.inputs[0] is value:
            yield from _concats(node.outputs[0])
