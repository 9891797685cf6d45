"""``burnish targets``: what can be built for and run here."""

from __future__ import annotations

import argparse

from burnish.cli.screen import Screen

SUMMARY = "list the targets, and what each one lacks on this machine"
EXAMPLES = ("", "--json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: none."""


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """List the targets."""
    from burnish.views.catalog import target_catalog

    entries = target_catalog()
    if arguments.json:
        screen.json({"targets": [entry.json() for entry in entries]})
    else:
        for entry in entries:
            screen.result(entry.line())
    return 0
