"""Transposes move through operators that add up elements, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Model
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.movement.sink_transposes import sink_transposes


@dataclass(frozen=True)
class SinkTransposesThroughSums(Pass):
    """Do what ``sink-transposes`` does, and let Transposes pass reductions and Softmax.

    ``ReduceSum[a](Transpose[p](x)) => Transpose[q](ReduceSum[p[a]](x))``, ``q`` without the axes
    that are gone; likewise every other Reduce, Softmax, LogSoftmax, and linear and cubic Resize
    along the last axes.

    Before::

        agraph (float[2,3,4,5] x) => (float[2,3] y) <int64[2] axes = {1, 2}> {
            t = Transpose <perm = [0, 2, 3, 1]> (x)
            y = ReduceMean <keepdims = 0> (t, axes)
        }

    After::

        agraph (float[2,3,4,5] x) => (float[2,3] y)
            <int64[2] axes = {1, 2}, int64[2] others = {2, 3}> {
            y = ReduceMean <keepdims = 0> (x, others)
        }

    FLOAT: elements may be added up in another order. Catalogue row C2. Source: sums are symmetric
    in their terms; ONNX operator specifications.
    """

    name: ClassVar[str] = "sink-transposes-through-sums"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the surroundings of every Transpose until none can be improved."""
        sink_transposes(model, ctx, self.name, exact=False)
