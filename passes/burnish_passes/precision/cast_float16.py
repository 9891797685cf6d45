"""Weights and inner values as float16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.errors import InputError
from burnish.ir import Model
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.precision.formats import FLOAT16
from burnish_passes.precision.reducing import reduce_precision


@dataclass(frozen=True)
class CastFloat16(Pass):
    """Store weights and compute inner values as float16; inputs and outputs keep their types.

    Casts stand where float32 ends and begins again: at the borders of the graph and around the
    nodes that stay float32. These are

    - operators that do not know float16 at the model's opset, by their schema, operators of other
      domains, and what stands in subgraphs;
    - operators that lose too much: sums of more than 256 numbers, Exp, Log, Pow, angles and
      positions (LayerNormalization and Softmax compute in float32 inside by themselves);
    - nodes with a constant beyond 65504, or below 6e-5 altogether, and, without data, what is
      computed from numbers that large until an operator bounds them;
    - nodes whose numbers exceed ``guard`` on the calibration data, if there is some. At 512 float16
      has steps of a half, and a sum of a hundred products of that size may overflow;
    - nodes named in ``keep``: names of nodes, or operators, with ``/`` between them; ``?`` stands
      for any character, a slash in a name too, and ``*`` for any number of them;
    - operators computed on codes, with their QuantizeLinear and DequantizeLinear, unless ``scales``
      is set: ONNX Runtime has integer kernels for float32 scales only, TensorRT wants the type of
      the rest. Weights stored as codes are decoded to float16 from opset 19 on;
    - cheap operators with no matrix product, convolution or large table near them.

    Before::

        agraph (float[1, 2] x) => (float[1, 2] y) <float[2, 2] w = {1.0, 2.0, 0.5, 3.0}> {
            a = MatMul(x, w)
            b = Relu(a)
            y = Exp(b)
        }

    After::

        agraph (float[1, 2] x) => (float[1, 2] y)
        <float16[2, 2] w = {15360, 16384, 14336, 16896}> {
            x_float16 = Cast <to = 10> (x)
            a = MatMul(x_float16, w)
            b_float16 = Relu(a)
            b = Cast <to = 1> (b_float16)
            y = Exp(b)
        }

    LOSSY: 11 bits of significand in place of 24. The guard is that of NVIDIA ModelOpt's AutoCast.
    Source: Micikevicius et al., "Mixed Precision Training", 2018.

    Raises:
        InputError: when ``guard`` is not positive, or a name in ``keep`` is nowhere.
    """

    name: ClassVar[str] = "cast-float16"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    counted: ClassVar[bool] = True
    keep: tuple[str, ...] = ()
    guard: float | None = 512.0
    scales: bool = False

    def __post_init__(self) -> None:
        if self.guard is not None and not self.guard > 0:
            raise InputError("the guard is a positive number, or none", where=self.name)

    def run(self, model: Model, ctx: Context) -> None:
        """Decide, then cast."""
        reduce_precision(
            self.name, model, ctx, FLOAT16, keep=self.keep, guard=self.guard, scales=self.scales
        )
