"""Comparing two graphs, and the graphs inside their nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from burnish.ir import Graph, Node, Value, constant, label
from burnish.modeldiff.findings import Fact, NodeDiff, ScopeDiff
from burnish.modeldiff.fingerprint import Fingerprints, fingerprint, tensor_hash
from burnish.modeldiff.graphs import pair_graphs
from burnish.modeldiff.interface import by_place, contradict
from burnish.modeldiff.kinds import Kind, Settled
from burnish.modeldiff.naming import Names, node_side
from burnish.modeldiff.pairing import Pairing
from burnish.modeldiff.setting import inner_graphs
from burnish.modeldiff.smallness import is_spelled_out
from burnish.modeldiff.weights import Constants
from burnish.text import value_text

__all__ = ["Comparison"]

_Pairs = Sequence[tuple[Value, Value]]
_Prints = tuple[Fingerprints, Fingerprints]


@dataclass
class Comparison:
    """Collects what differs in all graphs of two models.

    Attributes:
        constants: those of the old and of the new model.
        placed: constants that differ and are read in the same place.
        scopes: by graph.
        shapes: declared shapes that contradict each other and follow from nothing listed.
        exchanged: nodes whose operands only stand the other way round.
    """

    constants: tuple[Constants, Constants] = field(
        default_factory=lambda: (Constants(), Constants())
    )
    placed: dict[tuple[Value, Value], None] = field(default_factory=dict)
    scopes: list[ScopeDiff] = field(default_factory=list)
    shapes: list[Fact] = field(default_factory=list)
    exchanged: int = 0

    def compare(
        self,
        title: str,
        prints: tuple[Fingerprints, Fingerprints],
        inputs: _Pairs,
        outputs: _Pairs,
        around: Names | None = None,
    ) -> None:
        """Compare two graphs, then the graphs inside.

        Args:
            title: of the scope.
            prints: fingerprints of the old and of the new graph.
            inputs: inputs that correspond.
            outputs: outputs that correspond.
            around: names of the values of the graph around.
        """
        pairing, read = pair_graphs(prints, inputs, outputs)
        for mine, whole in zip(read, self.constants, strict=True):
            whole.tokens.update(mine.tokens)
        weights = dict(pairing.weights)
        settled = Settled(pairing)
        self.placed.update(settled.weights)
        self.placed.update(dict.fromkeys(_other_defaults(inputs)))
        self.placed.update(dict.fromkeys(_other_results(outputs, prints)))
        self.exchanged += len(settled.exchanged)
        weights.update(settled.weights)
        names = Names(prints, {right: left for left, right in weights.items()}, around)
        names.settle(settled.values.items())
        names.settle(_loose_ends(outputs, settled))
        names.settle(settled.stands.items())
        one = _Scope(pairing, settled, names)
        found = ScopeDiff(title, tuple(one.nodes()), tuple(one.results(outputs)))
        self.scopes.append(found)
        self.shapes.extend(one.shapes())
        self._compare_inner(pairing, settled, names)

    def _compare_inner(self, pairing: Pairing, settled: Settled, names: Names) -> None:
        known: tuple[Mapping[Value, str], Mapping[Value, str]] | None = None
        for node in pairing.old.nodes:
            twin = pairing.pairs.get(node)
            inner = inner_graphs(node)
            if twin is None or not inner or pairing.old.above[node] == pairing.new.above[twin]:
                continue
            if known is None:
                known = _seen_inside(pairing, settled)
            others = dict(inner_graphs(twin))
            for name, graph in inner:
                if name not in others:
                    continue
                graphs = graph, others[name]
                prints = (
                    Fingerprints(graphs[0], pairing.old.setting, known[0]),
                    Fingerprints(graphs[1], pairing.new.setting, known[1]),
                )
                title = f"nodes of {name} of {label(node)}"
                self.compare(title, prints, *_places(*graphs), names)


def _other_defaults(inputs: _Pairs) -> Iterator[tuple[Value, Value]]:
    """Inputs whose value, where the caller gives none, is another one now."""
    for left, right in inputs:
        held = left.const_value, right.const_value
        if held[0] is None or held[1] is None:
            continue
        if tensor_hash(held[0]) != tensor_hash(held[1]):
            yield left, right


def _other_results(outputs: _Pairs, prints: _Prints) -> Iterator[tuple[Value, Value]]:
    """Weights that are results as they stand, and are other ones now."""
    for left, right in outputs:
        held = constant(left), constant(right)
        if held[0] is None or held[1] is None:
            continue
        if is_spelled_out(held[0]) or is_spelled_out(held[1]):
            continue
        if prints[0].token(left) != prints[1].token(right):
            yield left, right


def _places(one: Graph, other: Graph) -> tuple[_Pairs, _Pairs]:
    return by_place(one.inputs, other.inputs), by_place(one.outputs, other.outputs)


def _seen_inside(
    pairing: Pairing, settled: Settled
) -> tuple[Mapping[Value, str], Mapping[Value, str]]:
    """Tokens of the values of two graphs for the graphs inside: pairs are one value there."""
    known = dict(pairing.old.tokens), dict(pairing.new.tokens)
    for left, right in (*settled.values.items(), *settled.stands.items()):
        tokens = pairing.old.token(left), pairing.new.token(right)
        if tokens[0] != tokens[1]:
            known[0][left] = known[1][right] = fingerprint("pair", *tokens)
    return known


def _loose_ends(outputs: _Pairs, settled: Settled) -> Iterator[tuple[Value, Value]]:
    """Outputs that correspond, while the nodes that give them do not."""
    for left, right in outputs:
        if left not in settled.values and right not in settled.origins:
            yield left, right


class _Scope:
    """Tells of two graphs whose nodes are paired."""

    def __init__(self, pairing: Pairing, settled: Settled, names: Names) -> None:
        self._pairing = pairing
        self._settled = settled
        self._names = names

    def nodes(self) -> Iterator[NodeDiff]:
        """All nodes, in the order of the new graph, with those that went where they stood."""
        pairing = self._pairing
        old = iter(pairing.old.nodes)
        passed: set[Node] = set()
        came: list[Node] = []
        for node in pairing.new.nodes:
            twin = pairing.back.get(node)
            if twin is None:
                came.append(node)
                continue
            while twin not in passed:
                before = next(old)
                passed.add(before)
                if before not in pairing.pairs:
                    yield self._lone(before, 0)
            yield from (self._lone(other, 1) for other in came)
            came = []
            yield self._pair(twin, node)
        yield from (self._lone(before, 0) for before in old if before not in pairing.pairs)
        yield from (self._lone(other, 1) for other in came)

    def _lone(self, node: Node, side: int) -> NodeDiff:
        text, held = (
            self._names.line(node, side, listed=True),
            node_side(node, self._pairing.sides[side]),
        )
        terms = self._names.terms(node, side)
        if side:
            return NodeDiff("added", None, held, (None, text), (None, terms))
        return NodeDiff("removed", held, None, (text, None), (terms, None))

    def _pair(self, node: Node, twin: Node) -> NodeDiff:
        sides = tuple(map(node_side, (node, twin), self._pairing.sides))
        kind = self._settled.kinds[node]
        lines = self._names.line(node, 0), self._names.line(twin, 1, listed=kind is Kind.CHANGED)
        notes = []
        if node in self._settled.exchanged:
            notes.append("operands exchanged")
        if kind is Kind.CHANGED:
            notes.extend(self._notes(node, twin))
            if lines[0] == lines[1]:
                lines = lines[0], f"{lines[1]}  # {'; '.join(notes) or 'differs within'}"
        terms = self._names.terms(node, 0), self._names.terms(twin, 1)
        return NodeDiff(kind.word, sides[0], sides[1], lines, terms, tuple(notes))

    def _notes(self, node: Node, twin: Node) -> Iterator[str]:
        """What differs between a node and its counterpart, one sentence each."""
        names = self._names
        if self._pairing.old.operators[node] != self._pairing.new.operators[twin]:
            yield f"operator {node.op_type} became {twin.op_type}"
        sides = [dict(node_side(one, prints).attributes) for one, prints in self._both(node, twin)]
        for name in sorted({*sides[0], *sides[1]}):
            was, now = sides[0].get(name, "default"), sides[1].get(name, "default")
            if was != now:
                yield f"attribute {name}: {was} became {now}"
        for index, (left, right) in enumerate(self._settled.inputs(node)):
            was, now = names.of(left, 0) or "none", names.of(right, 1) or "none"
            if was != now:
                yield f"input {index}: {was} became {now}"
        if len(node.outputs) != len(twin.outputs):
            yield f"{len(node.outputs)} results became {len(twin.outputs)}"
        for left, right in zip(node.outputs, twin.outputs, strict=False):
            if contradict(left, right):
                yield f"result {_shape_text(left)} became {_shape_text(right)}"

    def _both(self, node: Node, twin: Node) -> list[tuple[Node, Fingerprints]]:
        return list(zip((node, twin), self._pairing.sides, strict=True))

    def results(self, outputs: _Pairs) -> Iterator[Fact]:
        """Outputs of the graph that are other values now."""
        settled = self._settled
        for left, right in outputs:
            tokens = self._pairing.old.token(left), self._pairing.new.token(right)
            if settled.values.get(left) is right or tokens[0] == tokens[1]:
                continue
            if (left, right) in settled.weights or settled.stands.get(left) is right:
                continue
            held = [one for one in (constant(left), constant(right)) if one is not None]
            if len(held) == 2 and not any(map(is_spelled_out, held)):
                continue  # Told as a weight.
            if held or left in settled.values or right in settled.origins:
                texts = self._names.of(left, 0), self._names.of(right, 1)
                before, after = (f"output {left.name} is {text}" for text in texts)
                yield Fact.of("nodes", before, after, (str(left.name), str(right.name)))

    def shapes(self) -> Iterator[Fact]:
        """Results whose declared shapes contradict each other though all they are made from agrees."""
        settled = self._settled
        for node, kind in settled.kinds.items():
            if kind is not Kind.SAME:
                continue
            twin = self._pairing.pairs[node]
            read = zip(self._pairing.old.reads[node], self._pairing.new.reads[twin], strict=False)
            if any(left and right and contradict(left, right) for left, right in read):
                continue
            for left, right in zip(node.outputs, twin.outputs, strict=False):
                if contradict(left, right) and not left.is_graph_output():
                    name = str(left.name)
                    texts = f"{name}: {_shape_text(left)}", f"{name}: {_shape_text(right)}"
                    yield Fact.of("shapes", *texts, (name, str(right.name)))


def _shape_text(value: Value) -> str:
    return value_text(value).rpartition(": ")[2]
