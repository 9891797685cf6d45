"""Patterns over graphs: does this pattern stand here, and if not, why not.

Matching starts at the node that produces the pattern's (first) result and walks against the flow.
It stays inside one graph: a producer in an outer graph is never part of a match, because a
subgraph may run many times or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

from burnish.ir import (
    Array,
    AttributeType,
    DataType,
    Node,
    Scope,
    Value,
    attribute,
    constant,
    constant_array,
    label,
)
from burnish.passdef import Context
from burnish.pattern import (
    Compiled,
    NodePattern,
    Pattern,
    PatternBuilder,
    ResultPattern,
    Variable,
    compile_pattern,
)
from burnish.symbolic import Dim

__all__ = [
    "COMMUTATIVE",
    "Compiled",
    "Declined",
    "Match",
    "Mismatch",
    "NodePattern",
    "PatternBuilder",
    "ResultPattern",
    "Variable",
    "compile_pattern",
    "matches",
]

COMMUTATIVE = frozenset(
    {"Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Equal", "Max", "Mean", "Min", "Mul"}
    | {"Or", "Sum", "Xor"}
)
"""ONNX operators whose two operands may be exchanged (no schema says so)."""


class Declined(Exception):
    """A pattern stood here, but a condition did not hold; the message says which."""


class Mismatch(Exception):
    """What stands here is not what the rule is about; nothing needs to be said."""


@dataclass
class Match:
    """Where a pattern stands: its variables and nodes, and what is known of them.

    Methods that ask for something that is not there decline the match, with the reason.
    """

    root: Node
    scope: Scope
    ctx: Context
    values: dict[str, Value | None] = field(default_factory=dict)
    nodes: dict[NodePattern, Node] = field(default_factory=dict)
    included: list[Node] = field(default_factory=list)

    def copy(self) -> Match:
        """The same, to be extended in another way."""
        return Match(self.root, self.scope, self.ctx, dict(self.values), dict(self.nodes))

    def __getitem__(self, name: str) -> Value:
        value = self.values.get(name)
        if value is None:
            raise Declined(f"{name} is absent")
        return value

    def get(self, name: str) -> Value | None:
        """The value of an optional variable, or None when that input is absent."""
        return self.values.get(name)

    def const(self, name: str) -> Array:
        """The constant array a variable holds."""
        array = constant_array(self[name])
        if array is None:
            raise Declined(f"{name} is not a constant")
        return array

    def node(self, name: str) -> Node:
        """The matched node of that operator type (or ``_name``)."""
        for pattern, node in self.nodes.items():
            if pattern.name == name:
                return node
        raise KeyError(name)

    def attr(self, name: str, key: str, default: Any = None) -> Any:
        """An attribute of the matched node ``name``."""
        return attribute(self.node(name), key, default)

    def shape(self, name: str) -> tuple[Dim, ...]:
        """The shape of a variable, its rank known."""
        return self.shape_of(self[name], name)

    def shape_of(self, value: Value, called: str = "") -> tuple[Dim, ...]:
        """The shape of any value, its rank known."""
        shape = self.ctx.shapes.shape(value)
        if shape is None:
            raise Declined(f"the rank of {called or value.name} is not known")
        return shape

    def dtype(self, name: str) -> DataType:
        """The element type of a variable."""
        dtype = self.ctx.shapes.dtype(self[name])
        if dtype is None:
            raise Declined(f"the type of {name} is not known")
        return dtype

    @property
    def opset(self) -> int:
        """The ONNX opset in force here."""
        return self.scope.opsets.get("", 0)

    def require(self, holds: bool, why: str) -> None:
        """Go on only if ``holds``; ``why`` says what is in the way otherwise."""
        if not holds:
            raise Declined(why)

    def suppose(self, holds: bool) -> None:
        """Go on only if ``holds``; otherwise the rule is not about this place, and says nothing.

        An ``Add`` of a bias is no failed removal of a zero, so it deserves no remark.
        """
        if not holds:
            raise Mismatch

    def include(self, node: Node) -> None:
        """Say that the replacement also stands for ``node``, which the pattern cannot spell.

        The new nodes count it among their sources; it goes when nothing reads it any more.
        """
        self.check_known(node)
        self.included.append(node)

    def check_known(self, node: Node) -> None:
        """Decline when nobody knows here what an attribute of ``node`` is."""
        parameter = refers_to_parameter(node)
        if parameter is not None:
            raise Declined(f"attribute {parameter} of {label(node)} is a function parameter")

    def decline(self, why: str) -> NoReturn:
        """Do not rewrite here."""
        raise Declined(why)


_Goals: TypeAlias = tuple[tuple[Pattern, Value | None], ...]


def _fits(pattern: NodePattern, node: Node, graph: object) -> bool:
    if node.op_type not in pattern.op_types or node.domain != pattern.domain:
        return False
    if node.graph is not graph:
        return False
    # A plain loop: most patterns name no attribute, and this runs for every node of a pattern.
    for key, value in pattern.attributes.items():  # noqa: SIM110
        if attribute(node, key) != value:
            return False
    return True


def _pairings(pattern: NodePattern, node: Node) -> Sequence[_Goals]:
    """The ways to pair the pattern's inputs with the node's: none, one, or two if it commutes."""
    wanted = pattern.inputs
    given = node.inputs
    if len(given) > len(wanted):
        if not pattern.rest and any(value is not None for value in given[len(wanted) :]):
            return ()
    elif len(given) < len(wanted):
        given = (*given, *([None] * (len(wanted) - len(given))))
    goals: list[tuple[Pattern, Value | None]] = []
    for item, value in zip(wanted, given, strict=False):
        if item is not None:
            goals.append((item, value))
        elif value is not None:
            return ()
    if len(goals) == 2 and len(node.inputs) == 2 and node.op_type in COMMUTATIVE:
        (first, left), (second, right) = goals
        if left is not right:
            return (tuple(goals), ((first, right), (second, left)))
    return (tuple(goals),)


def _may_fit(pattern: Pattern, value: Value | None) -> bool:
    """Whether a look at ``value`` and what leads there leaves ``pattern`` possible."""
    if isinstance(pattern, Variable):
        if value is None:
            return pattern.may_miss
        return not pattern.needs_constant or constant(value) is not None
    node = None if value is None else value.producer()
    return node is not None and _may_stand(pattern.node, node)


def _may_stand(pattern: NodePattern, node: Node) -> bool:
    """Whether ``node`` may be the pattern's; most places fail here, before anything is bound."""
    if node.op_type not in pattern.op_types:
        return False
    demands, given = pattern.demands, node.inputs
    if not demands:
        return True
    count = len(given)
    for index, item in demands:
        if not _may_fit(item, given[index] if index < count else None):
            break
    else:
        return True
    if count != 2 or len(pattern.inputs) != 2 or node.op_type not in COMMUTATIVE:
        return False
    return all(_may_fit(item, given[1 - index]) for index, item in demands)


