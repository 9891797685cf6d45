"""Whether a candidate fails as the source does, not for another reason.

A check says how a model fares. What the source does is remembered, and the same is demanded of
each candidate: a model that a tool cannot even read also makes it fail, but shows another fault.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from burnish.driver import allowed, optimize, pipeline_of
from burnish.errors import BurnishError, InputError, PassError
from burnish.ir import Model
from burnish.passdef import Exactness
from burnish.pipeline import Pipeline, weakest_promise
from burnish.reduction.case import Feeds
from burnish.target import parse_target
from burnish.verify import verify

__all__ = ["Check", "Outcome", "PassesCheck", "SameFailure"]


_LEFT = 0.1
"""The part of a difference that may be left without the pass that is to blame: rounding besides."""


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

    Two models whose answers differ fail in one way when the same pass is to blame: the one that is
    found in the first of them, by bisecting. It is to blame where without it the answers do not
    differ, or by a tenth at most. Where that is not so in the first model, as with two faults at
    once, which pass it is does not count.

    Args:
        passes: pipeline text, or a level ``O0`` to ``O3``.
        target: what is compiled for, as text.
        allow: the weakest promise that any pass may make.
    """

    def __init__(self, passes: str, target: str, allow: Exactness) -> None:
        self._target = parse_target(target)
        self._pipeline = allowed(pipeline_of(passes, self._target), allow)
        self._asked = False
        self._blamed = ""

    def outcome(self, model: Model, feeds: Sequence[Feeds]) -> Outcome:
        """How the passes and then the verification fare.

        Raises:
            BurnishError: when the first model does not run.
        """
        first, self._asked = not self._asked, True
        try:
            found, far = self._judged(model, feeds, self._pipeline)
            if not found.kind:
                return found
            if first:
                self._blamed = self._culprit(model, feeds, far)
            if not self._blamed:
                return found
            blamed = self._is_to_blame(self._blamed, model, feeds, far)
            by = f"by {self._blamed}" if blamed else "for another reason"
            return Outcome(f"{found.kind} {by}", found.text)
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

    def _culprit(self, model: Model, feeds: Sequence[Feeds], far: float) -> str:
        """The one pass that is to blame; empty where no single one is."""
        from burnish.culprit import bisect

        run: dict[str, Any] = {
            "passes": self._pipeline,
            "target": self._target,
            "allow": Exactness.LOSSY,
        }
        try:
            culprit = bisect(model, samples=list(feeds) or None, **run).culprit
            if culprit is None:
                return ""
            name = culprit.spec.partition("{")[0]
            return name if self._is_to_blame(name, model, feeds, far) else ""
        except BurnishError:
            return ""

    def _is_to_blame(self, name: str, model: Model, feeds: Sequence[Feeds], far: float) -> bool:
        """Whether without a pass the answers do not differ, or by much less than ``far``."""
        spared, rest = self._judged(model, feeds, self._pipeline.without(name))
        return not spared.kind or rest < _LEFT * far

    def _judged(
        self, model: Model, feeds: Sequence[Feeds], pipeline: Pipeline
    ) -> tuple[Outcome, float]:
        """How a pipeline fares, and by how much the answers that fail differ."""
        done = optimize(model, passes=pipeline, target=self._target, allow=Exactness.LOSSY)
        exactness = weakest_promise(done.records)
        verdict = verify(model, done.model, exactness=exactness, samples=list(feeds) or None)
        failed = [output for output in verdict.outputs if not output.ok]
        if not failed:
            return Outcome(""), 0.0
        runs = verdict.samples and not failed[0].reason.startswith("the result does not run")
        kind = "the answers differ" if runs else "the result does not run"
        outcome = Outcome(kind, f"{kind}: {failed[0].text().removeprefix('FAIL ')}")
        # Without figures it differs in form, or does not run.
        return outcome, max(output.max_abs for output in failed) or math.inf
