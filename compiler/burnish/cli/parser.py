"""The grammar of the command line."""

from __future__ import annotations

import argparse
import difflib
import sys
from types import ModuleType
from typing import Any, NoReturn

from burnish.cli import audit as audit_command
from burnish.cli import bisect as bisect_command
from burnish.cli import compile as compile_command
from burnish.cli import diff as diff_command
from burnish.cli import explain as explain_command
from burnish.cli import inspect as inspect_command
from burnish.cli import passes as passes_command
from burnish.cli import quantize as quantize_command
from burnish.cli import reduce as reduce_command
from burnish.cli import targets as targets_command
from burnish.cli import verify as verify_command
from burnish.cli import view as view_command
from burnish.cli.screen import Screen
from burnish.version import VERSION

__all__ = ["build_parser"]

_COMMANDS: tuple[tuple[str, ModuleType], ...] = (
    ("compile", compile_command),
    ("quantize", quantize_command),
    ("diff", diff_command),
    ("explain", explain_command),
    ("bisect", bisect_command),
    ("verify", verify_command),
    ("reduce", reduce_command),
    ("audit", audit_command),
    ("inspect", inspect_command),
    ("view", view_command),
    ("passes", passes_command),
    ("targets", targets_command),
)


class _Parser(argparse.ArgumentParser):
    """Errors are one line, and a misspelt command gets the nearest one."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **keywords
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line and exit with 2."""
        print(f"burnish: error: {message}; see: {self.prog} --help", file=sys.stderr)
        sys.exit(2)

    def _print_message(self, message: str, file: Any = None) -> None:
        # The inherited one hides that stdout cannot be written.
        if file is sys.stdout:
            Screen().result(message.removesuffix("\n"))
        else:
            super()._print_message(message, file)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        near = difflib.get_close_matches(str(value), known, n=1)
        mend = f"did you mean {near[0]}?" if near else f"choose from: {', '.join(known)}"
        what = "command" if isinstance(action, argparse._SubParsersAction) else "choice"
        raise argparse.ArgumentError(
            None if what == "command" else action, f"there is no {what} '{value}'; {mend}"
        )


def _everywhere(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")


def build_parser() -> argparse.ArgumentParser:
    """The parser; ``run(arguments, screen)`` of the chosen command is in ``arguments.run``."""
    parser = _Parser(
        prog="burnish",
        description="Compile ONNX models, and see what was done to them.",
        epilog="example: burnish compile model.onnx -o out/",
    )
    parser.add_argument("--version", action="version", version=f"burnish {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for name, module in _COMMANDS:
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.SUMMARY[0].upper() + module.SUMMARY[1:] + ".",
            epilog="\n".join(
                ["examples:", *(f"  burnish {name} {text}".rstrip() for text in module.EXAMPLES)]
            ),
        )
        module.add_arguments(command)
        _everywhere(command)
        command.set_defaults(run=module.run)
    return parser
