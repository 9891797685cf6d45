"""Commands of the user's, run to their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Ended", "run_command"]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code; a signal as a negative number.
        out: what it printed.
        err: what it said on standard error.
    """

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line it said, on standard error if there is one; empty where it said nothing."""
        said = self.err if self.err.strip() else self.out
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return lines[-1] if lines else ""


def run_command(command: str | Sequence[str], timeout: float | None = None) -> Ended:
    """Run a command; whatever ends the wait, it does not outlive it, nor what it started.

    Args:
        command: a text is run by a shell, arguments are started as they are.
        timeout: seconds it may take; None for any number.

    Raises:
        OSError: when it cannot be started.
        subprocess.TimeoutExpired: when it does not end in time.
    """
    process = subprocess.Popen(
        command,
        shell=isinstance(command, str),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        _end(process)
    return Ended(process.returncode, out, err)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of a command: itself and all that it started."""
    if process.returncode is None:  # else the group's number may be another's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
