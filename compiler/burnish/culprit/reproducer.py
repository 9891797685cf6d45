"""The folder that shows a fault to somebody else.

::

    model.culprit/
      model.onnx      the smallest model that shows it (with model.onnx.data beside it when it is big)
      inputs.npz      its inputs (inputs-1.npz ... where one sample is not enough)
      pipeline.txt    the pipeline to run on it
      report.json     what was found, and how to look for it again
      README.md       the same for people, with the command that replays it

It is data alone: a check is written down for people and never run from a folder.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from burnish.artifact import check_destination, replacing_folder
from burnish.culprit.finding import FORMAT, Bisection, Reproducer
from burnish.culprit.judging import is_command
from burnish.culprit.smallest import Example, count
from burnish.errors import BuildError, InputError
from burnish.sample_files import write_samples
from burnish.saving import save

__all__ = ["Replay", "check_place", "is_reproducer", "read", "write"]

_MODEL, _PIPELINE, _REPORT, _README = "model.onnx", "pipeline.txt", "report.json", "README.md"


@dataclass(frozen=True)
class Replay:
    """How a folder is replayed.

    Attributes:
        model: the model file.
        pipeline: what is run on it, as pipeline text.
        target: what it is compiled for, as users write it.
        samples: files of inputs.
        atol: allowed absolute difference, where one was given.
        rtol: allowed relative difference, where one was given.
        stop_after: the most rewrites, where it was given.
        check: the command, or the name of the function, that decides where there is a check.
    """

    model: Path
    pipeline: str
    target: str
    samples: tuple[Path, ...] = ()
    atol: float | None = None
    rtol: float | None = None
    stop_after: int | None = None
    check: str = ""


def is_reproducer(folder: Path) -> bool:
    """Whether Burnish wrote ``folder`` as a reproducer."""
    return folder.is_dir() and _report(folder).get("format") == FORMAT


def _report(folder: Path) -> dict[str, Any]:
    try:
        held = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def _ours(folder: Path) -> set[str]:
    """The files of a reproducer; none when the folder is not one."""
    held = _report(folder)
    if held.get("format") != FORMAT or not isinstance(held.get("replay"), dict):
        return set()
    samples = held["replay"].get("samples")
    return {
        _MODEL,
        f"{_MODEL}.data",
        _PIPELINE,
        _REPORT,
        _README,
        *(map(str, samples) if isinstance(samples, list) else ()),
    }


def check_place(out: Path) -> Path:
    """The folder a reproducer may be written to, links resolved.

    Raises:
        InputError: when something else is there, or no folder can be written there.
    """
    return check_destination(out, ours=_ours, writer="burnish bisect")


def read(folder: Path) -> Replay:
    """How ``folder`` is replayed.

    Raises:
        InputError: when it is not a reproducer, or one that is damaged.
    """
    mend = "name a folder that burnish bisect wrote, or a model"
    if not folder.is_dir():
        raise InputError("there is no such folder", where=str(folder), mend=mend)
    held = _report(folder).get("replay")
    if not is_reproducer(folder) or not isinstance(held, dict):
        raise InputError("this is not a reproducer", where=str(folder), mend=mend)
    try:
        return Replay(
            model=folder / _MODEL,
            pipeline=(folder / _PIPELINE).read_text(encoding="utf-8").strip(),
            target=str(held["target"]),
            samples=tuple(folder / Path(name).name for name in held["samples"]),
            atol=held["atol"],
            rtol=held["rtol"],
            stop_after=held["stop_after"],
            check=str(held["check"]),
        )
    except (OSError, KeyError, TypeError) as error:
        what = f"the reproducer is damaged ({error})"
        raise InputError(what, where=str(folder), mend="bisect the model again") from None


def write(out: Path, example: Example, bisection: Bisection, how: Replay) -> Bisection:
    """Write the folder, whole or not at all.

    Args:
        out: where, as the user named it.
        example: what shows the fault.
        bisection: what was found.
        how: target, bounds and check; model, pipeline and samples come from ``example``.

    Returns:
        ``bisection`` with its reproducer.

    Raises:
        BuildError: when the folder cannot be written.
        InputError: when something else is there.
    """
    path = check_place(out)
    names = [f"inputs{f'-{number}' if number else ''}.npz" for number in range(len(example.feeds))]
    how = replace(how, stop_after=None if example.alone else how.stop_after)
    command = _replay(out, how.check)
    made = Reproducer(out, count(example.model), example.whole, example.spec, command)
    notes = (*bisection.notes, *([example.note] if example.note else ()))
    told = replace(bisection, reproducer=made, notes=notes)
    replay = {
        "target": how.target,
        "samples": names,
        "atol": how.atol,
        "rtol": how.rtol,
        "stop_after": how.stop_after,
        "check": how.check,
    }
    report = json.dumps({**told.json(), "replay": replay}, indent=1, ensure_ascii=False)
    with replacing_folder(path, check=check_place) as folder:
        save(example.model, folder / _MODEL)
        write_samples(example.feeds, [folder / name for name in names])
        try:
            (folder / _PIPELINE).write_text(f"{example.spec}\n", encoding="utf-8")
            (folder / _REPORT).write_text(f"{report}\n", encoding="utf-8")
            (folder / _README).write_text(_readme(told, out), encoding="utf-8")
        except OSError as error:
            raise BuildError(
                f"the reproducer cannot be written ({error.strerror or error})",
                where=str(out),
                mend="check the free space",
            ) from error
    return told


def _replay(out: Path, check: str) -> str:
    """What shows the fault again: a command, or a line of Python where a function decides."""
    if check and not is_command(check):
        return f"burnish.bisect({str(out)!r}, check={check})"
    command = f"burnish bisect {shlex.quote(str(out))}"
    return f"{command} --check {shlex.quote(check)}" if check else command


def _readme(bisection: Bisection, out: Path) -> str:
    made = bisection.reproducer
    assert made is not None
    versions = ", ".join(f"{name} {version}" for name, version in bisection.versions.items())
    return (
        f"# A fault in an optimization of {bisection.model}\n\n"
        f"    {made.replay}\n\n"
        f"shows it again: exit code 1 while it is there, 0 when it is mended. The folder may have "
        f"another name by now; it was written as `{out}`.\n\n"
        f"```\n{bisection.text()}\n```\n\n"
        f"Target {bisection.target}; {versions}.\n"
    )


def settings(how: Replay) -> Mapping[str, Any]:
    """What :func:`burnish.culprit.bisect` is to be called with, the model and the check aside."""
    return {
        "passes": how.pipeline,
        "samples": [str(path) for path in how.samples] or None,
        "atol": how.atol,
        "rtol": how.rtol,
        "stop_after": how.stop_after,
    }
