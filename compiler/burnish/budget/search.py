"""Which layers stay in float so that no more is lost than allowed.

1. Every layer is quantized; if that is within the budget, it is the answer. If not even all layers
   in float are, nothing is.
2. Each layer is quantized *alone*, and the model judged by the user's own metric. The other way,
   one layer in float and the rest quantized, says nothing once two layers break the model: freeing
   either leaves it broken. Quantizing alone is also how Wu et al. ("Integer Quantization for Deep
   Learning Inference", 2020) find what to leave in float; HAWQ (Dong et al., 2019) takes such a
   ranking, layer by layer, from the Hessian of the loss instead.
3. Layers are ranked by gain per cost: what quantizing the layer alone loses, for each unit of
   what keeping it in float costs. Where the metric sees nothing (ten flips in a hundred samples
   are coarse) the noise in the outputs decides.
4. The shortest beginning of that list which is within the budget when kept in float is found by
   halving. This is greedy knapsack; each probe is a model that was built and judged, so losses need
   not add up.
5. Layers of it go back to integers, least gain per cost first, while the model stays within the
   budget. What breaks the budget alone is not tried.

The answer is the cheapest of *all* models that were judged and within. If quantizing more layers
never loses less, no layer of it could be quantized as well. At most :func:`most_builds` models are
built: ``2 n + log2(n) + 2``.
"""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from burnish.budget.costs import Cost, gain_per_cost, macs_cost, total
from burnish.budget.metrics import ROUNDING, Drop, Measured, Metric, measure
from burnish.budget.plan import Decision, Plan
from burnish.budget.scores import Answers
from burnish.budget.state import State
from burnish.errors import InputError
from burnish.ir import Model

__all__ = ["keep_within", "most_builds"]

_NOTHING = 1e-3
"""Losses below this part of the budget are not called losses."""


def keep_within(
    build: Callable[[frozenset[str]], Model],
    layers: Sequence[str],
    metric: Metric,
    evaluate: Callable[[Model], Iterable[Answers]],
    max_drop: Drop,
    cost: Cost | None = None,
    progress: Callable[[str], None] | None = None,
    state: str | os.PathLike[str] | None = None,
    *,
    reference: Iterable[Answers],
    about: str = "",
    max_builds: int | None = None,
    notes: Sequence[str] = (),
    form: str = "int8",
) -> Plan:
    """Find the cheapest set of layers to keep in float, and say why each layer is what it is.

    Deterministic if ``build`` and ``evaluate`` are. The model of the plan is
    ``build(plan.kept)``.

    Args:
        build: the quantized model in which these layers stay float.
        layers: the candidates.
        metric: what models are judged by.
        evaluate: the answers of a model to all samples, in order.
        max_drop: how much may be lost, against the float model.
        cost: what keeping a layer in float costs; multiply-accumulates by default.
        progress: told of each model that is built: ``model 3 of at most 14: only conv1 in int8``.
        state: a file to keep measurements in; a search that was interrupted goes on from it, and
            one with another budget uses what is known.
        reference: the float model's answers; gone through once for each model.
        about: a digest of model, data and settings; a state with another one is refused.
        max_builds: stop after building so many models now, with the best so far.
        notes: for the plan, before those of the search.
        form: what quantized layers are called.

    Raises:
        InputError: when the metric, the budget or the state file does not fit.
    """
    if len(set(layers)) < len(layers):
        twice = next(layer for layer in layers if list(layers).count(layer) > 1)
        raise InputError("two layers have this name", where=twice, mend="name nodes differently")
    if isinstance(reference, Iterator):
        raise InputError(
            "an iterator can be gone through only once",
            where="reference answers",
            mend="give a list",
        )
    search = _Search(build, layers, metric, evaluate, max_drop, reference)
    if cost is not None:
        search.cost = cost
    search.open(state, about)
    search.form, search.max_builds = form, max_builds
    search.tell = progress or (lambda _: None)
    search.notes = list(notes)
    return search.run()


def most_builds(count: int) -> int:
    """How many models a search among so many layers builds at most, those for costs left out."""
    return 2 + 2 * count + math.ceil(math.log2(max(count, 1)))


class _Enough(Exception):
    """No more models may be built."""


