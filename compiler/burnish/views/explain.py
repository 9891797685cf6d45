"""Why a pass did what it did, and what became of a node."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from burnish.errors import InputError
from burnish.graph import sources_of
from burnish.ir import Model, Node, all_nodes, label
from burnish.pipeline import PassRecord
from burnish.registry import pass_types
from burnish.text import node_line
from burnish.views.report import diff_json, pass_name, remarks_json

__all__ = ["NodeStory", "PassStory", "Places", "explain_node", "explain_pass", "places_of"]


@dataclass(frozen=True)
class Places:
    """The nodes of a model by what people call them.

    Attributes:
        lines: text line by label.
        outputs: names of results by label.
        labels: label by name of node or result.
        sources: labels of source nodes by label.
    """

    lines: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)


def places_of(model: Model) -> Places:
    """Index the nodes of ``model`` as it stands."""
    found = Places()
    for node in all_nodes(model):
        name = label(node)
        found.lines.setdefault(name, node_line(node))
        found.sources[name] = (*found.sources.get(name, ()), *sources_of(node))
        found.outputs[name] = (*found.outputs.get(name, ()), *_output_names(node))
        for alias in (name, *_output_names(node)):
            found.labels.setdefault(alias, name)
    return found


def _output_names(node: Node) -> tuple[str, ...]:
    return tuple(value.name for value in node.outputs if value.name)


@dataclass(frozen=True)
class PassStory:
    """Everything a pass did and did not do in one run.

    Attributes:
        name: the pass.
        records: its records, in order.
    """

    name: str
    records: tuple[PassRecord, ...]

    def json(self) -> dict[str, Any]:
        """With stable keys; ``runs`` has one entry a record."""
        runs = [
            {
                "index": record.index,
                "spec": record.spec,
                "round": record.round,
                "diff": diff_json(record.diff),
                "remarks": remarks_json(record.remarks),
            }
            for record in self.records
        ]
        return {"kind": "pass", "name": self.name, "runs": runs}

    def text(self) -> str:
        """Where it applied, where it declined, and why."""
        if not self.records:
            return f"{self.name} is not in this pipeline"
        lines: list[str] = []
        for record in self.records:
            turn = f", round {record.round}" if record.round else ""
            lines.append(f"{record.spec} (pass {record.index}{turn}): {record.diff.summary()}")
            for group in remarks_json(record.remarks):
                why = f": {group['why']}" if group["why"] else ""
                rule = "" if group["rule"] == self.name else f" {group['rule']}"
                lines.append(f"  {group['kind']}{rule}{why}")
                lines.extend(f"    {where}" for where in group["where"])
        return "\n".join(lines)


@dataclass(frozen=True)
class Event:
    """Something that a pass did at a node.

    Attributes:
        index: of the pass's record.
        spec: the pass.
        what: ``removed``, ``added``, ``changed``, or a remark's kind.
        text: the lines or the reason.
    """

    index: int
    spec: str
    what: str
    text: str


@dataclass(frozen=True)
class NodeStory:
    """Where a node came from, which passes touched it, and what became of it.

    Attributes:
        name: the node.
        source: its line in the source, or None when a pass made it.
        result: its line in the result, or None when it is gone.
        came_from: the source nodes it was made from.
        went_into: the nodes of the result that were made from it.
        events: what passes did at it, in order.
    """

    name: str
    source: str | None
    result: str | None
    came_from: tuple[str, ...]
    went_into: tuple[str, ...]
    events: tuple[Event, ...]

    def json(self) -> dict[str, Any]:
        """With stable keys."""
        return {
            "kind": "node",
            "name": self.name,
            "source": self.source,
            "result": self.result,
            "came_from": list(self.came_from),
            "went_into": list(self.went_into),
            "events": [vars(event) for event in self.events],
        }

    def text(self) -> str:
        """The same for people."""
        lines = [self.name, f"  in the source  {self.source or 'not there: a pass made it'}"]
        lines.append(f"  in the result  {self.result or 'not there any more'}")
        if self.source is None:
            lines.append(f"  came from      {', '.join(self.came_from) or 'no node'}")
        if self.went_into:
            lines.append(f"  went into      {', '.join(self.went_into)}")
        lines.append("  passes" if self.events else "  no pass touched it or spoke of it")
        lines.extend(
            f"    {event.index:3} {event.spec}: {event.what}"
            + (f" {event.text}" if event.text else "")
            for event in self.events
        )
        return "\n".join(lines)


def explain_pass(name: str, records: Sequence[PassRecord]) -> PassStory:
    """What the pass ``name`` did in a run."""
    return PassStory(name, tuple(record for record in records if pass_name(record) == name))


def explain_node(
    name: str, before: Places, after: Places, records: Sequence[PassRecord]
) -> NodeStory:
    """What became of a node, or where it came from.

    Args:
        name: a node's name or label, or the name of one of its results.
        before: the nodes of the source.
        after: the nodes of the result.
        records: of the run between them.

    Raises:
        InputError: when neither model has such a node; suggests the nearest name.
    """
    node = before.labels.get(name) or after.labels.get(name)
    if node is None:
        known = [*before.labels, *after.labels, *pass_types()]
        near = difflib.get_close_matches(name, known, n=1)
        mend = f"did you mean {near[0]}?" if near else "see: burnish inspect, burnish passes"
        raise InputError(f"no pass and no node is named '{name}'", mend=mend)
    results = {*before.outputs.get(node, ()), *after.outputs.get(node, ())}
    return NodeStory(
        node,
        before.lines.get(node),
        after.lines.get(node),
        after.sources.get(node, ()) if node not in before.lines else (),
        tuple(made for made, sources in after.sources.items() if node in sources and made != node),
        tuple(event for record in records for event in _events(record, node, results)),
    )


def _events(record: PassRecord, node: str, results: set[str]) -> Iterator[Event]:
    for remark in record.remarks:
        if remark.where == node or remark.where in results:
            rule = "" if remark.rule == pass_name(record) else f"{remark.rule} "
            yield Event(record.index, record.spec, remark.kind, f"{rule}{remark.why}".strip())
    for line in record.diff.removed:
        if _makes(line, results):
            yield Event(record.index, record.spec, "removed", line)
    for line in record.diff.added:
        if _makes(line, results):
            yield Event(record.index, record.spec, "added", line)
    for was, now in record.diff.changed:
        if _makes(was, results) or _makes(now, results):
            yield Event(record.index, record.spec, "changed", f"{was} → {now}")


def _makes(line: str, results: set[str]) -> bool:
    """Whether a diff line is of a node that makes one of ``results``."""
    made, equals, _ = line.partition(" = ")
    return bool(equals) and not results.isdisjoint(made.split(", "))
