"""One tool on one model, in a process of its own.

The parent calls :func:`measure`. The child runs ``python -m benchmarks.measure TOOL MODEL FOLDER
REPEATS`` and prints one line of JSON. It first runs the tool on a trivial model, so that imports
and one-time set-up are in no figure.

Memory is the peak of the resident set during the first run less the resident set just before it.
Linux keeps the peak per address space in ``/proc/self/status``; ``getrusage`` would report the
parent's peak when that is higher, because a new process inherits it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx
from onnx import parser

from benchmarks.figures import bytes_on_disk, operators
from benchmarks.tools import TOOLS

TRIVIAL = """
<ir_version: 8, opset_import: ["" : 17]>
trivial (float[2, 3] x) => (float[3, 2] y)
<float one = {1.0}>
{
    a = Identity(x)
    b = Add(a, one)
    y = Transpose<perm = [1, 0]>(b)
}
"""


@dataclass(frozen=True)
class Measurement:
    """What one tool did to one model.

    Attributes:
        tool: name of the tool.
        model: name of the model.
        seconds: wall time from model file to saved file, best of the repeats.
        cpu_seconds: processor time of the whole process for it, best of the repeats.
        memory: peak resident bytes above those held before the first run.
        nodes: nodes of all scopes of the saved model.
        operators: how often each operator occurs in the saved model.
        size: bytes of the saved files.
        failure: why there are no figures; empty when there are.
    """

    tool: str
    model: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0
    nodes: int = 0
    operators: dict[str, int] | None = None
    size: int = 0
    failure: str = ""


def reset_peak() -> int:
    """Forget the peak of the resident set; return the bytes resident now.

    Where the kernel does not let a process do that, the peak so far is returned, so that a
    difference to it is never too high.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak()
    return _status("VmRSS")


def peak() -> int:
    """Bytes resident at most since the start or :func:`reset_peak`."""
    return _status("VmHWM")


def _status(field: str) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def measure(
    tool: str, model: Path, folder: Path, *, repeats: int = 3, timeout: float = 120.0
) -> Measurement:
    """Run ``tool`` on ``model`` in a fresh process; the result stays in ``folder``.

    Args:
        tool: a name in :data:`benchmarks.tools.TOOLS`.
        model: the model file.
        folder: an existing folder; ``model.onnx`` is written there.
        repeats: timed runs, of which the best counts.
        timeout: seconds of wall time for all of the process.
    """
    python = os.environ.get(TOOLS[tool].interpreter, sys.executable)
    command = [python, "-m", "benchmarks.measure", tool, str(model), str(folder)]
    return run_child([*command, str(repeats)], tool, model.stem, timeout)


def run_child(command: Sequence[str], tool: str, model: str, timeout: float) -> Measurement:
    """Run a command that prints a measurement as its last line; a failure becomes one too."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Measurement(tool, model, failure=f"timeout after {timeout:g} s")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        last = lines[-1].strip() if lines else "no message"
        cause = f"signal {-done.returncode}" if done.returncode < 0 else last
        return Measurement(tool, model, failure=cause[:200])
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def _measure_here(tool: str, model: Path, folder: Path, repeats: int) -> Measurement:
    run = TOOLS[tool].run
    with tempfile.TemporaryDirectory() as scratch:
        trivial = Path(scratch) / "trivial.onnx"
        onnx.save(parser.parse_model(TRIVIAL), trivial)
        run(trivial, Path(scratch) / "out.onnx")
    target = folder / "model.onnx"
    before = reset_peak()
    memory = 0
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(repeats):
        for file in folder.iterdir():
            file.unlink()
        started, started_cpu = time.perf_counter(), time.process_time()
        run(model, target)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - started_cpu)
        memory = memory or peak() - before
    ops = operators(target)
    size = bytes_on_disk(folder)
    return Measurement(tool, model.stem, min(wall), min(cpu), memory, sum(ops.values()), ops, size)


def main() -> None:
    """The child's entry: ``TOOL MODEL FOLDER REPEATS``."""
    tool, model, folder, repeats = sys.argv[1:]
    result = _measure_here(tool, Path(model), Path(folder), int(repeats))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
