"""Where a node, weight, input or output came from, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from burnish.views.events import Event, event_lines
from burnish.views.near_text import Close, capped, close_lines
from burnish.views.pass_story import FORMAT, Declined

__all__ = ["NodeStory"]


_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "constant": "constant",
        "default": "input with a default, which callers may override",
        "input": "input",
        "output": "output",
    }
)


@dataclass(frozen=True)
class NodeStory:
    """Where something came from, which passes touched it, and what became of it.

    Attributes:
        name: the node, or the value.
        kind: ``node``, ``constant``, ``input``, ``output``, or ``default``: the value of an input
            that a caller may override.
        source: its line in the source, or None when a pass made it.
        result: its line in the result, or None when it is gone.
        came_from: the source nodes and weights it was made from.
        went_into: the nodes and constants of the result that were made from it.
        events: what passes did with it, in order.
        state: which state of the model ``result``, ``declined`` and ``near`` are about.
        declined: what is in the way of passes at it.
        near: what nearly stands there, best first.
        would: passes of the pipeline that would apply to it in that state.
        readers: who reads it in that state; of inputs and constants.
    """

    name: str
    kind: str
    source: str | None
    result: str | None
    came_from: tuple[str, ...]
    went_into: tuple[str, ...]
    events: tuple[Event, ...]
    state: str = "the result"
    declined: tuple[Declined, ...] = ()
    near: tuple[Close, ...] = ()
    would: tuple[str, ...] = ()
    readers: tuple[str, ...] = field(default=())

    def json(self) -> dict[str, Any]:
        """With stable keys, see ``docs/schema/explain.schema.json``."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "name": self.name,
            "state": self.state,
            "source": self.source,
            "result": self.result,
            "came_from": list(self.came_from),
            "went_into": list(self.went_into),
            "readers": list(self.readers),
            "events": [event.json() for event in self.events],
            "declined": [each.json() for each in self.declined],
            "would_apply": list(self.would),
            "near_misses": [each.json() for each in self.near],
        }

    def text(self, limit: int | None = 5) -> str:
        """The same for people.

        Args:
            limit: how many of a kind to list; None is all of them.
        """
        now = self.state.removeprefix("the model ").partition(" (")[0]
        now = f"in {now}" if now == self.state else now
        width = max(len("in the source"), len(now))
        lines = [self.name if self.kind == "node" else f"{self.name} ({_KINDS[self.kind]})"]

        def row(head: str, held: str) -> None:
            lines.append(f"  {head:<{width}}  {held}")

        row("in the source", self.source or "not there: a pass made it")
        row(now, self.result or "not there any more")
        if self.came_from:
            row("came from", _joined(self.came_from, limit))
        if self.went_into:
            row("went into", _joined(self.went_into, limit))
        if self.readers:
            row("read by", _joined(self.readers, limit))
        lines.append("  passes" if self.events else "  no pass touched it or spoke of it")
        told = event_lines(self.events, self.name)
        lines += [f"    {line}" for line in capped(told, _times(limit, 5))]
        recognized = {why for close in self.near for why in close.miss.conditions}
        for each in self.declined:
            if each.why not in recognized:
                lines.append(f"  in the way of {each.rule}: {each.why}")
                lines += [f"    → {each.remedy}"] if each.remedy else []
        if self.would:
            lines.append(f"  would apply to {self.state}: {', '.join(self.would)}")
        if self.near:
            lines.append(f"  near misses in {self.state}")
            for close in self.near:
                lines += [f"    {line}" for line in close_lines(close, with_pass=True)]
        return "\n".join(lines)


def _times(limit: int | None, factor: int) -> int | None:
    return None if limit is None else limit * factor


def _joined(names: Sequence[str], limit: int | None) -> str:
    if limit is None or len(names) <= limit:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} and {len(names) - limit:,} more; --all"
