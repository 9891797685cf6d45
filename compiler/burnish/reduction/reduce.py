"""The steps of a reduction, in order, until none of them finds anything to take away."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from burnish.errors import InputError
from burnish.evaluate import Engine
from burnish.ir import Model
from burnish.loading import load
from burnish.reduction.case import Case, Feeds
from burnish.reduction.functions import bypass_in_functions
from burnish.reduction.interface import (
    drop_declarations,
    drop_outputs,
    drop_samples,
    freeze_inputs,
)
from burnish.reduction.nodes import bypass_nodes, cut_inner_nodes, cut_nodes
from burnish.reduction.search import Fails, Progress, Search
from burnish.reduction.sizes import bind_sizes, declare_outputs, shrink_sizes
from burnish.reduction.unfold import unfold
from burnish.reduction.values import seeded_feeds
from burnish.reduction.weights import flatten_weights, shrink_weights

__all__ = ["Reducer", "Reduction", "reduce_case", "reduce_model"]

_STRUCTURE = MappingProxyType(
    {
        "samples": drop_samples,
        "nodes": cut_nodes,
        "bodies": unfold,
        "subgraphs": cut_inner_nodes,
        "paths": bypass_nodes,
        "functions": bypass_in_functions,
        "outputs": drop_outputs,
        "inputs": freeze_inputs,
        "declarations": drop_declarations,
    }
)
_CONTENTS = MappingProxyType(
    {
        "weights": flatten_weights,
        "weight sizes": shrink_weights,
        "dimensions": bind_sizes,
        "sizes": shrink_sizes,
        "output shapes": declare_outputs,
    }
)


@dataclass(frozen=True)
class Reduction:
    """What is left of a failing model.

    Attributes:
        model: the smallest model found that still fails.
        feeds: inputs for it, one mapping for each sample that is left.
        before: the size of the source.
        after: the size of the result, and how often the check was run.
        finished: whether the search came to its end; False after an interrupt.
    """

    model: Model
    feeds: tuple[Feeds, ...]
    before: Progress
    after: Progress
    finished: bool


def reduce_model(
    model: Model,
    fails: Callable[[Model], bool],
    *,
    progress: Callable[[Progress], None] | None = None,
) -> Model:
    """Reduce a model to a small one that still fails; see :func:`reduce_case`.

    For checks that look at the model alone. One that runs it needs inputs that fit the candidate:
    :func:`reduce_case` hands them over.

    Args:
        model: the failing model; it is not changed.
        fails: whether a candidate still shows the fault.
        progress: told of each check.

    Raises:
        InputError: when ``model`` itself does not fail.
    """
    seen = load(model)
    done = reduce_case(
        seen,
        lambda candidate, _: fails(candidate),
        feeds=seeded_feeds(seen, (0,)),
        progress=progress,
    )
    return done.model


def reduce_case(
    model: Model,
    fails: Fails,
    *,
    feeds: Sequence[Feeds],
    contents: bool = True,
    engine: Engine = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> Reduction:
    """Reduce a model and its inputs to a small model that still fails.

    An interrupt (``KeyboardInterrupt``) ends the search; the best found so far is returned.

    Args:
        model: the failing model; it is not changed, and its weights are shared, not copied.
        fails: whether a candidate, run on the inputs given with it, still shows the fault. It
            should answer the same each time. What it raises ends the reduction.
        feeds: inputs that ``model`` fails on, one mapping for each sample; may be empty.
        contents: whether weights may get other elements and sizes: zeros for what was trained can
            show another fault, such as a division by zero.
        engine: what models are run with to record what their values hold; ``reference`` for one
            that crashes ONNX Runtime.
        progress: told of each check.

    Raises:
        InputError: when ``model`` itself does not fail.
    """
    reducer = Reducer(
        model, fails, feeds=feeds, contents=contents, engine=engine, progress=progress
    )
    with contextlib.suppress(KeyboardInterrupt):
        reducer.run()
    return reducer.result()


class Reducer:
    """A reduction that can be asked for its best model at any time, also after an error.

    Args:
        model: see :func:`reduce_case`, also for the other arguments.
        fails: the check.
        feeds: inputs.
        contents: whether weights may change.
        engine: what models are run with.
        progress: told of each check.

    Raises:
        InputError: when ``model`` itself does not fail.
    """

    def __init__(
        self,
        model: Model,
        fails: Fails,
        *,
        feeds: Sequence[Feeds],
        contents: bool = True,
        engine: Engine = "auto",
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._contents = _CONTENTS if contents else {}
        self._search = Search(Case.of(load(model), feeds), fails, progress, engine)
        self._before = self._search.now()
        self._finished = False
        if not self._search.starts():
            raise InputError(
                "the check passes on the model as it is",
                where="reduce",
                mend="give a check that fails on it, or samples on which it does",
            )

    def run(self) -> None:
        """Take away what can be: structure first, contents when there is little left."""
        adopted = -1
        while self._search.adopted != adopted:
            adopted = self._search.adopted
            _run(self._search, _STRUCTURE)
            if self._search.adopted == adopted:
                _run(self._search, self._contents)
        self._finished = True

    @property
    def improved(self) -> bool:
        """Whether anything was taken away yet."""
        return self._search.adopted > 0

    def result(self) -> Reduction:
        """The best so far."""
        best, now = self._search.best, self._search.now()
        return Reduction(best.model(), best.feeds, self._before, now, self._finished)


def _run(search: Search, steps: Mapping[str, Callable[[Search], None]]) -> None:
    for stage, step in steps.items():
        search.stage = stage
        step(search)
