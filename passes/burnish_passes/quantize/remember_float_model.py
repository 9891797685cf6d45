"""The model before quantization, kept for passes that come later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Model
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.quantize.float_model import FloatModel


@dataclass(frozen=True)
class RememberFloatModel(Pass):
    """Keep the model as it stands, so that ``correct-bias`` has something to compare with.

    Nothing changes. It stands right before the pass that quantizes, after everything that scales
    channels: ``smooth-quant, remember-float-model, insert-qdq, correct-bias``.

    Before::

        agraph (float[2] x) => (float[2] y) {
            y = Relu(x)
        }

    After::

        agraph (float[2] x) => (float[2] y) {
            y = Relu(x)
        }

    BITWISE: the copy shares the weights.
    """

    name: ClassVar[str] = "remember-float-model"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Keep a copy."""
        ctx.recall(FloatModel).remember(model)
