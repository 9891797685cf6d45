"""What passes did with things of a run, one event at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from burnish.pipeline import PassRecord
from burnish.views.lineage import Edge, Lineage, Thing

__all__ = ["Event", "Told", "event_lines", "tell"]

_MANY = 4
"""Names on one line."""


@dataclass(frozen=True)
class Event:
    """Something that a pass did with a node or constant, or said of it.

    Attributes:
        index: of the pass's record.
        spec: the pass.
        what: ``changed``, ``went into``, ``made``, ``folded``, ``merged``, ``moved``, ``removed``,
            ``declined`` or ``note``.
        text: in words: the line that came of it, or the reason.
        rule: the rule, where it is known.
        node: what it was done with, as people call it.
        into: what came of it; empty when nothing did.
        others: what else went into the same.
        brief: ``text`` without what ``node``, ``into`` and ``others`` say.
    """

    index: int
    spec: str
    what: str
    text: str
    rule: str = ""
    node: str = ""
    into: str = ""
    others: tuple[str, ...] = ()
    brief: str = ""

    def json(self) -> dict[str, Any]:
        """With stable keys."""
        held = {key: value for key, value in vars(self).items() if key != "brief"}
        return {**held, "others": list(self.others)}


@dataclass(frozen=True)
class Told:
    """What a lineage tells of some things.

    Attributes:
        events: what passes did with them, in order.
        into: what of the result was made from them, themselves left out.
        source: the things of the source they were made from, themselves left out.
    """

    events: tuple[Event, ...]
    into: tuple[Thing, ...]
    origin: tuple[Thing, ...]


def tell(things: Iterable[Thing], lineage: Lineage, records: Sequence[PassRecord]) -> Told:
    """Follow things to where they came from and to what became of them."""
    start = list(things)
    after = _reach(start, lineage, forward=True)
    before = _reach(start, lineage, forward=False)
    specs = {record.index: record.spec for record in records}
    found: list[Event] = []
    for thing in after:
        found.extend(_forward(thing, lineage, specs))
    for thing in before:
        found.extend(_backward(thing, lineage, specs))
    family = dict.fromkeys((*before, *after))
    found.extend(_remarks(family, lineage, records))
    events = sorted(dict.fromkeys(found), key=lambda event: event.index)
    into = [thing for thing in after if thing not in lineage.ended and thing not in start]
    origin = [thing for thing in before if thing.born < 0 and thing not in start]
    return Told(tuple(events), tuple(into), tuple(origin))


def _reach(start: Sequence[Thing], lineage: Lineage, *, forward: bool) -> list[Thing]:
    """``start`` and all that was made from it, or that it was made from."""
    edges = lineage.forward if forward else lineage.backward
    found = dict.fromkeys(start)
    pending = list(start)
    while pending:
        thing = pending.pop()
        for edge in edges.get(thing, ()):
            if not forward and edge.how == "merged":
                continue  # the twin that went is no part of the one that stayed
            other = edge.after if forward else edge.before
            if other not in found:
                found[other] = None
                # What a twin became is its own story.
                if edge.how != "merged":
                    pending.append(other)
    return list(found)


def _others(edge: Edge, lineage: Lineage) -> tuple[str, ...]:
    """What else went into the same thing in the same pass."""
    names = [
        other.before.label
        for other in lineage.backward.get(edge.after, ())
        if other.index == edge.index and other.how == edge.how
    ]
    return tuple(name for name in dict.fromkeys(names) if name != edge.before.label)


def _forward(thing: Thing, lineage: Lineage, specs: Mapping[int, str]) -> Iterator[Event]:
    for edge in lineage.forward.get(thing, ()):
        others = _others(edge, lineage) if edge.how in ("went into", "folded") else ()
        brief = ""
        if edge.how == "changed":
            text, brief = f"{edge.before.line} → {edge.after.line}", _change(thing, edge.after)
        elif edge.how == "merged":
            text = f"with its twin {edge.after.label}: {edge.after.line}"
        else:
            text = edge.after.line
        yield Event(
            edge.index,
            specs[edge.index],
            edge.how,
            text,
            edge.rule,
            _called(thing),
            _called(edge.after),
            others,
            brief,
        )
    fate = lineage.fates.get(thing)
    if fate is not None:
        spec, text = specs[fate.index], f"{thing.line}: {fate.text}"
        yield Event(fate.index, spec, "removed", text, fate.rule, _called(thing), brief=fate.text)


def _backward(thing: Thing, lineage: Lineage, specs: Mapping[int, str]) -> Iterator[Event]:
    edges = lineage.backward.get(thing, ())
    made = [edge for edge in edges if edge.how not in ("changed", "merged")]
    if made:
        names = tuple(dict.fromkeys(_called(edge.before) for edge in made))
        rule = next((edge.rule for edge in made if edge.rule), "")
        index = made[0].index
        yield Event(index, specs[index], "made", thing.line, rule, _called(thing), others=names)
    elif not edges and thing.born >= 0:
        yield Event(thing.born, specs[thing.born], "made", thing.line, "", _called(thing))
    for edge in edges:
        if edge.how == "changed":
            yield from (
                event
                for event in _forward(edge.before, lineage, specs)
                if event.index == edge.index and event.what == "changed"
            )


def _called(thing: Thing) -> str:
    """A node with its operator, which most names hold already."""
    if not thing.is_node or thing.op in thing.label:
        return thing.label
    return f"{thing.op} {thing.label}"


def _change(before: Thing, after: Thing) -> str:
    """What is different in a node or constant that stayed."""
    if not isinstance(before.entry, tuple) or not isinstance(after.entry, tuple):
        return after.line
    found = []
    if before.op != after.op:
        found.append(f"is {after.op} now")
    if before.makes != after.makes:
        found.append(f"makes {', '.join(after.makes)}")
    if before.reads != after.reads:
        pairs = list(zip(before.reads, after.reads, strict=False))
        swapped = [(old, new) for old, new in pairs if old != new]
        if len(before.reads) == len(after.reads) and len(swapped) == 1:
            found.append(f"reads {swapped[0][1] or 'nothing'}, not {swapped[0][0] or 'nothing'}")
        else:
            found.append(f"reads {_some([name or 'nothing' for name in after.reads])}")
    if before.entry[5] != after.entry[5]:
        _, brace, attributes = after.line.rpartition(" {")
        found.append(f"{{{attributes}" if brace else "no attributes")
    return "; ".join(found)


def _remarks(
    family: Iterable[Thing], lineage: Lineage, records: Sequence[PassRecord]
) -> Iterator[Event]:
    """What passes said of any of these while it stood."""
    named: dict[str, list[Thing]] = {}
    for thing in family:
        for name in {thing.label, *thing.makes}:
            named.setdefault(name, []).append(thing)
    said: set[tuple[str, str, str]] = set()
    for record in records:
        for remark in record.remarks:
            if remark.kind == "applied" or remark.where not in named:
                continue
            standing = [
                thing
                for thing in named[remark.where]
                if thing.born <= record.index <= lineage.ended.get(thing, record.index)
            ]
            key = (remark.rule, remark.where, remark.why)
            if standing and key not in said:
                said.add(key)
                called = _called(standing[0])
                yield Event(record.index, record.spec, remark.kind, remark.why, remark.rule, called)


def event_lines(events: Sequence[Event], title: str) -> list[str]:
    """Events for people: a line for each pass and kind.

    Args:
        events: in order.
        title: what the story is about; it is not named again.
    """
    groups: dict[tuple[int, str, str], list[Event]] = {}
    for event in events:
        # Each reason stands alone.
        alone = event.text if event.what in ("declined", "note") else ""
        groups.setdefault((event.index, event.what, alone), []).append(event)
    return [_group_line(group, title) for group in groups.values()]


def _group_line(group: Sequence[Event], title: str) -> str:
    first = group[0]
    plain = first.spec.partition("{")[0]
    rule = f" ({first.rule})" if first.rule and first.rule != plain else ""
    head = f"{first.index:3} {first.spec}{rule}:"
    nodes = list(dict.fromkeys(event.node for event in group))
    subject = "" if nodes == [title] else f" {_some(nodes)}"
    into = _some([event.into for event in group])
    others = f", with {_some(first.others)}" if first.others and len(group) == 1 else ""
    if first.what == "went into":
        return f"{head} went into {into}{others}"
    if first.what == "folded":
        return f"{head}{subject} folded into the constant {into}{others}"
    if first.what == "merged":
        return f"{head}{subject} merged with its twin {into}"
    if first.what == "moved":
        return f"{head}{subject} is the constant {into} now"
    if first.what == "made":
        others = f" from {_some(first.others)}" if first.others and len(group) == 1 else ""
        return f"{head} made {_some(nodes)}{others}"
    if first.what in ("declined", "note"):
        return f"{head} {first.what}{' at' * bool(subject)}{subject}: {first.text}"
    brief = f": {first.brief}" if len(group) == 1 and first.brief else ""
    return f"{head} {first.what}{subject}{brief}"


def _some(names: Sequence[str]) -> str:
    """The first few names, and how many more."""
    distinct = list(dict.fromkeys(names))
    if len(distinct) <= _MANY:
        return ", ".join(distinct)
    return f"{', '.join(distinct[:_MANY])} and {len(distinct) - _MANY} more"
