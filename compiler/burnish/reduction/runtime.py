"""ONNX Runtime as a check: it fails when a model does not load or does not run."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from burnish.errors import InputError, MissingDependency
from burnish.ir import Model
from burnish.reduction.case import Feeds
from burnish.reduction.checks import Outcome
from burnish.reduction.command import DEFAULT_TIMEOUT
from burnish.sample_files import write_samples
from burnish.saving import save

__all__ = ["RuntimeCheck"]

_PROBE = Path(__file__).with_name("probe.py")
# What differs between two reports of one fault: names in quotes or brackets, paths, numbers.
_PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()]*\)|\{[^{}]*\}|\[[^\[\]]*\]|\S*/\S*|-?\d+")


class RuntimeCheck:
    """Whether ONNX Runtime, with its optimizations, refuses to load or to run a model.

    The runtime works in a process of its own (:mod:`burnish.reduction.probe`), so that a crash is
    an answer too. Two failures are of one kind when the messages are, names and numbers aside.

    Args:
        timeout: seconds for one model; None: 300.

    Raises:
        MissingDependency: when ONNX Runtime is not installed.
    """

    def __init__(self, timeout: float | None = None) -> None:
        if importlib.util.find_spec("onnxruntime") is None:
            raise MissingDependency("onnxruntime", extra="ort")
        self._timeout = DEFAULT_TIMEOUT if timeout is None else timeout
        self._folder = tempfile.TemporaryDirectory(prefix="burnish-reduce-")
        self._process: subprocess.Popen[str] | None = None

    def outcome(self, model: Model, feeds: Sequence[Feeds]) -> Outcome:
        """How loading and running ``model`` ends; values a ``.npz`` cannot hold are not run on."""
        folder = Path(self._folder.name)
        save(model, path := folder / "model.onnx")
        samples = [folder / f"sample-{number}.npz" for number in range(len(feeds))]
        try:
            write_samples(feeds, samples)
        except InputError:
            samples = []
        return self._answer({"model": str(path), "samples": [str(item) for item in samples]})

    def crashes(self, model: Model, feeds: Sequence[Feeds]) -> bool:
        """Whether ONNX Runtime dies, or does not end."""
        return self.outcome(model, feeds).kind.startswith(("crash", "timeout"))

    def close(self) -> None:
        """End the process and remove its files."""
        self._stop()
        self._folder.cleanup()

    def _stop(self) -> int:
        """End the process; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.kill()
        process.communicate()
        return process.returncode

    def _answer(self, asked: dict[str, object]) -> Outcome:
        process = self._process = self._process or _started()
        assert process.stdin is not None
        assert process.stdout is not None
        is_late = threading.Event()

        def give_up() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(self._timeout, give_up)
        timer.start()
        try:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if line:
            if is_late.is_set():  # it was killed right after it had answered
                self._stop()
            answer = json.loads(line)
            if not answer["stage"]:
                return Outcome("")
            text = f"it does not {answer['stage']}: {answer['error']}"
            return Outcome(" ".join(_PARTICULAR.sub("", text).split()), text)
        code = self._stop()
        if is_late.is_set():
            return Outcome("timeout", f"it does not end within {self._timeout:g} s")
        return Outcome(f"crash {code}", f"ONNX Runtime crashes (signal {-code})")


def _started() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(_PROBE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
