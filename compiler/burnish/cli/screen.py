"""Where words go: results to stdout, everything else to stderr, colour only on a terminal."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from burnish.errors import BurnishError

if TYPE_CHECKING:
    from burnish.pipeline import PassRecord

__all__ = ["OutputError", "Screen"]

_COLOURS = {"-": "\033[31m", "+": "\033[32m", "@": "\033[36m"}
_PLAIN = "\033[0m"
_SELDOM_SECONDS = 10.0
_STAGES = {
    "load": "loading",
    "optimize": "optimizing",
    "verify": "verifying",
    "write": "writing",
}


class OutputError(BurnishError):
    """Results cannot be written."""


class Screen:
    """The two streams of a command.

    Args:
        quiet: say nothing but results and errors.
        debug: show where errors come from.
    """

    def __init__(self, *, quiet: bool = False, debug: bool = False) -> None:
        self.quiet = quiet
        self.debug = debug
        self._live = False
        self._said = -math.inf

    def result(self, text: str) -> None:
        """Print a result on stdout.

        Raises:
            OutputError: when stdout cannot be written; here and in all that prints results.
        """
        self._clear()
        with _writing():
            print(text)

    def flush(self) -> None:
        """Write out what stdout still holds back."""
        if sys.stdout is not None:  # closed by who started us
            with _writing():
                sys.stdout.flush()

    def json(self, held: Mapping[str, Any] | Sequence[Any]) -> None:
        """Print a result as JSON on stdout."""
        self.result(json.dumps(held, indent=2, ensure_ascii=False, allow_nan=False))

    def diff(self, lines: Iterable[str]) -> None:
        """Print lines of a diff, in colour on a terminal."""
        colour = _is_coloured(sys.stdout)
        for line in lines:
            shade = _COLOURS.get(line[:1]) if colour else None
            self.result(f"{shade}{line}{_PLAIN}" if shade else line)

    def say(self, text: str) -> None:
        """Print words for people on stderr, unless told to be quiet."""
        if not self.quiet:
            self._clear()
            print(text, file=sys.stderr, flush=True)

    def live(self, text: str) -> None:
        """Show how far work is: on a terminal in one line that changes, elsewhere now and then."""
        if self.quiet or sys.stderr is None:
            return
        if sys.stderr.isatty():
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
            self._live = True
        elif time.monotonic() - self._said >= _SELDOM_SECONDS:
            self._said = time.monotonic()
            self.say(text)

    def _clear(self) -> None:
        """Take the line away that :meth:`live` wrote."""
        if self._live:
            self._live = False
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def fail(self, text: str) -> None:
        """Print why the command ends, on stderr."""
        self._clear()
        shade = "\033[31m" if _is_coloured(sys.stderr) else ""
        print(f"{shade}burnish: {text}{_PLAIN if shade else ''}", file=sys.stderr, flush=True)

    def progress(self, news: str | PassRecord) -> None:
        """Tell of a stage that begins, or of a pass that changed something."""
        if isinstance(news, str):
            self.say(f"{_STAGES.get(news, news)} ...")
        elif news.diff:
            from burnish.views.report import record_line

            self.say(record_line(news))


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"standard output cannot be written ({error.strerror or error})"
        ) from error


def _is_coloured(stream: TextIO | None) -> bool:
    if stream is None:
        return False
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
