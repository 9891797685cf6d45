"""How answers are scored against reference answers, one sample at a time.

A score takes in samples and keeps sums, so that answers need not be held. Where a model has several
outputs, the worst of them counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from burnish.errors import InputError
from burnish.ir import Array

__all__ = [
    "Accuracy",
    "Agreement",
    "Answers",
    "Cosine",
    "Divergence",
    "Noise",
    "Own",
    "Score",
    "SignalToNoise",
]

Answers: TypeAlias = Mapping[str, Any]
"""What a model answers to one sample, by output name."""
_TINY = 1e-12
"""Probabilities below this count as this: no logarithm is infinite."""
_IMAGE_AXES = 4


class Score(Protocol):
    """A number that grows out of samples."""

    @property
    def decisions(self) -> int:
        """Of how many decisions it is a share; 0 when it is not one."""

    def add(self, reference: Answers, result: Answers) -> None:
        """Take in the answers to one sample.

        Raises:
            InputError: when they cannot be scored.
        """

    def value(self) -> float:
        """The score of all samples taken in."""


class _OverOutputs:
    """A score of some outputs, found on the first sample."""

    decisions = 0

    def __init__(self, output: str = "") -> None:
        self._output = output
        self._names: tuple[str, ...] = ()

    def pairs(self, reference: Answers, result: Answers) -> list[tuple[str, Array, Array]]:
        """Each output that is scored: its name, and both answers as float64."""
        if not self._names:
            self._names = self._chosen(reference)
        found = []
        for name in self._names:
            if name not in result:
                raise InputError("the other model has no such output", where=f"output {name}")
            one, other = np.asarray(reference[name]), np.asarray(result[name])
            if one.shape != other.shape:
                what = f"its shape is {list(other.shape)}, the reference has {list(one.shape)}"
                raise InputError(what, where=f"output {name}")
            found.append((name, one.astype(np.float64), other.astype(np.float64)))
        return found

    def _chosen(self, reference: Answers) -> tuple[str, ...]:
        usable = [name for name, held in reference.items() if self.usable(held)]
        if not self._output:
            if usable:
                return self.among(usable, reference)
            raise InputError(
                f"no output {self.needs}",
                where="metric",
                mend=f"the outputs are {', '.join(reference) or 'none'}; choose another metric",
            )
        if self._output in usable:
            return (self._output,)
        what = f"it does not {self.needs}" if self._output in reference else "there is no such one"
        mend = f"choose from: {', '.join(usable) or 'none fits this metric'}"
        raise InputError(what, where=f"output {self._output} of the metric", mend=mend)

    needs = "holds floats"

    def usable(self, held: Any) -> bool:
        return _is_float(held)

    def among(self, usable: Sequence[str], reference: Answers) -> tuple[str, ...]:
        return tuple(usable)


class _OverClasses(_OverOutputs):
    """A score of outputs with a number for each class.

    Classes are along the last axis, of images (``[N, C, H, W]`` and more axes) along axis 1. Where
    no output is named, those with as many axes and classes as the first one count: the two ends of
    a span, but not the state that a language model hands on.
    """

    needs = "holds a float for each of two or more classes"

    def usable(self, held: Any) -> bool:
        return _is_float(held) and held.ndim > 0 and held.shape[_axis(held)] > 1

    def among(self, usable: Sequence[str], reference: Answers) -> tuple[str, ...]:
        first = _form(reference[usable[0]])
        return tuple(name for name in usable if _form(reference[name]) == first)


class Agreement(_OverClasses):
    """The share of decisions in which the largest class is the same; 0 to 1."""

    def __init__(self, output: str = "") -> None:
        super().__init__(output)
        self._same: dict[str, int] = {}
        self._all: dict[str, int] = {}

    def add(self, reference: Answers, result: Answers) -> None:
        for name, one, other in self.pairs(reference, result):
            same = _largest(one) == _largest(other)
            self._same[name] = self._same.get(name, 0) + int(same.sum())
            self._all[name] = self._all.get(name, 0) + same.size
            self.decisions = max(self.decisions, self._all[name])

    def value(self) -> float:
        return min((self._same[name] / max(self._all[name], 1) for name in self._all), default=1.0)


class Accuracy(_OverClasses):
    """The share of decisions that are as the labels say; 0 to 1. Only the first output counts.

    Args:
        labels: the right classes of each sample, in order; negative ones are not counted.
        output: the output to score.
    """

    def __init__(self, labels: Sequence[Any], output: str = "") -> None:
        super().__init__(output)
        self._labels = labels
        self._samples = self._right = 0
        self.decisions = 0

    def among(self, usable: Sequence[str], reference: Answers) -> tuple[str, ...]:
        return (usable[0],)

    def add(self, reference: Answers, result: Answers) -> None:
        where = f"labels of sample {self._samples}"
        if self._samples >= len(self._labels):
            raise InputError(f"there are labels for {len(self._labels)} samples only", where=where)
        ((_, _, answer),) = self.pairs(reference, result)
        found = _largest(answer).reshape(-1)
        labels = np.asarray(self._labels[self._samples]).reshape(-1)
        if labels.dtype.kind not in "iu" or labels.size != found.size:
            what = f"{labels.size} labels of {labels.dtype} for {found.size} decisions"
            raise InputError(what, where=where, mend="give an integer for each decision")
        counted = labels >= 0
        self._right += int((found == labels)[counted].sum())
        self.decisions += int(counted.sum())
        self._samples += 1

    def value(self) -> float:
        return self._right / self.decisions if self.decisions else math.nan


class Divergence(_OverClasses):
    """The Kullback-Leibler divergence of the result's classes from the reference's, in nats.

    The mean over all decisions of ``sum p log(p / q)``. Outputs that hold probabilities are taken
    as they are; others go through a softmax.
    """

    def __init__(self, output: str = "") -> None:
        super().__init__(output)
        self._sums: dict[str, float] = {}
        self._all: dict[str, int] = {}

    def add(self, reference: Answers, result: Answers) -> None:
        for name, one, other in self.pairs(reference, result):
            axis = _axis(one)
            plain = _are_probabilities(one, axis)
            own, told = (_log_probabilities(held, axis, plain) for held in (one, other))
            terms = np.exp(own) * (own - told)
            self._sums[name] = self._sums.get(name, 0.0) + float(terms.sum())
            self._all[name] = self._all.get(name, 0) + one.size // one.shape[axis]

    def value(self) -> float:
        # Rounding may leave a mean of equal ones a hair below zero.
        found = (self._sums[name] / max(self._all[name], 1) for name in self._all)
        return _worst(max(item, 0.0) if item == item else math.nan for item in found)


class Cosine(_OverOutputs):
    """The cosine between both answers, each sample as one vector; the mean over samples."""

    def __init__(self, output: str = "") -> None:
        super().__init__(output)
        self._sums: dict[str, float] = {}
        self._samples = 0

    def add(self, reference: Answers, result: Answers) -> None:
        self._samples += 1
        for name, one, other in self.pairs(reference, result):
            known = np.isfinite(one)
            self._sums[name] = self._sums.get(name, 0.0) + _cosine(one[known], other[known])

    def value(self) -> float:
        found = (total / self._samples for total in self._sums.values())
        return -_worst(-item for item in found) if self._sums else 1.0


class Noise(_OverOutputs):
    """The power of the error as a share of the power of the reference, over all samples."""

    def __init__(self, output: str = "") -> None:
        super().__init__(output)
        self._errors: dict[str, float] = {}
        self._powers: dict[str, float] = {}

    def add(self, reference: Answers, result: Answers) -> None:
        for name, one, other in self.pairs(reference, result):
            known = np.isfinite(one)
            with np.errstate(over="ignore", invalid="ignore"):
                error = float(np.square(one[known] - other[known]).sum())
                power = float(np.square(one[known]).sum())
            self._errors[name] = self._errors.get(name, 0.0) + error
            self._powers[name] = self._powers.get(name, 0.0) + power

    def value(self) -> float:
        return _worst(_share(self._errors[name], self._powers[name]) for name in self._errors)


class SignalToNoise(Noise):
    """The power of the reference over the power of the error, in dB; infinite for equal answers."""

    def value(self) -> float:
        noise = super().value()
        return -10 * math.log10(noise) if noise else math.inf


class Own:
    """The user's own function of all answers; higher is better."""

    decisions = 0

    def __init__(self, function: Callable[[list[Answers]], Any], name: str) -> None:
        self._function = function
        self._name = name
        self._answers: list[Answers] = []

    def add(self, reference: Answers, result: Answers) -> None:
        self._answers.append(result)

    def value(self) -> float:
        try:
            return float(self._function(self._answers))
        except Exception as error:  # whatever a user's function may raise
            raise InputError(
                f"{type(error).__name__}: {error}",
                where=f"metric {self._name}",
                mend="it takes a list of {output: array}, one for each sample, and returns a number",
            ) from error


