"""How the nodes of a pair differ, and pairs mended so that no line stands on both sides."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import zip_longest

from burnish.ir import Node, Value, constant
from burnish.modeldiff.fingerprint import commutes, given
from burnish.modeldiff.pairing import Pairing
from burnish.modeldiff.quantized import is_dequantized
from burnish.modeldiff.smallness import is_spelled_out
from burnish.text import node_line

__all__ = ["Kind", "Settled"]


class Kind(Enum):
    """How the nodes of a pair differ."""

    SAME = "equal, on inputs that are pairs"
    MOVED = "equal, but what they read is listed"
    CHANGED = "listed"

    @property
    def word(self) -> str:
        """The kind as one word."""
        return self.name.lower()


class Settled:
    """The pairs of two graphs after mending.

    Two nodes with one text that would be listed on both sides become a pair, which may bring up
    others among those that read their results. Each node is settled so once.

    Attributes:
        values: inputs and results of the old graph with their counterparts.
        origins: the same the other way round.
        stands: results of the old graph whose node went, with the value of the new graph that
            all readers read in place of it.
        kinds: by node of the old graph that has a counterpart, how the two differ.
        exchanged: nodes of the old graph whose two operands stand the other way round, which
            changes no answer.
        weights: pairs of constants that the nodes of a pair read in the same place and that
            differ, in the order of the nodes.
    """

    def __init__(self, pairing: Pairing) -> None:
        self._pairing = pairing
        self.values = pairing.values()
        self.origins = {right: left for left, right in self.values.items()}
        self._lines = {node: node_line(node) for prints in pairing.sides for node in prints.nodes}
        self._old_of = {self._lines[node]: node for node in pairing.old.nodes}
        self.stands: dict[Value, Value] = {}
        self._mend()
        self._replace()
        found = {n: self._judge(n) for n in pairing.old.nodes if n in pairing.pairs}
        self.kinds = {node: kind for node, (kind, _, _) in found.items()}
        self.exchanged = {node for node, (_, exchanged, _) in found.items() if exchanged}
        self.weights = dict.fromkeys(pair for _, _, weights in found.values() for pair in weights)

    def _mend(self) -> None:
        pairing = self._pairing
        news = {self._lines[node]: node for node in pairing.new.nodes}
        settled: set[Node] = set()
        pending = deque(pairing.old.nodes)
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

    def _replace(self) -> None:
        """Find what stands in place of the results of nodes that went.

        Only results of nodes that are listed anyway: the line of such a node then tells it, and
        those that read it need not be listed.
        """
        pairing = self._pairing
        outputs = dict(pairing.outputs)
        for node in pairing.old.nodes:
            if node in pairing.pairs:
                continue
            for left in node.outputs:
                right = self._successor(left)
                if right is None or (left.is_graph_output() and outputs.get(left) is not right):
                    continue
                origin = self.origins.get(right)
                if origin is not None and origin.name == right.name != left.name:
                    continue  # Its name was kept: people know it by that.
                maker = pairing.back.get(producer) if (producer := right.producer()) else None
                if maker is None or self._kind(maker) is Kind.CHANGED:
                    self.stands[left] = right

    def _successor(self, left: Value) -> Value | None:
        """The result that all counterparts of the readers of ``left``, and no others, read."""
        pairing = self._pairing
        readers = {
            reader for reader, _ in pairing.readers[0].get(left, ()) if reader in pairing.pairs
        }
        found = {
            right
            for reader in readers
            for was, right in (*self.inputs(reader), *self._captured(reader))
            if was is left
        }
        right = found.pop() if len(found) == 1 else None
        if right is None or right.producer() not in pairing.new.own:
            return None
        twins = {pairing.pairs[reader] for reader in readers}
        others = {reader for reader, _ in pairing.readers[1].get(right, ())} - twins
        return None if others else right

    def inputs(self, node: Node) -> list[tuple[Value | None, Value | None]]:
        """The inputs of ``node`` beside those of its counterpart, exchanged where that agrees."""
        twin = self._pairing.pairs[node]
        was, now = given(node), given(twin)
        if commutes(node) and commutes(twin):
            crossed = list(zip(was, now[::-1], strict=True))
            straight = list(zip(was, now, strict=True))
            better = sum(map(self._agree, crossed)) > sum(map(self._agree, straight))
            return crossed if better else straight
        return list(zip_longest(was, now))

    def _captured(self, node: Node) -> list[tuple[Value | None, Value | None]]:
        """The one outer value that the subgraphs of a pair read differently, if it is one."""
        sides = self._pairing.sides
        twin = self._pairing.pairs[node]
        was = sides[0].reads[node][len(given(node)) :]
        now = sides[1].reads[twin][len(given(twin)) :]
        left = [one for one in was if not any(self._agree((one, other)) for other in now)]
        right = [other for other in now if not any(self._agree((one, other)) for one in was)]
        return [(left[0], right[0])] if len(left) == len(right) == 1 else []

    def _agree(self, pair: tuple[Value | None, Value | None]) -> bool:
        left, right = pair
        if left is None or right is None:
            return left is right
        tokens = self._pairing.old.token(left), self._pairing.new.token(right)
        return self.values.get(left) is right or tokens[0] == tokens[1]

    def _kind(self, node: Node) -> Kind:
        return self._judge(node)[0]

    def _judge(self, node: Node) -> tuple[Kind, bool, list[tuple[Value, Value]]]:
        """How a node differs, whether operands are exchanged, and the weights that differ."""
        pairing = self._pairing
        pairs = self.inputs(node)
        exchanged = bool(pairs) and pairs[0][1] is not (given(pairing.pairs[node]) or (None,))[0]
        differing = [(left, right) for left, right in pairs if not self._agree((left, right))]
        weights = [
            (left, right)
            for left, right in differing
            if left is not None and right is not None and self._are_weights(left, right)
        ]
        if pairing.old.shell[node] != pairing.new.shell[pairing.pairs[node]]:
            return Kind.CHANGED, exchanged, weights
        if not differing:
            return Kind.SAME, exchanged, weights
        told = all(
            pair in weights or (pair[0] is not None and self.stands.get(pair[0]) is pair[1])
            for pair in differing
        )
        return Kind.MOVED if told else Kind.CHANGED, exchanged, weights

    def _are_weights(self, left: Value, right: Value) -> bool:
        """Whether both are listed as weights: constants not written out where they are read.

        A weight that is stored as integers now, or was, is one beside what it stands for.
        """
        held = constant(left), constant(right)
        known = [one is not None and not is_spelled_out(one) for one in held]
        made = is_dequantized(left), is_dequantized(right)
        return all(known) or (known[0] and made[1]) or (made[0] and known[1])
