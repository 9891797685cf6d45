"""What a model is judged by, and how much of it may be lost.

===========  ==========================================  =======================  =================
name         value                                       drop                     budget
===========  ==========================================  =======================  =================
agreement    share of equal top-1 decisions              1 - value                ``0.5%``, ``0.005``
accuracy     share of top-1 decisions as labelled        float's - value          ``0.5%``, ``0.005``
cosine       cosine of the outputs, mean over samples    1 - value                ``0.5%``, ``0.005``
sqnr         power of signal over noise, in dB           power of noise as share  ``0.5%``, ``23dB``
kl           Kullback-Leibler divergence, in nats        value                    ``0.01``
one's own    any number, higher is better                float's - value          ``0.5%`` of float's
===========  ==========================================  =======================  =================

A percent of agreement or accuracy is a point: 98 % to 97.5 % is a drop of 0.5 %. ``agreement:NAME``
judges by one output.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from burnish.budget.scores import (
    Accuracy,
    Agreement,
    Answers,
    Cosine,
    Divergence,
    Noise,
    Own,
    Score,
    SignalToNoise,
)
from burnish.errors import InputError

__all__ = [
    "METRICS",
    "ROUNDING",
    "Drop",
    "Measured",
    "Metric",
    "measure",
    "metric_named",
    "own_metric",
]

METRICS = ("agreement", "accuracy", "cosine", "kl", "sqnr")
"""Names that :func:`metric_named` knows."""
_AMOUNT = re.compile(r"(?P<number>[-+.\deE]+)\s*(?P<unit>%|dB|nats)?", re.IGNORECASE)
_EXAMPLES = "as in 0.5% or 0.005"
ROUNDING = 1e-9
"""A drop of 0.5 % that floats make a hair larger is still one of 0.5 %."""


@dataclass(frozen=True)
class Metric:
    """What a model is judged by.

    Attributes:
        name: as :func:`metric_named` knows it.
        title: for sentences: ``top-1 agreement``.
        unit: of drops: ``%`` for shares, ``nats``, or nothing.
        higher_is_better: which way is better.
        begin: makes a score that has seen no sample.
        in_decibels: whether values are dB, and drops shares of power.
    """

    name: str
    title: str
    unit: Literal["%", "nats", ""]
    higher_is_better: bool
    begin: Callable[[], Score]
    in_decibels: bool = False

    def drop(self, baseline: float, value: float) -> float:
        """What is lost from the float model's ``baseline`` to ``value``; infinite if no number."""
        if math.isnan(value):
            return math.inf
        if value == baseline:
            return 0.0
        if self.in_decibels:
            return _noise(value) - _noise(baseline)
        return baseline - value if self.higher_is_better else value - baseline

    def drop_text(self, drop: float) -> str:
        """A drop for people."""
        if not math.isfinite(drop):
            return "everything"
        if self.unit == "%":
            return f"{_short(drop * 100)} %"
        return f"{_short(drop)} {self.unit}".rstrip()

    def loss_text(self, drop: float) -> str:
        """What a drop is, as the rest of a sentence: ``top-1 agreement falls by 0.5 %``."""
        falls = self.higher_is_better and not self.in_decibels
        if drop < 0:
            falls, drop = not falls, -drop
        return f"{self.title} {'falls' if falls else 'rises'} by {self.drop_text(drop)}"

    def value_text(self, value: float) -> str:
        """A value for people."""
        if self.in_decibels:
            return f"{value:.1f} dB"
        if self.unit == "%":
            return f"{value * 100:.2f} %"
        return f"{_short(value)} {self.unit}".rstrip()


@dataclass(frozen=True)
class Measured:
    """What was measured of a model.

    Attributes:
        value: in the metric's own unit.
        noise: power of the error as a share of the power of the reference; tells apart what the
            metric cannot. 0 when no output holds floats.
        decisions: of how many decisions the value is a share; 0 when it is not one.
    """

    value: float
    noise: float
    decisions: int = 0


def measure(metric: Metric, reference: Iterable[Answers], result: Iterable[Answers]) -> Measured:
    """Judge ``result`` against ``reference``, sample by sample.

    Raises:
        InputError: when they cannot be compared, or there is no sample.
    """
    score, noise = metric.begin(), Noise()
    results = iter(result)
    missing = object()
    count = 0
    for one in reference:
        other: Any = next(results, missing)
        if other is missing:
            raise InputError(f"there are answers to {count} samples only", where=metric.name)
        score.add(one, other)
        if any(noise.usable(held) for held in one.values()):
            noise.add(one, other)
        count += 1
    if not count:
        raise InputError("there is no sample to judge by", where=metric.name, mend="give data")
    if next(results, missing) is not missing:
        raise InputError(f"there are answers to more than {count} samples", where=metric.name)
    return Measured(score.value(), noise.value(), score.decisions)


