"""Is a state of the model good: its answers, its form, or what the user's command says."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import onnx

from burnish.commands import run_command
from burnish.culprit.course import State
from burnish.errors import InputError, ModelError
from burnish.ir import Model
from burnish.loading import load
from burnish.passdef import Exactness
from burnish.saving import save, to_proto
from burnish.verify import Verdict, verify
from burnish.views.report import how_many

__all__ = ["Check", "Feed", "Judge", "Kind", "Trial", "is_command", "read_check", "why_invalid"]

Feed: TypeAlias = Mapping[str, Any]
Kind: TypeAlias = Literal["", "answers", "refused", "invalid", "raised", "check"]
"""What is wrong: other answers, a runtime that refuses the model, a model that is not valid ONNX, a
pass that fails, the user's check; empty when nothing is."""

Check: TypeAlias = Callable[[Path], bool | None]
"""Looks at a model file: True is good, False is bad, None cannot tell."""

_CANNOT_TELL = 125
_PLACE = "{model}"


@dataclass(frozen=True)
class Trial:
    """What was found of one state.

    Attributes:
        good: None when it cannot be told.
        kind: what is wrong.
        reason: the same for people.
        verdict: the comparison of answers, where there was one.
    """

    good: bool | None
    kind: Kind = ""
    reason: str = ""
    verdict: Verdict | None = None

    @property
    def worst(self) -> float:
        """The largest absolute difference of an output that failed; infinite without numbers."""
        if self.good is not False:
            return -1.0
        if self.kind != "answers" or self.verdict is None:
            return float("inf")
        return max((out.max_abs for out in self.verdict.outputs if not out.ok), default=0.0)


@dataclass(frozen=True)
class Judge:
    """How states are judged, always in the same way.

    Attributes:
        feeds: inputs to compare answers on; unused with ``check``.
        atol: allowed absolute difference, instead of what the passes promise.
        rtol: allowed relative difference, instead of what the passes promise.
        check: what decides in place of the answers.
        validates: whether a state must also be valid ONNX.
    """

    feeds: Sequence[Feed] = ()
    atol: float | None = None
    rtol: float | None = None
    check: Check | None = None
    validates: bool = False

    def __call__(self, reference: Model, state: State) -> Trial:
        """Judge ``state`` as something that should do what ``reference`` does.

        Raises:
            BurnishError: when the reference cannot be run.
        """
        if state.fault is not None:
            return Trial(False, "raised", str(state.fault))
        if self.check is not None:
            return _checked(self.check, state.model)
        return self._compared(reference, state)

    def of_itself(self, reference: Model) -> Trial:
        """Judge the reference as if it were a state without a change."""
        return self(reference, State(reference, Exactness.BITWISE))

    def with_feeds(self, feeds: Sequence[Feed]) -> Judge:
        """The same on other inputs."""
        return replace(self, feeds=feeds)

    def _compared(self, reference: Model, state: State) -> Trial:
        try:
            verdict = verify(
                reference,
                state.model,
                exactness=state.exactness,
                samples=list(self.feeds),
                atol=self.atol,
                rtol=self.rtol,
            )
        except Exception:
            why = _why_unwritable(state.model)
            if not why:
                raise
            return Trial(False, "invalid", f"the result is not a valid model: {why}")
        failed = [output for output in verdict.outputs if not output.ok]
        if failed:
            refused = failed[0].reason.startswith("the result does not run")
            if refused:
                return Trial(False, "refused", failed[0].reason, verdict)
            others = len({output.name for output in failed}) - 1
            more = f" (and {how_many(others, 'other output')})" if others else ""
            reason = f"{failed[0].name}: {failed[0].reason}{more}"
            return Trial(False, "answers", reason, verdict)
        why = why_invalid(state.model) if self.validates else ""
        return Trial(not why, "invalid" if why else "", why, verdict)


def _why_unwritable(model: Model) -> str:
    """Why a graph that a pass left is no model at all; empty when it is one."""
    try:
        load(model)
    except Exception as error:  # onnx-ir raises its own classes on a broken graph
        return _root(error)
    return ""


def _root(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(f"{error}".split())[:300] or type(error).__name__


def why_invalid(model: Model) -> str:
    """Why the checker of ONNX refuses a model; empty when it does not, or cannot be asked."""
    try:
        proto = to_proto(model)
    except ModelError:  # too large for one proto
        return ""
    try:
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:  # the checker and its inference raise unrelated classes
        return " ".join(f"the result is not valid ONNX: {error}".split())[:300]
    return ""


def _checked(check: Check, model: Model) -> Trial:
    with tempfile.TemporaryDirectory(prefix="burnish-") as folder:
        path = Path(folder, "model.onnx")
        try:
            save(model, path)
        except Exception:
            why = _why_unwritable(model)
            if not why:
                raise
            return Trial(False, "invalid", f"the result is not a valid model: {why}")
        good = check(path)
    if good:
        return Trial(True)
    said = "the check says that it is bad" if good is False else "the check cannot tell"
    return Trial(good, "check" if good is False else "", getattr(check, "said", said))


class _Command:
    """A command of the user's as a check, with the exit codes of ``git bisect run``.

    Attributes:
        said: how it ended last, and the last line it said.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.said = ""

    def __call__(self, path: Path) -> bool | None:
        ended = run_command(self.text.replace(_PLACE, shlex.quote(str(path))))
        how = "exited with" if ended.code >= 0 else "was ended by signal"
        self.said = f"the check {how} {abs(ended.code)}"
        if ended.last:
            self.said += f": {ended.last}"
        return None if ended.code == _CANNOT_TELL else ended.code == 0


def is_command(text: str) -> bool:
    """Whether a text says where the model goes, as the command of a check does."""
    return _PLACE in text


def read_check(given: str | Check | None) -> Check | None:
    """A check from a command or a function.

    Args:
        given: a shell command in which ``{model}`` stands for the file; exit code 0 is good, 125
            cannot tell, any other is bad. Or a function. None: no check.

    Raises:
        InputError: when the command does not name the model.
    """
    if not isinstance(given, str):
        return given
    if not is_command(given):
        mend = "as in --check 'python check.py {model}'"
        raise InputError("the command does not say where the model goes", where=given, mend=mend)
    return _Command(given)
