"""What recording costs: records and diffs while optimizing, history and page after it.

``python -m benchmarks.recording`` optimizes each corpus model with recording on and off, in turn,
in one process, renders its page, and compiles it; see README.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import onnx

from benchmarks.generate import chain
from benchmarks.optimize import corpus, default_corpus, environment
from benchmarks.table import markdown


@dataclass(frozen=True)
class Cost:
    """Optimizing one model, file to result in memory.

    Attributes:
        model: name of the model.
        on: median seconds of processor time with recording.
        off: median seconds of processor time without.
        page: median seconds for the history and the page.
        compile: median seconds for all of ``compile``, verification included.
    """

    model: str
    on: float
    off: float
    page: float
    compile: float

    @property
    def share(self) -> float:
        """Recording's part of the time with recording; below 0 when noise exceeds it."""
        return (self.on - self.off) / self.on

    @property
    def added(self) -> float:
        """What recording and rendering add to a compile that did neither."""
        shown = self.on - self.off + self.page
        return shown / (self.compile - shown)


def cost(path: Path, level: str, repeats: int) -> Cost:
    """Measure one model; what is measured takes turns, after one warm-up of each."""
    from burnish.driver import compile, optimize
    from burnish.views.history import History
    from burnish.views.page import render_page

    spent: dict[str, list[float]] = {"on": [], "off": [], "page": [], "compile": []}
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(repeats + 1):
            marks = [time.process_time()]
            optimize(path, passes=level, record=False)
            marks.append(time.process_time())
            done = optimize(path, passes=level, opening=True)
            marks.append(time.process_time())
            assert done.opening is not None
            text = str(done.pipeline)
            history = History.of(
                done.opening, done.records, model=path.name, target="ort-cpu", pipeline=text
            )
            history.dumps()
            render_page(history, title=path.name)
            marks.append(time.process_time())
            compile(path, Path(scratch) / "out", passes=level)
            marks.append(time.process_time())
            for name, (start, end) in zip(
                ("off", "on", "page", "compile"), pairwise(marks), strict=True
            ):
                if turn:
                    spent[name].append(end - start)
    return Cost(path.stem, **{name: statistics.median(held) for name, held in spent.items()})


def table(costs: Sequence[Cost]) -> str:
    """One row per model and one for all together, as markdown."""
    parts = ("on", "off", "page", "compile")
    total = Cost("all", **{part: sum(getattr(each, part) for each in costs) for part in parts})
    rows = [
        [
            each.model,
            *(f"{getattr(each, part):.4f}" for part in parts),
            f"{each.share:.1%}",
            f"{each.added:.1%}",
        ]
        for each in [*costs, total]
    ]
    head = ("s with records", "s without", "s page", "s compile", "share", "added to compile")
    return markdown(("model", *head), rows)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording")
    parser.add_argument("--corpus", type=Path, default=default_corpus(), metavar="FOLDER")
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
