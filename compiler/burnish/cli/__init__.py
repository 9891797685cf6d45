"""The command line: parse, call the API, print. No graph is touched here.

Exit codes: 0 yes, 1 no (not equal, different), 2 could not run, 130 interrupted, 141 the reader of
our output went away. Results go to stdout, progress and words for people to stderr. Modules here
import the rest of Burnish inside functions, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from burnish.cli.parser import build_parser
from burnish.cli.screen import Screen
from burnish.errors import BurnishError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the arguments after the program's name; None takes them from the process.
    """
    arguments = build_parser().parse_args(argv)
    screen = Screen(quiet=arguments.quiet)
    try:
        code: int = arguments.run(arguments, screen)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at exit; there is nobody left to read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        screen.fail("interrupted")
        return 130
    except BurnishError as error:
        _trace(arguments.debug)
        screen.fail(f"error: {error}")
        return error.exit_code
    except Exception as error:
        _trace(arguments.debug)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        screen.fail(f"error: {what}; this is a fault in burnish, --debug shows where")
        return 2
    return code


def _trace(debug: bool) -> None:
    if debug:
        traceback.print_exc()
