"""Which node, weight and value of one graph is which of another."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

from burnish.ir import Node, Value, constant
from burnish.modeldiff.fingerprint import Fingerprints, counterparts

__all__ = ["Pairing"]

# Looking past an unpaired node is tried this often for each, and only where a value has few
# readers, so that the search stays linear.
_TRIES = 4
_FEW = 8

_Use = tuple[Node, int]
_Step = tuple[Value, Value, bool]


class Pairing:
    """The pairs of two graphs.

    Nodes are paired by what they are computed from, then by what is computed from them. The rest
    is paired outwards from what is paired already (operator, attributes and constants first, as
    long as there is one candidate), then by operator and result name, and last by looking past
    nodes that only one graph has. The matching from anchors outwards is that of BinDiff (Dullien
    and Rolles, 2005) and of the bottom-up phase of GumTree (Falleri et al., 2014).

    Attributes:
        pairs: by node of the old graph, its counterpart.
        back: by node of the new graph, its counterpart.
        weights: by initializer of the old graph, the one of the new graph that stands for it.
        sides: the fingerprints of the old and of the new graph.
        readers: for each of the two, by value, the nodes that read it, with the slot.
    """

    def __init__(self, old: Fingerprints, new: Fingerprints) -> None:
        self.old = old
        self.new = new
        self.pairs: dict[Node, Node] = {}
        self.back: dict[Node, Node] = {}
        self.weights: dict[Value, Value] = {}
        self.sides = old, new
        self.readers = _readers(old), _readers(new)

    def run(self) -> None:
        """Find all pairs."""
        self._equal(self.old.above, self.new.above)
        self._equal(self.old.below, self.new.below)
        self._pair_weights()
        self._spread(self._steps(), loose=False)
        # A name says more than mere likeness, less than structure.
        self._equal(_by_name(self.old), _by_name(self.new))
        self._spread(self._steps(), loose=False)
        self._spread(self._steps(), loose=True)
        self._pair_read_weights()

    def pair(self, left: Node, right: Node) -> None:
        """Make the two a pair; their former partners, if both exist, become another."""
        former, other = self.pairs.pop(left, None), self.back.pop(right, None)
        if former is not None:
            del self.back[former]
        if other is not None:
            del self.pairs[other]
        self.pairs[left], self.back[right] = right, left
        if former is not None and other is not None:
            self.pairs[other], self.back[former] = former, other

    def values(self) -> dict[Value, Value]:
        """Inputs and results of the old graph with their counterparts."""
        found = dict(counterparts(self.old.graph.inputs, self.new.graph.inputs))
        for node, twin in self.pairs.items():
            found.update(zip(node.outputs, twin.outputs, strict=False))
        return found

    def _equal(self, old: Mapping[Node, str], new: Mapping[Node, str]) -> None:
        """Pair free nodes of equal print: those of one name, then the others in order."""
        for name in (_result_name, _no_name):
            waiting: dict[tuple[str, str], deque[Node]] = defaultdict(deque)
            for node, print_ in new.items():
                if node not in self.back:
                    waiting[print_, name(node)].append(node)
            for node, print_ in old.items():
                queue = waiting.get((print_, name(node)))
                if node not in self.pairs and queue:
                    self.pair(node, queue.popleft())

    # --- weights

    def _pair_weights(self) -> None:
        """Pair initializers by content and name, by content, and by name."""
        keys: tuple[Callable[[Fingerprints, Value], Hashable], ...] = (
            lambda prints, value: (prints.token(value), value.name),
            lambda prints, value: prints.token(value),
            lambda prints, value: value.name,
        )
        taken: set[Value] = set()
        for key in keys:
            waiting: dict[Hashable, deque[Value]] = defaultdict(deque)
            for value in self.new.graph.initializers.values():
                if value not in taken:
                    waiting[key(self.new, value)].append(value)
            for value in self.old.graph.initializers.values():
                queue = waiting.get(key(self.old, value))
                if value not in self.weights and queue:
                    self.weights[value] = queue.popleft()
                    taken.add(self.weights[value])

    def _pair_read_weights(self) -> None:
        """Pair the initializers left that a pair of nodes reads in the same place."""
        taken = set(self.weights.values())
        old = set(self.old.graph.initializers.values()) - self.weights.keys()
        new = set(self.new.graph.initializers.values()) - taken
        for node, twin in self.pairs.items():
            for left, right in zip(node.inputs, twin.inputs, strict=False):
                if left in old and right in new:
                    assert left is not None
                    assert right is not None
                    self.weights[left] = right
                    old.remove(left)
                    new.remove(right)

    # --- neighbours

    def _steps(self) -> Iterator[_Step]:
        """Pairs of values to look around: what reads them (down), what makes them (up)."""
        graphs = self.old.graph, self.new.graph
        for left, right in counterparts(graphs[0].inputs, graphs[1].inputs):
            yield left, right, True
        for left, right in counterparts(graphs[0].outputs, graphs[1].outputs):
            yield left, right, False
        for node in self.old.own:
            if node in self.pairs:
                yield from self._around(node, self.pairs[node])
        for left, right in self.weights.items():
            yield left, right, True

    def _around(self, node: Node, twin: Node) -> Iterator[_Step]:
        for left, right in zip(node.outputs, twin.outputs, strict=False):
            yield left, right, True
        for was, now in zip(self.old.reads[node], self.new.reads[twin], strict=False):
            if was is not None and now is not None:
                yield was, now, False

    def _spread(self, start: Iterable[_Step], *, loose: bool) -> None:
        pending = deque(start)
        tries: Counter[tuple[Node, bool]] = Counter()
        while pending:
            left, right, down = pending.popleft()
            uses = self._uses(left, 0, down), self._uses(right, 1, down)
            for node, twin in self._adopt(*uses, in_order=loose):
                pending.extend(self._around(node, twin))
            if loose and max(map(len, uses)) <= _FEW:
                pending.extend(self._past(left, right, down, uses, tries))

    def _uses(self, value: Value, side: int, down: bool) -> list[_Use]:
        if down:
            return self.readers[side].get(value, [])
        producer = value.producer()
        known = self.sides[side].own
        return [(producer, value.index() or 0)] if producer in known and producer else []

    def _adopt(
        self, old: list[_Use], new: list[_Use], *, in_order: bool
    ) -> list[tuple[Node, Node]]:
        """Pair nodes of one operator that stand in the same place, the most alike first."""
        found: list[tuple[Node, Node]] = []
        for likeness in (2, 1, 0):
            left, right = self._free(old, self.old, likeness), self._free(new, self.new, likeness)
            for key, nodes in left.items():
                others = right.get(key, [])
                if len(nodes) == len(others) and (len(nodes) == 1 or (in_order and likeness)):
                    for pair in zip(nodes, others, strict=True):
                        self.pair(*pair)
                        found.append(pair)
        return found

    def _free(
        self, uses: list[_Use], prints: Fingerprints, likeness: int
    ) -> dict[Hashable, list[Node]]:
        found: dict[Hashable, list[Node]] = defaultdict(list)
        seen: set[Node] = set()
        for node, slot in uses:
            if node in seen or node in self.pairs or node in self.back:
                continue
            seen.add(node)
            key: tuple[Hashable, ...] = (node.domain, node.op_type, slot)
            if likeness:
                key += (prints.own[node],)
            if likeness == 2:
                held = (value for value in prints.reads[node] if constant(value) is not None)
                key += tuple(prints.token(value) for value in held)
            found[key].append(node)
        return found

    def _past(
        self,
        left: Value,
        right: Value,
        down: bool,
        uses: tuple[list[_Use], list[_Use]],
        tries: Counter[tuple[Node, bool]],
    ) -> Iterator[_Step]:
        """Look past free nodes, which one graph may have and the other not."""
        beyond: list[list[Value]] = []
        for side in uses:
            free = [node for node, _ in side if node not in self.pairs and node not in self.back]
            values: list[Value] = []
            for node in dict.fromkeys(free):
                following = (node.outputs if down else node.inputs)[:1]
                if following and following[0] is not None and tries[node, down] < _TRIES:
                    tries[node, down] += 1
                    values.append(following[0])
            beyond.append(values)
        yield from ((value, right, down) for value in beyond[0])
        yield from ((left, value, down) for value in beyond[1])
        if len(beyond[0]) == len(beyond[1]) == 1:
            yield beyond[0][0], beyond[1][0], down


def _readers(prints: Fingerprints) -> dict[Value, list[_Use]]:
    """By value, the nodes that read it, themselves or in a subgraph, in the order of the graph."""
    found: dict[Value, list[_Use]] = defaultdict(list)
    for node, values in prints.reads.items():
        for slot, value in enumerate(values):
            if value is not None:
                found[value].append((node, slot))
    return dict(found)


def _by_name(prints: Fingerprints) -> dict[Node, str]:
    return {
        node: f"{node.domain} {node.op_type} {_result_name(node)}"
        for node in prints.own
        if _result_name(node)
    }


def _result_name(node: Node) -> str:
    return next((value.name for value in node.outputs if value.name), "")


def _no_name(node: Node) -> str:
    return ""
