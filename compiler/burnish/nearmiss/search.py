"""The places where a pass came close, best first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from burnish.ir import Model, Node, label
from burnish.nearmiss.asking import Answer, ask, asking_context
from burnish.nearmiss.forms import Form, forms_of
from burnish.nearmiss.partial import Partial
from burnish.nearmiss.trial import obstacles
from burnish.nearmiss.walk import grow
from burnish.passdef import Context, Pass
from burnish.pattern import NodePattern
from burnish.registry import pass_types

__all__ = ["NearMiss", "NearMisses", "near_misses"]

_PER_NODE = 3
_FAR = 8
"""Steps between a node and the operator by which a form around it is found; few forms are longer."""
_MOST_CONDITIONS = 3
_MUCH = 0.25
"""A form that stands so much less, and in nodes of the better one only, is not worth saying."""


_UNKNOWN = "every operator is there, and the pass does not say what is in its way"


@dataclass(frozen=True)
class NearMiss:
    """A place where a pass came close.

    Attributes:
        name: the pass.
        rule: which of its rules, or which example of its documentation; may be empty.
        where: the last node of what stands.
        matched: every node that stands, in the order of the form.
        operators: their operators.
        size: how many operators the form has.
        conditions: what failed, nearest first; at most three.
        declined: whether the pass says so itself, of a place that it recognized.
        held: the nodes that stand, as objects of the model.
    """

    name: str
    rule: str
    where: str
    matched: tuple[str, ...]
    operators: tuple[str, ...]
    size: int
    conditions: tuple[str, ...]
    declined: bool
    held: tuple[Node, ...] = field(default=(), repr=False, compare=False)

    @property
    def score(self) -> float:
        """The part of the form that stands."""
        return len(self.matched) / self.size

    def json(self) -> dict[str, Any]:
        """With stable keys."""
        return {
            "pass": self.name,
            "rule": self.rule,
            "where": self.where,
            "matched": list(self.matched),
            "operators": list(self.operators),
            "size": self.size,
            "conditions": list(self.conditions),
            "declined": self.declined,
        }


class NearMisses:
    """Where each of some passes came close in a model as it stands.

    The model must not change while this is asked; nothing here changes it.

    Args:
        model: the model.
        ctx: gives target, types and shapes.
        passes: the passes; None is every pass that needs no options.
        around: the nodes that will be asked about; None is all of them.
    """

    def __init__(
        self,
        model: Model,
        ctx: Context,
        passes: Sequence[Pass] | None = None,
        around: Sequence[Node] | None = None,
    ) -> None:
        self._ctx = ctx
        items = passes if passes is not None else tuple(_all_passes())
        self._items = {item.name: item for item in items}
        asking = asking_context(model, ctx.target)
        self.answers: dict[str, Answer] = {
            name: ask(item, model, asking) for name, item in self._items.items()
        }
        self._known: dict[int, NearMiss | None] = {}
        near = None if around is None else _neighbourhood(around)
        grown = self._grown(model, asking, near)
        self._partials = {name: _best(grown.get(name, [])) for name in self._items}

    def _grown(
        self, model: Model, ctx: Context, near: Collection[Node] | None
    ) -> dict[str, list[Partial]]:
        """What stands of each form, from each of its telling operators, by pass."""
        starts: dict[tuple[str, str], list[tuple[Form, NodePattern]]] = {}
        for item in self._items.values():
            for form in forms_of(type(item)):
                for pattern in form.telling:
                    for op_type in pattern.op_types:
                        starts.setdefault((pattern.domain, op_type), []).append((form, pattern))
        found: dict[str, list[Partial]] = {}
        for node, _ in ctx.nodes(model, starts):
            if near is not None and node not in near:
                continue
            for form, pattern in starts[node.domain, node.op_type]:
                partial = grow(form, pattern, node)
                if len(partial.nodes) > 1 and partial.score >= form.least:
                    found.setdefault(form.kind.name, []).append(partial)
        return found

    def of(self, name: str, limit: int | None = None) -> list[NearMiss]:
        """Where the pass ``name`` came close, best first."""
        return _taken(map(self._told, self._partials.get(name, ())), limit)

    def at(self, node: Node, limit: int | None = _PER_NODE) -> list[NearMiss]:
        """What nearly stands with ``node`` as a part of it, or as what is wrong; best first."""
        around = [
            partial
            for partials in self._partials.values()
            for partial in partials
            if partial.speaks_of(node)
        ]
        told = [each for each in map(self._told, sorted(around, key=_rank)) if each is not None]
        told.sort(key=lambda each: (not each.declined, -each.score, len(each.conditions)))
        kept: list[NearMiss] = []
        for each in told:
            covered = any(
                best.score - each.score >= _MUCH and set(each.held) <= set(best.held)
                for best in kept
            )
            if not covered and each not in kept:
                kept.append(each)
        return kept[:limit]

    def would(self, node: Node) -> list[str]:
        """The passes that would apply with ``node`` as a part of what they replace."""
        found: dict[str, None] = {}
        for name, answer in self.answers.items():
            places = {remark.where for remark in answer.would}
            if not places.isdisjoint((label(node), *(each.name for each in node.outputs))):
                found[name] = None
            for partial in self._partials[name] if places else ():
                nodes = partial.nodes.values()
                if node in nodes and not places.isdisjoint(map(label, nodes)):
                    found[name] = None
        return list(found)

    def _told(self, partial: Partial) -> NearMiss | None:
        """What there is to say of a place; None when it is nothing."""
        key = id(partial)
        if key not in self._known:
            self._known[key] = self._tell(partial)
        return self._known[key]

    def _tell(self, partial: Partial) -> NearMiss | None:
        form, name = partial.form, partial.form.kind.name
        labels = {label(node) for node in partial.nodes.values()}
        answer = self.answers[name]
        if any(remark.where in labels for remark in answer.would):
            return None  # it would apply here: that is no miss
        if partial.score < 1 and not partial.failures:
            return None  # one of several parts that hang together by their operands alone
        root = label(partial.root)
        said = [remark for remark in answer.remarks if remark.where in labels and remark.why]
        at_root = [remark for remark in said if remark.where == root]
        declined = list(dict.fromkeys(remark.why for remark in at_root or said))
        if declined:
            conditions = declined
        elif form.documented:
            conditions = obstacles(partial, self._items[name], self._ctx)
            if not conditions and partial.score < 1:
                return None  # other spellings, which the pass takes as well
            conditions = conditions or [_UNKNOWN]
        else:
            conditions = [failure.text for failure in partial.failures]
        if not conditions:
            return None
        blamed = {failure.pattern for failure in partial.failures if failure.text in conditions}
        standing = {**partial.nodes}
        if not declined:
            # Another operator that does as well, by trial, has its part in what stands.
            standing.update(
                (pattern, node)
                for pattern, node in partial.skipped.items()
                if pattern not in blamed
            )
        nodes = tuple(standing[pattern] for pattern in form.nodes if pattern in standing)
        return NearMiss(
            name,
            form.title,
            root,
            tuple(map(label, nodes)),
            tuple(node.op_type for node in nodes),
            len(form.nodes),
            tuple(conditions[:_MOST_CONDITIONS]),
            bool(declined),
            nodes,
        )


def _all_passes() -> Iterator[Pass]:
    for kind in pass_types().values():
        try:
            yield kind()
        except TypeError:
            continue  # an option must be given


def _taken(found: Iterable[NearMiss | None], limit: int | None) -> list[NearMiss]:
    taken: list[NearMiss] = []
    for each in found:
        if each is not None and each not in taken:
            taken.append(each)
        if limit is not None and len(taken) == limit:
            break
    return taken


def _rank(partial: Partial) -> tuple[float, int, int, int]:
    return -partial.score, -len(partial.skipped), len(partial.failures), -len(partial.nodes)


def _best(partials: list[Partial]) -> list[Partial]:
    """One for each place: of those that share a telling operator, the one that stands furthest."""
    taken: set[Node] = set()
    kept = []
    for partial in sorted(partials, key=_rank):
        telling: Collection[Node] = [
            partial.nodes[pattern] for pattern in partial.form.telling if pattern in partial.nodes
        ]
        if taken.isdisjoint(telling):
            taken.update(telling)
            kept.append(partial)
    return kept


def near_misses(
    model: Model, node: Node, ctx: Context, passes: Sequence[Pass] | None = None
) -> list[NearMiss]:
    """What nearly stands in ``model`` with ``node`` as a part of it: at most three, best first.

    To ask about many nodes, make one :class:`NearMisses`.

    Args:
        model: the model as it stands; it is not changed.
        node: a node of it.
        ctx: gives target, types and shapes.
        passes: the passes to think of; None is every pass that needs no options.
    """
    return NearMisses(model, ctx, passes, [node]).at(node)


def _neighbourhood(nodes: Iterable[Node]) -> set[Node]:
    """``nodes`` and what is a few steps away, upstream or downstream."""
    found = set(nodes)
    level = list(found)
    for _ in range(_FAR):
        values = [value for node in level for value in node.inputs if value is not None]
        beside = [made for value in values if (made := value.producer()) is not None]
        beside += [use.node for node in level for output in node.outputs for use in output.uses()]
        level = [node for node in dict.fromkeys(beside) if node not in found]
        found.update(level)
    return found
