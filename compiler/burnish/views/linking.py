"""What became of every node and constant of a run, from the observed changes alone.

A node stands where another stood, or was made from it; a constant holds what a node computed.
Where a pass made several changes at once, names of results, sources of new nodes and remarks tell
which belongs to which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from burnish.diff import Constant, Diff, Entry, Origin, entry_text
from burnish.pipeline import PassRecord
from burnish.views.lineage import Edge, Fate, Lineage, Thing

__all__ = ["lineage_of"]


def lineage_of(opening: Diff, records: Iterable[PassRecord]) -> Lineage:
    """The lineage of a run.

    Args:
        opening: all that stood in the source, see :meth:`burnish.diff.Recorder.opening`.
        records: of all passes, in order.
    """
    lineage = Lineage()
    standing = _Standing(lineage)
    standing.change(opening, -1)
    for record in records:
        if record.diff:
            gone, came = standing.change(record.diff, record.index)
            _Links(lineage, record, gone, came, standing).make()
    return lineage


class _Standing:
    """What stands in the model, pass by pass."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self.by_key: dict[tuple[str, tuple[str | None, ...]], Thing] = {}
        self.makers: dict[tuple[str, str], Thing] = {}

    def change(self, diff: Diff, index: int) -> tuple[list[Thing], list[Thing]]:
        """Replay a diff; what went and what came."""
        scope = ""
        gone: list[Thing] = []
        arriving: list[tuple[str, Entry]] = []
        for sign, entry in diff.entries:
            if sign == "@":
                scope = entry_text(entry).removesuffix(" (removed)")
            elif sign == "-" and not isinstance(entry, str):
                thing = self.by_key.pop((scope, _key(entry)), None)
                if thing is not None:
                    gone.append(thing)
                    self._lineage.ended[thing] = index
            elif sign == "+" and not isinstance(entry, str):
                arriving.append((scope, entry))
        for thing in gone:
            for name in thing.makes:
                self.makers.pop((thing.scope, name), None)
        came = []
        for place, entry in arriving:
            key = _key(entry)
            origin = diff.origins.get(key) if isinstance(entry, tuple) else None
            origin = origin or Origin(_plain_label(entry), ())
            thing = Thing(entry, place, origin.label, origin.sources, index)
            self.by_key[place, key] = thing
            self.makers.update({(place, name): thing for name in thing.makes})
            self._lineage.things.append(thing)
            came.append(thing)
        return gone, came

    def maker(self, scope: str, name: str | None) -> Thing | None:
        """What defines a value now, in this scope or, failing that, in the main graph."""
        return self.makers.get((scope, name or "")) or self.makers.get(("model", name or ""))


def _key(entry: Entry) -> tuple[str | None, ...]:
    if isinstance(entry, Constant):
        return ("", entry.name)  # no node has a first result without a name and a second with one
    return entry[4] if isinstance(entry, tuple) else ()


def _plain_label(entry: Entry) -> str:
    if isinstance(entry, Constant):
        return entry.name
    first = entry[4][0] if isinstance(entry, tuple) and entry[4] else ""
    return f"{entry[0]}({first or ''})"


def _alike(constants: list[Thing], new: Thing) -> list[Thing]:
    """Those of the element type of ``new``; all of them when none is (it was cast)."""
    kind = _element_type(new)
    return [each for each in constants if _element_type(each) == kind] or constants


def _element_type(constant: Thing) -> str:
    return constant.line.removeprefix(f"{constant.label} = ").partition("[")[0]


def _same_work(one: Thing, other: Thing) -> bool:
    """Whether two nodes, or two constants, are twins as far as can be seen."""
    if isinstance(one.entry, tuple) and isinstance(other.entry, tuple):
        return one.op == other.op and one.entry[5] == other.entry[5]
    return one.is_node == other.is_node


