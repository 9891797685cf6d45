"""Commands of the user's: what they said, and that nothing of them is left."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from burnish.commands import run_command


def test_text_is_run_by_a_shell_and_arguments_are_not() -> None:
    assert run_command("echo one; exit 3").code == 3
    assert run_command(["echo", "one; exit 3"]).out == "one; exit 3\n"
    with pytest.raises(FileNotFoundError):
        run_command(["no-such-tool"])
    assert run_command("no-such-tool").code == 127


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("echo one; echo two; echo", "two"),
        ("echo bad >&2; echo one", "bad"),
        ("true", ""),
        ("printf '\\377\\n'", "\ufffd"),
    ],
)
def test_what_it_said_last(text: str, last: str) -> None:
    assert run_command(text).last == last


def test_a_signal_is_negative() -> None:
    assert run_command("kill -9 $$").code == -9


def test_its_input_is_empty() -> None:
    code = "import sys; print(len(sys.stdin.read()))"
    assert run_command([sys.executable, "-c", code]).out == "0\n"


def test_one_that_is_late_is_killed_with_what_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        run_command(f"sleep 60 & echo $! > '{pid}'; wait", timeout=1)
    child = Path("/proc", pid.read_text().strip(), "stat")
    for _ in range(600):  # to die takes a moment
        if not child.exists() or child.read_text().rpartition(")")[2].split()[0] in "ZX":
            return
        time.sleep(0.05)
    pytest.fail("what it started still runs")
