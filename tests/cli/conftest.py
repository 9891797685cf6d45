"""Models on disk, and a way to run commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import onnx
import pytest

from burnish.cli import main
from burnish.ir import to_proto
from burnish.text import parse_model

ROOT = Path(__file__).parents[2]
TEXT = """
agraph (float[N, 2, 4, 4] x) => (float[N, 3, 4, 4] y, float[N, 2, 4, 4] z) <
    float[3, 2, 1, 1] w = {1, 2, 3, 4, 5, 6}, float[3] s = {1, 2, 3},
    float[3] b = {1, 1, 1}, float[3] m = {0, 0, 0}, float[3] v = {1, 1, 1}
> {
    i = Identity(x)
    c = Conv(i, w)
    y = BatchNormalization(c, s, b, m, v)
    z = Abs(i)
}
"""


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result as JSON."""
        return json.loads(self.out)


Command: TypeAlias = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def command(*arguments: object) -> Ran:
        try:
            code = main([str(item) for item in arguments])
        except SystemExit as ended:  # argparse ends so
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return command


def run_process(arguments: Sequence[object], **keywords: Any) -> subprocess.Popen[str]:
    """Start ``python -m burnish`` from this checkout."""
    paths = [str(ROOT / name) for name in ("compiler", "passes", "backends", "models")]
    return subprocess.Popen(
        [sys.executable, "-m", "burnish", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **keywords},
    )


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start a command as a process of its own."""
    return lambda *arguments, **keywords: run_process(arguments, **keywords)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small model with an Identity and a BatchNormalization to fold."""
    path = tmp_path / "model.onnx"
    onnx.save(to_proto(parse_model(TEXT)), path)
    return path


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The same model with another weight."""
    path = tmp_path / "other.onnx"
    onnx.save(to_proto(parse_model(TEXT.replace("{1, 2, 3, 4, 5, 6}", "{1, 2, 3, 4, 5, 9}"))), path)
    return path
