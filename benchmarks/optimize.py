"""Compare Burnish with OnnxSlim and onnxsim on the corpus: time, nodes, size, memory.

``python -m benchmarks.optimize --json out.json``; see README.md for how to read the result.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.answers import compare_answers
from benchmarks.figures import operators
from benchmarks.measure import Measurement, measure
from benchmarks.table import render
from benchmarks.tools import DEFAULT_TOOLS, TOOLS, tool_names

FOLDERS = ("real", "arch", "light", "stress")


def default_corpus() -> Path:
    """Where the corpus is unless the command line says otherwise."""
    return Path(os.environ.get("BURNISH_CORPUS", "/work/shared/corpus"))


def corpus(root: Path, only: str) -> list[Path]:
    """The models under ``root`` whose name fits the pattern ``only``, in a stable order."""
    found = [path for folder in FOLDERS for path in sorted((root / folder).glob("*.onnx"))]
    return [path for path in found if fnmatch.fnmatch(path.stem, only)]


def processor() -> str:
    """The name of the CPU, as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def environment(tools: Sequence[str]) -> dict[str, str]:
    """What the figures depend on: processor, Python, and the versions of all that ran."""
    import onnx
    import onnxruntime

    return {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        **{name: TOOLS[name].version() for name in tools},
    }


def measure_model(
    path: Path, tools: Sequence[str], turn: int, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Measure every tool on one model; ``turn`` rotates who goes first."""
    source = operators(path)
    entry: dict[str, Any] = {
        "model": path.stem,
        "group": path.parent.name,
        "nodes": sum(source.values()),
        "operators": source,
        "size": path.stat().st_size,
        "tools": {},
    }
    shift = turn % len(tools)
    for tool in [*tools[shift:], *tools[:shift]]:
        with tempfile.TemporaryDirectory() as folder:
            result: Measurement = measure(
                tool, path, Path(folder), repeats=arguments.repeats, timeout=arguments.timeout
            )
            entry["tools"][tool] = asdict(result)
            if arguments.check and not result.failure:
                saved = Path(folder) / "model.onnx"
                entry["tools"][tool]["answers"] = compare_answers(path, saved)
    return entry


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, default=default_corpus(), metavar="FOLDER")
    parser.add_argument(
        "--tools", type=tool_names, default=",".join(DEFAULT_TOOLS), help=f"of: {', '.join(TOOLS)}"
    )
    parser.add_argument("--only", default="*", metavar="GLOB", help="models to measure")
    parser.add_argument("--repeats", type=int, default=3, help="runs per tool and model")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds per tool and model")
    parser.add_argument("--check", action="store_true", help="also compare answers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON. Returns the exit code."""
    options = parse(arguments)
    tools: list[str] = options.tools
    paths = corpus(options.corpus, options.only)
    if not paths:
        print(f"{options.corpus}: no model fits {options.only!r}", file=sys.stderr)
        return 2
    entries = []
    for turn, path in enumerate(paths):
        print(f"[{turn + 1}/{len(paths)}] {path.stem}", file=sys.stderr, flush=True)
        entries.append(measure_model(path, tools, turn, options))
    report = {"environment": environment(tools), "repeats": options.repeats, "models": entries}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(render(report, tools))
    return 0


if __name__ == "__main__":
    sys.exit(main())
