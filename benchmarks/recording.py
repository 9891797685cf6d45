"""What recording costs: the share of optimizing time that records and diffs take.

``python -m benchmarks.recording`` optimizes each corpus model with recording on and off, in turn,
in one process; see README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from benchmarks.generate import chain
from benchmarks.optimize import corpus, environment
from benchmarks.table import markdown


@dataclass(frozen=True)
class Cost:
    """Optimizing one model, file to result in memory.

    Attributes:
        model: name of the model.
        on: median seconds of processor time with recording.
        off: median seconds of processor time without.
    """

    model: str
    on: float
    off: float

    @property
    def share(self) -> float:
        """Recording's part of the time with recording; below 0 when noise exceeds it."""
        return (self.on - self.off) / self.on


def cost(path: Path, level: str, repeats: int) -> Cost:
    """Measure one model; recording on and off take turns, after one warm-up of each."""
    from burnish.driver import optimize

    spent: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(repeats + 1):
        for record in (True, False):
            started = time.process_time()
            optimize(path, passes=level, record=record)
            if turn:
                spent[record].append(time.process_time() - started)
    return Cost(path.stem, statistics.median(spent[True]), statistics.median(spent[False]))


def table(costs: Sequence[Cost]) -> str:
    """One row per model and one for all together, as markdown."""
    total = Cost("all", sum(each.on for each in costs), sum(each.off for each in costs))
    rows = [
        [each.model, f"{each.on:.4f}", f"{each.off:.4f}", f"{each.share:.1%}"]
        for each in [*costs, total]
    ]
    return markdown(("model", "s with records", "s without", "share"), rows)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    default_root = os.environ.get("BURNISH_CORPUS", "/work/shared/corpus")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording")
    parser.add_argument("--corpus", type=Path, default=Path(default_root), metavar="FOLDER")
    parser.add_argument("--only", default="*", metavar="GLOB", help="models to measure")
    parser.add_argument("--level", default="O2", help="pipeline to run")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--chain", type=int, default=10_000, help="nodes of a made chain; 0: none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON. Returns the exit code."""
    options = parse(arguments)
    costs = []
    with tempfile.TemporaryDirectory() as scratch:
        paths = corpus(options.corpus, options.only)
        if options.chain:
            paths.append(Path(scratch) / f"chain_{options.chain}.onnx")
            onnx.save(chain(options.chain), paths[-1])
        for path in paths:
            print(path.stem, file=sys.stderr, flush=True)
            costs.append(cost(path, options.level, options.repeats))
    facts = environment(["burnish"])
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print(f"\n{table(costs)}")
    if options.json:
        report = {"environment": facts, "costs": [asdict(each) for each in costs]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
