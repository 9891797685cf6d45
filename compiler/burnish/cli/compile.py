"""``burnish compile``: a model becomes a verified artifact."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from burnish.cli.calibration import add_calibration_options, calibration_of
from burnish.cli.options import (
    add_pipeline_options,
    add_sample_options,
    pipeline_keywords,
    sample_keywords,
)
from burnish.cli.screen import Screen
from burnish.errors import VerificationFailed

if TYPE_CHECKING:
    from burnish.artifact import Artifact
    from burnish.pipeline import PassRecord

SUMMARY = "optimize a model, verify it, and write an artifact that says how"
EXAMPLES = (
    "model.onnx -o out/",
    "model.onnx -o small.onnx -O1 --dim batch=1",
    "model.onnx -o out/ --passes 'fixpoint[fold-constants, eliminate-identity]'",
    "model.onnx -o out/ --passes 'O2, insert-qdq{calibration=mse}' --allow lossy --data samples.npz",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="an .onnx file")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        required=True,
        help="the artifact's folder, or FILE.onnx for the optimized model alone",
    )
    add_pipeline_options(parser)
    add_sample_options(parser)
    add_calibration_options(parser)
    parser.add_argument(
        "--each-pass", action="store_true", help="measure how far each pass moves the outputs"
    )
    parser.add_argument("--no-verify", action="store_true", help="do not compare the answers")
    parser.add_argument(
        "--keep-going", action="store_true", help="write it even when its answers differ"
    )


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Compile; 1 when the answers differ."""
    return run_compile(arguments, screen, pipeline_keywords(arguments))


def run_compile(arguments: argparse.Namespace, screen: Screen, how: Mapping[str, Any]) -> int:
    """Compile and report.

    Args:
        arguments: parsed options of samples, data and output.
        screen: where it is told.
        how: further arguments of :func:`burnish.driver.compile`.
    """
    from burnish.driver import compile
    from burnish.trace import watch_passes
    from burnish.views.report import summary_lines

    records: list[PassRecord] = []

    def progress(news: str | PassRecord) -> None:
        if not isinstance(news, str):
            records.append(news)
        if news == "verify" or (news == "write" and arguments.no_verify):
            for line in summary_lines(records):
                screen.say(f"  {line}")
        screen.progress(news)

    samples = sample_keywords(arguments)
    try:
        artifact = compile(
            arguments.model,
            arguments.output,
            verify=not arguments.no_verify,
            keep_going=arguments.keep_going,
            calibration=calibration_of(arguments, screen),
            progress=progress,
            watch=watch_passes(**samples) if arguments.each_pass else None,
            **how,
            **samples,
        )
    except VerificationFailed as error:
        if arguments.json:
            found = {"reason": str(error), "verdict": error.verdict}
            screen.json({"ok": False, "path": None, **found, "manifest": None})
        raise
    return _report(artifact, arguments, screen)


def _word(artifact: Artifact) -> str:
    """What became of the answers of a model that is right."""
    manifest = artifact.manifest
    assert manifest.verdict is not None
    if not any(item["exactness"] == "lossy" and item["file"] for item in manifest.passes):
        return "answers are as before"
    worst = max(manifest.verdict["outputs"], key=lambda item: item["max_abs"] or 0.0)
    return f"answers moved on purpose, by up to {worst['max_abs']:.3g} in {worst['name']}"


def _report(artifact: Artifact, arguments: argparse.Namespace, screen: Screen) -> int:
    from burnish.views.report import how_many

    verdict = artifact.manifest.verdict
    ok = verdict is None or verdict["ok"]
    if verdict is None:
        screen.say("  not verified")
    else:
        word = _word(artifact) if ok else "ANSWERS DIFFER"
        samples = how_many(verdict["samples"], "sample")
        screen.say(f"  {word}: {samples} on {verdict['engine']}")
        for note in verdict["notes"]:
            screen.say(f"  note: {note}")
        for output in verdict["outputs"]:
            if not output["ok"]:
                screen.say(f"    {output['name']} ({output['where']}): {output['reason']}")
    for line in (artifact.manifest.audit or {}).get("text", ()):
        screen.say(f"  {line}")
    if arguments.json:
        manifest = artifact.manifest.json()
        path = str(artifact.path)
        screen.json({"ok": ok, "path": path, "reason": "", "manifest": manifest})
    else:
        screen.result(str(artifact.path))
    return 0 if ok else 1