def metric_named(name: str, labels: Sequence[Any] | None = None) -> Metric:
    """The metric of this name.

    Args:
        name: one of :data:`METRICS`, with ``:OUTPUT`` behind it for one output only.
        labels: integer classes for each sample, for ``accuracy``.

    Raises:
        InputError: for an unknown name, or when labels are missing.
    """
    kind, _, output = name.partition(":")
    if kind == "accuracy":
        if labels is None:
            mend = "give labels with the data, or choose agreement"
            raise InputError("it needs labels", where="metric accuracy", mend=mend)
        begin = functools.partial(Accuracy, labels, output)
        return Metric(name, "top-1 accuracy", "%", True, begin)
    if kind == "agreement":
        return Metric(name, "top-1 agreement", "%", True, functools.partial(Agreement, output))
    if kind == "cosine":
        return Metric(name, "cosine", "%", True, functools.partial(Cosine, output))
    if kind == "kl":
        return Metric(name, "divergence", "nats", False, functools.partial(Divergence, output))
    if kind == "sqnr":
        begin_noise = functools.partial(SignalToNoise, output)
        return Metric(name, "noise to signal", "%", True, begin_noise, in_decibels=True)
    near = difflib.get_close_matches(kind, METRICS, n=1)
    mend = f"did you mean {near[0]}?" if near else f"choose from: {', '.join(METRICS)}"
    raise InputError(f"there is no metric '{kind}'", where="metric", mend=mend)


def own_metric(name: str, function: Callable[[list[Answers]], Any]) -> Metric:
    """The user's own: a function of the answers to all samples, higher is better."""
    return Metric(name, name, "", True, functools.partial(Own, function, name))


@dataclass(frozen=True)
class Drop:
    """How much may be lost, as the user wrote it.

    Attributes:
        amount: 0 or more.
        unit: ``%``, ``dB``, ``nats``, or nothing.
    """

    amount: float
    unit: Literal["%", "dB", "nats", ""]

    @classmethod
    def parse(cls, text: str) -> Drop:
        """Read ``0.5%``, ``0.005``, ``30dB`` or ``0.01 nats``.

        Raises:
            InputError: when it is none of these.
        """
        found = _AMOUNT.fullmatch(text.strip())
        try:
            amount = float(found["number"]) if found else math.nan
        except ValueError:
            amount = math.nan
        if not math.isfinite(amount) or found is None:
            raise InputError(f"'{text}' is no amount", where="the largest drop", mend=_EXAMPLES)
        if amount < 0:
            raise InputError(f"{text} is below 0", where="the largest drop", mend=_EXAMPLES)
        units: dict[str, Literal["%", "dB", "nats"]] = {"%": "%", "db": "dB", "nats": "nats"}
        return cls(amount, units[found["unit"].lower()] if found["unit"] else "")

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}" if self.unit != "nats" else f"{self.amount:g} nats"

    def limit(self, metric: Metric, baseline: float) -> float:
        """The largest drop, as :meth:`Metric.drop` counts.

        Args:
            metric: what is judged by.
            baseline: what the float model reaches; percents of the user's own metric are of it.

        Raises:
            InputError: when the unit does not fit the metric, or everything would be allowed.
        """
        where = f"the largest drop {self}"
        if self.unit == "dB" and not metric.in_decibels:
            raise InputError("dB are for sqnr", where=where, mend=_EXAMPLES)
        if self.unit == "nats" and metric.unit != "nats":
            raise InputError("nats are for kl", where=where, mend=_EXAMPLES)
        if self.unit == "%" and metric.unit == "nats":
            what = "a divergence has no whole to take percents of"
            raise InputError(what, where=where, mend="give nats, as in 0.01")
        if self.unit == "dB":
            return _noise(self.amount)
        share = self.amount / 100 if self.unit == "%" else self.amount
        if metric.unit == "%" and share >= 1:
            mend = f"did you mean {self.amount:g}%?" if not self.unit else _EXAMPLES
            raise InputError("this allows to lose everything", where=where, mend=mend)
        if self.unit == "%" and not metric.unit:
            share *= abs(baseline)
        return share


def _noise(decibels: float) -> float:
    return 10 ** (-decibels / 10)


def _short(number: float) -> str:
    """Three digits, and no power of ten where it can be helped."""
    if 1e-4 <= abs(number) < 1e6:
        return f"{float(f'{number:.3g}'):f}".rstrip("0").rstrip(".")
    return f"{number:.3g}"
