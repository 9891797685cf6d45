"""``burnish audit``: what the runtime executes, and what it computes on integers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from burnish.cli.screen import Screen
from burnish.errors import BuildError, InputError

if TYPE_CHECKING:
    from burnish.audit import Audit
    from burnish.target import Target

SUMMARY = "show what the runtime makes of a model, and which layers run on integers"
EXAMPLES = ("out/", "model.onnx --layers", "int8.onnx --at-least 95 --json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", help="an .onnx file, or a folder that burnish compile wrote"
    )
    parser.add_argument(
        "--target",
        metavar="NAME",
        help="see: burnish targets (default: ort-cpu, or that of the artifact)",
    )
    parser.add_argument("--layers", action="store_true", help="show every Conv, MatMul and Gemm")
    parser.add_argument(
        "--at-least",
        metavar="PERCENT",
        type=_percent,
        help="exit with 1 when fewer of them run on integers",
    )


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Load it with the runtime's optimizations and tell; 1 when it is less than asked for."""
    from burnish.registry import backend

    path, target = _asked(Path(arguments.model), arguments.target)
    builder = backend(target.backend)
    missing = builder.missing()
    if missing:
        raise BuildError("it cannot be loaded here", where=f"target {target}", mend=missing)
    found = builder.audit(path, target)
    if found is None:
        raise InputError(
            f"the {target.backend} backend does not tell what it executes",
            where=f"target {target}",
        )
    ok = arguments.at_least is None or 100 * found.share >= arguments.at_least
    if arguments.json:
        screen.json({"ok": ok, "target": str(target), **found.json(layers=arguments.layers)})
    else:
        _print(found, arguments.layers, screen)
    return 0 if ok else 1


def _asked(path: Path, name: str | None) -> tuple[Path, Target]:
    """The model's file and the target."""
    from burnish.artifact import Artifact
    from burnish.target import parse_target

    if not path.is_dir():
        return path, parse_target(name or "ort-cpu")
    artifact = Artifact.open(path)
    return artifact.model, parse_target(name or artifact.manifest.target)


def _print(found: Audit, layers: bool, screen: Screen) -> None:
    for line in found.lines():
        screen.result(line)
    if layers:
        for layer in found.layers:
            why = f": {layer.why}" if layer.why else ""
            screen.result(
                f"  {layer.node}: {layer.op_type} runs as {layer.runs_as or 'nothing'}{why}"
            )
    changes = found.changes()
    screen.result(f"{found.runtime} makes of it:" if changes else f"{found.runtime} keeps it as is")
    for line in changes:
        screen.result(f"  {line}")


def _percent(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a percentage") from None
    if not 0 <= found <= 100:
        raise argparse.ArgumentTypeError("a percentage is 0 to 100")
    return found
