"""What differs between two models, by structure: names of nodes and inner values do not matter.

Every node gets two fingerprints. The one *from above* covers its operator, attributes and all
that it is computed from, weights by content; the one *from below* covers its operator and all that
is computed from it. Nodes whose fingerprint from above occurs in both models are the same. Of the
rest, those with an equal fingerprint from below do the same work on other inputs. What is left is
paired outwards from neighbours that are paired already, operator by operator. All three steps are
linear in the number of edges. This is the idea of Merkle trees, as in the top-down and bottom-up
phases of GumTree (Falleri et al., 2014).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from burnish.ir import Function, Graph, Model, Node, Value
from burnish.modeldiff.fingerprint import (
    Fingerprints,
    counterparts,
    fingerprint,
    graph_hash,
    name_interface,
)
from burnish.text import initializer_line, node_line, node_lines, value_text

__all__ = ["ModelDiff", "diff_models"]


@dataclass(frozen=True)
class ModelDiff:
    """The difference between two models.

    Attributes:
        lines: every line that went (``-``) or came (``+``), and ``@`` lines that name the part.
        added: lines that came and replace none.
        removed: lines that went and were not replaced.
        changed: pairs of lines for the same thing, before and after.
        same: nodes of the main graph that stand in both, with all that they are computed from.
        moved: further nodes that do the same work, but on inputs that differ.
    """

    lines: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[tuple[str, str], ...]
    same: int
    moved: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def text(self) -> str:
        """As a unified diff of IR text, ending in a newline; empty when they are the same."""
        return "".join(f"{line}\n" for line in self.lines)

    def summary(self) -> str:
        """Like ``+2 -5 ~3, 70 nodes the same, 4 the same on other inputs``."""
        counts = (("+", self.added), ("-", self.removed), ("~", self.changed))
        text = " ".join(f"{sign}{len(items)}" for sign, items in counts if items) or "no difference"
        moved = f", {self.moved} the same on other inputs" if self.moved else ""
        return f"{text}, {self.same} nodes the same{moved}"


def diff_models(before: Model, after: Model) -> ModelDiff:
    """Compare two models.

    Nodes that read other inputs only because something before them changed are counted in
    ``moved`` and not listed. Subgraphs and functions are compared as a whole.

    Args:
        before: the old model.
        after: the new model.
    """
    lines = _Lines()
    _compare_headers(before, after, lines)
    old, new = Fingerprints(before.graph), Fingerprints(after.graph)
    name_interface(before.graph, after.graph, old, new)
    pairing = _Pairing(old, new)
    pairing.run()
    _compare_interface(before.graph, after.graph, lines)
    _compare_weights(old, new, lines)
    moved = _compare_nodes(pairing, lines)
    _compare_functions(before, after, lines)
    return lines.diff(pairing.same, moved)


@dataclass
class _Lines:
    """Collects a :class:`ModelDiff`."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def title(self, text: str) -> None:
        self.lines.append(f"@ {text}")

    def remove(self, text: str) -> None:
        self.removed.append(text)
        self.lines.append(f"-  {text}")

    def add(self, text: str) -> None:
        self.added.append(text)
        self.lines.append(f"+  {text}")

    def change(self, before: str, after: str) -> None:
        self.changed.append((before, after))
        self.lines.extend((f"-  {before}", f"+  {after}"))

    def diff(self, same: int, moved: int) -> ModelDiff:
        kept = [
            line
            for line, following in pairwise([*self.lines, "@"])
            if not (line.startswith("@") and following.startswith("@"))
        ]
        sides = tuple(self.added), tuple(self.removed), tuple(self.changed)
        return ModelDiff(tuple(kept), *sides, same, moved)


# --- pairing


