"""Models that are only a damage: what quantizing some layers loses, known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from burnish.budget import Answers, Cost, Drop, Plan, keep_within, own_metric
from burnish.ir import Model

QUALITY = own_metric("quality", lambda answers: float(answers[0]["quality"]))
"""1 for the float model, less for damaged ones."""


def additive(losses: Mapping[str, float]) -> Callable[[frozenset[str]], float]:
    """Losses of quantized layers add up."""
    return lambda quantized: sum(losses[layer] for layer in sorted(quantized))


def masking(*breaking: str) -> Callable[[frozenset[str]], float]:
    """Any one of these layers breaks the model; more break it no further."""
    return lambda quantized: 0.5 if quantized & set(breaking) else 0.0


def costs(prices: Mapping[str, float]) -> Cost:
    return Cost("ms", lambda layer: prices[layer])


@dataclass
class Damaged:
    """Builds and judges models that are the set of their float layers.

    Attributes:
        layers: all candidates.
        damage: what quantizing these layers loses.
        built: the sets of float layers, in the order they were built.
        stop_at: an interrupt comes instead of this many-th build.
    """

    layers: Sequence[str]
    damage: Callable[[frozenset[str]], float]
    built: list[frozenset[str]] = field(default_factory=list)
    stop_at: int | None = None

    def build(self, kept: frozenset[str]) -> Model:
        if len(self.built) == self.stop_at:
            raise KeyboardInterrupt
        self.built.append(kept)
        return cast(Model, kept)

    def evaluate(self, model: Model) -> Iterable[Answers]:
        kept = cast("frozenset[str]", model)
        return [{"quality": np.float64(1 - self.loss(kept))}]

    def loss(self, kept: frozenset[str]) -> float:
        return self.damage(frozenset(self.layers) - kept)

    def search(self, budget: str = "1%", **how: Any) -> Plan:
        how.setdefault("cost", costs(dict.fromkeys(self.layers, 1.0)))
        return keep_within(
            self.build,
            self.layers,
            QUALITY,
            self.evaluate,
            Drop.parse(budget),
            reference=[{"quality": np.float64(1.0)}],
            **how,
        )
