"""Asking models for answers, on data that is read anew for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from burnish.budget.scores import Answers
from burnish.calibration import CalibrationData
from burnish.evaluate import Evaluator, Feeds
from burnish.ir import Model

__all__ = ["answering", "shared_samples_note"]


def answering(data: Iterable[Feeds], *, threads: int = 1) -> Callable[[Model], Iterator[Answers]]:
    """What :func:`burnish.budget.keep_within` calls ``evaluate``, with ONNX Runtime.

    The runtime may optimize: what is judged are its integer kernels, which round and saturate in
    their own way, not float arithmetic between pairs of Q and DQ.

    Args:
        data: the samples; gone through once for each model.
        threads: threads the runtime may use inside an operator.
    """

    def answers(model: Model) -> Iterator[Answers]:
        evaluator = Evaluator(model, optimize=True, threads=threads)
        return (evaluator.run(feeds) for feeds in data)

    return answers


def shared_samples_note(
    calibration: CalibrationData, evaluation: CalibrationData
) -> tuple[str, ...]:
    """A note when a model is judged by the samples that its ranges come from."""
    if calibration is not evaluation and calibration.digest != evaluation.digest:
        return ()
    what = "judged by the samples that it was calibrated on: others may lose more"
    return (f"{what}; give other samples to judge by",)
