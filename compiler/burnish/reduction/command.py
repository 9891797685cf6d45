"""A user's command as a check: it fails when its exit code is not zero."""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from burnish.commands import Ended, run_command
from burnish.errors import InputError
from burnish.ir import Model
from burnish.reduction.case import Feeds
from burnish.reduction.checks import Outcome
from burnish.sample_files import write_samples
from burnish.saving import save

__all__ = ["DEFAULT_TIMEOUT", "CommandCheck"]

_MODEL, _SAMPLES = "{model}", "{samples}"
# How a shell says that a command is not there, or may not be run.
_NOT_STARTED = (126, 127)
# The class of an exception, at the start of the last line of a Python traceback.
_ERROR_NAME = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?=:|$)")
DEFAULT_TIMEOUT = 300.0
"""Seconds."""


class CommandCheck:
    """Runs a command on each candidate.

    Two failures are of one kind when the exit codes are equal, and, where the last line of the
    first begins with the name of an error (``ValueError: ...``), the names too. A command that does
    not end in time is killed with all it started.

    Args:
        command: as in a shell, but started without one. ``{model}`` stands for the path of the
            candidate; an argument with ``{samples}`` is given once for each sample, as ``.npz``.
        timeout: seconds; None: 300, and then the source must end in time. With a number, a source
            that does not end in time is a failure of its own kind.

    Raises:
        InputError: when the command does not parse or does not name ``{model}``.
    """

    def __init__(self, command: str, timeout: float | None = None) -> None:
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise InputError(f"the command does not parse ({error})", where="--check") from None
        if not any(_MODEL in item for item in self._arguments):
            mend = "as in --check 'python try.py {model}'"
            raise InputError("the command does not name {model}", where="--check", mend=mend)
        self._timeout = timeout
        self._asked = False
        self._folder = tempfile.TemporaryDirectory(prefix="burnish-reduce-")

    def outcome(self, model: Model, feeds: Sequence[Feeds]) -> Outcome:
        """How the command ends for ``model``.

        Raises:
            InputError: when it cannot be started, or the samples of the source cannot be written.
        """
        first, self._asked = not self._asked, True
        folder = Path(self._folder.name)
        save(model, path := folder / "model.onnx")
        samples = [folder / f"sample-{number}.npz" for number in range(len(feeds))]
        if any(_SAMPLES in item for item in self._arguments):
            try:
                write_samples(feeds, samples)
            except InputError:
                if first:
                    raise
                return Outcome("")
        return self._run(self._filled(path, samples), first)

    def crashes(self, model: Model, feeds: Sequence[Feeds]) -> bool:
        """Whether the command dies by a signal, or does not end."""
        return self.outcome(model, feeds).kind.startswith(("signal", "timeout"))

    def close(self) -> None:
        """Remove the files that were made for the command."""
        self._folder.cleanup()

    def _filled(self, model: Path, samples: Sequence[Path]) -> list[str]:
        filled: list[str] = []
        for item in self._arguments:
            item = item.replace(_MODEL, str(model))
            if _SAMPLES in item:
                filled.extend(item.replace(_SAMPLES, str(sample)) for sample in samples)
            else:
                filled.append(item)
        return filled

    def _run(self, arguments: Sequence[str], first: bool) -> Outcome:
        limit = DEFAULT_TIMEOUT if self._timeout is None else self._timeout
        try:
            return _outcome(run_command(arguments, limit), arguments, first)
        except subprocess.TimeoutExpired:
            return self._late(limit, first)
        except OSError as error:
            raise InputError(
                f"the command cannot be started ({error.strerror or error})",
                where=f"--check: {arguments[0]}",
                mend="check its name and its permissions; it runs without a shell",
            ) from None

    def _late(self, limit: float, first: bool) -> Outcome:
        text = f"it does not end within {limit:g} s"
        if first and self._timeout is None:
            mend = "give --timeout; with one, not to end in time is the failure that is kept"
            raise InputError(f"{text} on the model as it is", where="--check", mend=mend)
        return Outcome("timeout", text)


def _outcome(ended: Ended, arguments: Sequence[str], first: bool) -> Outcome:
    code = ended.code
    if code == 0:
        return Outcome("")
    last = ended.last or "it says nothing"
    if first and code in _NOT_STARTED:
        raise InputError(
            f"the command could not be run (exit code {code}: {last})",
            where=f"--check: {arguments[0]}",
            mend="check the command",
        )
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    name = _ERROR_NAME.match(last)
    kind = f"{how} {name[0] if name else ''}".rstrip()
    return Outcome(kind, "\n".join([f"{how}: {last}", ended.out, ended.err]).rstrip())
