"""What differs between two models, by structure: names of nodes and inner values do not matter.

Every node gets two fingerprints. The one *from above* covers its operator, attributes and all
that it is computed from, weights by content; the one *from below* covers its operator and all that
is computed from it. Nodes of equal fingerprint are paired, and the rest outwards from those, see
:mod:`burnish.modeldiff.pairing`. A pair is the same when operator and attributes are equal and the
inputs are pairs too; otherwise it is listed as changed. All steps are linear in the number of
edges. This is the idea of Merkle trees, as in the top-down and bottom-up phases of GumTree
(Falleri et al., 2014).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
from burnish.modeldiff.kinds import Kind, Settled
from burnish.modeldiff.pairing import Pairing
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
        same: nodes of the main graph that stand in both and read the same there.
        moved: further nodes that do the same work, but read a weight or a result that is listed.
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

    Nodes that read other inputs only because a weight or a result of the same name changed are
    counted in ``moved`` and not listed. Subgraphs and functions are compared as a whole.

    Args:
        before: the old model.
        after: the new model.
    """
    lines = _Lines()
    _compare_headers(before, after, lines)
    old, new = Fingerprints(before.graph), Fingerprints(after.graph)
    name_interface(before.graph, after.graph, old, new)
    pairing = Pairing(old, new)
    pairing.run()
    settled = Settled(pairing)
    _compare_interface(before.graph, after.graph, lines)
    _compare_weights(pairing, lines)
    _compare_nodes(pairing, settled, lines)
    _compare_functions(before, after, lines)
    counts = Counter(settled.kinds.values())
    return lines.diff(counts[Kind.SAME], counts[Kind.MOVED])


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


def _compare_weights(pairing: Pairing, lines: _Lines) -> None:
    """List initializers whose content the other model does not hold."""
    lines.title("weights")
    gone, came = _surplus(pairing.old, pairing.new), _surplus(pairing.new, pairing.old)
    left = dict.fromkeys(came)
    for value in gone:
        other = pairing.weights.get(value)
        if other in left:
            del left[other]
            lines.change(initializer_line(value), initializer_line(other))
        else:
            lines.remove(initializer_line(value))
    for value in left:
        lines.add(initializer_line(value))


def _surplus(one: Fingerprints, other: Fingerprints) -> list[Value]:
    held = {other.token(value) for value in other.graph.initializers.values()}
    return [value for value in one.graph.initializers.values() if one.token(value) not in held]


def _compare_nodes(pairing: Pairing, settled: Settled, lines: _Lines) -> None:
    """List the nodes that differ."""
    lines.title("nodes")
    for node in pairing.old.graph:
        twin = pairing.pairs.get(node)
        if twin is None:
            lines.remove(node_line(node))
        elif settled.kinds[node] is Kind.CHANGED:
            _change_node(node, twin, settled.origins, lines)
    for node in pairing.new.graph:
        if node not in pairing.back:
            lines.add(node_line(node))


def _change_node(node: Node, twin: Node, origins: Mapping[Value, Value], lines: _Lines) -> None:
    before, after = list(node_lines(node)), list(node_lines(twin))
    note = _note(node, twin, origins) if before == after else ""
    lines.change(before[0], after[0] + note)
    for text in before[1:]:
        if text not in after:
            lines.remove(text)
    for text in after[1:]:
        if text not in before:
            lines.add(text)


def _note(node: Node, twin: Node, origins: Mapping[Value, Value]) -> str:
    """What differs where the text does not: a name that means another value now."""
    for was, now in zip(node.inputs, twin.inputs, strict=False):
        origin = origins.get(now) if now is not None else None
        if now is not None and origin is not None and origin is not was:
            return f" # {now.name} was {origin.name}"
    return " # differs within"


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
