"""Pipeline text to a tree, and back: ``a, fixpoint{limit=8}[b, c{x=1}]``.

Grammar (spaces are free)::

    pipeline = item { "," item }
    item     = name [ "{" option { "," option } "}" ] [ "[" pipeline "]" ]
    option   = key "=" value
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from burnish.errors import SpecError

__all__ = ["Item", "parse"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_VALUE = re.compile(r"[^,{}\[\]]*")


@dataclass(frozen=True)
class Item:
    """One element of a pipeline.

    Attributes:
        name: pass, preset, or ``fixpoint``.
        options: ``key=value`` pairs as written.
        inner: the bracketed pipeline, or None when there is none.
        column: where it starts in the text.
    """

    name: str
    options: tuple[tuple[str, str], ...]
    inner: tuple[Item, ...] | None
    column: int


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, what: str) -> SpecError:
        return SpecError(what, text=self.text, column=self.at)

    def peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, pattern: re.Pattern[str], expected: str) -> str:
        self.peek()
        found = pattern.match(self.text, self.at)
        if not found:
            raise self.fail(f"expected {expected}")
        self.at = found.end()
        return found.group().strip()

    def expect(self, character: str) -> None:
        if self.peek() != character:
            raise self.fail(f"expected '{character}'")
        self.at += 1

    def options(self) -> tuple[tuple[str, str], ...]:
        if self.peek() != "{":
            return ()
        self.at += 1
        found: list[tuple[str, str]] = []
        while self.peek() != "}":
            key = self.take(_NAME, "an option name or '}'")
            self.expect("=")
            found.append((key, self.take(_VALUE, "a value")))
            if self.peek() != "}":
                self.expect(",")
        self.at += 1
        return tuple(found)

    def item(self) -> Item:
        self.peek()
        column = self.at
        name = self.take(_NAME, "the name of a pass")
        options = self.options()
        inner = None
        if self.peek() == "[":
            self.at += 1
            inner = self.items("]")
            self.expect("]")
        return Item(name, options, inner, column)

    def items(self, end: str) -> tuple[Item, ...]:
        found: list[Item] = []
        while self.peek() != end:
            found.append(self.item())
            if self.peek() != end:
                self.expect(",")
        return tuple(found)


def parse(text: str) -> tuple[Item, ...]:
    """Read pipeline text; an empty text is an empty pipeline.

    Raises:
        SpecError: with a caret under the place that does not fit.
    """
    return _Reader(text).items("")
