"""Rules and the worklist that applies them.

A rule is local algebra: ``before => after, when``. The engine owns what every rule needs and
most forget: it declines when an inner result has another reader (in a subgraph too) or is a graph
output, when an attribute is a parameter of the surrounding function, when the new operator is not
valid at the model's opset, and when type or shape of the result would change. It keeps names,
remembers which source nodes a new node came from, and after a change looks again only at nodes
near it (:mod:`burnish.worklist`), so time grows linearly with the graph.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from burnish.errors import PassError
from burnish.graph import (
    SOURCES,
    Placement,
    detach,
    is_computed_from,
    remove_unread,
    replace_value,
    reuse_names,
    sources_of,
    why_not_emitted,
    why_not_replaceable,
)
from burnish.ir import (
    Array,
    Attr,
    DataType,
    Graph,
    Model,
    Node,
    Scope,
    TensorProtocol,
    Value,
    convert_attributes,
    label,
    make_tensor,
)
from burnish.match import (
    Declined,
    Match,
    Mismatch,
    compile_pattern,
    matches,
)
from burnish.passdef import Context, Pass
from burnish.worklist import Worklist

__all__ = ["Builder", "Rule", "RuleSet", "apply_rules"]


class Builder:
    """``op`` in ``after``: makes nodes and constants that join the graph only on commit."""

    def __init__(self, match: Match, hint: str) -> None:
        self.nodes: list[Node] = []
        self.constants: list[Value] = []
        self._match = match
        self._hint = hint

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        def build(*inputs: Value | None, **keywords: Any) -> Any:
            outputs = keywords.pop("_outputs", 1)
            domain = keywords.pop("_domain", "")
            attributes: list[Attr] = list(keywords.pop("_attributes", ()))
            given = {key: value for key, value in keywords.items() if value is not None}
            attributes.extend(convert_attributes(given))
            # Until it is in a graph, nothing else says which opset the node is written in.
            version = self._match.scope.opsets.get(domain)
            node = Node(domain, op_type, inputs, attributes, num_outputs=outputs, version=version)
            self.nodes.append(node)
            return node.outputs[0] if outputs == 1 else tuple(node.outputs)

        return build

    def constant(
        self,
        array: Array | TensorProtocol,
        hint: str | None = None,
        dtype: DataType | None = None,
    ) -> Value:
        """A new constant; ``hint`` is what its name starts with."""
        held = make_tensor(array, dtype) if isinstance(array, np.ndarray | np.generic) else array
        name = self._match.ctx.names.fresh(hint or f"{self._hint}_constant")
        value = Placement(self._match.scope).constant(held, name)
        producer = value.producer()
        if producer is None:
            self.constants.append(value)
        else:
            self.nodes.append(producer)
        return value

    def insert(self, before: Node, consumed: Iterable[Node], after: Value) -> None:
        """Put everything made into the graph, before the node ``before``.

        Args:
            before: a node of the graph of the match.
            consumed: the nodes that what was made comes from.
            after: the value after which new values are named.
        """
        graph = self._match.root.graph
        assert isinstance(graph, Graph)
        sources = tuple(dict.fromkeys(name for node in consumed for name in sources_of(node)))
        placement = Placement(self._match.scope)
        for value in self.constants:
            graph.register_initializer(value)
        for node in self.nodes:
            node.meta[SOURCES] = sources
            node.version = None
            placement.name_outputs(node, after, self._match.ctx.names)
        graph.insert_before(before, self.nodes)

    def discard(self) -> None:
        """Forget everything made: the nodes stop reading the graph."""
        detach(self.nodes)


class Rule(Pass):
    """Local algebra, and a pass of its own.

    Subclasses define ``before`` (see :mod:`burnish.match`), ``after``, and where needed ``when``.

    Attributes:
        title: how remarks name it; the class's pass name unless it belongs to a family.
        local: True when its conditions rest on the matched nodes and the values these read and
            make (shapes, contents, readers) alone: a place is tried again only after changes there.
    """

    counted: ClassVar[bool] = True
    title: ClassVar[str] = ""
    local: ClassVar[bool] = False

    @abc.abstractmethod
    def before(self, op: Any, *values: Any) -> Any:
        """The pattern: what stands in the graph."""

    def when(self, m: Match) -> None:
        """Conditions; ``m.require(holds, why)`` declines with a reason."""

    @abc.abstractmethod
    def after(self, op: Any, m: Match) -> Any:
        """The replacement for each result of the pattern: new or existing values."""

    def run(self, model: Model, ctx: Context) -> None:
        """Apply this rule alone."""
        _apply(self._table, model, ctx)

    @functools.cached_property
    def _table(self) -> _Table:
        return _table((type(self),), (self,), None)


class RuleSet(Pass):
    """A family of rules under one law, applied together."""

    counted: ClassVar[bool] = True
    rules: ClassVar[tuple[type[Rule], ...]] = ()

    def run(self, model: Model, ctx: Context) -> None:
        """Apply the family."""
        _apply(self._table, model, ctx)

    @functools.cached_property
    def _table(self) -> _Table:
        members = _members(type(self))
        return _table(tuple(map(type, members)), members, self.name)


@functools.cache
def _members(family: type[RuleSet]) -> tuple[Rule, ...]:
    """The rules of a family; they have no options, so one of each serves every run."""
    return tuple(rule() for rule in family.rules)


class _Prepared:
    """A rule with its compiled pattern."""

    def __init__(self, rule: Rule, family: str | None) -> None:
        self.rule = rule
        self.pattern = compile_pattern(rule.before)
        self.title = rule.title or family or rule.name
        self.member = type(rule).__name__ if family else ""


class _Table:
    """Rules that run together, by the kind of node their patterns start at."""

    def __init__(self, rules: Sequence[_Prepared]) -> None:
        self.starts: dict[tuple[str, str], list[_Prepared]] = {}
        for rule in rules:
            root = rule.pattern.roots[0].node
            for op_type in root.op_types:
                self.starts.setdefault((root.domain, op_type), []).append(rule)
        self.reach = max((rule.pattern.reach for rule in rules), default=1)
        self.several_roots = any(len(rule.pattern.roots) > 1 for rule in rules)


@functools.lru_cache(maxsize=1024)
def _table(kinds: tuple[type[Rule], ...], rules: tuple[Rule, ...], family: str | None) -> _Table:
    """The table of ``rules``; ``kinds`` are their types, for rules without options hash alike."""
    return _Table([_Prepared(rule, family) for rule in rules])


def apply_rules(
    model: Model, rules: Sequence[Rule], ctx: Context, family: str | None = None
) -> None:
    """Apply ``rules`` in every scope until none of them fires.

    Raises:
        PassError: when a rule raises something unexpected, or rules undo each other for ever.
    """
    _apply(_table(tuple(map(type, rules)), tuple(rules), family), model, ctx)


def _apply(table: _Table, model: Model, ctx: Context) -> None:
    kinds, anywhere = table.starts, table.several_roots
    if ctx.look(model).kinds().isdisjoint(kinds):
        return
    places = Worklist(model, ctx, table, kinds, reach=table.reach, anywhere=anywhere)
    if places:
        _Rewriting(table, places, ctx).run()


class _Rewriting:
    """One run of rules over a model."""

    def __init__(self, table: _Table, places: Worklist, ctx: Context) -> None:
        self.ctx = ctx
        self.starts = table.starts
        self.reach = table.reach
        self.places = places
        self.unsorted: set[Graph] = set()
        self.allowed = 10 * len(self.places) + 1000

    def run(self) -> None:
        while (place := self.places.pop()) is not None:
            self.visit(*place)
        for graph in self.unsorted:
            graph.sort()

    def visit(self, node: Node, scope: Scope) -> None:
        stood = False
        for rule in self.starts[node.domain, node.op_type]:
            for match in matches(rule.pattern, node, scope, self.ctx):
                stood = stood or not rule.rule.local
                if self.attempt(rule, match):
                    if node.graph is not None:
                        self.places.leave_open(node)
                    return
        if stood:
            self.places.leave_open(node)

    def attempt(self, rule: _Prepared, match: Match) -> bool:
        """Rewrite at ``match`` if everything holds; say why not otherwise."""
        builder = Builder(match, match.root.outputs[0].name or "value")
        try:
            old, kept = self.replaced(rule, match)
            rule.rule.when(match)
            made = rule.rule.after(builder, match)
            new = made if isinstance(made, tuple) else (made,)
            self.check(match, builder, old, new)
        except Mismatch:
            builder.discard()
            return False
        except Declined as declined:
            builder.discard()
            self.ctx.declined(rule.title, match.root, str(declined))
            return False
        except Exception as error:
            raise PassError(
                f"rule {rule.title} failed: {type(error).__name__}: {error}",
                where=label(match.root),
                mend="please report it with the model; --passes without it goes round",
                rule=rule.title,
                member=rule.member,
            ) from error
        if not self.ctx.applies(rule.title, match.root, member=rule.member):
            builder.discard()
            return False
        self.commit(match, builder, old, new, kept)
        self.allowed -= 1
        if self.allowed < 0:
            what = f"rule {rule.title} does not come to rest"
            where = label(match.root)
            raise PassError(what, where=where, rule=rule.title, member=rule.member)
        return True

    def replaced(self, rule: _Prepared, match: Match) -> tuple[list[Value], set[Node]]:
        """The values the replacement stands for, and the matched nodes that stay.

        Declines when another reader needs an inner result, or an attribute is not known.
        """
        old: list[Value] = []
        for root in rule.pattern.roots:
            results = match.nodes[root.node].outputs
            old.extend(results if root.index is None else (results[root.index],))
        kept: set[Node] = set()
        if len(match.nodes) == 1 and len(old) == len(match.root.outputs):
            match.check_known(match.root)
            return old, kept
        members = set(match.nodes.values())
        for pattern, node in match.nodes.items():
            match.check_known(node)
            for output in node.outputs:
                if output in old:
                    continue
                outside = output.is_graph_output() or any(
                    use.node not in members for use in output.uses()
                )
                if outside and not pattern.shared:
                    reader = (
                        "is a graph output" if output.is_graph_output() else "has another reader"
                    )
                    match.decline(f"{output.name} {reader}")
                if outside:
                    kept.add(node)
        return old, kept

    def check(
        self, match: Match, builder: Builder, old: Sequence[Value], new: Sequence[Any]
    ) -> None:
        """Decline a replacement that is not valid here, or not of the same type and shape."""
        if len(old) != len(new):
            raise TypeError(f"{len(new)} replacements for {len(old)} results")
        for node in builder.nodes:
            why = why_not_emitted(node, match.scope.opsets, self.ctx.target)
            if why:
                match.decline(why)
        outputs: set[Value] = set()
        for was, becomes in zip(old, new, strict=True):
            why = why_not_replaceable(was, becomes, self.ctx.shapes)
            if why:
                match.decline(why)
            if was.is_graph_output():
                if becomes in outputs:
                    match.decline(f"{was.name} and another graph output would be one value")
                outputs.add(becomes)
        one_root = all(value.producer() is match.root for value in old)
        if not one_root and is_computed_from(match.values.values(), old):
            match.decline("one result feeds the other")

    def commit(
        self,
        match: Match,
        builder: Builder,
        old: Sequence[Value],
        new: Sequence[Value],
        kept: set[Node],
    ) -> None:
        graph = match.root.graph
        assert isinstance(graph, Graph)
        consumed = [node for node in match.nodes.values() if node not in kept]
        consumed.extend(match.included)
        names = [node.name for node in consumed]
        one_root = all(value.producer() is match.root for value in old)
        anchor = match.root if one_root else _last(graph, match.nodes.values())
        builder.insert(anchor, consumed, old[0])
        if not one_root:
            self.unsorted.add(graph)
        readers = [reader for value in old for reader in value.consumers()]
        made = set(builder.nodes)
        for was, becomes in zip(old, new, strict=True):
            replace_value(was, becomes, fresh=becomes.producer() in made)
        removed_inputs = remove_unread(match.nodes.values())
        reuse_names(builder.nodes, consumed, names)
        self.places.push_readers(builder.nodes, self.reach)
        self.places.push_readers(
            [node for node in readers if node.graph is not None], self.reach - 1
        )
        for value in removed_inputs:
            if value.producer() is None:
                continue  # how many read an input or initializer is no rule's condition
            consumers = value.consumers()
            if len(consumers) == 1:
                self.places.push_readers(consumers, self.reach)


def _last(graph: Graph, nodes: Iterable[Node]) -> Node:
    members = set(nodes)
    last = None
    for node in graph:
        if node in members:
            last = node
    assert last is not None
    return last