class _Pairing:
    """Which node of one graph is which of the other."""

    def __init__(self, old: Fingerprints, new: Fingerprints) -> None:
        self.old = old
        self.new = new
        self.pairs: dict[Node, Node] = {}
        self.taken: set[Node] = set()
        self.same = 0

    def run(self) -> None:
        """Pair by what is above, by what is below, and by neighbours."""
        self._equal(self.old.above, self.new.above)
        self.same = len(self.pairs)
        self._equal(self.old.below, self.new.below)
        self._neighbours()

    def _pair(self, left: Node, right: Node) -> None:
        self.pairs[left] = right
        self.taken.add(right)

    def _equal(self, old: Mapping[Node, str], new: Mapping[Node, str]) -> None:
        waiting: dict[str, deque[Node]] = defaultdict(deque)
        for node, print_ in new.items():
            if node not in self.taken:
                waiting[print_].append(node)
        for node, print_ in old.items():
            if node not in self.pairs and waiting.get(print_):
                self._pair(node, waiting[print_].popleft())

    def _neighbours(self) -> None:
        pending = deque(self.pairs.items())
        for left, right in counterparts(self.old.graph.inputs, self.new.graph.inputs):
            pending.extend(self._adopt(_readers(left), _readers(right)))
        for left, right in counterparts(self.old.graph.outputs, self.new.graph.outputs):
            pending.extend(self._adopt(_maker(left), _maker(right)))
        while pending:
            old, new = pending.popleft()
            for left, right in zip(old.outputs, new.outputs, strict=False):
                pending.extend(self._adopt(_readers(left), _readers(right)))
            for was, now in zip(self.old.reads[old], self.new.reads[new], strict=False):
                if was is not None and now is not None:
                    pending.extend(self._adopt(_maker(was), _maker(now)))

    def _adopt(
        self, old: Iterable[tuple[Node, int]], new: Iterable[tuple[Node, int]]
    ) -> list[tuple[Node, Node]]:
        """Pair nodes of one operator that stand alone in the same place."""
        left, right = self._free(old, self.old), self._free(new, self.new)
        found: list[tuple[Node, Node]] = []
        for key, nodes in left.items():
            others = right.get(key, [])
            if len(nodes) == len(others) == 1:
                self._pair(nodes[0], others[0])
                found.append((nodes[0], others[0]))
        return found

    def _free(
        self, uses: Iterable[tuple[Node, int]], prints: Fingerprints
    ) -> dict[tuple[str, str, int], list[Node]]:
        found: dict[tuple[str, str, int], list[Node]] = defaultdict(list)
        seen: set[Node] = set()
        for node, slot in uses:
            if node in prints.own and node not in seen:
                seen.add(node)
                if node not in self.pairs and node not in self.taken:
                    found[node.domain, node.op_type, slot].append(node)
        return found


def _readers(value: Value) -> Iterator[tuple[Node, int]]:
    for use in value.uses():
        yield use.node, use.idx


def _maker(value: Value) -> Iterator[tuple[Node, int]]:
    producer = value.producer()
    if producer is not None:
        yield producer, value.index() or 0


# --- what to say


def _compare_headers(before: Model, after: Model, lines: _Lines) -> None:
    lines.title("header")
    if before.ir_version != after.ir_version:
        lines.change(f"ir version {before.ir_version}", f"ir version {after.ir_version}")
    _compare_opsets(before.opset_imports, after.opset_imports, "", lines)


def _compare_opsets(
    before: Mapping[str, int], after: Mapping[str, int], where: str, lines: _Lines
) -> None:
    for domain in sorted({*before, *after}):
        name = f"opset{where} {domain or 'ai.onnx'}"
        was, now = before.get(domain), after.get(domain)
        if was == now:
            continue
        if now is None:
            lines.remove(f"{name} {was}")
        elif was is None:
            lines.add(f"{name} {now}")
        else:
            lines.change(f"{name} {was}", f"{name} {now}")


