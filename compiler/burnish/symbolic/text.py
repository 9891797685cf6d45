"""Dimension names as ONNX models spell them, read as expressions.

Exporters write arithmetic into ``dim_param`` ("past + seq", "2*batch", "8*((s0//8))",
"Min(128, s4)") and mean it, so it is read as arithmetic: "past+seq" is the sum of the symbols
"past" and "seq". Two spellings need care. A hyphen between two names without blanks
("batch-size") is part of a name, since people write names so, while exporters put blanks around a
minus. A single "/" is not read, since exporters use it for exact and for rounded division alike.
All text that is not arithmetic is one symbol of that name.

Some texts are not names but ways to say "unknown": "", "?", "-1", "*", "None" and their like. Tools
write the same one for dimensions that have nothing to do with each other, so each is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from burnish.symbolic.calls import apply, floordiv, mod
from burnish.symbolic.polynomial import Dim, symbol

__all__ = ["parse"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+)(?![\w.])|(?P<name>[^\W\d][\w.]*(?:-[^\W\d][\w.]*)*)"
    r"|(?P<op>//|[-+*%(),]))"
)
_PLACEHOLDERS = frozenset({"", "?", "*", "none", "unk", "unknown", "dynamic", "null", "nan", "-"})
_CALLS = {
    "floordiv": "floordiv",
    "floordivide": "floordiv",
    "mod": "mod",
    "min": "min",
    "max": "max",
}
_MAX_TEXT = 200
_MAX_NUMBER = 2**63


class _NotArithmetic(Exception):
    pass


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise _NotArithmetic
        position = found.end()
        yield str(found.lastgroup), found.group(str(found.lastgroup))
    yield "end", ""


class _Parser:
    """Recursive descent; the text is short, so the depth is too."""

    def __init__(self, text: str) -> None:
        self._rest = list(_tokens(text))[::-1]

    def _take(self, *texts: str) -> str | None:
        kind, text = self._rest[-1]
        if kind == "op" and text in texts:
            self._rest.pop()
            return text
        return None

    def _need(self, text: str) -> None:
        if self._take(text) is None:
            raise _NotArithmetic

    def whole(self) -> Dim:
        total = self._sum()
        if self._rest[-1][0] != "end":
            raise _NotArithmetic
        return total

    def _sum(self) -> Dim:
        total = self._product()
        while op := self._take("+", "-"):
            right = self._product()
            total = total + right if op == "+" else total - right
        return total

    def _product(self) -> Dim:
        total = self._factor()
        while op := self._take("*", "//", "%"):
            right = self._factor()
            if op == "*":
                total = total * right
            elif right == 0:
                raise _NotArithmetic
            else:
                total = floordiv(total, right) if op == "//" else mod(total, right)
        return total

    def _factor(self) -> Dim:
        if self._take("-"):
            return -self._factor()
        if self._take("("):
            inner = self._sum()
            self._need(")")
            return inner
        kind, text = self._rest.pop()
        if kind == "number" and int(text) < _MAX_NUMBER:
            return int(text)
        if kind != "name":
            raise _NotArithmetic
        return self._call(text) if self._take("(") else symbol(text)

    def _call(self, name: str) -> Dim:
        op = _CALLS.get(name.lower())
        if op is None:
            raise _NotArithmetic
        args = [self._sum()]
        while self._take(","):
            args.append(self._sum())
        self._need(")")
        try:
            return apply(op, tuple(args))
        except (ValueError, ZeroDivisionError):
            raise _NotArithmetic from None


@lru_cache(maxsize=4096)
def parse(text: str | None) -> Dim | None:
    """Read a ``dim_param``: arithmetic as an expression, other text as one symbol.

    Args:
        text: the name as the model has it.

    Returns:
        The dimension, or None when the text says no more than "unknown" (see the module text).
    """
    stripped = (text or "").strip()
    if stripped.lower() in _PLACEHOLDERS:
        return None
    if len(stripped) > _MAX_TEXT or "**" in stripped:
        return symbol(stripped)
    try:
        dim = _Parser(stripped).whole()
    except _NotArithmetic:
        return symbol(stripped)
    if isinstance(dim, int) and dim < 0:
        return None
    return dim
