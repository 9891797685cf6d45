"""Every case of the onnx wheel gives the same answer after optimization, and none crashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conformance import baseline as baseline_file
from tests.conformance.check import PASS, SKIP

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("compiler", "passes", "backends", "models")
LEVELS = ("O1", "O2")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """One sweep over all cases and both levels, in a process that runs nothing else."""
    results = tmp_path_factory.mktemp("conformance") / "results.jsonl"
    command = [sys.executable, "-m", "tests.conformance.sweep", "--results", str(results)]
    for level in LEVELS:
        command += ["--level", level]
    paths = [str(ROOT / name) for name in SOURCE_ROOTS]
    path = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]
    print(done.stdout)
    return [json.loads(line) for line in results.read_text().splitlines()]


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_regresses(outcomes: list[dict[str, Any]], level: str) -> None:
    bad = [
        f"{each['name']} [{each['engine']}] {each['status']}: {each['detail']}"
        for each in outcomes
        if level in each["level"].split("+") and each["status"] not in (PASS, SKIP)
    ]
    assert not bad, f"{len(bad)} cases:\n" + "\n".join(sorted(bad))


@pytest.mark.parametrize("level", LEVELS)
def test_all_cases_ran(outcomes: list[dict[str, Any]], level: str) -> None:
    statuses = [each["status"] for each in outcomes if each["level"] == level]
    known = baseline_file.read()
    if known is None:
        originals = [each for each in outcomes if each["level"] == "unoptimized"]
        total, passing = len(originals), sum(each["status"] == PASS for each in originals)
    else:
        total, passing = known.total, known.total - len(known.failing)
    assert passing > 2000
    assert (len(statuses), statuses.count(PASS)) == (total, passing)
