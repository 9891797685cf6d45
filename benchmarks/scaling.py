"""How time grows with nodes, and memory with weights.

``python -m benchmarks.scaling`` measures chains of 1,000, 10,000 and 50,000 nodes, then a model
with about 1 GB of external weights; see README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx

from benchmarks.generate import chain, heavy
from benchmarks.measure import Measurement, measure
from benchmarks.optimize import environment
from benchmarks.table import markdown
from benchmarks.tools import TOOLS, tool_names

LAYER_BYTES = (2048 * 2048 + 2048) * 4


def time_chains(
    sizes: Sequence[int], tools: Sequence[str], repeats: int, timeout: float
) -> list[tuple[int, Measurement]]:
    """Measure every tool on a chain of each size; pairs of nodes before and the measurement."""
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            model = chain(size)
            path = Path(scratch) / f"chain_{size}.onnx"
            onnx.save(model, path)
            for tool in tools:
                print(f"{path.stem}, {tool}", file=sys.stderr, flush=True)
                with tempfile.TemporaryDirectory() as out:
                    result = measure(tool, path, Path(out), repeats=repeats, timeout=timeout)
                results.append((len(model.graph.node), result))
    return results


def weigh(
    megabytes: int, tools: Sequence[str], timeout: float, scratch: Path | None
) -> tuple[int, list[Measurement]]:
    """Measure every tool once on a model with external weights; its bytes and the measurements."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path, total = heavy(Path(folder), max(1, round(megabytes * 1e6 / LAYER_BYTES)))
        results = []
        for tool in tools:
            print(f"{path.stem}, {tool}", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(dir=scratch) as out:
                results.append(measure(tool, path, Path(out), repeats=1, timeout=timeout))
    return total, results


def chain_table(results: Sequence[tuple[int, Measurement]]) -> str:
    """Total and per-node time of each chain, as markdown."""
    rows = []
    for nodes, result in results:
        per_node = result.seconds / nodes * 1e6
        figures = [f"{result.seconds:.2f}", f"{per_node:.1f}", str(result.nodes)]
        figures.append(f"{result.memory / 1e6:.0f}")
        rows.append([result.tool, str(nodes), *([result.failure] if result.failure else figures)])
    return markdown(("tool", "nodes", "s", "us per node", "nodes after", "peak MB"), rows)


def weight_table(total: int, results: Sequence[Measurement]) -> str:
    """Peak memory of each tool against the weights, as markdown."""
    rows = []
    for result in results:
        figures = [f"{result.memory / 1e6:.0f}", f"{result.memory / total:.2f}"]
        figures += [f"{result.seconds:.2f}", str(result.nodes)]
        rows.append([result.tool, *([result.failure] if result.failure else figures)])
    header = (f"{total / 1e6:.0f} MB of weights", "peak MB", "peak / weights", "s", "nodes after")
    return markdown(header, rows)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument(
        "--tools", type=tool_names, default="burnish,onnxsim", help=f"of: {', '.join(TOOLS)}"
    )
    parser.add_argument("--sizes", default="1000,10000,50000", help="nodes of the chains")
    parser.add_argument("--megabytes", type=int, default=1000, help="weights; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds per tool and model")
    parser.add_argument("--scratch", type=Path, metavar="FOLDER", help="where to put large files")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, write the JSON. Returns the exit code."""
    options = parse(arguments)
    tools: list[str] = options.tools
    sizes = [int(size) for size in options.sizes.split(",") if size]
    report: dict[str, Any] = {"environment": environment(tools)}
    print(", ".join(f"{name} {value}" for name, value in report["environment"].items()))
    chains = time_chains(sizes, tools, options.repeats, options.timeout)
    report["chains"] = [{"before": nodes, **asdict(result)} for nodes, result in chains]
    print(f"\n{chain_table(chains)}")
    if options.megabytes:
        total, heavies = weigh(options.megabytes, tools, options.timeout, options.scratch)
        report["weights"] = total
        report["heavy"] = [asdict(result) for result in heavies]
        print(f"\n{weight_table(total, heavies)}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
