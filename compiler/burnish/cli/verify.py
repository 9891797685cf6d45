"""``burnish verify``: do two models give the same answers, and where do their numbers part?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from burnish.cli.options import (
    add_pipeline_options,
    add_sample_options,
    count,
    pipeline_keywords,
    sample_keywords,
    shape_keywords,
)
from burnish.cli.screen import Screen
from burnish.errors import InputError

if TYPE_CHECKING:
    from burnish.trace import NodeTrace, PassTrace

SUMMARY = "compare every output of two models, or follow the numbers of one through its passes"
EXAMPLES = (
    "before.onnx after.onnx",
    "before.onnx after.onnx --exactness bitwise --seed 7",
    "before.onnx after.onnx --per-node --top 10",
    "model.onnx --each-pass -O2",
    "model.onnx --per-node -O2 --plot gaps.png",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="A", help="the model to be faithful to")
    parser.add_argument(
        "other",
        metavar="B",
        nargs="?",
        help="the model in question; without it, what the passes make of A",
    )
    parser.add_argument(
        "--exactness",
        choices=("bitwise", "float", "lossy"),
        help="what may differ between A and B (default: float, rounding)",
    )
    group = parser.add_argument_group("where the numbers part")
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--each-pass", action="store_true", help="compare after each pass over A that changed it"
    )
    which.add_argument(
        "--per-node", action="store_true", help="compare inner values along the graph"
    )
    group.add_argument(
        "--top", metavar="N", type=count, help="the N worst values only (of --per-node)"
    )
    group.add_argument(
        "--plot", metavar="FILE.png", help="draw it (of either; needs burnish[plot])"
    )
    add_sample_options(parser)
    add_pipeline_options(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Compare; 1 when an output differs beyond what is allowed."""
    _check(arguments)
    if arguments.plot:
        from burnish.views.canvas import check_picture

        check_picture(arguments.plot)
    if arguments.each_pass:
        return _each_pass(arguments, screen)
    return _per_node(arguments, screen) if arguments.per_node else _two(arguments, screen)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    traced = arguments.each_pass or arguments.per_node
    piped = (
        arguments.passes
        or arguments.level
        or arguments.stop_after is not None
        or arguments.target != "ort-cpu"
        or arguments.allow != "float"
    )
    if arguments.other is None and not traced:
        raise InputError(
            "one model is nothing to compare",
            mend="give B, or follow A through its passes with --each-pass or --per-node",
        )
    if arguments.other is not None and arguments.each_pass:
        raise InputError(
            "--each-pass follows one model through its passes",
            mend="leave B out, or compare the two with --per-node",
        )
    if arguments.other is not None and piped:
        raise InputError(
            "options of a pipeline do not go with two models", mend="leave them out, or B"
        )
    if arguments.other is None and arguments.exactness:
        raise InputError(
            "--exactness goes with two models", mend="leave it out: the passes say what may differ"
        )
    if arguments.top is not None and not arguments.per_node:
        raise InputError("--top goes with --per-node", mend="add that, or leave --top out")
    if arguments.plot and not traced:
        raise InputError(
            "--plot goes with --each-pass or --per-node", mend="add one, or leave --plot out"
        )


def _two(arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.loading import load
    from burnish.passdef import Exactness
    from burnish.samples import check_samples
    from burnish.verify import verify

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
    screen.progress("verify")
    exactness = Exactness[(arguments.exactness or "float").upper()]
    verdict = verify(*sides, exactness=exactness, **given)
    if arguments.json:
        screen.json(verdict.json())
    else:
        screen.result(verdict.text())
    return 0 if verdict.ok else 1


def _each_pass(arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.trace import trace_passes

    found = trace_passes(
        arguments.model,
        progress=screen.progress,
        **pipeline_keywords(arguments),
        **sample_keywords(arguments),
    )
    if arguments.json:
        screen.json(found.json())
    else:
        screen.result(found.text())
    return _finish(found, arguments, screen)


def _per_node(arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.passdef import Exactness
    from burnish.trace import trace_models, trace_pipeline

    given = sample_keywords(arguments)
    if arguments.other is None:
        found = trace_pipeline(
            arguments.model, progress=screen.progress, **pipeline_keywords(arguments), **given
        )
    else:
        found = trace_models(
            arguments.model,
            arguments.other,
            exactness=Exactness[(arguments.exactness or "float").upper()],
            progress=screen.progress,
            **shape_keywords(arguments),
            **given,
        )
    if arguments.json:
        screen.json(found.json(arguments.top))
    else:
        screen.result(found.text(arguments.top))
    return _finish(found, arguments, screen)


def _finish(found: PassTrace | NodeTrace, arguments: argparse.Namespace, screen: Screen) -> int:
    if arguments.plot:
        from burnish.views.plots import plot

        screen.say(f"drawn: {plot(found, arguments.plot)}")
    return 0 if found.ok else 1
