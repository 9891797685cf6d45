"""Which layers are quantized, which stay in float, and why: the outcome of a search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from burnish.budget.costs import Cost, total
from burnish.budget.metrics import Metric

__all__ = ["Decision", "Plan"]

_WIDEST = 48
"""Names longer than this are not waited for: what follows them moves to the right."""


@dataclass(frozen=True)
class Decision:
    """What one layer is, and why.

    Attributes:
        layer: its name.
        kept: whether it stays in float.
        alone: what it costs as the only quantized layer; None when that was not measured.
        noise: the noise it brings to the outputs then, as a share of their power.
        with_it: the drop when this layer was quantized too, and perhaps fewer others; None when
            that was not measured.
        cost: of keeping it in float; None when nobody had to ask.
        why: the reason.
    """

    layer: str
    kept: bool
    alone: float | None
    noise: float | None
    with_it: float | None
    cost: float | None
    why: str


@dataclass(frozen=True)
class Plan:
    """The cheapest model within the budget, of those tried.

    Attributes:
        metric: what models are judged by.
        budget: the largest drop, as the user wrote it.
        cost: what keeping layers in float costs.
        baseline: what the float model reaches.
        limit: the largest drop as a number.
        value: what the model of this plan reaches.
        drop: what it loses.
        within: whether that is within the budget; when it is not, nothing tried was, and this is
            what loses least.
        layers: every candidate, in the order given.
        builds: how many models were built and judged in all.
        resumed: how many of these an earlier run had judged.
        seconds: of all runs together.
        notes: what the user should know.
        form: what quantized layers are called.
    """

    metric: Metric
    budget: str
    cost: Cost
    baseline: float
    limit: float
    value: float
    drop: float
    within: bool
    layers: tuple[Decision, ...]
    builds: int
    resumed: int
    seconds: float
    notes: tuple[str, ...]
    form: str = "int8"

    @property
    def kept(self) -> frozenset[str]:
        """The layers that stay in float: what to build."""
        return frozenset(item.layer for item in self.layers if item.kept)

    def summary(self) -> str:
        """One line: what it is, what it loses, what it took."""
        count = len(self.layers)
        quantized = count - len(self.kept)
        word = "within" if self.within else "NOT within"
        return (
            f"{quantized} of {count} layers in {self.form}: {self.metric.loss_text(self.drop)}, "
            f"{word} the budget of {self.budget} ({self.builds} models tried, "
            f"{self.seconds:.1f} s)"
        )

    def lines(self) -> list[str]:
        """For people: the summary, then a line for each layer, then notes.

        When no layer was looked at by itself, one line tells of all.
        """
        notes = [f"note: {note}" for note in self.notes]
        reasons = {item.why for item in self.layers}
        if len(reasons) == 1 and len(self.layers) > 1:
            return [self.summary(), f"  all layers: {reasons.pop()}", *notes]
        width = max((len(item.layer) for item in self.layers), default=0)
        width = min(width, _WIDEST)
        rows = [
            f"  {item.layer:<{width}}  {'float' if item.kept else self.form}: {item.why}"
            for item in self.layers
        ]
        return [self.summary(), *rows, *notes]

    def json(self) -> dict[str, Any]:
        """As plain values; see ``docs/schema/budget.schema.json``. What is not finite is None."""
        costs = {item.layer: item.cost for item in self.layers if item.cost is not None}
        known = len(costs) == len(self.layers)
        return {
            "metric": {
                "name": self.metric.name,
                "unit": self.metric.unit,
                "higher_is_better": self.metric.higher_is_better,
            },
            "budget": self.budget,
            "limit": self.limit,
            "baseline": _finite(self.baseline),
            "value": _finite(self.value),
            "drop": _finite(self.drop),
            "within": self.within,
            "form": self.form,
            "cost": {
                "unit": self.cost.unit,
                "kept": _finite(total(costs, self.kept)) if known else None,
                "all": _finite(total(costs, costs)) if known else None,
            },
            "layers": [
                {
                    "name": item.layer,
                    "kept": item.kept,
                    "alone": _finite(item.alone),
                    "noise": _finite(item.noise),
                    "with_it": _finite(item.with_it),
                    "cost": _finite(item.cost),
                    "why": item.why,
                }
                for item in self.layers
            ],
            "builds": self.builds,
            "resumed": self.resumed,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