class _Search:
    """One search; measurements are in its state."""

    state: State
    tell: Callable[[str], None]
    form: str
    max_builds: int | None
    notes: list[str]

    def __init__(
        self,
        build: Callable[[frozenset[str]], Model],
        layers: Sequence[str],
        metric: Metric,
        evaluate: Callable[[Model], Iterable[Answers]],
        budget: Drop,
        reference: Iterable[Answers],
    ) -> None:
        self.build = build
        self.layers = tuple(layers)
        self.everything = frozenset(layers)
        self.metric = metric
        self.evaluate = evaluate
        self.budget = budget
        self.reference = reference
        self.cost = Cost("MACs", lambda layer: self.macs(layer))
        self.baseline = measure(metric, reference, reference).value
        if math.isnan(self.baseline):
            raise InputError("the float model's own value is no number", where=metric.name)
        self.limit = budget.limit(metric, self.baseline)
        self.built = 0
        self.refused: dict[str, float] = {}
        self.chosen: frozenset[str] | None = None

    def open(self, path: str | os.PathLike[str] | None, about: str) -> None:
        """Take up what an earlier run measured."""
        depends = {"metric": self.metric.name, "cost": self.cost.unit}
        self.state = State(path, self.layers, depends | {"model, data or settings": about})
        self.resumed = len(self.state.measured)

    def run(self) -> Plan:
        try:
            self.explore()
        except _Enough:
            self.notes.append(
                f"stopped after {self.built} models: with more of them, fewer layers may do"
            )
        return self.plan()

    def explore(self) -> None:
        """Judge models, until it is known which is the cheapest within the budget."""
        if self.fits(frozenset(), f"every layer in {self.form}"):
            return
        if not self.fits(self.everything, "every layer in float"):
            return
        for layer in self.layers:
            self.measured(self.everything - {layer}, f"only {layer} in {self.form}")
        self.weigh()
        ranked = self.ranked()
        self.give_back(ranked[: self.shortest(ranked)])

    # --- measuring

    def measured(self, kept: frozenset[str], what: str) -> Measured:
        """Judge the model with these layers in float, unless that was done."""
        known = self.state.measured.get(kept)
        if known is not None:
            return known
        if self.built == self.max_builds:
            raise _Enough
        number = len(self.state.measured) + 1
        self.tell(f"model {number} of at most {most_builds(len(self.layers))}: {what}")
        start = time.perf_counter()
        found = measure(self.metric, self.reference, self.evaluate(self.build(kept)))
        self.built += 1
        self.state.measured[kept] = found
        self.state.seconds += time.perf_counter() - start
        self.state.write()
        return found

    def fits(self, kept: frozenset[str], what: str) -> bool:
        self.measured(kept, what)
        return self.within(kept)

    def within(self, kept: frozenset[str]) -> bool:
        return self.drop(kept) <= self.limit + ROUNDING

    def drop(self, kept: frozenset[str]) -> float:
        """What a model that was judged loses."""
        return self.metric.drop(self.baseline, self.state.measured[kept].value)

    def alone(self, layer: str) -> float | None:
        """What the layer loses as the only quantized one; None when that was not judged."""
        kept = self.everything - {layer}
        if kept not in self.state.measured or self.everything not in self.state.measured:
            return None
        base = self.drop(self.everything)
        return self.drop(kept) - base if math.isfinite(base) else None

    def noise(self, layer: str) -> float | None:
        """The noise that it brings then."""
        kept = self.state.measured.get(self.everything - {layer})
        base = self.state.measured.get(self.everything)
        if kept is None or base is None or not math.isfinite(base.noise):
            return None
        return math.inf if math.isnan(kept.noise) else max(kept.noise - base.noise, 0.0)

    @functools.cached_property
    def macs(self) -> Callable[[str], float]:
        return macs_cost(self.build(self.everything)).of

    def weigh(self) -> None:
        """Ask what each layer costs in float."""
        start = time.perf_counter()
        for layer in self.layers:
            if layer not in self.state.costs:
                self.state.costs[layer] = self.cost.of(layer)
        self.state.seconds += time.perf_counter() - start
        self.state.write()

    # --- choosing

    def ranked(self) -> list[str]:
        """The layers, those most worth keeping in float first; in the order given where equal."""

        def worth(layer: str) -> tuple[float, float]:
            cost = self.state.costs[layer]
            gains = self.alone(layer) or 0.0, self.noise(layer) or 0.0
            return -gain_per_cost(gains[0], cost), -gain_per_cost(gains[1], cost)

        return sorted(self.layers, key=worth)

    def shortest(self, ranked: Sequence[str]) -> int:
        """How many of the ranked layers have to stay float; halving."""
        bad, good = 0, len(ranked)
        while good - bad > 1:
            middle = (bad + good) // 2
            if self.fits(frozenset(ranked[:middle]), f"{middle} layers in float"):
                good = middle
            else:
                bad = middle
        return good

    def give_back(self, ranked: Sequence[str]) -> None:
        """Quantize layers again, those least worth keeping first, while that is within."""
        kept = frozenset(ranked)
        for layer in reversed(ranked):
            gains_nothing = self.state.costs[layer] <= 0
            if gains_nothing or not self.within(self.everything - {layer}):
                continue
            if self.fits(kept - {layer}, f"{layer} back in {self.form}"):
                kept -= {layer}
            else:
                self.refused[layer] = self.drop(kept - {layer})
        self.chosen = kept

    def best(self) -> frozenset[str]:
        """The cheapest model within the budget; when none is, what loses least."""
        place = {layer: index for index, layer in enumerate(self.layers)}

        def order(kept: frozenset[str]) -> tuple[float, int, float, list[int]]:
            places = sorted(place[layer] for layer in kept)
            return total(self.state.costs, kept), len(kept), self.drop(kept), places

        fitting = [kept for kept in self.state.measured if self.within(kept)]
        if fitting:
            return min(fitting, key=order)
        return min(self.state.measured, key=lambda kept: (self.drop(kept), order(kept)))

    # --- telling

    def plan(self) -> Plan:
        if not self.state.measured:
            raise InputError("no model may be built", where="max_builds", mend="allow 2 or more")
        kept = self.best()
        return Plan(
            metric=self.metric,
            budget=str(self.budget),
            cost=self.cost,
            baseline=self.baseline,
            limit=self.limit,
            value=self.state.measured[kept].value,
            drop=self.drop(kept),
            within=self.within(kept),
            layers=tuple(self.decision(layer, kept) for layer in self.layers),
            builds=len(self.state.measured),
            resumed=self.resumed,
            seconds=self.state.seconds,
            notes=(*self.notes, *self.own_notes()),
            form=self.form,
        )

    def decision(self, layer: str, kept: frozenset[str]) -> Decision:
        with_it = self.refused.get(layer) if layer in kept and kept == self.chosen else None
        alone, cost = self.alone(layer), self.state.costs.get(layer)
        why = self.why_float(layer, with_it) if layer in kept else self.why_quantized(layer, kept)
        if not self.within(kept):
            why = "nothing tried was within the budget, and this lost least"
        return Decision(layer, layer in kept, alone, self.noise(layer), with_it, cost, why)

    def why_float(self, layer: str, with_it: float | None) -> str:
        alone, cost = self.alone(layer), self.state.costs.get(layer)
        text = self.metric.drop_text
        if alone is None or cost is None:
            return "the search was stopped before it came to this layer"
        if cost <= 0:
            return f"in {self.form} it gains nothing: float costs {self.cost.text(cost)}"
        loss, price = self.loss(alone), f"; float costs {self.cost.text(cost)}"
        if not self.within(self.everything - {layer}):
            return f"{loss}, more than the budget{price}"
        if with_it is None:
            return f"{loss}, with the others too much{price}"
        return f"{loss}, with the others {text(with_it)}{price}"

    def why_quantized(self, layer: str, kept: frozenset[str]) -> str:
        alone = self.alone(layer)
        if alone is None:
            return "no layer has to stay in float" if not kept else "it was not asked alone"
        return self.loss(alone)

    def loss(self, alone: float) -> str:
        if math.isinf(alone):
            return "alone breaks the model"
        if alone <= self.limit * _NOTHING + ROUNDING:
            return "costs nothing measurable"
        return f"alone costs {self.metric.drop_text(alone)} {self.metric.title}"

    def own_notes(self) -> list[str]:
        found = []
        text, measured = self.metric.drop_text, self.state.measured
        decisions = next(iter(measured.values())).decisions
        if decisions and (self.limit + ROUNDING) * decisions < 1:
            found.append(
                f"one of {decisions} decisions is {text(1 / decisions)}, more than the budget of "
                f"{self.budget}: none may be lost; more samples tell more"
            )
        if self.everything in measured and not self.within(self.everything):
            found.append(
                f"even with every layer in float {self.metric.loss_text(self.drop(self.everything))}: "
                "that is not from these layers"
            )
        return found