def _bind_variable(match: Match, pattern: Variable, value: Value | None) -> bool:
    if value is None:
        if not pattern.may_miss:
            return False
    elif pattern.needs_constant and constant(value) is None:
        return False
    if pattern.name in match.values:
        return match.values[pattern.name] is value
    match.values[pattern.name] = value
    return True


def _solve(goals: _Goals, match: Match) -> Iterator[Match]:
    """Every way to meet all goals; ``match`` is extended, and copied where ways part."""
    for place, (pattern, value) in enumerate(goals, start=1):
        if isinstance(pattern, Variable):
            if not _bind_variable(match, pattern, value):
                return
            continue
        node = None if value is None else value.producer()
        if node is None or value is None or value.index() != pattern.index:
            return
        yield from _solve_node(pattern.node, node, goals[place:], match)
        return
    yield match


def _solve_node(pattern: NodePattern, node: Node, goals: _Goals, match: Match) -> Iterator[Match]:
    bound = match.nodes.get(pattern)
    if bound is not None:
        if bound is node:
            yield from _solve(goals, match)
        return
    if not _fits(pattern, node, match.root.graph) or node in match.nodes.values():
        return
    pairings = _pairings(pattern, node)
    if len(pairings) == 1:  # nobody goes on from this match but we
        match.nodes[pattern] = node
        yield from _solve(pairings[0] + goals, match)
        return
    for pairing in pairings:
        if all(_may_fit(item, value) for item, value in pairing):
            branch = match.copy()
            branch.nodes[pattern] = node
            yield from _solve(pairing + goals, branch)


def _other_roots(roots: tuple[ResultPattern, ...], match: Match) -> Iterator[Match]:
    """Extend a match of the first root to the others, found through the values they share."""
    if not roots:
        yield match
        return
    root, later = roots[0], roots[1:]
    if root.node in match.nodes:
        yield from _other_roots(later, match)
        return
    for item in root.node.inputs:
        shared = match.values.get(item.name) if isinstance(item, Variable) else None
        if shared is None:
            continue
        for node in shared.consumers():
            for found in _solve_node(root.node, node, (), match.copy()):
                yield from _other_roots(later, found)
        return


def matches(pattern: Compiled, node: Node, scope: Scope, ctx: Context) -> Iterable[Match]:
    """Every way ``pattern`` stands with ``node`` as its first result's producer."""
    root, others = pattern.roots[0].node, pattern.roots[1:]
    if not _may_stand(root, node):
        return ()
    found = _solve_node(root, node, (), Match(node, scope, ctx))
    if not others:
        return found
    return (match for first in found for match in _other_roots(others, first))


def refers_to_parameter(node: Node) -> str | None:
    """The name of an attribute of ``node`` whose value a function's caller gives, if any."""
    # The plain dict inside: reading through the tracked container is ten times slower.
    for name, attr in node.attributes.data.items():
        if attr.type == AttributeType.UNDEFINED or attr.is_ref():
            return name
    return None
