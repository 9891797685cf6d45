"""Which node and value of one graph is which of another."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from burnish.ir import Node, Value, constant
from burnish.modeldiff.fingerprint import Fingerprints, commutes, given

__all__ = ["Pairing"]

# Looking past an unpaired node is tried this often for each, and only where a value has few
# readers, so that the search stays linear.
_TRIES = 4
_FEW = 8

_Use = tuple[Node, int]
_Step = tuple[Value, Value, bool]
_Pairs = Sequence[tuple[Value, Value]]
_Print = Callable[[Fingerprints, Node], object]


class Pairing:
    """The pairs of two graphs.

    Nodes are paired by what they are computed from, then by what is computed from them. The rest
    is paired outwards from what is paired already (operator, attributes and constants first, as
    long as there is one candidate), then by operator and result name, and last by looking past
    nodes that only one graph has. The matching from anchors outwards is that of BinDiff (Dullien
    and Rolles, 2005) and of the bottom-up phase of GumTree (Falleri et al., 2014).

    Args:
        old: fingerprints of the old graph.
        new: of the new graph.
        inputs: inputs of the two that correspond.
        outputs: outputs of the two that correspond.
        weights: constants of the old graph with the one of the new graph that stands for it.

    Attributes:
        pairs: by node of the old graph, its counterpart.
        back: by node of the new graph, its counterpart.
        sides: the fingerprints of the old and of the new graph.
        readers: for each of the two, by value, the nodes that read it, with the slot.
    """

    def __init__(
        self,
        old: Fingerprints,
        new: Fingerprints,
        inputs: _Pairs,
        outputs: _Pairs,
        weights: Mapping[Value, Value],
    ) -> None:
        self.old = old
        self.new = new
        self.inputs = inputs
        self.outputs = outputs
        self.weights = weights
        self.pairs: dict[Node, Node] = {}
        self.back: dict[Node, Node] = {}
        self.sides = old, new
        self.readers = _readers(old), _readers(new)

    def run(self) -> None:
        """Find all pairs."""
        self._equal(lambda prints, node: (prints.above[node], prints.below[node]))
        # A name decides between two that are equally alike, such as two casts in a row.
        self._equal(lambda prints, node: prints.above[node], by_name=True)
        self._equal(lambda prints, node: prints.below[node], by_name=True)
        self._equal(lambda prints, node: prints.above[node])
        self._equal_below(single=True)
        self._spread(self._steps(), loose=False)
        self._equal_below(single=False)
        self._spread(self._steps(), loose=False)
        # A name says more than mere likeness, less than structure.
        self._equal(_by_name)
        self._spread(self._steps(), loose=False)
        self._spread(self._steps(), loose=True)

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
        found = dict(self.inputs)
        for node, twin in self.pairs.items():
            found.update(zip(node.outputs, twin.outputs, strict=False))
        return found

    # --- equal fingerprints

    def _equal(self, print_: _Print, *, by_name: bool = False) -> None:
        """Pair free nodes of equal print: those of one name, then the others in order.

        Args:
            print_: what must be equal; nodes without are left out.
            by_name: those of one name only.
        """
        for name in (_result_name,) if by_name else (_result_name, _no_name):
            waiting: dict[tuple[object, str], deque[Node]] = defaultdict(deque)
            for node in self.new.nodes:
                found = print_(self.new, node) if node not in self.back else None
                if found is not None:
                    waiting[found, name(node)].append(node)
            for node in self.old.nodes:
                if node in self.pairs:
                    continue
                queue = waiting.get((print_(self.old, node), name(node)))
                if queue:
                    self.pair(node, queue.popleft())

    def _equal_below(self, *, single: bool) -> None:
        """Pair free nodes that equal ones are computed from, consumers first.

        Alike branches are so kept apart: what a pair reads in the same place is paired before
        another node of equal print is taken.

        Args:
            single: leave nodes of which several are alike, unless a pair reads them.
        """
        old, new = self.old.below, self.new.below
        counts = Counter(old[node] for node in self.old.nodes if node not in self.pairs)
        waiting: dict[tuple[str, str], deque[Node]] = defaultdict(deque)
        for node in reversed(self.new.nodes):
            if node not in self.back:
                waiting[new[node], _result_name(node)].append(node)
                waiting[new[node], ""].append(node)
        for node in reversed(self.old.nodes):
            if node not in self.pairs:
                if single and counts[old[node]] > 1:
                    continue
                twin = self._next(waiting.get((old[node], _result_name(node))))
                twin = twin or self._next(waiting.get((old[node], "")))
                if twin is None:
                    continue
                self.pair(node, twin)
            for left, right in self._producers(node, self.pairs[node]):
                free = left not in self.pairs and right not in self.back
                if free and old[left] == new[right]:
                    self.pair(left, right)

    def _next(self, queue: deque[Node] | None) -> Node | None:
        while queue:
            node = queue.popleft()
            if node not in self.back:
                return node
        return None

    def _producers(self, node: Node, twin: Node) -> Iterator[tuple[Node, Node]]:
        left = [value.producer() if value is not None else None for value in self.old.reads[node]]
        right = [value.producer() if value is not None else None for value in self.new.reads[twin]]
        found = list(zip(left, right, strict=False))
        if commutes(node) and commutes(twin):
            found += [(left[0], right[1]), (left[1], right[0])]
        for one, other in found:
            if one in self.old.own and other in self.new.own and one and other:
                yield one, other

    # --- neighbours

    def _steps(self) -> Iterator[_Step]:
        """Pairs of values to look around: what reads them (down), what makes them (up)."""
        for left, right in self.inputs:
            yield left, right, True
        for left, right in self.outputs:
            yield left, right, False
        for node in self.old.nodes:
            if node in self.pairs:
                yield from self._around(node, self.pairs[node])
        for left, right in self.weights.items():
            yield left, right, True

    def _around(self, node: Node, twin: Node) -> Iterator[_Step]:
        for left, right in zip(node.outputs, twin.outputs, strict=False):
            yield left, right, True
        was, now = self.old.reads[node], self.new.reads[twin]
        if commutes(node) and commutes(twin) and self._are_exchanged(was, now):
            now = now[::-1]
        for left_value, right_value in zip(was, now, strict=False):
            if left_value is not None and right_value is not None:
                yield left_value, right_value, False

    def _are_exchanged(self, was: Sequence[Value | None], now: Sequence[Value | None]) -> bool:
        """Whether two operands agree better crosswise."""

        def agree(left: Value | None, right: Value | None) -> int:
            if left is None or right is None:
                return 0
            makers = left.producer(), right.producer()
            if makers[0] is not None and self.pairs.get(makers[0]) is makers[1]:
                return 2
            if (constant(left) is None) != (constant(right) is None):
                return -1
            if makers[0] is None or makers[1] is None:
                return int(makers[0] is makers[1])
            kinds = self.old.operators.get(makers[0]), self.new.operators.get(makers[1])
            return int(kinds[0] == kinds[1])

        straight = agree(was[0], now[0]) + agree(was[1], now[1])
        return agree(was[0], now[1]) + agree(was[1], now[0]) > straight

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
        """The free nodes beside ``value``."""
        taken: Mapping[Node, Node] = self.back if side else self.pairs
        if down:
            return [use for use in self.readers[side].get(value, ()) if use[0] not in taken]
        producer = value.producer()
        if producer is None or producer not in self.sides[side].own or producer in taken:
            return []
        return [(producer, value.index() or 0)]

    def _adopt(
        self, old: list[_Use], new: list[_Use], *, in_order: bool
    ) -> list[tuple[Node, Node]]:
        """Pair nodes of one operator that stand in the same place, the most alike first."""
        found: list[tuple[Node, Node]] = []
        if not old or not new:
            return found
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
    ) -> dict[object, list[Node]]:
        found: dict[object, list[Node]] = defaultdict(list)
        seen: set[Node] = set()
        for node, slot in uses:
            if node in seen or node in self.pairs or node in self.back:
                continue
            seen.add(node)
            key: tuple[object, ...] = (prints.operators[node], slot, node in prints.weighed)
            if likeness:
                key += (prints.own[node],)
            if likeness == 2:
                held = [value for value in given(node) if constant(value) is not None]
                key += tuple(prints.order(node, held))
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
    for node, slot, value in prints.uses():
        found[value].append((node, slot))
    return dict(found)


def _by_name(prints: Fingerprints, node: Node) -> object:
    name = _result_name(node)
    return (prints.operators[node], name) if name else None


def _result_name(node: Node) -> str:
    return next((value.name for value in node.outputs if value.name), "")


def _no_name(node: Node) -> str:
    return ""
