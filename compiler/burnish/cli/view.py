"""``burnish view``: an artifact as one page for the browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from burnish.cli.pages import check_page, tell_page, write_text
from burnish.cli.screen import Screen

SUMMARY = "show what each pass did to a compiled model, as one page for a browser"
EXAMPLES = ("out/ -o run.html", "out/ --open")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("artifact", metavar="ARTIFACT", help="a folder that burnish compile wrote")
    parser.add_argument(
        "-o", "--output", metavar="PAGE.html", help="the page (default: ARTIFACT.html, here)"
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Write the page and say where it is."""
    from burnish.views.page import render_artifact

    folder = Path(arguments.artifact)
    default = f"{folder.resolve().name or 'artifact'}.html"
    path = check_page(arguments.output or default, [arguments.artifact])
    write_text(path, render_artifact(folder))
    tell_page(path, screen, json=arguments.json)
    if arguments.open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0
