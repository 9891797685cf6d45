"""What a comparison of two models found, as values: for text, for JSON, for a page that draws it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from burnish.modeldiff.distance import Distance

__all__ = [
    "PARTS",
    "Fact",
    "NodeDiff",
    "NodeSide",
    "ScopeDiff",
    "Terms",
    "WeightDiff",
    "WeightSide",
]

PARTS = ("header", "interface", "weights", "nodes", "shapes", "functions")
"""The parts of a comparison, in the order they are told."""

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


@dataclass(frozen=True)
class Fact:
    """One thing of a model as a whole that differs.

    Attributes:
        part: ``header``, ``interface``, ``shapes`` or ``functions``.
        kind: ``added``, ``removed`` or ``changed``.
        before: its line before, None when it came.
        after: its line after, None when it went.
        names: the values it is about, as either model calls them.
    """

    part: str
    kind: str
    before: str | None
    after: str | None
    names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, part: str, before: str | None, after: str | None, names: tuple[str, ...] = ()
    ) -> Fact:
        """A fact; what it is follows from which sides there are."""
        kind = "added" if before is None else "removed" if after is None else "changed"
        return cls(part, kind, before, after, names)

    def json(self) -> dict[str, Any]:
        """The fact without its part."""
        return {"kind": self.kind, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class WeightSide:
    """A constant of one model.

    Attributes:
        name: of the value.
        text: type, shape and digest.
        bytes: how many it has.
        stored: ``initializer``, ``Constant node``, ``default of an input``, or ``integers and a
            scale`` (then it is told as the numbers that these stand for).
    """

    name: str
    text: str
    bytes: int
    stored: str


@dataclass(frozen=True)
class WeightDiff:
    """A constant that differs.

    Attributes:
        kind: ``added``, ``removed`` or ``changed``.
        before: as it was; None when it came.
        after: as it is; None when it went.
        how: what changed: ``values``, ``dtype``, ``quantized``, ``shape``, ``layout``; empty unless
            changed.
        note: that in words.
        distance: how far the two are apart, where their elements correspond.
    """

    kind: str
    before: WeightSide | None
    after: WeightSide | None
    how: str = ""
    note: str = ""
    distance: Distance | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What either model calls it."""
        return tuple(side.name for side in (self.before, self.after) if side is not None)

    def sides(self) -> tuple[str | None, str | None]:
        """Its line before and after."""
        lines = [
            None if side is None else f"{side.name} = {side.text}"
            for side in (self.before, self.after)
        ]
        if self.note and lines[1] is not None:
            lines[1] += f"  # {self.note}"
        return lines[0], lines[1]

    def json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "kind": self.kind,
            "before": None if self.before is None else asdict(self.before),
            "after": None if self.after is None else asdict(self.after),
            "how": self.how,
            "note": self.note,
            "distance": None if self.distance is None else self.distance.json(),
        }


@dataclass(frozen=True)
class NodeSide:
    """A node as one model has it, under that model's names.

    Attributes:
        name: the node's own name, may be empty.
        op: operator.
        domain: of the operator, ``""`` for ONNX.
        inputs: names of what it reads, ``""`` for an empty slot.
        outputs: names of its results.
        attributes: by name, as text; those that only say the default are left out.
    """

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]

    def json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "name": self.name,
            "op": self.op,
            "domain": self.domain,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "attributes": dict(self.attributes),
        }


@dataclass(frozen=True)
class Terms:
    """What the values at a node are called in its line.

    Attributes:
        inputs: of what it reads, ``""`` for an empty slot; a small constant in full.
        outputs: of its results.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class NodeDiff:
    """A node of one model, its counterpart in the other, or both.

    Attributes:
        kind: ``same``; ``moved``: does the same work on a weight or result that is listed itself;
            ``changed``; ``removed``; ``added``.
        before: as it was; None when it came.
        after: as it is; None when it went.
        lines: before and after as text, the second under the names of the first model.
        terms: what values are called in these lines.
        notes: what differs, one short sentence each.
    """

    kind: str
    before: NodeSide | None
    after: NodeSide | None
    lines: tuple[str | None, str | None]
    terms: tuple[Terms | None, Terms | None]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the node and its results in either model."""
        sides = [side for side in (self.before, self.after) if side is not None]
        return tuple(name for side in sides for name in (side.name, *side.outputs) if name)

    @property
    def is_renamed(self) -> bool:
        """Whether the two models call its results differently."""
        if self.before is None or self.after is None:
            return False
        return self.before.outputs != self.after.outputs

    def json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "kind": self.kind,
            "before": None if self.before is None else self.before.json(),
            "after": None if self.after is None else self.after.json(),
            "text": {"before": self.lines[0], "after": self.lines[1]},
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class ScopeDiff:
    """The nodes of one graph: the main one, a subgraph, or the body of a function.

    Attributes:
        title: ``nodes``, ``nodes of then_branch of y``, ``nodes of function own.twice``.
        nodes: of both models, merged into one order.
        facts: results of the graph that are other values now.
    """

    title: str
    nodes: tuple[NodeDiff, ...]
    facts: tuple[Fact, ...] = ()

    def differing(self) -> Iterator[NodeDiff]:
        """Nodes that are listed."""
        return (node for node in self.nodes if node.kind in _SIGNS)

    def json(self, *, every: bool) -> dict[str, Any]:
        """All of it; without ``every`` only nodes that are listed."""
        nodes = self.nodes if every else self.differing()
        return {
            "title": self.title,
            "nodes": [node.json() for node in nodes],
            "results": [fact.json() for fact in self.facts],
        }
