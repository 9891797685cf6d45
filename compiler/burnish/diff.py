"""What changed between two states of a model, by looking at both.

A :class:`Recorder` keeps what the text line of every node is written from: operator, names,
attributes. To observe a change it walks the graph, compares, and writes only the lines that differ. Nothing a pass says of itself is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from burnish.figures import Figures, Meter, counts
from burnish.ir import Attr, Graph, Model, Node, Scope, TensorProtocol, Value, scopes
from burnish.shapes import Shapes
from burnish.text import line_text, tensor_text, value_text

__all__ = ["Diff", "Recorder"]

_Signature: TypeAlias = (
    "tuple[str, str, str, tuple[str | None, ...], tuple[str | None, ...], tuple[Attr, ...]]"
)
"""All that a node's line is written from: it does not change when the node does."""

_LARGE = 64 << 10
"""Constants of more bytes are written out at once, so that a diff does not keep them in memory."""


@dataclass(frozen=True)
class _Constant:
    name: str
    held: TensorProtocol | str | None

    def text(self) -> str:
        if isinstance(self.held, str):
            return self.held
        return f"{self.name} = {tensor_text(self.held) if self.held is not None else '?'}"


_Entry: TypeAlias = "str | _Signature | _Constant"
"""What a line of a diff is written from: its text, a node, or a constant."""


def _entry_text(entry: _Entry) -> str:
    if isinstance(entry, str):
        return entry
    return entry.text() if isinstance(entry, _Constant) else line_text(*entry)


def _defines(entry: _Entry) -> str:
    """What a line defines: the first result, the constant, or the input or output."""
    if isinstance(entry, str):
        return entry.partition(":")[0]
    if isinstance(entry, _Constant):
        return entry.name
    return (entry[4][0] if entry[4] else None) or ""


@dataclass(frozen=True)
class Diff:
    """The difference between two states of a model; text is written when asked for.

    Attributes:
        entries: sign (``-``, ``+``, space for context, ``@`` for the scope) and line, in graph
            order.
    """

    entries: tuple[tuple[str, _Entry], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries)

    @cached_property
    def _sides(self) -> tuple[list[_Entry], list[_Entry], list[tuple[_Entry, _Entry]]]:
        """Entries that only came, only went, and pairs that define the same."""
        gone: dict[str, _Entry] = {}
        extra: list[_Entry] = []
        for sign, entry in self.entries:
            if sign == "-" and gone.setdefault(_defines(entry), entry) is not entry:
                extra.append(entry)
        came: list[_Entry] = []
        pairs: list[tuple[_Entry, _Entry]] = []
        for sign, entry in self.entries:
            if sign == "+":
                was = gone.pop(_defines(entry), None)
                if was is None:
                    came.append(entry)
                else:
                    pairs.append((was, entry))
        return came, [*gone.values(), *extra], pairs

    @property
    def added(self) -> tuple[str, ...]:
        """Lines that came and replace none."""
        return tuple(map(_entry_text, self._sides[0]))

    @property
    def removed(self) -> tuple[str, ...]:
        """Lines that went and were not replaced."""
        return tuple(map(_entry_text, self._sides[1]))

    @property
    def changed(self) -> tuple[tuple[str, str], ...]:
        """Pairs of lines for the same result or constant, before and after."""
        return tuple((_entry_text(was), _entry_text(now)) for was, now in self._sides[2])

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many lines came, went, and changed."""
        came, gone, pairs = self._sides
        return len(came), len(gone), len(pairs)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Every line that went (``-``) or came (``+``), in graph order.

        There is up to one unchanged line (a space) around each change; ``@`` names the scope.
        """
        return tuple(
            f"@ {_entry_text(entry)}" if sign == "@" else f"{sign}  {_entry_text(entry)}"
            for sign, entry in self.entries
        )

    def text(self) -> str:
        """As a unified diff of IR text, ending in a newline; empty when nothing changed."""
        return "".join(f"{line}\n" for line in self.lines)

    def summary(self) -> str:
        """Like ``+2 -5 ~3``; ``unchanged`` when nothing did."""
        signed = zip("+-~", self.counts, strict=True)
        return " ".join(f"{sign}{count}" for sign, count in signed if count) or "unchanged"


def _signature(node: Node) -> _Signature:
    return (
        node.op_type,
        node.domain,
        node.overload,
        tuple([value.name if value is not None else None for value in node.inputs]),
        tuple([value.name for value in node.outputs]),
        tuple(node.attributes.data.values()),
    )


