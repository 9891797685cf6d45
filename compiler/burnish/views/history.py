"""A run as data: what stood in the source, and what each pass took away and brought.

Replaying the hunks over the source gives the result, so a reader of a history (the page, or a
comparison of two runs) needs no model. Lines are written once for each graph and referred to by
number. A history holds no times: equal runs give equal bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from burnish.diff import Constant, Diff, Entry, Origin, entry_text
from burnish.errors import InputError
from burnish.pipeline import PassRecord
from burnish.views.report import pass_name, records_json

__all__ = ["FORMAT", "History", "HistoryError", "Hunk", "Lines", "Step"]

FORMAT = "burnish-history/1"

Lines = dict[str, list[int]]
"""What stands in each scope, by title: numbers of lines."""


class HistoryError(InputError):
    """A history that contradicts itself, or that is none."""


@dataclass(frozen=True)
class Hunk:
    """What changed in one scope.

    Attributes:
        scope: its title.
        lines: sign (``-``, ``+``, or a space for an unchanged line beside a change) and number.
    """

    scope: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Step:
    """What one pass did.

    Attributes:
        facts: its record without the diff, as in a manifest.
        hunks: what it changed.
    """

    facts: Mapping[str, Any]
    hunks: tuple[Hunk, ...]

    @property
    def name(self) -> str:
        """The pass, without its options."""
        name: str = self.facts["name"]
        return name

    def json(self) -> dict[str, Any]:
        """As plain values."""
        hunks = [
            {"scope": hunk.scope, "lines": [list(line) for line in hunk.lines]}
            for hunk in self.hunks
        ]
        return {**self.facts, "hunks": hunks}


@dataclass(frozen=True)
class History:
    """A run of a pipeline over a model.

    Attributes:
        model: name of the source.
        target: what it was compiled for.
        pipeline: its text.
        lines: every line that ever stood in the model, once for each graph it stood in, in order of
            first sight.
        source: what stood in the source, by scope, in graph order.
        steps: one for each pass that ran.
        trace: numeric distance from the source after passes, where it was measured; or None.
    """

    model: str
    target: str
    pipeline: str
    lines: tuple[Mapping[str, Any], ...]
    source: Mapping[str, tuple[int, ...]]
    steps: tuple[Step, ...]
    trace: Sequence[Mapping[str, Any]] | None = None

    @classmethod
    def of(
        cls,
        opening: Diff,
        records: Iterable[PassRecord],
        *,
        model: str,
        target: str,
        pipeline: str,
        trace: Sequence[Mapping[str, Any]] | None = None,
    ) -> History:
        """The history of a run.

        Args:
            opening: :meth:`burnish.diff.Recorder.opening`, from before the first pass.
            records: of all passes, in order.
            model: name of the source.
            target: what it was compiled for.
            pipeline: its text.
            trace: numeric distances, see :class:`History`.

        Raises:
            HistoryError: when a record takes away what did not stand there.
        """
        book = _Book()
        source = {hunk.scope: tuple(n for _, n in hunk.lines) for hunk in book.enter(opening)}
        records = tuple(records)
        steps = []
        for record, facts in zip(records, records_json(records), strict=True):
            del facts["file"], facts["diff"]
            facts["name"] = pass_name(record)
            steps.append(Step(facts, book.enter(record.diff)))
        return cls(model, target, pipeline, tuple(book.lines), source, tuple(steps), trace)

    def replay(self, passes: int | None = None) -> Lines:
        """What stands in the model after the first ``passes`` passes; None is all of them.

        Raises:
            HistoryError: when a pass takes away what does not stand there.
        """
        state = {scope: list(numbers) for scope, numbers in self.source.items()}
        for step in self.steps[:passes]:
            for hunk in step.hunks:
                standing = state.setdefault(hunk.scope, [])
                for sign, number in hunk.lines:
                    if sign == "+":
                        standing.append(number)
                    elif sign == "-":
                        if number not in standing:
                            raise HistoryError(
                                f"pass {step.name} removes what is not there: {self.text(number)}"
                            )
                        standing.remove(number)
        return {scope: numbers for scope, numbers in state.items() if numbers}

    def text(self, number: int) -> str:
        """The line with this number."""
        text: str = self.lines[number]["text"]
        return text

    def json(self) -> dict[str, Any]:
        """As plain values, by the schema ``docs/schema/history.schema.json``."""
        return {
            "format": FORMAT,
            "model": self.model,
            "target": self.target,
            "pipeline": self.pipeline,
            "lines": [dict(line) for line in self.lines],
            "source": [
                {"scope": scope, "lines": list(numbers)} for scope, numbers in self.source.items()
            ],
            "passes": [step.json() for step in self.steps],
            "trace": None if self.trace is None else [dict(row) for row in self.trace],
        }

    def dumps(self) -> str:
        """As JSON text with one line for each line and each pass, so that files can be compared."""
        held = self.json()
        parts = []
        for key, value in held.items():
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            if isinstance(value, list) and value:
                items = (
                    json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in value
                )
                text = "[\n" + ",\n".join(items) + "\n]"
            parts.append(f"{json.dumps(key)}: {text}")
        return "{\n" + ",\n".join(parts) + "\n}\n"

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> History:
        """Read a ``history.json``.

        Raises:
            HistoryError: when it is not one.
        """
        try:
            held = json.loads(Path(path).read_text(encoding="utf-8"))
            if held["format"] != FORMAT:
                raise HistoryError(
                    f"its format is {held['format']}, not {FORMAT}",
                    where=str(path),
                    mend="compile again with this version",
                )
            lines = tuple(held["lines"])
            known = frozenset(number for number, line in enumerate(lines) if line["text"])
            return cls(
                held["model"],
                held["target"],
                held["pipeline"],
                lines,
                {part["scope"]: tuple(_in(known, part["lines"])) for part in held["source"]},
                tuple(_step(item, known) for item in held["passes"]),
                held["trace"],
            )
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            raise HistoryError(
                f"not a history of a run ({type(error).__name__}: {error})", where=str(path)
            ) from error


def _step(held: dict[str, Any], known: frozenset[int]) -> Step:
    """A pass as it was written down; ``known`` are the numbers of lines."""
    hunks = []
    for hunk in held.pop("hunks"):
        signs = [sign for sign, _ in hunk["lines"]]
        if not {"-", "+", " "}.issuperset(signs):
            raise ValueError(f"a line of pass {held['index']} has no sign")
        numbers = _in(known, [number for _, number in hunk["lines"]])
        hunks.append(Hunk(hunk["scope"], tuple(zip(signs, numbers, strict=True))))
    return Step(held, tuple(hunks))


def _in(known: frozenset[int], numbers: Sequence[int]) -> Sequence[int]:
    """``numbers``, when all of them are those of lines."""
    if not known.issuperset(numbers):
        raise ValueError("it refers to a line that it has not")
    return numbers


@dataclass
class _Book:
    """Numbers lines, and knows which stand in the model."""

    lines: list[Mapping[str, Any]] = field(default_factory=list)
    standing: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    known: dict[tuple[str, str, Origin | None], int] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)

    def enter(self, diff: Diff) -> tuple[Hunk, ...]:
        """Write down a diff."""
        parts: list[tuple[str, list[tuple[str, int]]]] = []
        for sign, entry in diff.entries:
            if sign == "@":
                parts.append((str(entry).removesuffix(" (removed)"), []))
                continue
            scope, lines = parts[-1]
            number = self._number(sign, entry, scope, diff)
            if number is not None:
                lines.append((sign, number))
        return tuple(Hunk(scope, tuple(lines)) for scope, lines in parts)

    def _number(self, sign: str, entry: Entry, scope: str, diff: Diff) -> int | None:
        text = self._text(entry)
        standing = self.standing.setdefault((scope, text), [])
        if sign == "+":
            origin = diff.origins.get(entry[4]) if isinstance(entry, tuple) else None
            number = self.known.setdefault((scope, text, origin), len(self.lines))
            if number == len(self.lines):
                self.lines.append(_line(entry, text, origin))
            standing.append(number)
            return number
        if not standing:
            if sign == " ":
                return None
            raise HistoryError(f"a pass removes what is not there: {text}", where=scope)
        return standing.pop(0) if sign == "-" else standing[0]

    def _text(self, entry: Entry) -> str:
        """The entry's line; a node's entry goes as the very object that came, and stays alive."""
        text = self.texts.get(id(entry))
        if text is None:
            text = self.texts[id(entry)] = entry_text(entry)
        return text


def _line(entry: Entry, text: str, origin: Origin | None) -> dict[str, Any]:
    if isinstance(entry, Constant):
        return {"kind": "constant", "text": text, "name": entry.name, "bytes": entry.bytes}
    if isinstance(entry, str):
        kind, _, rest = text.partition(" ")
        if kind in ("input", "output"):
            return {"kind": kind, "text": text, "name": rest.rpartition(": ")[0]}
        return {"kind": "header", "text": text}
    op_type, domain, _, inputs, outputs, _ = entry
    label, sources = (origin.label, origin.sources) if origin else ("", ())
    return {
        "kind": "node",
        "text": text,
        "op": op_type,
        "domain": domain,
        "inputs": [name or "" for name in inputs],
        "outputs": [name or "" for name in outputs],
        "label": label,
        "sources": [name for name in sources if sources != (label,)],
    }
