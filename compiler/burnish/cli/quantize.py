"""``burnish quantize``: a model with small integers or short floats, calibrated on the user's data."""

from __future__ import annotations

import argparse

from burnish.cli.budget import plan_of, refuse_budget_options
from burnish.cli.calibration import add_calibration_options
from burnish.cli.compile import run_compile
from burnish.cli.options import add_sample_options, add_shape_options
from burnish.cli.screen import Screen

SUMMARY = "quantize a model for a target, and write an artifact that says what runs in integers"
EXAMPLES = (
    "model.onnx -o out/ --data samples.npz",
    "model.onnx -o out/ --data images/ --preprocess size=224x224,mean=0.5,std=0.5 --max-samples 100",
    "model.onnx -o out/ --scheme weights-int4",
    "model.onnx -o out/ --data samples.npz --exclude first_conv --exclude Gemm",
    "model.onnx -o out/ --data samples.npz --max-drop 0.5% --metric agreement",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file of floats")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="the artifact's folder, or FILE.onnx for the quantized model alone",
    )
    parser.add_argument(
        "--scheme",
        metavar="NAME",
        default="static",
        help="how (default: static); a wrong one lists all",
    )
    parser.add_argument(
        "--exclude",
        metavar="NAME",
        action="append",
        default=[],
        help="a layer that stays float: its name, its result, or an operator for all of them",
    )
    parser.add_argument(
        "-O", dest="level", choices=tuple("0123"), default="2", help="level before it (default: 2)"
    )
    parser.add_argument("--target", metavar="NAME", default="ort-cpu", help="see: burnish targets")
    add_calibration_options(parser)
    _add_budget_options(parser)
    add_shape_options(parser)
    add_sample_options(parser)
    parser.add_argument(
        "--each-pass", action="store_true", help="measure how far each pass moves the outputs"
    )
    parser.add_argument("--no-verify", action="store_true", help="do not compare the answers")
    parser.set_defaults(keep_going=False)


def _add_budget_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("budget: keep layers in float until the loss is allowed")
    group.add_argument("--max-drop", metavar="LOSS", help="as in 0.5%%, 0.01, 30dB, 0.01nats")
    group.add_argument(
        "--metric",
        metavar="NAME",
        help="agreement (default), accuracy, cosine, kl, sqnr, with :OUTPUT for one output; or"
        " FILE.py:FUNCTION of the answers, where more is better",
    )
    group.add_argument(
        "--labels", metavar="FILE.npy", help="classes by sample, or FILE.npz:NAME (of accuracy)"
    )
    group.add_argument("--judge", metavar="PATH", help="other samples to judge by")
    group.add_argument("--state", metavar="FILE", help="keep what was measured, and go on from it")
    group.add_argument("--plan", metavar="FILE.json", help="write why each layer is what it is")


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Quantize; 1 when the answers are not even finite where they were, or over budget."""
    from burnish.cli.options import shape_keywords
    from burnish.passdef import Exactness
    from burnish.schemes import quantizing_pipeline
    from burnish.target import parse_target

    target = parse_target(arguments.target)
    bound = shape_keywords(arguments)
    exclude, within = arguments.exclude, True
    if arguments.max_drop is not None:
        plan = plan_of(arguments, screen, target, bound)
        exclude, within = sorted(plan.kept), plan.within
    else:
        refuse_budget_options(arguments)
    pipeline = quantizing_pipeline(
        arguments.scheme, target, level=int(arguments.level), exclude=exclude
    )
    how = {"target": target, "passes": pipeline, "allow": Exactness.LOSSY, **bound}
    code = run_compile(arguments, screen, how)
    return code or (0 if within else 1)
