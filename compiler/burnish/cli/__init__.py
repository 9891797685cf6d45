"""The command line: parse, call the API, print. No graph is touched here.

Exit codes: 0 yes, 1 no (not equal, different), 2 could not run, 130 interrupted, 141 the reader of
our output went away. Results go to stdout, progress and words for people to stderr. Modules here
import the rest of Burnish inside functions, so that ``--help`` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

from burnish.cli.interrupts import Interrupts
from burnish.cli.parser import build_parser
from burnish.cli.screen import OutputError, Screen
from burnish.errors import BurnishError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments after the program's name; None takes them from the process.
    """
    screen = Screen()
    with Interrupts() as interrupts:
        try:
            try:
                arguments = build_parser().parse_args(argv)
            except SystemExit:  # --help, --version, or an error that is told already
                screen.flush()
                raise
            screen.quiet, screen.debug = arguments.quiet, arguments.debug
            code: int = arguments.run(arguments, screen)
            screen.flush()
        except BrokenPipeError:
            _abandon_stdout()
            return 141
        except (Exception, KeyboardInterrupt) as error:
            return _failed(error, interrupts.pressed, screen)
        return code


def _failed(error: BaseException, pressed: bool, screen: Screen) -> int:
    """Say why the command ends, and return its exit code."""
    if isinstance(error, OutputError):
        _abandon_stdout()
    if screen.debug and not isinstance(error, KeyboardInterrupt):
        traceback.print_exception(error)
    # Libraries that are interrupted while they load turn the interrupt into errors of their own.
    if pressed or isinstance(error, KeyboardInterrupt):
        screen.fail("interrupted")
        return 130
    if isinstance(error, BurnishError):
        screen.fail(f"error: {error}")
        return error.exit_code
    what = " ".join(f"{type(error).__name__}: {error}".split())
    screen.fail(f"error: {what}; this is a fault in burnish, --debug shows where")
    return 2


def _abandon_stdout() -> None:
    """Drop what is left to write: Python would write it at exit, and fail once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
