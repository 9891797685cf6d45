"""A process that loads and runs models with ONNX Runtime, for it may crash on them.

Started as a script of its own. Reads one JSON object a line, ``{"model": path, "samples": [paths]}``,
and answers each with ``{"stage": "load" | "run" | "", "error": text}``; no stage: all went well.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def _failure(runtime: Any, numpy: Any, asked: dict[str, Any]) -> tuple[str, str]:
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = runtime.InferenceSession(
            asked["model"], options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the binding raises a dozen unrelated classes
        return "load", f"{type(error).__name__}: {error}"
    for path in asked["samples"]:
        with numpy.load(path) as held:
            feeds = {name: held[name] for name in held.files}
        feeds = {k: v.astype(object) if v.dtype.kind == "U" else v for k, v in feeds.items()}
        try:
            session.run(None, feeds)
        except Exception as error:  # as above
            return "run", f"{type(error).__name__}: {error}"
    return "", ""


def main() -> None:
    """Answer until the input ends."""
    import numpy
    import onnxruntime

    for line in sys.stdin:
        stage, error = _failure(onnxruntime, numpy, json.loads(line))
        print(json.dumps({"stage": stage, "error": error}), flush=True)


if __name__ == "__main__":
    main()
