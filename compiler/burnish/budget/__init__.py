"""Mixed precision by budget: which layers stay in float so that no more is lost than allowed.

- ``scores``: answers against reference answers, sample by sample.
- ``metrics``: what a model is judged by, and how much may be lost.
- ``answering``: asking a model for its answers.
- ``costs``: what keeping a layer in float costs.
- ``search``: the search; ``state``: what it measured, on disk; ``plan``: its outcome.

No pass is named here: the caller hands in how a model with some layers in float is built.
"""

from __future__ import annotations

from burnish.budget.answering import answering, shared_samples_note
from burnish.budget.costs import Cost, macs_cost, time_cost
from burnish.budget.metrics import (
    METRICS,
    Drop,
    Measured,
    Metric,
    measure,
    metric_named,
    own_metric,
)
from burnish.budget.plan import Decision, Plan
from burnish.budget.scores import Answers
from burnish.budget.search import keep_within, most_builds

__all__ = [
    "METRICS",
    "Answers",
    "Cost",
    "Decision",
    "Drop",
    "Measured",
    "Metric",
    "Plan",
    "answering",
    "keep_within",
    "macs_cost",
    "measure",
    "metric_named",
    "most_builds",
    "own_metric",
    "shared_samples_note",
    "time_cost",
]
