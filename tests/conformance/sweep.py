"""Run the conformance cases at one or more optimization levels.

``python -m tests.conformance.sweep --level O1 --level O2`` prints a summary by kind and every
failure. Exit codes: 0 nothing regressed, 1 something did, 2 nothing to run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.conformance import baseline as baseline_file
from tests.conformance.baseline import Baseline
from tests.conformance.cases import KINDS, Case, load_cases
from tests.conformance.check import CRASH, PASS, SKIP, TIMEOUT, Outcome, optimized, unoptimized
from tests.conformance.isolation import Lost, run_isolated


def visit(case: Case, levels: Sequence[str], baseline: Baseline | None) -> list[Outcome]:
    """All that is asked of one case, in one worker: the original unless known, then each level."""
    outcomes = []
    if baseline is None:
        outcomes.append(unoptimized(case))
        engine = outcomes[0].engine
    else:
        engine = baseline.engine(case.name)
    outcomes.extend(optimized(case, level, engine) for level in levels)
    return outcomes


def sweep(
    cases: Sequence[Case],
    levels: Sequence[str],
    baseline: Baseline | None,
    *,
    jobs: int = 2,
    timeout: float = 60.0,
    quiet: bool = True,
) -> Iterator[Outcome]:
    """Yield the outcomes of all cases as they come in; a crash is an outcome like any other.

    Args:
        cases: what to run.
        levels: optimization levels or pipeline texts; ``"none"`` only loads and gives back.
        baseline: the originals' outcomes; None runs the originals too and yields their outcomes.
        jobs: worker processes.
        timeout: seconds for one case, all levels together.
        quiet: drop what the workers write to stderr.
    """
    by_name = {case.name: case for case in cases}

    def work(name: str) -> list[Outcome]:
        return visit(by_name[name], levels, baseline)

    reports = run_isolated(list(by_name), work, jobs=jobs, timeout=timeout, quiet=quiet)
    for name, answer in reports:
        if isinstance(answer, Lost):
            status = TIMEOUT if answer.timed_out else CRASH
            kind, blamed = by_name[name].kind, "+".join(levels) or "unoptimized"
            yield Outcome(name, kind, blamed, status, "", answer.detail)
        else:
            yield from answer


def regressions(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes that are the optimizer's fault, crashes and time-outs included."""
    good = (PASS, SKIP)
    return [
        outcome
        for outcome in outcomes
        if outcome.level != "unoptimized" and outcome.status not in good
    ]


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many cases of each kind ended how, one line per level and kind."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for outcome in outcomes:
        counts.setdefault((outcome.level, outcome.kind), Counter())[outcome.status] += 1
    lines = []
    for (level, kind), statuses in sorted(counts.items()):
        told = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
        lines.append(f"{level:12} {kind:18} {sum(statuses.values()):5}  {told}")
    return "\n".join(lines)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.sweep")
    parser.add_argument(
        "--level", action="append", default=[], help="O1, O2, none, or pipeline text; repeatable"
    )
    parser.add_argument("--kind", action="append", choices=KINDS, default=[], help="repeatable")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="repeatable")
    parser.add_argument("--write-baseline", action="store_true", help="run and store the originals")
    parser.add_argument("--no-baseline", action="store_true", help="run the originals too")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds per case")
    parser.add_argument("--results", type=Path, metavar="FILE", help="one JSON line per outcome")
    options = parser.parse_args(arguments)
    if options.write_baseline and (options.kind or options.only or options.level):
        parser.error("--write-baseline runs all originals; drop --kind, --only and --level")
    return options


def _selected(options: argparse.Namespace) -> list[Case]:
    cases = load_cases(options.kind or KINDS)
    return [case for case in cases if not options.only or case.name in options.only]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, report, and return the exit code."""
    options = parse(arguments)
    levels = options.level or ([] if options.write_baseline else ["O2"])
    fresh = options.write_baseline or options.no_baseline
    baseline = None if fresh else baseline_file.read()
    cases = _selected(options)
    if not cases:
        print("no case fits", file=sys.stderr)
        return 2
    outcomes = []
    lines = options.results.open("w") if options.results else None
    running = sweep(
        cases,
        levels,
        baseline,
        jobs=options.jobs,
        timeout=options.timeout,
        quiet=not options.only,
    )
    for outcome in running:
        outcomes.append(outcome)
        if lines:
            print(json.dumps(asdict(outcome)), file=lines, flush=True)
    if lines:
        lines.close()
    if options.write_baseline:
        baseline_file.write(outcomes)
    bad = regressions(outcomes)
    for outcome in sorted(bad, key=lambda each: (each.level, each.status, each.name)):
        print(
            f"{outcome.level} {outcome.status} {outcome.name} [{outcome.engine}]: {outcome.detail}"
        )
    print(summary(outcomes))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
