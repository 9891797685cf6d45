"""What changed between two states of a model, by looking at both.

A :class:`Recorder` keeps the last census: what the text line of every node is written from. To
observe a change it compares with a new one, and writes only the lines that differ, when they are
asked for. Nothing a pass says of itself is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from burnish.census import Census, Entry, ScopeState, Signature
from burnish.figures import Figures, Meter, Tally
from burnish.ir import Graph, Model, Node, Scope, TensorProtocol, Value
from burnish.shapes import Shapes
from burnish.text import line_text, tensor_text, value_text

__all__ = ["Diff", "Recorder"]

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


_Entry: TypeAlias = "str | Signature | _Constant"
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
        self._own = census is None
        self._census = Census(model) if census is None else census
        self._tally = Tally()
        self._texts = _Texts()
        self._scopes: dict[Graph, _Observed] = {}
        for observed in self._titled():
            self._scopes[observed.state.scope.graph] = observed
            self._tally.change(None, observed.state)

    def observe(self) -> Diff:
        """What changed since the last observation."""
        if self._own:
            self._census.take()
        entries: list[tuple[str, _Entry]] = []
        before, self._scopes = self._scopes, {}
        for now in self._titled():
            graph = now.state.scope.graph
            self._scopes[graph] = now
            old = before.pop(graph, None)
            hunk = list(_compare(old or _nothing(now), now))
            self._tally.change(old.state if old is not None else None, now.state)
            if hunk:
                entries.append(("@", now.title))
                entries.extend(hunk)
        for old in before.values():
            entries.append(("@", f"{old.title} (removed)"))
            entries.extend(_compare(old, _nothing(old)))
            self._tally.change(old.state, None)
        return Diff(tuple(entries))

    def figures(self, meter: Meter, shapes: Shapes) -> Figures:
        """The figures of the model as last observed, without walking it again."""
        return self._tally.figures(meter, shapes)

    def _titled(self) -> Iterator[_Observed]:
        for number, state in enumerate(self._census.states.values()):
            scope = state.scope
            if scope.depth:
                title = f"subgraph {number} {scope.graph.name or ''}".rstrip()
            elif scope.function is not None:
                title = f"function {scope.function.domain}.{scope.function.name}"
            else:
                title = "model"
            yield _Observed(title, _interface(scope, self._texts), state)


def _compare(before: _Observed, after: _Observed) -> Iterator[tuple[str, _Entry]]:
    """The lines in which two states of a graph differ."""
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
        yield from _merge(before.state.nodes, after.state.nodes)


def _constant(name: str, held: TensorProtocol | None) -> _Constant:
    made = _Constant(name, held)
    return _Constant(name, made.text()) if held is not None and held.nbytes > _LARGE else made


def _same_line(one: Entry | None, other: Entry) -> bool:
    """Whether two entries of a node, if it is in both states, are written the same."""
    return one is other or (one is not None and one[1] == other[1])


def _merge(
    known: Mapping[Node, Entry], nodes: Mapping[Node, Entry]
) -> Iterator[tuple[str, _Entry]]:
    """Walk both sequences together; unchanged nodes in common keep them in step."""
    old_order = iter(known.items())
    passed: set[Node] = set()

    def removals(until: Node | None) -> Iterator[tuple[str, _Entry]]:
        for node, entry in old_order:
            if node is until:
                return
            passed.add(node)
            if not _same_line(nodes.get(node), entry):
                yield "-", entry[1]

    context: Signature | None = None
    arrived: list[tuple[str, _Entry]] = []
    for node, entry in nodes.items():
        signature = entry[1]
        if not _same_line(known.get(node), entry):
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
