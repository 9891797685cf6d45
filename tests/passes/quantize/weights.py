"""Models with products, for tests of passes that turn weights into codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from burnish.calibration import Calibration
from burnish.driver import Optimized, optimize
from burnish.evaluate import run_model
from burnish.ir import Array, Model, constant
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.target import parse_target

Arrays = Mapping[str, Array]


def model_of(
    text: str, weights: Arrays, *, opset: int = 21, dtype: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    """ONNX text with large weights, which the text leaves out.

    Args:
        text: a graph; what it does not define are the weights.
        weights: by name.
        opset: of the ONNX domain.
        dtype: unused by the text; the element type of weights.
    """
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {opset}]> {text}')
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    for name, array in weights.items():
        held = array.astype(kind) if array.dtype.kind == "f" else array
        proto.graph.initializer.append(numpy_helper.from_array(held, name))
    return proto


def draw(*shape: int, seed: int = 0) -> Array:
    """Normal numbers, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def correlated(rows: int, width: int, seed: int = 1) -> Array:
    """Inputs whose channels are mixtures of a few, as those of trained layers are."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, max(2, width // 4)))
    mixed = hidden @ rng.normal(size=(hidden.shape[1], width))
    return (mixed + 0.1 * rng.normal(size=(rows, width))).astype(np.float32)


def run(
    proto: onnx.ModelProto, passes: str, *, target: str = "onnx", data: Any = None
) -> Optimized:
    """Run lossy passes; the result is valid ONNX."""
    calibration = None if data is None else Calibration.of(data)
    done = optimize(
        proto,
        passes=passes,
        allow=Exactness.LOSSY,
        target=parse_target(target),
        calibration=calibration,
    )
    standard = all(item.domain == "" for item in to_proto(done.model).opset_import)
    onnx.checker.check_model(to_proto(done.model), full_check=standard)
    return done


def held_bytes(model: Model) -> int:
    """Bytes of all constants."""
    held = (constant(value) for value in model.graph.initializers.values())
    return sum(item.nbytes for item in held if item is not None)


def answers(model: Model | onnx.ModelProto, feeds: Mapping[str, Any]) -> Array:
    """The first output."""
    return np.asarray(next(iter(run_model(model, feeds).values())))


def distance(result: Array, reference: Array) -> float:
    """How far apart, relative to the size of the reference."""
    return float(np.linalg.norm(result - reference) / np.linalg.norm(reference))


def remarks(done: Optimized, kind: str) -> list[str]:
    """What passes said, of one kind."""
    return [item.why for entry in done.records for item in entry.remarks if item.kind == kind]


def runtime_operators(
    model: Model, folder: Path, settings: Mapping[str, str] | None = None
) -> Counter[str]:
    """The operators ONNX Runtime makes of a model when it loads it."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    for key, value in (settings or {}).items():
        options.add_session_config_entry(key, value)
    data = to_proto(model).SerializeToString()
    ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    loaded = onnx.load(folder / "optimized.onnx")
    return Counter(node.op_type for node in loaded.graph.node)


def runtime_answers(
    model: Model, feeds: Mapping[str, Any], settings: Mapping[str, str] | None = None
) -> Array:
    """The first output, computed by ONNX Runtime with all its optimizations."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    for key, value in (settings or {}).items():
        options.add_session_config_entry(key, value)
    data = to_proto(model).SerializeToString()
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, dict(feeds))[0])


ACCURACY = "session.qdq_matmulnbits_accuracy_level"
"""The session option that says what ONNX Runtime rounds the other operand to."""


def samples(arrays: Sequence[Array], name: str = "x") -> list[dict[str, Array]]:
    """Calibration data: one sample for each array."""
    return [{name: array} for array in arrays]
