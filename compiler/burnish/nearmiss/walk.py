"""How far a form stands around a node, and where it first fails.

A match begins at one operator of the form, whichever node stands for it, and grows along the edges
of the form in both directions as long as the graph agrees. Where it does not, the condition is
noted and the other edges are followed. Operands of commutative operators are tried both ways, and
the way that leads further is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from burnish.ir import Node, Value, attribute, constant, label
from burnish.match import COMMUTATIVE
from burnish.nearmiss.forms import Form, Reader
from burnish.nearmiss.partial import Failure, Partial
from burnish.passdef import option_text
from burnish.pattern import NodePattern, ResultPattern, Variable

__all__ = ["grow"]

_MOST_READERS = 4
"""Readers of one value that are tried as the next operator of a form."""


def grow(form: Form, start: NodePattern, node: Node) -> Partial:
    """As much of ``form`` as stands when ``node`` is its operator ``start``."""
    state = _place(Partial(form), start, node)
    growing = True
    while growing:
        growing = False
        for pattern in (*state.nodes, *state.skipped):
            for reader in form.readers[pattern]:
                if state.standing(reader[0]) is None and not _failed(state, reader[0]):
                    state = _up(state, pattern, reader)
                    growing = True
    return state


def _failed(state: Partial, pattern: NodePattern) -> bool:
    return any(
        each.pattern is pattern and each.kind in ("operator", "reader") for each in state.failures
    )


def _place(state: Partial, pattern: NodePattern, node: Node) -> Partial:
    """``node`` is the operator ``pattern``: check it, then go on to what it reads."""
    state = state.copy()
    state.nodes[pattern] = node
    for key, wanted in pattern.attributes.items():
        found = attribute(node, key)
        if found != wanted:
            held = "not given" if found is None else _shown(found)
            text = f"{key} of {label(node)} is {held}, not {_shown(wanted)}"
            state.fail(Failure("attribute", text, node, pattern))
    ways = [_down(state.copy(), pattern, node, way) for way in _ways(pattern, node)]
    return max(ways, key=Partial.merit)


def _beyond(state: Partial, pattern: NodePattern, node: Node) -> list[Partial]:
    """Ways to go on where ``node`` stands upstream in place of ``pattern``."""
    if state.detours >= state.form.detours or not state.may_hold(node):
        return []
    off = state.copy()
    off.detours += 1
    found = _stand_in(off, pattern, node)
    for item in pattern.inputs:  # the operator is missing
        if not isinstance(item, ResultPattern) or off.standing(item.node) is not None:
            continue
        if _fits(item.node, node, off):
            found.append(_place(off, item.node, node))
    for value in node.inputs:  # the node is one too many
        maker = None if value is None else value.producer()
        if maker is not None and _fits(pattern, maker, off):
            found.append(_place(off, pattern, maker))
    return found


def _stand_in(off: Partial, pattern: NodePattern, node: Node) -> list[Partial]:
    """``node`` is another operator than ``pattern``, in its place: look at what it reads."""
    if len(node.inputs) != len(pattern.inputs) or len(node.outputs) != 1:
        return []
    # What else it reads is of no interest: that it is the wrong operator is said already.
    ways = []
    for given in ([*node.inputs], [*node.inputs][::-1]):
        way = off.copy()
        way.skipped[pattern] = node
        for item, value in zip(pattern.inputs, given, strict=True):
            maker = None if value is None else value.producer()
            if not isinstance(item, ResultPattern) or maker is None:
                continue
            if way.standing(item.node) is None and _fits(item.node, maker, way):
                way = _place(way, item.node, maker)
        ways.append(way)
    return [max(ways, key=Partial.merit)]


def _behind(state: Partial, reader: NodePattern, nodes: list[Node]) -> list[Partial]:
    """Ways to go on where ``nodes`` stand downstream in place of ``reader``."""
    if state.detours >= state.form.detours:
        return []
    off = state.copy()
    off.detours += 1
    found: list[Partial] = []
    if len(nodes) == 1 and state.may_hold(nodes[0]):
        found.extend(_stand_in(off, reader, nodes[0]))
    for later, _, _ in state.form.readers[reader]:  # the operator is missing
        if off.standing(later) is None:
            found.extend(_place(off, later, node) for node in nodes if _fits(later, node, off))
    for node in nodes:  # the node is one too many
        behind = dict.fromkeys(use.node for output in node.outputs for use in output.uses())
        fitting = [each for each in list(behind)[:_MOST_READERS] if _fits(reader, each, off)]
        found.extend(_place(off, reader, each) for each in fitting)
    return found


def _shown(value: object) -> str:
    return option_text(list(value) if isinstance(value, tuple) else value)


def _ways(pattern: NodePattern, node: Node) -> Iterator[list[Value | None]]:
    given = list(node.inputs)
    yield given
    if len(given) == 2 == len(pattern.inputs) and node.op_type in COMMUTATIVE:
        yield given[::-1]


def _down(state: Partial, pattern: NodePattern, node: Node, given: list[Value | None]) -> Partial:
    wanted = pattern.inputs
    surplus = [value for value in given[len(wanted) :] if value is not None]
    if surplus and not pattern.rest:
        text = f"{label(node)} has {len(given)} inputs, not {len(wanted)}"
        state.fail(Failure("inputs", text, node, pattern, value=surplus[0]))
    padded = [*given, *[None] * (len(wanted) - len(given))]
    # Operators first: they say what the operands are.
    order = sorted(range(len(wanted)), key=lambda place: isinstance(wanted[place], Variable))
    for place in order:
        item, value = wanted[place], padded[place]
        if isinstance(item, Variable):
            _bind(state, pattern, item, value, node)
        elif item is None:
            if value is not None:
                text = f"{label(node)} reads {value.name}, where nothing is expected"
                state.fail(Failure("inputs", text, node, pattern, value=value))
        else:
            state = _meet(state, item, value, node)
    return state


def _bind(
    state: Partial, pattern: NodePattern, item: Variable, value: Value | None, node: Node
) -> None:
    if value is None:
        if not item.may_miss:
            text = f"{label(node)} has no {_ordinal(pattern, item)} input"
            state.fail(Failure("inputs", text, node, pattern, item))
        return
    if item.needs_constant and constant(value) is None:
        text = f"{value.name} is not a constant: {_what_it_is(value)}"
        state.fail(Failure("constant", text, node, pattern, item, value=value))
    bound = state.values.setdefault(item.name, value)
    if bound is not value and not _equal(bound, value):
        was = "nothing" if bound is None else bound.name
        text = f"{label(node)} reads {value.name}, where {was} is expected again"
        state.fail(Failure("same", text, node, pattern, item, value=value))


def _equal(one: Value | None, other: Value) -> bool:
    """Whether two values are constants of the same content, which merging would make one."""
    held, new = constant(one), constant(other)
    if held is None or new is None or held.dtype != new.dtype or held.size > _FEW:
        return False
    return tuple(held.shape) == tuple(new.shape) and bool((held.numpy() == new.numpy()).all())


_FEW = 64


def _ordinal(pattern: NodePattern, item: Variable) -> str:
    place = next(n for n, each in enumerate(pattern.inputs, 1) if each is item)
    return {1: "first", 2: "second", 3: "third"}.get(place, f"{place}th")


def _what_it_is(value: Value) -> str:
    producer = value.producer()
    if producer is not None:
        return f"{_called(producer)} computes it"
    if value.is_graph_input():
        default = "whose default a caller may override"
        return f"it is an input {default}" if value.is_initializer() else "it is an input"
    return "it comes from outside"


def _leaf(value: Value) -> str:
    """A value that no node of this graph makes."""
    if constant(value) is not None:
        return f"the constant {value.name}"
    if value.is_graph_input():
        return f"the input {value.name}"
    return f"{value.name} from outside"


def _called(node: Node) -> str:
    """A node with its operator, which most names hold already."""
    name = label(node)
    return name if node.op_type in name else f"{node.op_type} {name}"


def _with_number(node: Node) -> str:
    """A node, with the number it calculates with if there is one."""
    for value in node.inputs:
        held = constant(value)
        if held is not None and held.size == 1 and held.dtype.is_floating_point():
            return f"{_called(node)} with {held.numpy().item():.6g}"
    return _called(node)


def _names(pattern: NodePattern) -> str:
    return " or ".join(pattern.op_types)


def _fits(pattern: NodePattern, node: Node, state: Partial) -> bool:
    if node.op_type not in pattern.op_types or node.domain != pattern.domain:
        return False
    return state.may_hold(node)


def _meet(state: Partial, item: ResultPattern, value: Value | None, reader: Node) -> Partial:
    """What makes ``value`` must be the operator of ``item``."""
    pattern = item.node
    producer = None if value is None else value.producer()
    bound = state.standing(pattern)
    if bound is None and _failed(state, pattern):
        return state
    if bound is not None:
        # An operator that is one too many, or missing, is told of already.
        apart = producer is not None and any(
            value is not None and value.producer() is bound for value in producer.inputs
        )
        if bound is not producer and not (state.detours and apart):
            found = "nothing" if value is None else value.name
            text = f"{label(reader)} reads {found}, not what {_called(bound)} makes"
            state.fail(Failure("same", text, reader, pattern, value=value))
        return state
    if producer is not None and value is not None and _fits(pattern, producer, state):
        if item.index is None or value.index() == item.index:
            return _place(state, pattern, producer)
        text = f"{label(reader)} reads result {value.index()} of {_called(producer)}"
        state.fail(Failure("operator", text, reader, pattern, found=producer, value=value))
        return state
    if value is None:
        found = "nothing"
    elif producer is None:
        found = _leaf(value)
    elif state.holds(producer):
        found = f"{_called(producer)} once more"
    elif producer.graph is not reader.graph:
        found = f"{_called(producer)} outside of this subgraph"
    else:
        found = _with_number(producer)
    text = f"expected {_names(pattern)} before {_called(reader)}, found {found}"
    state.fail(Failure("operator", text, reader, pattern, found=producer, value=value))
    ways = [] if producer is None else _beyond(state, pattern, producer)
    return max(ways, key=Partial.merit, default=state)


def _up(state: Partial, pattern: NodePattern, reader: Reader) -> Partial:
    """What reads the result of ``pattern`` must be the operator ``reader``."""
    wanted, place, result = reader
    node = state.standing(pattern)
    assert node is not None
    if result >= len(node.outputs):
        text = f"{label(node)} has {len(node.outputs)} results"
        state.fail(Failure("reader", text, node, wanted))
        return state
    value = node.outputs[result]
    readers = list(dict.fromkeys(use.node for use in value.uses()))
    tried = [
        _place(state, wanted, each)
        for each in readers[:_MOST_READERS]
        if _fits(wanted, each, state) and _reads_at(each, value, place, len(wanted.inputs))
    ]
    if tried:
        return max(tried, key=Partial.merit)
    if value.is_graph_output():
        found = f"the graph output {value.name}"
    elif not readers:
        found = "nothing"
    elif len(readers) == 1:
        found = _with_number(readers[0])
    else:
        found = " and ".join(map(_called, readers[:2]))
        found += f" and {len(readers) - 2} more" if len(readers) > 2 else ""
    text = f"expected {_names(wanted)} after {_called(node)}, found {found}"
    standing = readers[0] if len(readers) == 1 else None
    state.fail(Failure("reader", text, node, wanted, found=standing, value=value))
    return max(_behind(state, wanted, readers[:_MOST_READERS]), key=Partial.merit, default=state)


def _reads_at(node: Node, value: Value, place: int, count: int) -> bool:
    if place < len(node.inputs) and node.inputs[place] is value:
        return True
    return node.op_type in COMMUTATIVE and len(node.inputs) == 2 == count and value in node.inputs
