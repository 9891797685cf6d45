"""Weights and inner values as bfloat16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Model
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.precision.formats import BFLOAT16
from burnish_passes.precision.reducing import reduce_precision


@dataclass(frozen=True)
class CastBfloat16(Pass):
    """Store weights and compute inner values as bfloat16; inputs and outputs keep their types.

    As cast-float16, but bfloat16 has the range of float32, so that no guard is needed, and 8 bits
    of significand, so that results are coarser. Many operators know it only from opset 22 on
    (Conv, pools); ``raise-opset`` first lets them take part. Nothing is done for a target without
    kernels for it, such as ``ort-cpu``; ``onnx`` is one without limits.

    For target ``onnx``:

    Before::

        agraph (float[1, 2] x) => (float[1, 2] y) <float[2, 2] w = {1.0, 2.0, 0.5, 3.0}> {
            y = MatMul(x, w)
        }

    After::

        agraph (float[1, 2] x) => (float[1, 2] y)
        <bfloat16[2, 2] w = {16256, 16384, 16128, 16448}> {
            x_bfloat16 = Cast <to = 16> (x)
            y_bfloat16 = MatMul(x_bfloat16, w)
            y = Cast <to = 1> (y_bfloat16)
        }

    LOSSY: 8 bits of significand in place of 24. Source: Kalamkar et al., "A Study of BFLOAT16 for
    Deep Learning Training", 2019.

    Raises:
        InputError: when a name in ``keep`` is nowhere.
    """

    name: ClassVar[str] = "cast-bfloat16"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    counted: ClassVar[bool] = True
    keep: tuple[str, ...] = ()
    scales: bool = False

    def run(self, model: Model, ctx: Context) -> None:
        """Decide, then cast."""
        reduce_precision(
            self.name, model, ctx, BFLOAT16, keep=self.keep, guard=None, scales=self.scales
        )
