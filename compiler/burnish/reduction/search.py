"""The search: which candidates were tried, which one is the best so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import onnx

from burnish.evaluate import Engine
from burnish.ir import Model
from burnish.reduction.case import Case, Feeds, nodes_within
from burnish.reduction.values import Known

__all__ = ["Fails", "Progress", "Search"]

Fails: TypeAlias = Callable[[Model, Sequence[Feeds]], bool]
"""Whether a model still shows the fault, given inputs for it; one mapping for each sample."""


@dataclass(frozen=True)
class Progress:
    """How far a reduction is.

    Attributes:
        stage: what is being taken away: ``nodes``, ``inputs``, ``weights`` ...
        nodes: nodes left in the main graph, its subgraphs and function bodies.
        inputs: graph inputs left.
        outputs: graph outputs left.
        bytes: bytes of constants left.
        checks: how often the check was run.
        refused: candidates that were not valid ONNX, and so never reached the check.
    """

    stage: str
    nodes: int
    inputs: int
    outputs: int
    bytes: int
    checks: int
    refused: int


class Search:
    """Tries candidates; the last one that failed the check is the best.

    Args:
        source: where it begins.
        fails: the check.
        progress: told of each check that was run.
        engine: what models are run with to record their values.
    """

    def __init__(
        self,
        source: Case,
        fails: Fails,
        progress: Callable[[Progress], None] | None = None,
        engine: Engine = "auto",
    ) -> None:
        self.best = source
        self.stage = "source"
        self.checks = 0
        self.refused = 0
        self.adopted = 0
        self._engine: Engine = engine
        self._fails = fails
        self._progress = progress
        self._seen = {source.digest}
        self._demanded = _strictest(source)

    def starts(self) -> bool:
        """Whether the source itself shows the fault."""
        return self._ask(self.best, self.best.model())

    def known(self, case: Case) -> Known:
        """What is known of the values of a case."""
        return Known(case, self._engine)

    def attempt(self, candidate: Case | None) -> bool:
        """Whether ``candidate`` shows the fault; if so it is the best from now on.

        One that was tried before, or could not be made (None), or is not valid ONNX, does not.
        """
        if candidate is None or candidate.digest in self._seen:
            return False
        self._seen.add(candidate.digest)
        model = self._assembled(candidate)
        if model is None:
            self.refused += 1
            return False
        if not self._ask(candidate, model):
            return False
        self.best = candidate
        self.adopted += 1
        self._tell()
        return True

    def _assembled(self, candidate: Case) -> Model | None:
        """The model of a candidate; None where it is not valid."""
        if not self._demanded(candidate):
            return None
        try:
            return candidate.model()
        except Exception:  # onnx-ir raises many kinds, on what only an invalid source leads to
            return None

    def _ask(self, candidate: Case, model: Model) -> bool:
        self.checks += 1
        found = self._fails(model, candidate.feeds)
        if not found:
            self._tell()
        return found

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.now())

    def now(self) -> Progress:
        """The state of things."""
        graph = self.best.graph
        bodies = (graph, *self.best.proto.functions)
        return Progress(
            self.stage,
            sum(len(each.node) + sum(1 for _ in nodes_within(each.node)) for each in bodies),
            len(graph.input),
            len(graph.output),
            self.best.weight_bytes,
            self.checks,
            self.refused,
        )


def _strictest(source: Case) -> Callable[[Case], bool]:
    """The strictest of the checks of ONNX that the source passes.

    A source that fails them all may be reduced for that very reason, so nothing is demanded then.
    """
    for demanded in (_is_inferable, _is_valid):
        if demanded(source):
            return demanded
    return lambda candidate: True


def _is_inferable(case: Case) -> bool:
    """Whether the checker takes the model, and shape inference finds no contradiction in it."""
    return _passes(case, full_check=True)


def _is_valid(case: Case) -> bool:
    return _passes(case, full_check=False)


def _passes(case: Case, *, full_check: bool) -> bool:
    try:
        onnx.checker.check_model(case.without_weights(), full_check=full_check)
    except Exception:  # the checker and shape inference raise many unrelated classes
        return False
    return True