@dataclass
class _ScopeState:
    """One graph as observed: interface, initializers, nodes in order.

    Attributes:
        title: which graph it is.
        interface: its input and output lines; before them, of a graph that imports opsets, those.
        constants: its initializers.
        nodes: what each node's line is written from.
        inputs: the values each node read, to see at a glance that nothing changed.
    """

    title: str
    interface: tuple[str, ...] = ()
    constants: dict[str, TensorProtocol | None] = field(default_factory=dict)
    nodes: dict[Node, _Signature] = field(default_factory=dict)
    inputs: dict[Node, Sequence[Value | None]] = field(default_factory=dict)

    def next(self, scope: Scope, title: str, renamed: set[Node]) -> _ScopeState:
        """The state of ``scope`` now; ``renamed`` collects readers of values with a new name."""
        graph = scope.graph
        state = _ScopeState(title, _interface(scope))
        for name, value in graph.initializers.data.items():
            state.constants[name] = value.const_value
        nodes, inputs = self.nodes, self.inputs
        for node in graph:
            old, read = nodes.get(node), node.inputs
            state.inputs[node] = read
            if old is not None:
                results = tuple([value.name for value in node.outputs])
                if (
                    inputs[node] is read
                    and old[4] == results
                    and old[0] == node.op_type
                    and old[5] == tuple(node.attributes.data.values())
                    and node not in renamed
                ):
                    state.nodes[node] = old
                    continue
                if old[4] != results:
                    renamed.update(user for value in node.outputs for user in value.consumers())
            state.nodes[node] = _signature(node)
        return state


def _interface(scope: Scope) -> tuple[str, ...]:
    graph = scope.graph
    lines = []
    if scope.depth == 0:
        imports = sorted(scope.opsets.items())
        lines = [f"opset {domain or 'ai.onnx'}: {version}" for domain, version in imports]
    lines.extend(f"input {value_text(value)}" for value in graph.inputs)
    lines.extend(f"output {value_text(value)}" for value in graph.outputs)
    return tuple(lines)


class Recorder:
    """Observes a model; each call of :meth:`observe` says what changed since the last."""

    def __init__(self, model: Model, found: Iterable[Scope] | None = None) -> None:
        self._model = model
        self._scopes: dict[Graph, _ScopeState] = {}
        for title, scope in self._titled(found):
            self._scopes[scope.graph] = _ScopeState(title).next(scope, title, set())

    def observe(self, found: Iterable[Scope] | None = None) -> Diff:
        """What changed since the last observation.

        Args:
            found: the scopes of the model as it stands, when they are known already.
        """
        entries: list[tuple[str, _Entry]] = []
        before, self._scopes = self._scopes, {}
        renamed: set[Node] = set()
        for title, scope in self._titled(found):
            old = before.pop(scope.graph, None) or _ScopeState(title)
            new = self._scopes[scope.graph] = old.next(scope, title, renamed)
            hunk = list(_compare(old, new))
            if hunk:
                entries.append(("@", title))
                entries.extend(hunk)
        for old in before.values():
            entries.append(("@", f"{old.title} (removed)"))
            entries.extend(_compare(old, _ScopeState(old.title)))
        return Diff(tuple(entries))

    def figures(self, meter: Meter, shapes: Shapes) -> Figures:
        """The figures of the model as last observed, without walking it again."""
        states = self._scopes.values()
        return meter.sum(
            sum(len(state.nodes) for state in states),
            (held for state in states for held in state.constants.values()),
            (
                node
                for state in states
                for node, signature in state.nodes.items()
                if counts(signature[0])
            ),
            shapes,
        )

    def _titled(self, found: Iterable[Scope] | None) -> Iterator[tuple[str, Scope]]:
        for number, scope in enumerate(scopes(self._model) if found is None else found):
            if scope.depth:
                title = f"subgraph {number} {scope.graph.name or ''}".rstrip()
            elif scope.function is not None:
                title = f"function {scope.function.domain}.{scope.function.name}"
            else:
                title = "model"
            yield title, scope


def _compare(old: _ScopeState, new: _ScopeState) -> Iterator[tuple[str, _Entry]]:
    """The lines in which two states of a graph differ."""
    if old.interface != new.interface:
        moved = sorted(old.interface) == sorted(new.interface)
        yield from (("-", text) for text in old.interface if moved or text not in new.interface)
        yield from (("+", text) for text in new.interface if moved or text not in old.interface)
    for name, held in old.constants.items():
        if name not in new.constants or new.constants[name] is not held:
            yield "-", _constant(name, held)
    for name, held in new.constants.items():
        if name not in old.constants or old.constants[name] is not held:
            yield "+", _constant(name, held)
    if list(old.nodes.items()) != list(new.nodes.items()):
        yield from _merge(old.nodes, new.nodes)


def _constant(name: str, held: TensorProtocol | None) -> _Constant:
    made = _Constant(name, held)
    return _Constant(name, made.text()) if held is not None and held.nbytes > _LARGE else made


def _merge(
    known: dict[Node, _Signature], nodes: dict[Node, _Signature]
) -> Iterator[tuple[str, _Entry]]:
    """Walk both sequences together; unchanged nodes in common keep them in step."""
    old_order = iter(known.items())
    passed: set[Node] = set()

    def removals(until: Node | None) -> Iterator[tuple[str, _Entry]]:
        for node, signature in old_order:
            if node is until:
                return
            passed.add(node)
            if nodes.get(node) != signature:
                yield "-", signature

    context: _Signature | None = None
    arrived: list[tuple[str, _Entry]] = []
    for node, signature in nodes.items():
        if known.get(node) != signature:
            arrived.append(("+", signature))
            continue
        block = ([] if node in passed else list(removals(node))) + arrived
        if block:
            if context is not None:
                yield " ", context
            yield from block
            yield " ", signature
        arrived, context = [], None if block else signature
    block = list(removals(None)) + arrived
    if block:
        if context is not None:
            yield " ", context
        yield from block
