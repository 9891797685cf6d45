"""``burnish inspect``: what is in a model."""

from __future__ import annotations

import argparse

from burnish.cli.options import add_shape_options, shape_keywords
from burnish.cli.screen import Screen

SUMMARY = "show a model's interface, operators, weights and figures"
EXAMPLES = ("model.onnx", "model.onnx --dim batch=1 --json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    add_shape_options(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Describe the model."""
    from burnish.loading import load
    from burnish.views.description import describe

    found = describe(load(arguments.model, **shape_keywords(arguments)))
    if arguments.json:
        screen.json(found.json())
    else:
        screen.result(found.text())
    return 0
