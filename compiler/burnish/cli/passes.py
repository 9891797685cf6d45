"""``burnish passes``: the passes there are, and the documentation of one."""

from __future__ import annotations

import argparse

from burnish.cli.screen import Screen

SUMMARY = "list the passes, or show the documentation of one"
EXAMPLES = ("", "fold-constants", "O2")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="a pass or a preset")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """List or describe."""
    from burnish.views.catalog import describe_pass, pass_catalog

    if arguments.name:
        entry = describe_pass(arguments.name)
        if arguments.json:
            screen.json(entry.json())
        else:
            screen.result(entry.text())
        return 0
    entries = pass_catalog()
    if arguments.json:
        screen.json({"passes": [entry.json() for entry in entries]})
    else:
        for entry in entries:
            screen.result(entry.line())
    return 0
