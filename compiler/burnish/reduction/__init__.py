"""A failing model reduced to a small one that still fails the check.

::

    from burnish.reduction import reduce_model

    small = reduce_model(burnish.load("model.onnx"), fails=lambda model: crashes(model))

Delta debugging (:mod:`burnish.reduction.deltas`) takes nodes away first, then outputs and inputs,
then the contents and the size of weights, and begins again until nothing can be taken. Every
candidate is valid ONNX before the check sees it. A value that a candidate no longer computes is an
input, and is fed with what it held in the source.
"""

from __future__ import annotations

from burnish.reduction.reduce import Reducer, Reduction, reduce_case, reduce_model
from burnish.reduction.search import Fails, Progress
from burnish.reduction.values import seeded_feeds

__all__ = [
    "Fails",
    "Progress",
    "Reducer",
    "Reduction",
    "reduce_case",
    "reduce_model",
    "seeded_feeds",
]
