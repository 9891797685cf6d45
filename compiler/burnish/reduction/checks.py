"""Whether a candidate fails as the source does, not for another reason.

A check says how a model fares. What the source does is remembered, and the same is demanded of
each candidate: a model that a tool cannot even read also makes it fail, but shows another fault.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from burnish.errors import BurnishError, InputError, PassError
from burnish.ir import Model
from burnish.passdef import Exactness
from burnish.reduction.case import Feeds

__all__ = ["Check", "Outcome", "PassesCheck", "SameFailure", "is_writable", "write_samples"]


@dataclass(frozen=True)
class Outcome:
    """How a model fared.

    Attributes:
        kind: equal for failures of one kind; empty when the check passes.
        text: what was said, for people and for ``--fail-regex``.
    """

    kind: str
    text: str = ""


class Check(Protocol):
    """Something that a model passes or fails."""

    def outcome(self, model: Model, feeds: Sequence[Feeds]) -> Outcome:
        """How ``model`` fares on ``feeds``."""
        ...

    def crashes(self, model: Model, feeds: Sequence[Feeds]) -> bool:
        """Whether ``model`` makes a process die by a signal, or hang."""
        ...


class SameFailure:
    """Whether a model fails as the first one that was asked about.

    Args:
        check: how a model fares.
        regex: what the text of a failure must match; then no more is demanded of it.

    Attributes:
        first: how the first model fared; None before it was asked about.

    Raises:
        InputError: when ``regex`` is no regular expression.
    """

    def __init__(self, check: Check, regex: str | None = None) -> None:
        self.first: Outcome | None = None
        self._check = check
        try:
            self._regex = None if regex is None else re.compile(regex, re.MULTILINE)
        except re.error as error:
            raise InputError(
                f"'{regex}' is not a regular expression ({error})", where="--fail-regex"
            ) from None

    def __call__(self, model: Model, feeds: Sequence[Feeds]) -> bool:
        found = self._check.outcome(model, feeds)
        is_first, first = self.first is None, self.first or found
        self.first = first
        if not found.kind:
            return False
        if self._regex is None:
            return found.kind == first.kind
        matched = self._regex.search(found.text) is not None
        if is_first and not matched:
            said = found.text.splitlines()[0]
            mend = f"what it says begins with: {said}"
            raise InputError("the model fails, but not so", where="--fail-regex", mend=mend)
        return matched


class PassesCheck:
    """Whether burnish's own passes change the answers of a model, or fail on it.

    Args:
        passes: pipeline text, or a level ``O0`` to ``O3``.
        target: what is compiled for, as text.
        allow: the weakest promise that any pass may make.
    """

    def __init__(self, passes: str, target: str, allow: Exactness) -> None:
        from burnish.target import parse_target

        self._passes = passes
        self._target = parse_target(target)
        self._allow = allow
        self._asked = False

    def outcome(self, model: Model, feeds: Sequence[Feeds]) -> Outcome:
        """How the passes and then the verification fare."""
        first, self._asked = not self._asked, True
        try:
            return self._judged(model, feeds)
        except PassError as error:
            # "rule fuse-gelu failed: TypeError: ...": names of nodes and values come later.
            head = ":".join(error.what.split(":")[:2])
            return Outcome(
                f"{error.where if error.where.startswith('pass ') else ''}{head}", str(error)
            )
        except BurnishError:
            if first:
                raise
            return Outcome("")

    def crashes(self, model: Model, feeds: Sequence[Feeds]) -> bool:
        """Nothing here runs in a process of its own."""
        return False

    def _judged(self, model: Model, feeds: Sequence[Feeds]) -> Outcome:
        from burnish.driver import optimize
        from burnish.verify import verify

        done = optimize(model, passes=self._passes, target=self._target, allow=self._allow)
        exactness = max(
            (item.exactness for item in done.records if item.diff), default=Exactness(0)
        )
        verdict = verify(model, done.model, exactness=exactness, samples=list(feeds) or None)
        failed = [output for output in verdict.outputs if not output.ok]
        if not failed:
            return Outcome("")
        runs = verdict.samples and not failed[0].reason.startswith("the result does not run")
        kind = "the answers differ" if runs else "the result does not run"
        return Outcome(kind, f"{kind}: {failed[0].text().removeprefix('FAIL ')}")


def write_samples(feeds: Sequence[Feeds], paths: Sequence[Path]) -> None:
    """Write each sample as a ``.npz`` file.

    Raises:
        InputError: for a value that such a file cannot hold.
    """
    for each, path in zip(feeds, paths, strict=True):
        arrays = {name: _storable(name, value) for name, value in each.items()}
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as file:
                np.savez(file, **arrays)
            part.replace(path)
        except OSError as error:
            raise InputError(
                f"the sample cannot be written ({error.strerror or error})",
                where=str(path),
                mend="check the folder, its permissions and the free space",
            ) from error
        finally:
            part.unlink(missing_ok=True)


def is_writable(feeds: Feeds) -> bool:
    """Whether a ``.npz`` file can hold a sample."""
    return all(_as_array(value) is not None for value in feeds.values())


def _as_array(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind in "OSU":
            return np.asarray(value).astype(str)
        if value.dtype.kind in "biufc":
            return value
    return None


def _storable(name: str, value: Any) -> Any:
    array = _as_array(value)
    if array is None:
        raise InputError(
            "a .npz file cannot hold this value",
            where=f"input {name!r}",
            mend="it holds arrays of numbers, booleans and strings",
        )
    return array
