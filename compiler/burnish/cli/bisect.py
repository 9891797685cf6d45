"""``burnish bisect``: which rewrite broke it?"""

from __future__ import annotations

import argparse
from pathlib import Path

from burnish.cli.options import (
    add_pipeline_options,
    add_sample_options,
    pipeline_keywords,
    sample_keywords,
)
from burnish.cli.screen import Screen

SUMMARY = "find the first rewrite after which the answers differ, and leave a reproducer"
EXAMPLES = (
    "model.onnx",
    "model.onnx -O1 --samples inputs.npz -o repro/",
    "model.onnx --check 'python accuracy.py {model}'",
    "repro/",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", help="an .onnx file, or the folder of a reproducer to replay"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="folder of the reproducer (default: NAME.culprit here; none when one is replayed)",
    )
    parser.add_argument(
        "--check",
        metavar="CMD",
        help="shell command that decides in place of the answers; {model} is the file; exit code 0 "
        "is good, 125 cannot tell, any other is bad",
    )
    add_pipeline_options(parser)
    add_sample_options(parser)
    group = parser.add_argument_group("tolerance")
    for name, what in (("atol", "absolute"), ("rtol", "relative")):
        group.add_argument(
            f"--{name}",
            metavar="X",
            type=_bound,
            help=f"allowed {what} difference (default: what the passes promise)",
        )


def _bound(text: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if not bound >= 0:
        raise argparse.ArgumentTypeError("a difference cannot be negative")
    return bound


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Bisect; 1 when a culprit was found."""
    from burnish.culprit import bisect

    found = bisect(
        arguments.model,
        check=arguments.check,
        atol=arguments.atol,
        rtol=arguments.rtol,
        out=_place(arguments),
        progress=screen.say,
        **pipeline_keywords(arguments),
        **sample_keywords(arguments),
    )
    if arguments.json:
        screen.json(found.json())
    else:
        screen.result(found.text())
    return 0 if found.culprit is None else 1


def _place(arguments: argparse.Namespace) -> Path | None:
    if arguments.output is not None:
        return Path(arguments.output)
    model = Path(arguments.model)
    return None if model.is_dir() else Path(f"{model.stem}.culprit")
