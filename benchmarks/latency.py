"""How fast ONNX Runtime runs what each optimizer made: ``python -m benchmarks.latency``.

Each tool makes its file in a process of its own. Then all files of a model are loaded into one
process, with the runtime's own optimizations on and two threads, and run in turn on the same
inputs, so that whatever else the machine does falls on all alike. The figure is the median over
the rounds, and its ratio to the original's.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.answers import feeds_of
from benchmarks.measure import measure
from benchmarks.optimize import corpus, default_corpus, environment
from benchmarks.table import geometric_mean, markdown
from benchmarks.tools import tool_names

ORIGINAL = "original"
TOOLS = ("burnish", "burnish_native", "onnxslim", "onnxsim", "ort_transformers")


@dataclass(frozen=True)
class Latency:
    """How long one run of one model takes, by what made the file.

    Attributes:
        model: name of the model.
        milliseconds: median over the rounds, by tool; the original's under ``original``.
        failures: why a tool has no figure.
    """

    model: str
    milliseconds: Mapping[str, float]
    failures: Mapping[str, str] = field(default_factory=dict)

    def gain(self, tool: str) -> float | None:
        """How many times as fast as the original; None without a figure."""
        if tool not in self.milliseconds:
            return None
        return self.milliseconds[ORIGINAL] / self.milliseconds[tool]


def _session(path: Path) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 4
    # The threads of one session would keep spinning while another runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def _runner(path: Path, feeds: Mapping[str, Any]) -> Callable[[], None]:
    session = _session(path)
    wanted = {item.name for item in session.get_inputs()}
    given = {name: value for name, value in feeds.items() if name in wanted}

    def run() -> None:
        session.run(None, given)

    run()
    return run


def _made_by(
    tools: Sequence[str], source: Path, folder: Path
) -> tuple[dict[str, Path], dict[str, str]]:
    files, failures = {ORIGINAL: source}, {}
    for tool in tools:
        place = folder / tool
        place.mkdir()
        done = measure(tool, source, place, repeats=1, timeout=300.0)
        if done.failure:
            failures[tool] = done.failure
        else:
            files[tool] = place / "model.onnx"
    return files, failures


def time_model(source: Path, tools: Sequence[str], rounds: int, seconds: float) -> Latency:
    """Run what each tool makes of ``source`` in turn, for ``rounds`` rounds or ``seconds``."""
    with tempfile.TemporaryDirectory() as folder:
        files, failures = _made_by(tools, source, Path(folder))
        feeds = feeds_of(source)
        runs: dict[str, Callable[[], None]] = {}
        for tool, path in files.items():
            try:
                runs[tool] = _runner(path, feeds)
            except Exception as error:  # whatever the runtime raises is the tool's failure
                failures[tool] = f"does not run: {str(error)[:120]}"
        times: dict[str, list[float]] = {tool: [] for tool in runs}
        order, started = list(runs), time.perf_counter()
        for done in range(rounds):
            if done >= 5 and time.perf_counter() - started > seconds:
                break
            for tool in order[done % len(order) :] + order[: done % len(order)]:
                before = time.perf_counter()
                runs[tool]()
                times[tool].append((time.perf_counter() - before) * 1e3)
    medians = {tool: statistics.median(spent) for tool, spent in times.items()}
    return Latency(source.stem, medians, failures)


def table(results: Sequence[Latency], tools: Sequence[str]) -> str:
    """Milliseconds of the original, and how many times as fast each tool's file is."""
    rows = []
    for result in results:
        gains = [result.gain(tool) for tool in tools]
        cells = ["FAILED" if gain is None else f"{gain:.2f}" for gain in gains]
        rows.append([result.model, f"{result.milliseconds[ORIGINAL]:.2f}", *cells])
    means = []
    for tool in tools:
        gains = [gain for result in results if (gain := result.gain(tool)) is not None]
        mean = geometric_mean(gains)
        means.append("-" if math.isnan(mean) else f"{mean:.3f}")
    rows.append(["geometric mean", "", *means])
    return markdown(("model", "original ms", *(f"{tool} x" for tool in tools)), rows)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency",
        description=(__doc__ or "").split("\n\n")[0],
        epilog="example: python -m benchmarks.latency --only '*bert*' --rounds 200",
    )
    parser.add_argument("--corpus", type=Path, default=default_corpus(), metavar="FOLDER")
    parser.add_argument("--only", default="*", help="glob over model names")
    parser.add_argument("--tools", type=tool_names, default=",".join(TOOLS))
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0, help="at most, a model")
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    tools: list[str] = options.tools
    results = []
    for path in corpus(options.corpus, options.only):
        print(f"{path.stem} ...", file=sys.stderr, flush=True)
        try:
            results.append(time_model(path, tools, options.rounds, options.seconds))
        except Exception as error:  # one model that no runtime loads must not end the run
            print(f"{path.stem}: {error}", file=sys.stderr)
    about = environment(tools)
    print(", ".join(f"{name} {version}" for name, version in about.items()), end="\n\n")
    print(table(results, tools))
    for result in results:
        for tool, why in result.failures.items():
            print(f"- {result.model}, {tool}: {why}")
    if options.json:
        report = {"environment": about, "models": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
