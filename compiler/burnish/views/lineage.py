"""All that stood in a model during a run, and how one thing became another.

Each time a line of the model comes, a :class:`Thing` begins; when the line goes, it ends. A pass
connects things that end with things that begin (:mod:`burnish.views.linking`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

from burnish.diff import Constant, Entry, entry_text

__all__ = ["Edge", "Fate", "Lineage", "Thing"]


@dataclass(frozen=True, eq=False)
class Thing:
    """A node or a constant while its line stayed as it is.

    Attributes:
        entry: what the line is written from.
        scope: title of the graph it stands in.
        label: how people call it.
        sources: labels of the source nodes it was made from; none for a constant.
        born: the pass that brought it; -1 for what stood in the source.
    """

    entry: Entry
    scope: str
    label: str
    sources: tuple[str, ...]
    born: int

    @property
    def is_node(self) -> bool:
        """Whether this is a node, not a constant."""
        return not isinstance(self.entry, Constant)

    @property
    def op(self) -> str:
        """The operator; empty for a constant."""
        return self.entry[0] if isinstance(self.entry, tuple) else ""

    @property
    def reads(self) -> tuple[str | None, ...]:
        """Names of the values a node reads."""
        return self.entry[3] if isinstance(self.entry, tuple) else ()

    @cached_property
    def makes(self) -> tuple[str, ...]:
        """Names of the values this defines."""
        if isinstance(self.entry, tuple):
            return tuple(name for name in self.entry[4] if name)
        return (self.label,)

    @cached_property
    def line(self) -> str:
        """Its line."""
        return entry_text(self.entry)


@dataclass(frozen=True)
class Edge:
    """How a thing became another.

    Attributes:
        before: what ended, or what something was made from.
        after: what began.
        index: the pass.
        how: ``changed``, ``went into``, ``folded``, ``merged`` or ``moved``.
        rule: the rule, where it is known.
    """

    before: Thing
    after: Thing
    index: int
    how: str
    rule: str


@dataclass(frozen=True)
class Fate:
    """The end of a thing that became nothing else.

    Attributes:
        index: the pass.
        rule: the rule, where it is known.
        text: why, for people.
    """

    index: int
    rule: str
    text: str


@dataclass
class Lineage:
    """All things of a run, and how they became each other.

    Attributes:
        things: in the order they came.
        ended: the pass that ended each; what is not here stands in the result.
        forward: edges by what ended.
        backward: edges by what began.
        fates: the end of what became nothing.
    """

    things: list[Thing] = field(default_factory=list)
    ended: dict[Thing, int] = field(default_factory=dict)
    forward: dict[Thing, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    backward: dict[Thing, list[Edge]] = field(default_factory=lambda: defaultdict(list))
    fates: dict[Thing, Fate] = field(default_factory=dict)

    def named(self, name: str) -> list[Thing]:
        """Everything that ever stood under a name: of a node, a result or a constant."""
        return [thing for thing in self.things if name == thing.label or name in thing.makes]

    @cached_property
    def names(self) -> dict[str, None]:
        """Every name there ever was."""
        found: dict[str, None] = {}
        for thing in self.things:
            found[thing.label] = None
            found.update(dict.fromkeys(thing.makes))
        return found

    def connect(self, edge: Edge) -> None:
        """Add an edge, once."""
        if all(known.after is not edge.after for known in self.forward[edge.before]):
            self.forward[edge.before].append(edge)
            self.backward[edge.after].append(edge)