class _Links:
    """Connects what one pass ended with what it began."""

    def __init__(
        self,
        lineage: Lineage,
        record: PassRecord,
        gone: Sequence[Thing],
        came: Sequence[Thing],
        standing: _Standing,
    ) -> None:
        self.lineage = lineage
        self.record = record
        self.index = record.index
        self.gone = gone
        self.nodes = [thing for thing in gone if thing.is_node]
        self.new_nodes = [thing for thing in came if thing.is_node]
        self.new_constants = [thing for thing in came if not thing.is_node]
        self.standing = standing
        self.was = {(thing.scope, name): thing for thing in gone for name in thing.makes}
        self.readers: dict[tuple[str, str], list[Thing]] = defaultdict(list)
        for thing in self.nodes:
            for name in thing.reads:
                if name:
                    self.readers[thing.scope, name].append(thing)
        self.applied: dict[str, list[str]] = defaultdict(list)
        self.rules: dict[str, None] = {}
        for remark in record.remarks:
            if remark.kind == "applied":
                self.applied[remark.where].append(remark.rule)
                self.rules[remark.rule] = None

    def make(self) -> None:
        """Find every edge and every fate."""
        self.same_results()
        self.made_from()
        self.folded()
        self.into_constants()
        self.upstream_of_folded()
        for thing in self.gone:
            if not self._connected(thing):
                self.fate(thing)

    def before(self, scope: str, name: str | None) -> Thing | None:
        """What defined a value before the pass."""
        for place in (scope, "model"):
            key = (place, name or "")
            found = self.was.get(key) or self.standing.makers.get(key)
            if found is not None and found.born < self.index:
                return found
        return None

    def rule_at(self, *names: str) -> str:
        """The rule that applied at one of these places, or the only one that did."""
        for name in names:
            for rule in self.applied.get(name, ()):
                return rule
        return next(iter(self.rules)) if len(self.rules) == 1 else ""

    def connect(self, before: Thing, after: Thing, how: str) -> None:
        """An edge, with the rule that made it."""
        rule = self.rule_at(before.label, *before.makes, after.label, *after.makes)
        self.lineage.connect(Edge(before, after, self.index, how, rule))

    def _connected(self, thing: Thing) -> bool:
        return any(edge.index == self.index for edge in self.lineage.forward[thing])

    def same_results(self) -> None:
        """A node for a node: it was changed in place, or something stands for it."""
        by_key = {(thing.scope, _key(thing.entry)): thing for thing in self.new_nodes}
        self.kept: set[Thing] = set()
        for old in self.nodes:
            new = by_key.get((old.scope, _key(old.entry)))
            if new is None:
                continue
            if new.sources == old.sources and new.label == old.label:
                self.connect(old, new, "changed")
                self.kept.update((old, new))
            elif set(new.sources) & set(old.sources):
                self.connect(old, new, "went into")
            elif new.op == "Constant":
                self.connect(old, new, "moved" if old.op == "Constant" else "folded")

    def made_from(self) -> None:
        """New nodes know the source nodes they come from; so do those that ended."""
        by_source: dict[str, list[Thing]] = defaultdict(list)
        for new in self.new_nodes:
            if new not in self.kept:
                for source in new.sources:
                    by_source[source].append(new)
        for old in self.nodes:
            if old in self.kept or not old.sources:
                continue
            for new in by_source.get(old.sources[0], ()):
                if set(old.sources) <= set(new.sources):
                    same = new.sources == old.sources and new.label == old.label
                    self.connect(old, new, "changed" if same else "went into")

    def folded(self) -> None:
        """Constants that have the name of a node's result hold what it computed."""
        for new in self.new_constants:
            old = self.was.get((new.scope, new.label))
            if old is None:
                continue
            if not old.is_node:
                self.connect(old, new, "changed")
            else:
                self.connect(old, new, "moved" if old.op == "Constant" else "folded")
                for constant in self.constants_read(old):
                    self.connect(constant, new, "folded")

    def constants_read(self, node: Thing) -> list[Thing]:
        """The constants that a node read before the pass."""
        found = []
        for name in node.reads:
            held = self.before(node.scope, name)
            if held is not None and not held.is_node:
                found.append(held)
        return found

    def into_constants(self) -> None:
        """A new constant that a new node reads is made of those its predecessors read."""
        reading: dict[str | None, list[Thing]] = defaultdict(list)
        for node in self.new_nodes:
            for name in dict.fromkeys(node.reads):
                reading[name].append(node)
        for new in self.new_constants:
            if self.lineage.backward[new]:
                continue
            for reader in reading.get(new.label, ()):
                for edge in list(self.lineage.backward[reader]):
                    if edge.index != self.index:
                        continue
                    for constant in _alike(self.constants_read(edge.before), new):
                        if constant.label not in reader.reads:
                            self.connect(constant, new, "went into")

    def upstream_of_folded(self) -> None:
        """What led only to something that was folded is folded with it."""
        pending = [
            thing
            for thing in self.nodes
            if any(
                edge.index == self.index and edge.how == "folded"
                for edge in self.lineage.forward[thing]
            )
        ]
        while pending:
            reader = pending.pop()
            into = [
                edge.after
                for edge in self.lineage.forward[reader]
                if edge.index == self.index and edge.how == "folded"
            ]
            for name in reader.reads:
                maker = self.before(reader.scope, name)
                if maker is None or self._connected(maker):
                    continue
                if maker.is_node and maker not in self.lineage.ended:
                    continue  # it goes on for others
                for after in into:
                    self.connect(maker, after, "folded")
                if maker.is_node:
                    pending.append(maker)

    def fate(self, old: Thing) -> None:
        """What became of the readers of something that became nothing itself."""
        rule = self.rule_at(old.label, *old.makes)
        readers = [
            reader for name in old.makes for reader in self.readers.get((old.scope, name), ())
        ]
        for reader in readers:
            instead = self._read_instead(old, reader)
            if instead is None:
                continue
            maker = self.standing.maker(old.scope, instead)
            if maker is not None and instead not in old.reads and _same_work(old, maker):
                self.connect(old, maker, "merged")
                return
            text = f"its readers read {instead}"
            self.lineage.fates[old] = Fate(self.index, rule, text)
            return
        taken = self._taken_over(old)
        if taken is not None:
            text = f"{taken.label} makes {old.makes[0]}"
        elif readers:
            texts = list(dict.fromkeys(map(self._what_became_of, readers)))
            more = f" and {len(texts) - 2} more" if len(texts) > 2 else ""
            text = "; ".join(texts[:2]) + more
        else:
            text = "nothing reads it"
        self.lineage.fates[old] = Fate(self.index, rule, text)

    def _what_became_of(self, reader: Thing) -> str:
        """Why ``reader`` reads no longer what it read."""
        for edge in self.lineage.forward[reader]:
            if edge.index == self.index:
                if edge.how == "changed":
                    return f"{reader.label} no longer reads it"
                return f"its reader {reader.label} went into {edge.after.label}"
        return f"its reader {reader.label} was removed"

    def _read_instead(self, old: Thing, reader: Thing) -> str | None:
        """What the successor of ``reader`` reads where it read ``old``."""
        for edge in self.lineage.forward[reader]:
            after = edge.after
            if edge.index != self.index or len(after.reads) != len(reader.reads):
                continue
            if after.op != reader.op:
                continue
            for was, now in zip(reader.reads, after.reads, strict=True):
                if was in old.makes and now and now != was:
                    return now
        return None

    def _taken_over(self, old: Thing) -> Thing | None:
        """What now makes the result of ``old``, a graph output."""
        maker = self.standing.maker(old.scope, old.makes[0]) if old.makes else None
        return maker if maker is not None and maker.born == self.index else None
