"""``burnish explain``: why a pass did or did not, and what became of a node."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from burnish.cli.options import add_pipeline_options, pipeline_keywords
from burnish.cli.screen import Screen
from burnish.errors import InputError

if TYPE_CHECKING:
    from burnish.views.explain import Inquiry

SUMMARY = "say where a pass applied or declined and why, or what became of a node"
EXAMPLES = (
    "model.onnx fuse-layer-normalization",
    "model.onnx /encoder/layer.0/MatMul -O1",
    "model.onnx conv1.weight --json",
    "model.onnx fuse-gelu --at 40",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    parser.add_argument(
        "name",
        metavar="NAME",
        help="a pass, a node, a node's result, a weight, an input or an output",
    )
    group = parser.add_argument_group("what to tell")
    group.add_argument(
        "--at",
        metavar="INDEX",
        type=int,
        help="look at the model as it stood after this pass (default: at the result)",
    )
    group.add_argument("--all", action="store_true", help="every place, not the first few")
    add_pipeline_options(parser)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Explain; 1 when the pass is not part of the pipeline."""
    from burnish.views.explain import PassStory

    story = _inquiry(arguments, screen).explain(arguments.name)
    if arguments.json:
        screen.json(story.json())
    else:
        screen.result(story.text(None if arguments.all else 5))
    return 1 if isinstance(story, PassStory) and not story.planned else 0


def _inquiry(arguments: argparse.Namespace, screen: Screen) -> Inquiry:
    """Run the pipeline, up to ``--at``."""
    from burnish.driver import optimize
    from burnish.views.explain import Inquiry

    if arguments.at is not None and arguments.at < 0:
        raise InputError("a pass has no negative index", where="--at", mend="see: burnish diff")
    keywords = pipeline_keywords(arguments)
    screen.progress("load")
    first = None if arguments.at is None else arguments.at + 1
    done = optimize(arguments.model, opening=True, first=first, **keywords)
    state = "the result"
    if first is not None:
        if len(done.records) < first:
            last = len(done.records) - 1
            mend = f"the last one is {last}" if done.records else "no pass ran"
            raise InputError(f"there is no pass {arguments.at}", where="--at", mend=mend)
        state = f"the model after pass {arguments.at} ({done.records[-1].spec})"
    assert done.opening is not None
    return Inquiry(
        done.model,
        done.records,
        done.pipeline,
        done.opening,
        keywords["target"],
        keywords["allow"],
        state,
    )
