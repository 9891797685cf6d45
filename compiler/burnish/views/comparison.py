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
from burnish.modeldiff.findings import PARTS, NodeDiff, NodeSide, ScopeDiff, Terms
from burnish.views.history import History, Hunk, Step
from burnish.views.runs import RunDiff

__all__ = ["history_of_models", "history_of_runs"]


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
    scopes = _titled(diff.scopes)
    nodes = {title: [book.node(node) for node in scope.nodes] for title, scope in scopes.items()}
    source = {
        title: tuple(was for was, _ in sides if was is not None) for title, sides in nodes.items()
    }
    for part in PARTS:
        if part == "weights":
            book.step(part, {part: _flat(book, (item.sides() for item in diff.weights))}, source)
        elif part == "nodes":
            for title, scope in scopes.items():
                book.nodes(title, scope, nodes[title], source)
        else:
            facts = ((item.before, item.after) for item in diff.facts if item.part == part)
            book.step(part, {part: _flat(book, facts)}, source)
    return book.history(names, diff.summary(), source)


def _titled(scopes: Iterable[ScopeDiff]) -> dict[str, ScopeDiff]:
    """The graphs by title; a number tells those apart that are inside nodes of one name."""
    found: dict[str, ScopeDiff] = {}
    for scope in scopes:
        title, number = scope.title, 1
        while title in found:
            number += 1
            title = f"{scope.title} ({number})"
        found[title] = scope
    return found


def history_of_runs(diff: RunDiff, names: tuple[str, str]) -> History:
    """The comparison of two runs: a step for each pass that did something else.

    Args:
        diff: what was found.
        names: of the two runs.
    """
    book = _Book(None)
    source: dict[str, tuple[int, ...]] = {}
    if diff.facts:
        lines: _Lines = []
        for name, before, after in diff.facts:
            lines += [
                (sign, book.text(f"{name}: {value}", name))
                for sign, value in (("-", before), ("+", after))
                if value is not None
            ]
        book.step("asked and got", {"manifest": lines}, source)
    for change in diff.passes:
        lines = [(line[0], book.text(line[3:])) for line in change.lines]
        book.step(change.title, {change.title: lines}, source)
    return book.history(names, diff.summary(), source)


_Lines = list[tuple[str, int]]


class _Book:
    """Collects lines and steps."""

    def __init__(self, figures: tuple[Figures, Figures] | None) -> None:
        self.figures = figures
        self.lines: list[Mapping[str, Any]] = []
        self.steps: list[Step] = []
        self._counted = False

    def history(
        self, names: tuple[str, str], summary: str, source: Mapping[str, tuple[int, ...]]
    ) -> History:
        """All that was collected; the figures after the last step are those of the second model."""
        if self.steps:
            facts = {**self.steps[-1].facts, "after": self._figures(True)}
            self.steps[-1] = Step(facts, self.steps[-1].hunks)
        pair = " → ".join(names)
        return History(pair, summary, "", tuple(self.lines), source, tuple(self.steps))

    def text(self, text: str, name: str = "") -> int:
        """The number of a line that is only text; lines of one name belong together."""
        line = {"kind": "header", "text": text}
        self.lines.append({**line, "name": name} if name else line)
        return len(self.lines) - 1

    def node(self, node: NodeDiff) -> tuple[int | None, int | None]:
        """The numbers of the lines of a node before and after; one number when it is the same."""
        before, after = (
            None if side is None or text is None or terms is None else (text, side, terms)
            for text, side, terms in zip(
                node.lines, (node.before, node.after), node.terms, strict=True
            )
        )
        number = None if before is None else self._node(*before)
        if node.kind in ("same", "moved"):
            return number, number
        return number, None if after is None else self._node(*after)

    def _node(self, text: str, side: NodeSide, terms: Terms) -> int:
        self.lines.append(
            {
                "kind": "node",
                "text": text,
                "op": side.op,
                "domain": side.domain,
                "inputs": list(terms.inputs),
                "outputs": list(terms.outputs),
                "label": side.name or (side.outputs[0] if side.outputs else ""),
                "sources": [],
            }
        )
        return len(self.lines) - 1

    def nodes(
        self,
        title: str,
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
        self.step(title, {title: lines, f"results of {title}": facts}, source)

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
