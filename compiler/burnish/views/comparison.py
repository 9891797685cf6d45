"""Two models, or two runs, compared: as a history, so that the page can show it.

Each part of a comparison becomes a step: its lines are what one side has and the other has not.
Between two models the nodes that are the same stand in the source, so the page draws what changed
with what is around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from burnish.figures import Figures
from burnish.modeldiff import ModelDiff
from burnish.modeldiff.findings import PARTS, NodeDiff, ScopeDiff
from burnish.views.history import History, Hunk, Step
from burnish.views.runs import RunDiff

__all__ = ["history_of_models", "history_of_runs"]

_OTHER = " # "
"""What follows it in a line is a note."""


def history_of_models(
    diff: ModelDiff, names: tuple[str, str], figures: tuple[Figures, Figures]
) -> History:
    """The comparison of two models.

    Args:
        diff: what was found.
        names: of the two models.
        figures: of the two models.
    """
    book = _Book(figures)
    nodes = {scope.title: [book.node(node) for node in scope.nodes] for scope in diff.scopes}
    source = {
        title: tuple(was for was, _ in sides if was is not None) for title, sides in nodes.items()
    }
    for part in PARTS:
        if part == "weights":
            book.step(part, {part: _flat(book, (item.sides() for item in diff.weights))}, source)
        elif part == "nodes":
            for scope in diff.scopes:
                book.nodes(scope, nodes[scope.title], source)
        else:
            facts = ((item.before, item.after) for item in diff.facts if item.part == part)
            book.step(part, {part: _flat(book, facts)}, source)
    pair = " → ".join(names)
    return History(pair, diff.summary(), "", tuple(book.lines), source, tuple(book.steps))


def history_of_runs(diff: RunDiff, names: tuple[str, str]) -> History:
    """The comparison of two runs: a step for each pass that did something else.

    Args:
        diff: what was found.
        names: of the two runs.
    """
    book = _Book(None)
    source: dict[str, tuple[int, ...]] = {}
    if diff.facts:
        facts = ((_fact(name, before), _fact(name, after)) for name, before, after in diff.facts)
        book.step("asked and got", {"manifest": _flat(book, facts)}, source)
    for change in diff.passes:
        lines = [(line[0], book.text(line[3:])) for line in change.lines]
        book.step(change.title, {change.name: lines}, source)
    pair = " → ".join(names)
    return History(pair, diff.summary(), "", tuple(book.lines), source, tuple(book.steps))


def _fact(name: str, value: Any) -> str | None:
    return None if value is None else f"{name}: {value}"


_Lines = list[tuple[str, int]]


class _Book:
    """Collects lines and steps."""

    def __init__(self, figures: tuple[Figures, Figures] | None) -> None:
        self.figures = figures
        self.lines: list[Mapping[str, Any]] = []
        self.steps: list[Step] = []
        self._counted = False

    def text(self, text: str) -> int:
        """The number of a line that is only text."""
        self.lines.append({"kind": "header", "text": text})
        return len(self.lines) - 1

    def node(self, node: NodeDiff) -> tuple[int | None, int | None]:
        """The numbers of the lines of a node before and after; one number when it is the same."""
        before = None if node.before is None else self._node(node.lines[0], node.before)
        if node.kind in ("same", "moved"):
            return before, before
        return before, None if node.after is None else self._node(node.lines[1], node.after)

    def _node(self, text: str | None, side: Any) -> int:
        assert text is not None
        line, _, _ = text.partition(_OTHER)
        self.lines.append(
            {
                "kind": "node",
                "text": text,
                "op": side.op,
                "domain": side.domain,
                "inputs": _inputs(line, side.inputs),
                "outputs": line.partition(" = ")[0].split(", "),
                "label": side.name or (side.outputs[0] if side.outputs else ""),
                "sources": [],
            }
        )
        return len(self.lines) - 1

    def nodes(
        self,
        scope: ScopeDiff,
        sides: list[tuple[int | None, int | None]],
        source: dict[str, tuple[int, ...]],
    ) -> None:
        """A step for the nodes of one graph that differ."""
        lines: _Lines = []
        context: int | None = None
        for was, now in sides:
            if was == now:
                if lines and lines[-1][0] != " " and was is not None:
                    lines.append((" ", was))
                    context = None
                else:
                    context = was
                continue
            if context is not None:
                lines.append((" ", context))
                context = None
            lines += [("-", was)] if was is not None else []
            lines += [("+", now)] if now is not None else []
        facts = _flat(self, ((fact.before, fact.after) for fact in scope.facts))
        found = {scope.title: lines, f"results of {scope.title}": facts}
        self.step(scope.title, found, source)

    def step(
        self, name: str, parts: Mapping[str, _Lines], source: dict[str, tuple[int, ...]]
    ) -> None:
        """Add a step, unless there is nothing in it; lines it takes away join the source."""
        hunks = tuple(Hunk(scope, tuple(lines)) for scope, lines in parts.items() if lines)
        if not hunks:
            return
        for hunk in hunks:
            gone = tuple(number for sign, number in hunk.lines if sign == "-")
            if hunk.scope not in source and gone:
                source[hunk.scope] = gone
        facts = {
            "index": len(self.steps),
            "spec": name,
            "name": name,
            "round": 0,
            "exactness": "",
            "before": self._figures(self._counted),
            "after": self._figures(self._counted or name == "nodes"),
            "rewrites": 0,
            "remarks": [],
        }
        self._counted = self._counted or name == "nodes"
        self.steps.append(Step(facts, hunks))

    def _figures(self, second: bool) -> dict[str, Any] | None:
        return None if self.figures is None else self.figures[second].json()


def _flat(book: _Book, sides: Iterable[tuple[str | None, str | None]]) -> _Lines:
    """Lines that are only text, with their signs."""
    lines: _Lines = []
    for was, now in sides:
        lines += [("-", book.text(was))] if was is not None else []
        lines += [("+", book.text(now))] if now is not None else []
    return lines


def _inputs(line: str, names: tuple[str, ...]) -> list[str]:
    """What a line says that a node reads; the node's own names where the line cannot be read."""
    inner = line.partition(" = ")[2].partition("(")[2]
    for end in (") {", ")"):
        if end in inner:
            found = inner.partition(end)[0].split(", ") if inner else []
            return found if len(found) == len(names) else list(names)
    return list(names)
