"""How the nodes of a pair differ, and pairs mended so that no line stands on both sides."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum

from burnish.ir import Node, Value
from burnish.modeldiff.pairing import Pairing
from burnish.text import node_line

__all__ = ["Kind", "Settled"]


class Kind(Enum):
    """How the nodes of a pair differ."""

    SAME = "equal, on inputs that are pairs"
    MOVED = "equal, but what they read is listed"
    CHANGED = "listed"


class Settled:
    """The pairs of two graphs after mending.

    Two nodes with one text that would be listed on both sides become a pair, which may bring up
    others among those that read their results. Each node is settled so once.

    Attributes:
        values: inputs and results of the old graph with their counterparts.
        origins: the same the other way round.
        kinds: by node of the old graph that has a counterpart, how the two differ.
    """

    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing
        self.values = pairing.values()
        self.origins = {right: left for left, right in self.values.items()}
        self._lines = {node: node_line(node) for prints in pairing.sides for node in prints.own}
        self._old_of = {self._lines[node]: node for node in pairing.old.own}
        self._mend()
        self.kinds = {node: self._kind(node) for node in pairing.old.own if node in pairing.pairs}

    def _mend(self) -> None:
        pairing = self._pairing
        news = {self._lines[node]: node for node in pairing.new.own}
        settled: set[Node] = set()
        pending = deque(pairing.old.own)
        while pending:
            node = pending.popleft()
            other = news.get(self._lines[node])
            if other is None or node in settled or pairing.pairs.get(node) is other:
                continue
            if not self._listed(node) or not self._listed(pairing.back.get(other)):
                continue
            settled.add(node)
            for concerned in self._exchange(node, other):
                pending.append(concerned)
                twin = pairing.pairs.get(concerned)
                pending.extend(self._by_text([twin] if twin is not None else []))

    def _exchange(self, node: Node, other: Node) -> list[Node]:
        """Pair the two; return the nodes of the old graph that this may concern."""
        pairing = self._pairing
        twin, former = pairing.pairs.get(node), pairing.back.get(other)
        pairing.pair(node, other)
        for item in filter(None, (node, former)):
            for value in item.outputs:
                self.values.pop(value, None)
        for item in filter(None, (other, twin)):
            for value in item.outputs:
                self.origins.pop(value, None)
        for item in filter(None, (node, former)):
            match = pairing.pairs.get(item)
            for left, right in zip(item.outputs, match.outputs if match else (), strict=False):
                self.values[left], self.origins[right] = right, left
        found = dict.fromkeys(filter(None, (former,)))
        found.update(dict.fromkeys(self._readers(filter(None, (node, former)), 0)))
        behind = self._readers(filter(None, (other, twin)), 1)
        # A node of the new graph that has lost its counterpart is found by its text.
        lost = [item for item in (twin,) if item is not None and item not in pairing.back]
        found.update(dict.fromkeys(self._by_text(lost)))
        found.update(dict.fromkeys(pairing.back[item] for item in behind if item in pairing.back))
        return list(found)

    def _by_text(self, nodes: Iterable[Node]) -> Iterator[Node]:
        for node in nodes:
            found = self._old_of.get(self._lines[node])
            if found is not None:
                yield found

    def _readers(self, nodes: Iterable[Node], side: int) -> Iterator[Node]:
        for node in nodes:
            for value in node.outputs:
                for reader, _ in self._pairing.readers[side].get(value, ()):
                    yield reader

    def _listed(self, node: Node | None) -> bool:
        return node is None or node not in self._pairing.pairs or self._kind(node) is Kind.CHANGED

    def _kind(self, node: Node) -> Kind:
        pairing = self._pairing
        old, new, twin = pairing.old, pairing.new, pairing.pairs[node]
        if old.own[node] != new.own[twin]:
            return Kind.CHANGED
        others = [
            (left, right)
            for left, right in zip(old.reads[node], new.reads[twin], strict=True)
            if left is not None
            and right is not None
            and self.values.get(left) is not right
            and old.token(left) != new.token(right)
        ]
        if not others:
            return Kind.SAME
        if all(self._told(left, right) for left, right in others):
            return Kind.MOVED
        return Kind.CHANGED

    def _told(self, left: Value, right: Value) -> bool:
        """Whether the difference of two inputs shows elsewhere: as a weight, or under its name."""
        if self._pairing.weights.get(left) is right:
            return True
        unpaired = left not in self.values or right not in self.origins
        return left.name == right.name and unpaired
