"""Which value of one model is which of another.

Passes keep names: what replaces a value takes its name over. So values of one name are a pair, and
a fused node is compared with the tensor it replaced. Files of other tools may share no names, or,
worse, number their values anew; there structure decides (:mod:`burnish.modeldiff`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from burnish.graph import sources_of
from burnish.ir import Model, Node, Value, constant, label, nested_graphs, read_values
from burnish.views.report import how_many

__all__ = ["Pairs", "Unpaired", "ValuePair", "pair_values"]

_MOST_SOURCES = 64

_Found: TypeAlias = "tuple[Value, Value, Literal['name', 'structure']]"
Structure: TypeAlias = "Callable[[Model, Model], Mapping[Value, Value]]"
"""Finds values of the first model with their counterparts in the second."""


@dataclass(frozen=True)
class ValuePair:
    """Two values that should be equal.

    Attributes:
        reference: a computed value of the source's main graph.
        result: its counterpart: computed too, or a constant.
        by: what says that they belong together.
        through: labels of the result's nodes that compute it from values with a counterpart, its
            own node left out.
        sources: labels of the source nodes that compute ``reference`` from values with a
            counterpart, and of all that passes made the result's nodes from.
    """

    reference: Value
    result: Value
    by: Literal["name", "structure"]
    through: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def is_constant(self) -> bool:
        """Whether the result was computed before the model runs."""
        return constant(self.result) is not None


@dataclass(frozen=True)
class Unpaired:
    """A value of the result without a counterpart.

    Attributes:
        value: its name.
        node: label of the node that computes it.
        op: its operator.
        sources: labels of the source nodes it was made from, where that is known.
    """

    value: str
    node: str
    op: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Pairs:
    """The pairs of two models.

    Attributes:
        found: in the order of the result's graph, constants first.
        unpaired: computed values of the result that are new.
        notes: what the reader should know.
    """

    found: tuple[ValuePair, ...]
    unpaired: tuple[Unpaired, ...]
    notes: tuple[str, ...]


def pair_values(before: Model, after: Model, structure: Structure | None = None) -> Pairs:
    """Pair the computed values of two main graphs.

    Args:
        before: the source.
        after: the result.
        structure: finds pairs by structure, for files that Burnish did not make; None where
            ``after`` is what passes made of ``before``: then names are trusted, and provenance
            says what a node stands for.
    """
    names = {str(value.name): value for value in _computed(before)}
    by_structure: dict[Value, Value] = {}
    if structure is not None:
        by_structure = {right: left for left, right in structure(before, after).items()}
    trusted = _are_names_trusted(after, names, by_structure)
    notes = [] if trusted else ["names mean other values in the two models: paired by structure"]
    found: list[_Found] = []
    unpaired: list[Unpaired] = []
    for value in (*_folded(after, names if trusted else {}), *_computed(after)):
        named = names.get(str(value.name)) if trusted else None
        like = by_structure.get(value)
        if named is not None:
            found.append((named, value, "name"))
        elif like is not None and like.producer() is not None and like.name:
            found.append((like, value, "structure"))
        elif (node := value.producer()) is not None:
            origin = sources_of(node) if structure is None else ()
            unpaired.append(Unpaired(str(value.name), label(node), node.op_type, origin))
    pairs = _with_origins(found, provenance=structure is None)
    return Pairs(pairs, tuple(unpaired), (*notes, *_left_out(after)))


def _with_origins(found: Sequence[_Found], *, provenance: bool) -> tuple[ValuePair, ...]:
    """The pairs with the nodes that compute them."""
    known = {left for left, _, _ in found}, {right for _, right, _ in found}
    replaced: dict[Node | Value, dict[str, None]] = defaultdict(dict)
    for left, right, _ in found:
        # A node of several results stands for all that computed any of them.
        origins = replaced[right.producer() or right]
        origins.update((label(node), None) for node in _between(left, known[0]))
    pairs = []
    for left, right, by in found:
        between = _between(right, known[1])
        sources = dict(replaced[right.producer() or right])
        if provenance:
            sources.update((name, None) for node in between for name in sources_of(node))
        through = tuple(label(node) for node in between if node is not right.producer())
        pairs.append(ValuePair(left, right, by, through, tuple(sources)))
    return tuple(pairs)


def _computed(model: Model) -> Iterable[Value]:
    """Named results of the main graph's nodes, constants left out."""
    for node in model.graph:
        if node.op_type == "Constant" and node.domain == "":
            continue
        for value in node.outputs:
            if value.name:
                yield value


def _folded(model: Model, names: Mapping[str, Value]) -> Iterable[Value]:
    """Constants of the main graph that the source computes."""
    for value in model.graph.initializers.values():
        if value.name in names and constant(value) is not None:
            yield value
    for node in model.graph:
        if node.op_type == "Constant" and node.domain == "" and node.outputs[0].name in names:
            yield node.outputs[0]


def _are_names_trusted(
    after: Model, names: Mapping[str, Value], by_structure: Mapping[Value, Value]
) -> bool:
    """Whether names say the same as structure, for most of the values that both know of."""
    agree = differ = 0
    for value in _computed(after):
        named, like = names.get(str(value.name)), by_structure.get(value)
        if named is not None and like is not None and like.producer() is not None:
            agree += named is like
            differ += named is not like
    return agree >= differ


def _between(value: Value, known: set[Value]) -> list[Node]:
    """The nodes that compute ``value`` from values that have a counterpart, earlier ones first."""
    if constant(value) is not None:
        return []
    found: dict[Node, None] = {}
    pending = [value.producer()]
    while pending and len(found) < _MOST_SOURCES:
        node = pending.pop()
        if node is None or node in found:
            continue
        found[node] = None
        inputs = (item for item in read_values(node) if item not in known)
        pending.extend(item.producer() for item in inputs if constant(item) is None)
    return list(reversed(found))


def _left_out(model: Model) -> list[str]:
    """What of a model is not looked into."""
    holders = [node for node in model.graph if nested_graphs(node)]
    notes = []
    if holders:
        kinds = ", ".join(dict.fromkeys(node.op_type for node in holders))
        some = how_many(len(holders), "node")
        notes.append(f"values inside the bodies of {some} ({kinds}) are left out")
    calls = sum(node.op_identifier() in model.functions for node in model.graph)
    if calls:
        notes.append(f"values inside {how_many(calls, 'function call')} are left out")
    return notes