def _compare_interface(before: Graph, after: Graph, lines: _Lines) -> None:
    lines.title("inputs and outputs")
    for kind, old, new in (
        ("input", before.inputs, after.inputs),
        ("output", before.outputs, after.outputs),
    ):
        pairs = list(counterparts(old, new))
        known = {value for pair in pairs for value in pair}
        for left, right in pairs:
            if value_text(left) != value_text(right):
                lines.change(f"{kind} {value_text(left)}", f"{kind} {value_text(right)}")
        for value in old:
            if value not in known:
                lines.remove(f"{kind} {value_text(value)}")
        for value in new:
            if value not in known:
                lines.add(f"{kind} {value_text(value)}")
        was, now = [str(value.name) for value in old], [str(value.name) for value in new]
        if was != now and sorted(was) == sorted(now):
            lines.change(f"{kind} order {', '.join(was)}", f"{kind} order {', '.join(now)}")


def _compare_weights(old: Fingerprints, new: Fingerprints, lines: _Lines) -> None:
    """Initializers whose content the other model does not hold as often."""
    lines.title("weights")
    gone, came = _surplus(old, new), _surplus(new, old)
    for name, value in gone.items():
        other = came.pop(name, None)
        if other is None:
            lines.remove(initializer_line(value))
        else:
            lines.change(initializer_line(value), initializer_line(other))
    for value in came.values():
        lines.add(initializer_line(value))


def _surplus(one: Fingerprints, other: Fingerprints) -> dict[str, Value]:
    held = {other.token(value) for value in other.graph.initializers.values()}
    return {
        name: value
        for name, value in one.graph.initializers.items()
        if one.token(value) not in held
    }


def _compare_nodes(pairing: _Pairing, lines: _Lines) -> int:
    """List the nodes that differ; return how many do the same work on other inputs."""
    old, new = pairing.old, pairing.new
    values = {
        left: right
        for node, twin in pairing.pairs.items()
        for left, right in zip(node.outputs, twin.outputs, strict=False)
    }
    values.update(counterparts(old.graph.inputs, new.graph.inputs))

    def same_place(node: Node, twin: Node) -> bool:
        if old.own[node] != new.own[twin]:
            return False
        return all(
            (left is None and right is None)
            or (left is not None and right is not None and values.get(left) is right)
            or old.token(left) == new.token(right)
            for left, right in zip(old.reads[node], new.reads[twin], strict=True)
        )

    lines.title("nodes")
    moved = 0
    for node in old.graph:
        twin = pairing.pairs.get(node)
        if twin is None:
            lines.remove(node_line(node))
        elif old.above[node] == new.above[twin]:
            continue
        elif same_place(node, twin):
            moved += 1
        elif list(node_lines(node)) == list(node_lines(twin)):
            moved += 1  # only a weight differs, and it is listed
        else:
            _change_node(node, twin, lines)
    for node in new.graph:
        if node not in pairing.taken:
            lines.add(node_line(node))
    return moved


def _change_node(node: Node, twin: Node, lines: _Lines) -> None:
    before, after = list(node_lines(node)), list(node_lines(twin))
    lines.change(before[0], after[0])
    for text in before[1:]:
        if text not in after:
            lines.remove(text)
    for text in after[1:]:
        if text not in before:
            lines.add(text)


def _compare_functions(before: Model, after: Model, lines: _Lines) -> None:
    lines.title("functions")
    for key in sorted({*before.functions, *after.functions}, key=str):
        old, new = before.functions.get(key), after.functions.get(key)
        if old is None and new is not None:
            lines.add(_function_line(new))
        elif new is None and old is not None:
            lines.remove(_function_line(old))
        elif old is not None and new is not None and _function_hash(old) != _function_hash(new):
            lines.change(_function_line(old), _function_line(new))


def _function_hash(function: Function) -> str:
    opsets = sorted(function.opset_imports.items())
    return fingerprint(graph_hash(function.graph, {}), sorted(function.attributes), opsets)


def _function_line(function: Function) -> str:
    return (
        f"function {function.domain}.{function.name}: {len(function.graph)} nodes"
        f" #{_function_hash(function)[:16]}"
    )
