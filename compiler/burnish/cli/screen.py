"""Where words go: results to stdout, everything else to stderr, colour only on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from burnish.pipeline import PassRecord

__all__ = ["Screen"]

_COLOURS = {"-": "\033[31m", "+": "\033[32m", "@": "\033[36m"}
_PLAIN = "\033[0m"
_STAGES = {
    "load": "loading",
    "optimize": "optimizing",
    "verify": "verifying",
    "write": "writing",
}


class Screen:
    """The two streams of a command.

    Args:
        quiet: say nothing but results and errors.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def result(self, text: str) -> None:
        """Print a result on stdout."""
        print(text)

    def json(self, held: Mapping[str, Any] | Sequence[Any]) -> None:
        """Print a result as JSON on stdout."""
        print(json.dumps(held, indent=2, ensure_ascii=False, allow_nan=False))

    def diff(self, lines: Iterable[str]) -> None:
        """Print lines of a diff, in colour on a terminal."""
        colour = _is_coloured(sys.stdout)
        for line in lines:
            shade = _COLOURS.get(line[:1]) if colour else None
            print(f"{shade}{line}{_PLAIN}" if shade else line)

    def say(self, text: str) -> None:
        """Print words for people on stderr, unless told to be quiet."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def fail(self, text: str) -> None:
        """Print why the command ends, on stderr."""
        shade = "\033[31m" if _is_coloured(sys.stderr) else ""
        print(f"{shade}burnish: {text}{_PLAIN if shade else ''}", file=sys.stderr, flush=True)

    def progress(self, news: str | PassRecord) -> None:
        """Tell of a stage that begins, or of a pass that changed something."""
        if isinstance(news, str):
            self.say(f"{_STAGES.get(news, news)} ...")
        elif news.diff:
            from burnish.views.report import record_line

            self.say(record_line(news))


def _is_coloured(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
