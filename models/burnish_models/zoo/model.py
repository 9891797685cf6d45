"""What one model of the zoo is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import onnx
import onnx.checker
import onnx.parser
from onnx import numpy_helper

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class ZooModel:
    """A small graph that exercises one thing.

    Attributes:
        name: how it is asked for; also the name of its graph.
        exercises: what it is for, as one sentence.
        text: ONNX text from the graph's signature on; functions may follow the graph.
        rows: rows of the rewrite catalogue that should fire on it (none for a pure trap).
        trap: which rewrite is tempting and why it is wrong; empty when there is no trap.
        keeps: op types that every result must still contain, as often as they stand here.
        opset: version of the ONNX domain.
        ir_version: IR version of the file.
        imports: opset versions of other domains.
        initializers: weights too long, or too special, to write in ``text``.
        dims: sizes to run symbolic dimensions with.
        feeds: values for inputs that arbitrary numbers of the right type would not do for.
        engine: what runs it; ``reference`` where ONNX Runtime has no kernel.
        runnable: False when no engine knows an op of it.
        random: True when two runs may give different outputs.
    """

    name: str
    exercises: str
    text: str
    rows: tuple[str, ...] = ()
    trap: str = ""
    keeps: tuple[str, ...] = ()
    opset: int = 17
    ir_version: int = 8
    imports: Mapping[str, int] = field(default_factory=dict)
    initializers: Mapping[str, Array] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    feeds: Mapping[str, Any] = field(default_factory=dict)
    engine: Literal["onnxruntime", "reference"] = "onnxruntime"
    runnable: bool = True
    random: bool = False

    @property
    def source(self) -> str:
        """The whole model as ONNX text, without :attr:`initializers`."""
        imports = {"": self.opset, **self.imports}
        opsets = ", ".join(f'"{domain}": {version}' for domain, version in imports.items())
        header = f"<ir_version: {self.ir_version}, opset_import: [{opsets}]>"
        return f"{header}\n{self.name} {self.text.strip()}\n"

    def proto(self) -> onnx.ModelProto:
        """Return a fresh, checked copy of the model."""
        model = onnx.parser.parse_model(self.source)
        model.graph.doc_string = self.exercises
        model.graph.initializer.extend(
            numpy_helper.from_array(array, name) for name, array in self.initializers.items()
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def weights(*shape: int, seed: int = 0) -> Array:
    """Return float32 weights between -0.5 and 0.5, the same for the same arguments."""
    return (np.random.default_rng(seed).random(shape) - 0.5).astype(np.float32)


def batch_norm(channels: int, prefix: str = "") -> dict[str, Array]:
    """Return float32 ``scale``, ``shift``, ``mean`` and positive ``var`` of length ``channels``."""
    return {
        f"{prefix}scale": weights(channels, seed=1) + 1,
        f"{prefix}shift": weights(channels, seed=2),
        f"{prefix}mean": weights(channels, seed=3),
        f"{prefix}var": weights(channels, seed=4) + 1,
    }
