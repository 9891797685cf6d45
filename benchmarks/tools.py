"""The optimizers that are compared, each as one function from model file to model file.

Every tool runs with its default settings (``burnish_frozen`` also takes overridable initializers for
constants, as both peers do unasked) and is imported inside its own function, so that a child
process that measures one tool never pays for another.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tool:
    """One optimizer.

    Attributes:
        name: how it is named on the command line and in results.
        distribution: its name as a Python distribution, for the version.
        run: reads the model at the first path and writes the result to the second.
        interpreter: environment variable that names the Python to run it with, for tools that
            need what the others do not.
    """

    name: str
    distribution: str
    run: Callable[[Path, Path], None]
    interpreter: str = ""

    def version(self) -> str:
        """The installed version, ``"from source"`` for a bare checkout, or ``"not installed"``."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            found = importlib.util.find_spec(self.distribution) is not None
            return "from source" if found else "not installed"


def _burnish(source: Path, destination: Path) -> None:
    from burnish.driver import optimize
    from burnish.saving import save

    model, _ = optimize(source, passes="O2")
    save(model, destination)


def _burnish_native(source: Path, destination: Path) -> None:
    from burnish.driver import optimize
    from burnish.saving import save

    model, _ = optimize(source, passes="O2, ort-native")
    save(model, destination)


def _burnish_frozen(source: Path, destination: Path) -> None:
    from burnish.driver import optimize
    from burnish.saving import save

    model, _ = optimize(source, passes="freeze-initializers, O2")
    save(model, destination)


def _ort_transformers(source: Path, destination: Path) -> None:
    optimizer = importlib.import_module("onnxruntime.transformers.optimizer")  # untyped
    known = ("gpt2", "vit", "t5", "bart", "clip", "swin", "bert")
    kind = next((name for name in known if name in source.stem), "bert")
    made = optimizer.optimize_model(str(source), model_type=kind, num_heads=0, hidden_size=0)
    made.save_model_to_file(str(destination))


def _onnxslim(source: Path, destination: Path) -> None:
    import onnx

    onnxslim = importlib.import_module("onnxslim")  # it has no type information
    onnx.save(onnxslim.slim(str(source)), str(destination))


def _onnxsim(source: Path, destination: Path) -> None:
    import onnx

    onnxsim = importlib.import_module("onnxsim")  # it has no type information
    model, _ = onnxsim.simplify(str(source))
    onnx.save(model, str(destination))


DEFAULT_TOOLS = ("burnish", "onnxslim", "onnxsim")

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("burnish", "burnish", _burnish),
        Tool("burnish_frozen", "burnish", _burnish_frozen),
        Tool("burnish_native", "burnish", _burnish_native),
        Tool("onnxslim", "onnxslim", _onnxslim),
        Tool("onnxsim", "onnxsim", _onnxsim),
        Tool("ort_transformers", "onnxruntime", _ort_transformers, "BURNISH_TORCH_PYTHON"),
    )
}


def tool_names(text: str) -> list[str]:
    """The tools that a command line names, separated by commas.

    Raises:
        argparse.ArgumentTypeError: when there is no such tool.
    """
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in TOOLS:
            raise argparse.ArgumentTypeError(f"unknown tool {name!r}; known: {', '.join(TOOLS)}")
    return names
