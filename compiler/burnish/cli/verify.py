"""``burnish verify``: do two models give the same answers?"""

from __future__ import annotations

import argparse

from burnish.cli.options import (
    add_sample_options,
    add_shape_options,
    sample_keywords,
    shape_keywords,
)
from burnish.cli.screen import Screen

SUMMARY = "run two models on the same inputs and compare every output"
EXAMPLES = ("before.onnx after.onnx", "before.onnx after.onnx --exactness bitwise --seed 7")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="A", help="the model to be faithful to")
    parser.add_argument("other", metavar="B", help="the model in question")
    parser.add_argument(
        "--exactness",
        choices=("bitwise", "float", "lossy"),
        default="float",
        help="what may differ (default: float, rounding)",
    )
    add_sample_options(parser)
    add_shape_options(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Compare; 1 when an output differs beyond what is allowed."""
    from burnish.loading import load
    from burnish.passdef import Exactness
    from burnish.verify import verify
    from burnish.verify.samples import check_samples

    bound = shape_keywords(arguments)
    sides = [
        load(path, **bound) if any(bound.values()) else path
        for path in (arguments.model, arguments.other)
    ]
    given = sample_keywords(arguments)
    if given["samples"]:
        source = sides[0]
        model = load(source) if isinstance(source, str) else source
        for note in check_samples(given["samples"], model):
            screen.say(f"note: {note}")
    exactness = Exactness[arguments.exactness.upper()]
    screen.progress("verify")
    verdict = verify(*sides, exactness=exactness, **given)
    if arguments.json:
        screen.json(verdict.json())
    else:
        screen.result(verdict.text())
    return 0 if verdict.ok else 1
