"""Does an optimized model still give the answers of its source?

``python -m benchmarks.answers SOURCE RESULT`` prints one line: ``same`` with the largest relative
difference, ``differs ...``, or ``does not load ...``. Feeds come from the corpus (its ``inputs.py``).
A node count is only a target when the model behind it still answers alike.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

TOLERANCE = 1e-2


def compare_answers(source: Path, result: Path, timeout: float = 120.0) -> str:
    """Compare in a fresh process, since a broken model can take the runtime down."""
    command = [sys.executable, "-m", "benchmarks.answers", str(source), str(result)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return "does not load: timeout"
    if done.returncode < 0:
        return f"does not load: signal {-done.returncode}"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return lines[-1][:200] if lines else "does not load: no message"


def feeds_of(source: Path) -> dict[str, Any]:
    """Inputs for a model of the corpus; arbitrary ones for a model from elsewhere."""
    file = source.parent.parent / "inputs.py"
    if not file.exists():
        from burnish.loading import load
        from burnish.samples import make_inputs

        return dict(make_inputs(load(source), 0))
    spec = importlib.util.spec_from_file_location("corpus_inputs", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"no feeds: {file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    feeds: dict[str, Any] = module.make_inputs(str(source), seed=0)
    return feeds


def _run(model: Path, feeds: dict[str, Any]) -> list[Any]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(str(model), options, ["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def _difference(expected: Any, actual: Any) -> float:
    """The largest absolute difference over the largest magnitude expected; inf if not comparable."""
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return float("inf")
        return max(map(_difference, expected, actual), default=0.0)
    if isinstance(expected, dict):
        same_keys = isinstance(actual, dict) and actual.keys() == expected.keys()
        if not same_keys:
            return float("inf")
        return max((_difference(expected[key], actual[key]) for key in expected), default=0.0)
    left, right = np.asarray(expected), np.asarray(actual)
    if left.shape != right.shape or left.dtype != right.dtype:
        return float("inf")
    if left.dtype.kind not in "fiu":
        return 0.0 if np.array_equal(left, right) else float("inf")
    if left.size == 0:
        return 0.0
    left, right = left.astype(np.float64), right.astype(np.float64)
    if not np.array_equal(np.isfinite(left), np.isfinite(right)):
        return float("inf")
    gap = np.abs(np.where(np.isfinite(left), left - right, 0.0)).max()
    scale = np.abs(np.where(np.isfinite(left), left, 0.0)).max()
    return float(gap / max(scale, 1e-6))


def main() -> None:
    """The child's entry: ``SOURCE RESULT``."""
    source, result = Path(sys.argv[1]), Path(sys.argv[2])
    feeds = feeds_of(source)
    expected = _run(source, feeds)
    try:
        actual = _run(result, feeds)
    except Exception as error:  # the runtime's errors share no narrower base
        print("does not load:", str(error).replace("\n", " ")[:160])
        return
    far = _difference(expected, actual)
    print(f"same ({far:.1e})" if far <= TOLERANCE else f"differs by {far:.1e}")


if __name__ == "__main__":
    main()
