"""What changed between two states of a model, by looking at both.

A :class:`Recorder` keeps the last census: what the text line of every node is written from. To
observe a change it compares with a new one, and writes only the lines that differ, when they are
asked for. Nothing a pass says of itself is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from burnish.census import Census, ScopeState, Signature
from burnish.census import Entry as NodeState
from burnish.figures import Figures, Meter, Tally
from burnish.graph import sources_of
from burnish.ir import Graph, Model, Node, Scope, TensorProtocol, Value, label
from burnish.shapes import Shapes
from burnish.text import line_text, tensor_text, value_text

__all__ = ["Constant", "Diff", "Entry", "Origin", "Recorder", "entry_text"]

_LARGE = 64 << 10
"""Constants of more bytes are written out at once, so that a diff does not keep them in memory."""


@dataclass(frozen=True)
class Constant:
    """An initializer as it stood.

    Attributes:
        name: of the value.
        held: the tensor, or its line when the tensor is too large to be kept for that.
        bytes: of the tensor.
    """

    name: str
    held: TensorProtocol | str | None
    bytes: int = 0

    def text(self) -> str:
        if isinstance(self.held, str):
            return self.held
        return f"{self.name} = {tensor_text(self.held) if self.held is not None else '?'}"


Entry: TypeAlias = "str | Signature | Constant"
"""What a line of a diff is written from: its text, a node, or a constant."""


@dataclass(frozen=True)
class Origin:
    """Where a node that came is from.

    Attributes:
        label: what people call the node.
        sources: labels of the source nodes it was made from; its own when no pass made it.
    """

    label: str
    sources: tuple[str, ...]


def entry_text(entry: Entry) -> str:
    """The line of an entry."""
    if isinstance(entry, str):
        return entry
    return entry.text() if isinstance(entry, Constant) else line_text(*entry)


def _defines(entry: Entry) -> str:
    """What a line defines: the first result, the constant, or the input or output."""
    if isinstance(entry, str):
        return entry.partition(":")[0]
    if isinstance(entry, Constant):
        return entry.name
    return (entry[4][0] if entry[4] else None) or ""


@dataclass(frozen=True)
class Diff:
    """The difference between two states of a model; text is written when asked for.

    Attributes:
        entries: sign (``-``, ``+``, space for context, ``@`` for the scope) and line, in graph
            order. A scope keeps its title for the whole run.
        origins: where each node that came is from, by the names of its results.
    """

    entries: tuple[tuple[str, Entry], ...] = ()
    origins: Mapping[tuple[str | None, ...], Origin] = field(default_factory=dict, compare=False)

    def __bool__(self) -> bool:
        return bool(self.entries)

    @cached_property
    def _sides(self) -> tuple[list[Entry], list[Entry], list[tuple[Entry, Entry]]]:
        """Entries that only came, only went, and pairs that define the same."""
        gone: dict[str, Entry] = {}
        extra: list[Entry] = []
        for sign, entry in self.entries:
            if sign == "-" and gone.setdefault(_defines(entry), entry) is not entry:
                extra.append(entry)
        came: list[Entry] = []
        pairs: list[tuple[Entry, Entry]] = []
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
        return tuple(map(entry_text, self._sides[0]))

    @property
    def removed(self) -> tuple[str, ...]:
        """Lines that went and were not replaced."""
        return tuple(map(entry_text, self._sides[1]))

    @property
    def changed(self) -> tuple[tuple[str, str], ...]:
        """Pairs of lines for the same result or constant, before and after."""
        return tuple((entry_text(was), entry_text(now)) for was, now in self._sides[2])

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
            f"@ {entry_text(entry)}" if sign == "@" else f"{sign}  {entry_text(entry)}"
            for sign, entry in self.entries
        )

    def text(self) -> str:
        """As a unified diff of IR text, ending in a newline; empty when nothing changed."""
        return "".join(f"{line}\n" for line in self.lines)

    def summary(self) -> str:
        """Like ``+2 -5 ~3``; ``unchanged`` when nothing did."""
        signed = zip("+-~", self.counts, strict=True)
        return " ".join(f"{sign}{count}" for sign, count in signed if count) or "unchanged"


@dataclass(frozen=True)
class _Observed:
    """One graph as observed: which it is, its interface lines, and all that stands in it.

    Before the input and output lines of a graph that imports opsets stand those.
    """

    title: str
    interface: tuple[str, ...]
    state: ScopeState


def _nothing(observed: _Observed) -> _Observed:
    """The same graph when nothing stands in it."""
    return _Observed(observed.title, (), ScopeState(observed.state.scope, (), {}))


_Key: TypeAlias = "tuple[str | None, object, object, object]"


class _Texts:
    """Lines for values, written anew only when the value says something else."""

    def __init__(self) -> None:
        self._known: dict[Value, tuple[_Key, str]] = {}

    def of(self, value: Value) -> str:
        """As :func:`burnish.text.value_text`."""
        dims = None if value.shape is None else value.shape.dims
        key = (value.name, value.dtype, type(value.type), dims)
        known = self._known.get(value)
        if known is None or known[0] != key:
            known = self._known[value] = (key, value_text(value))
        return known[1]


def _interface(scope: Scope, texts: _Texts) -> tuple[str, ...]:
    graph = scope.graph
    lines = []
    if scope.depth == 0:
        imports = sorted(scope.opsets.items())
        lines = [f"opset {domain or 'ai.onnx'}: {version}" for domain, version in imports]
    lines.extend(f"input {texts.of(value)}" for value in graph.inputs)
    lines.extend(f"output {texts.of(value)}" for value in graph.outputs)
    return tuple(lines)


class Recorder:
    """Observes a model; each call of :meth:`observe` says what changed since the last.

    Args:
        model: the model.
        census: a census of it that somebody else takes, before each observation; None takes one.
    """

    def __init__(self, model: Model, census: Census | None = None) -> None:
        self._model = model
        self._own = census is None
        self._census = Census(model) if census is None else census
        self._tally = Tally()
        self._texts = _Texts()
        self._titles: dict[Graph, str] = {}
        self._scopes: dict[Graph, _Observed] = {}
        for observed in self._titled():
            self._scopes[observed.state.scope.graph] = observed
            self._tally.change(None, observed.state)

    def opening(self) -> Diff:
        """All that stands in the model as last observed, as if it had just come."""
        entries: list[tuple[str, Entry]] = []
        origins: _Origins = {}
        for now in self._scopes.values():
            entries.append(("@", now.title))
            entries.extend(_compare(_nothing(now), now, origins))
        return Diff(tuple(entries), origins)

    def observe(self) -> Diff:
        """What changed since the last observation."""
        if self._own:
            self._census.take()
        entries: list[tuple[str, Entry]] = []
        origins: _Origins = {}
        before, self._scopes = self._scopes, {}
        for now in self._titled():
            graph = now.state.scope.graph
            self._scopes[graph] = now
            old = before.pop(graph, None)
            hunk = list(_compare(old or _nothing(now), now, origins))
            self._tally.change(old.state if old is not None else None, now.state)
            if hunk:
                entries.append(("@", now.title))
                entries.extend(hunk)
        for old in before.values():
            entries.append(("@", f"{old.title} (removed)"))
            entries.extend(_compare(old, _nothing(old), origins))
            self._tally.change(old.state, None)
        return Diff(tuple(entries), origins)

    def figures(self, meter: Meter, shapes: Shapes) -> Figures:
        """The figures of the model as last observed, without walking it again."""
        return self._tally.figures(meter, shapes)

    def _titled(self) -> Iterator[_Observed]:
        for state in self._census.states.values():
            title = self._titles.get(state.scope.graph)
            if title is None:
                title = self._titles[state.scope.graph] = _title(state.scope, len(self._titles))
            interface = _interface(state.scope, self._texts)
            if title == "model":
                interface = (f"ir version {self._model.ir_version}", *interface)
            yield _Observed(title, interface, state)


def _title(scope: Scope, number: int) -> str:
    """A title for a scope; numbers tell subgraphs apart, whose names may be the same."""
    if scope.depth:
        return f"subgraph {number} {scope.graph.name or ''}".rstrip()
    if scope.function is None:
        return "model"
    function = scope.function
    overload = f":{function.overload}" if function.overload else ""
    return f"function {function.domain}.{function.name}{overload}"


_Origins: TypeAlias = "dict[tuple[str | None, ...], Origin]"


def _compare(before: _Observed, after: _Observed, origins: _Origins) -> Iterator[tuple[str, Entry]]:
    """The lines in which two states of a graph differ; ``origins`` collects where nodes are from."""
    if before.interface != after.interface:
        was, now = before.interface, after.interface
        moved = sorted(was) == sorted(now)
        yield from (("-", text) for text in was if moved or text not in now)
        yield from (("+", text) for text in now if moved or text not in was)
    old, new = before.state.constants, after.state.constants
    if old != new:
        for name, held in old.items():
            if name not in new or new[name] is not held:
                yield "-", _constant(name, held)
        for name, held in new.items():
            if name not in old or old[name] is not held:
                yield "+", _constant(name, held)
    if list(before.state.nodes.items()) != list(after.state.nodes.items()):
        yield from _merge(before.state.nodes, after.state.nodes, origins)


def _constant(name: str, held: TensorProtocol | None) -> Constant:
    size = held.nbytes if held is not None else 0
    made = Constant(name, held, size)
    return Constant(name, made.text(), size) if size > _LARGE else made


def _same_line(one: NodeState | None, other: NodeState) -> bool:
    """Whether two entries of a node, if it is in both states, are written the same."""
    return one is other or (one is not None and one[1] == other[1])


def _merge(
    known: Mapping[Node, NodeState], nodes: Mapping[Node, NodeState], origins: _Origins
) -> Iterator[tuple[str, Entry]]:
    """Walk both sequences together; unchanged nodes in common keep them in step."""
    old_order = iter(known.items())
    passed: set[Node] = set()

    def removals(until: Node | None) -> Iterator[tuple[str, Entry]]:
        for node, entry in old_order:
            if node is until:
                return
            passed.add(node)
            if not _same_line(nodes.get(node), entry):
                yield "-", entry[1]

    context: Signature | None = None
    arrived: list[tuple[str, Entry]] = []
    for node, entry in nodes.items():
        signature = entry[1]
        if not _same_line(known.get(node), entry):
            arrived.append(("+", signature))
            origins[signature[4]] = Origin(label(node), sources_of(node))
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