def _is_float(held: Any) -> bool:
    return isinstance(held, np.ndarray) and held.dtype.name.startswith(("float", "bfloat"))


def _axis(held: Array) -> int:
    return 1 if held.ndim >= _IMAGE_AXES else -1


def _form(held: Array) -> tuple[int, int]:
    return held.ndim, held.shape[_axis(held)]


def _largest(held: Array) -> Array:
    """The largest class of each decision; -1 where one of them is not a number."""
    axis = _axis(held)
    return np.where(np.isnan(held).any(axis), -1, np.argmax(held, axis))


def _are_probabilities(held: Array, axis: int) -> bool:
    return bool((held >= 0).all() and np.allclose(held.sum(axis), 1.0, rtol=0, atol=1e-3))


def _log_probabilities(held: Array, axis: int, plain: bool) -> Array:
    if plain:
        return np.asarray(np.log(np.maximum(held, _TINY)))
    shifted = held - held.max(axis, keepdims=True)
    found = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    return np.asarray(np.maximum(found, math.log(_TINY)))


def _cosine(one: Array, other: Array) -> float:
    # Of scaled vectors, so that no square leaves the range of numbers.
    largest = [float(np.abs(held).max(initial=0.0)) for held in (one, other)]
    if not all(map(math.isfinite, largest)):
        return math.nan
    if 0.0 in largest:
        return float(largest[0] == largest[1])
    one, other = one / largest[0], other / largest[1]
    found = float((one * other).sum() / math.sqrt((one * one).sum() * (other * other).sum()))
    return min(1.0, found)


def _share(error: float, power: float) -> float:
    if not math.isfinite(error):
        return math.inf
    if error == 0:
        return 0.0
    return error / power if power else math.inf


def _worst(found: Any) -> float:
    """The largest; not a number when one of them is not."""
    held = list(found)
    return math.nan if any(map(math.isnan, held)) else max(held, default=0.0)
