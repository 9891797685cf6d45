"""A whole comparison, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any, TypeAlias

from burnish.modeldiff.findings import PARTS, Fact, NodeDiff, ScopeDiff, WeightDiff

__all__ = ["FORMAT", "ModelDiff"]

FORMAT = "burnish-model-diff/1"

_Sides: TypeAlias = "tuple[str | None, str | None]"
_TITLES = {"interface": "inputs and outputs"}


@dataclass(frozen=True)
class ModelDiff:
    """The difference between two models; false when there is none.

    Attributes:
        facts: what differs in the models as a whole.
        weights: constants that differ.
        scopes: the graphs, the main one first; those inside only where they differ.
        notes: what differs and changes no answer.
    """

    facts: tuple[Fact, ...]
    weights: tuple[WeightDiff, ...]
    scopes: tuple[ScopeDiff, ...]
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(True for _ in self._pairs())

    # --- counts

    @property
    def same(self) -> int:
        """Nodes of the main graph that stand in both and read the same there."""
        return self._count("same")

    @property
    def moved(self) -> int:
        """Further nodes that do the same work, but read a weight or a result that is listed."""
        return self._count("moved")

    @property
    def renamed(self) -> int:
        """Nodes of the main graph that stand in both under other names."""
        return sum(node.is_renamed for node in self._main())

    def _count(self, kind: str) -> int:
        return sum(node.kind == kind for node in self._main())

    def _main(self) -> Sequence[NodeDiff]:
        return self.scopes[0].nodes if self.scopes else ()

    # --- sides

    @property
    def added(self) -> tuple[str, ...]:
        """Lines that came and replace none."""
        return tuple(now for was, now in self._pairs() if was is None and now is not None)

    @property
    def removed(self) -> tuple[str, ...]:
        """Lines that went and were not replaced."""
        return tuple(was for was, now in self._pairs() if now is None and was is not None)

    @property
    def changed(self) -> tuple[tuple[str, str], ...]:
        """Pairs of lines for the same thing, before and after."""
        return tuple((was, now) for was, now in self._pairs() if was and now)

    def _pairs(self) -> Iterator[_Sides]:
        for fact in self.facts:
            yield fact.before, fact.after
        for weight in self.weights:
            yield weight.sides()
        for scope in self.scopes:
            yield from (node.lines for node in scope.differing())
            yield from ((fact.before, fact.after) for fact in scope.facts)

    # --- text

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Every line that went (``-``) or came (``+``), with a line of context between nodes.

        ``@`` lines name the part.
        """
        found: list[str] = []
        for part in PARTS:
            for title, lines in self._part(part):
                if lines:
                    found.append(f"@ {title}")
                    found.extend(lines)
        return tuple(found)

    def _part(self, part: str) -> Iterator[tuple[str, list[str]]]:
        if part == "weights":
            yield part, [line for item in self.weights for line in _signed(item.sides())]
        elif part == "nodes":
            for scope in self.scopes:
                yield scope.title, [*_node_lines(scope.nodes), *_fact_lines(scope.facts)]
        else:
            facts = [fact for fact in self.facts if fact.part == part]
            yield _TITLES.get(part, part), _fact_lines(facts)

    def text(self) -> str:
        """As a unified diff of IR text, ending in a newline; empty when they are the same."""
        return "".join(f"{line}\n" for line in self.lines)

    def summary(self) -> str:
        """Like ``+2 -5 ~3, 70 nodes the same, 4 the same on other inputs, 12 renamed``."""
        counts = (("+", self.added), ("-", self.removed), ("~", self.changed))
        text = " ".join(f"{sign}{len(items)}" for sign, items in counts if items) or "no difference"
        parts = [text, f"{self.same} nodes the same"]
        if self.moved:
            parts.append(f"{self.moved} the same on other inputs")
        if self.renamed:
            parts.append(f"{self.renamed} renamed")
        return ", ".join(parts)

    # --- JSON

    def json(self, *, every: bool = True) -> dict[str, Any]:
        """All of it, as ``docs/schema/model-diff.schema.json`` says.

        Args:
            every: also the nodes that are the same, for a drawing of the whole graph.
        """
        facts = {
            part: [fact.json() for fact in self.facts if fact.part == part]
            for part in PARTS
            if part not in ("weights", "nodes")
        }
        return {
            "format": FORMAT,
            "equal": not self,
            "summary": self.summary(),
            "same": self.same,
            "moved": self.moved,
            "renamed": self.renamed,
            **facts,
            "weights": [weight.json() for weight in self.weights],
            "scopes": [scope.json(every=every) for scope in self.scopes],
            "notes": list(self.notes),
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": [{"before": was, "after": now} for was, now in self.changed],
            "lines": list(self.lines),
        }

    # --- parts

    def restrict(self, *, part: str | None = None, name: str | None = None) -> ModelDiff:
        """What of it is in one part, or about one value or node.

        Args:
            part: one of :data:`burnish.modeldiff.findings.PARTS`.
            name: of a value or node in either model.
        """

        def wanted(found: str) -> bool:
            return part in (None, found)

        def about(item: Fact | WeightDiff | NodeDiff) -> bool:
            return name is None or name in item.names or _reads(item, name)

        scopes = tuple(
            replace(
                scope,
                nodes=tuple(
                    node
                    for node in scope.nodes
                    if about(node) or (name is None and not _is_listed(node))
                ),
                facts=tuple(filter(about, scope.facts)),
            )
            for scope in self.scopes
            if wanted("nodes")
        )
        return ModelDiff(
            tuple(fact for fact in self.facts if wanted(fact.part) and about(fact)),
            tuple(item for item in self.weights if wanted("weights") and about(item)),
            scopes,
            self.notes if part is None and name is None else (),
        )


def _is_listed(node: NodeDiff) -> bool:
    return node.kind in ("added", "removed", "changed")


def _reads(item: Fact | WeightDiff | NodeDiff, name: str) -> bool:
    if not isinstance(item, NodeDiff):
        return False
    return any(name in side.inputs for side in (item.before, item.after) if side is not None)


def _signed(sides: _Sides) -> list[str]:
    signed = zip("-+", sides, strict=True)
    return [f"{sign}  {text}" for sign, text in signed if text is not None]


def _fact_lines(facts: Sequence[Fact]) -> list[str]:
    return [line for fact in facts for line in _signed((fact.before, fact.after))]


def _node_lines(nodes: Sequence[NodeDiff]) -> Iterator[str]:
    """The nodes that are listed, with the unchanged one before and after each run of them."""
    previous: str | None = None
    for listed, run in groupby(nodes, _is_listed):
        group = list(run)
        if listed:
            if previous is not None:
                yield f"   {previous}"
            for node in group:
                yield from _signed(node.lines)
            previous = None
        else:
            if nodes[0] is not group[0]:
                yield f"   {group[0].lines[0]}"
            # The same line is not told twice, as the end of one run and the start of the next.
            shown = nodes[0] is not group[0] and len(group) == 1
            previous = None if shown else group[-1].lines[0]
