"""``burnish explain``: why a pass did or did not, and what became of a node."""

from __future__ import annotations

import argparse

from burnish.cli.options import add_pipeline_options, pipeline_keywords
from burnish.cli.screen import Screen

SUMMARY = "say where a pass applied or declined and why, or what became of a node"
EXAMPLES = ("model.onnx fold-constants", "model.onnx /encoder/layer.0/MatMul -O1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    parser.add_argument("name", metavar="PASS-or-NODE", help="a pass, a node, or a node's result")
    add_pipeline_options(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Explain; 1 when the pass is not part of the pipeline."""
    from burnish.driver import optimize
    from burnish.loading import load
    from burnish.registry import pass_types
    from burnish.views.explain import PassStory, explain_node, explain_pass, places_of

    keywords = pipeline_keywords(arguments)
    bound = {key: keywords.pop(key) for key in ("input_shapes", "dims")}
    screen.progress("load")
    model = load(arguments.model, **bound)
    before = places_of(model)
    screen.progress("optimize")
    done = optimize(model, **keywords)
    is_pass = arguments.name in pass_types() and arguments.name not in before.labels
    story = (
        explain_pass(arguments.name, done.records)
        if is_pass
        else explain_node(arguments.name, before, places_of(done.model), done.records)
    )
    if arguments.json:
        screen.json(story.json())
    else:
        screen.result(story.text())
    return 1 if isinstance(story, PassStory) and not story.records else 0
