"""Constant weights become small integers; what is computed with them stays float."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.errors import InputError
from burnish.ir import Model
from burnish.passdef import Context, Exactness, Pass
from burnish_passes.quantize.layers import Selection
from burnish_passes.quantize.second_moments import second_moments
from burnish_passes.quantize.weight_plan import Method, Settings, plan_weights

KINDS = ("Conv", "Gather", "Gemm", "MatMul")


@dataclass(frozen=True)
class QuantizeWeights(Pass):
    """Hold the weights of products and tables as codes of 8 or 4 bits.

    ``MatMul(x, w) => MatMul(x, DequantizeLinear(codes, scale))``,
    ``Gather(table, i) => DequantizeLinear(Gather(codes, i), Gather(scale, i))``.

    Before::

        <ir_version: 10, opset_import: ["": 21]>
        agraph (float[B,8] x) => (float[B,4] y)
            <float[8,4] w = {127, 0, 0, 127, 0, 127, 0, 0, 0, 0, 127, 0, 3, 0, 0, 1, 0, 5, 0, 0,
                             0, 0, 8, 0, 2, 0, 0, 4, 0, 6, 0, 0}> {
            y = MatMul(x, w)
        }

    After::

        <ir_version: 10, opset_import: ["": 21]>
        agraph (float[B,8] x) => (float[B,4] y)
            <int8[8,4] codes = {127, 0, 0, 127, 0, 127, 0, 0, 0, 0, 127, 0, 3, 0, 0, 1, 0, 5, 0, 0,
                                0, 0, 8, 0, 2, 0, 0, 4, 0, 6, 0, 0}, float[4] scale = {1, 1, 1, 1}> {
            w = DequantizeLinear <axis = 1> (codes, scale)
            y = MatMul(x, w)
        }

    Rows of a weight, within one column, share a scale in blocks of ``block``; a weight of no more
    rows has a scale for each column. ONNX Runtime fuses the pair to MatMulNBits, so a Gemm with
    ``transB`` gets its weight turned, and each layer a DequantizeLinear of its own. It then
    quantizes the other operand to 8 bits as well, unless the session option
    ``session.qdq_matmulnbits_accuracy_level`` is ``1``.

    LOSSY. Sources: blocks, Dettmers and Zettlemoyer, "The case for 4-bit precision", 2023; GPTQ,
    Frantar et al., 2023; adaptive rounding, Nagel et al., 2020 (see ``layerwise.py``).

    Attributes:
        bits: of a code, 8 or 4.
        block: rows that share a scale; none: a scale for each column.
        symmetric: whether zero is the code in the middle; else blocks have zero points (tables and
            convolutions never do).
        method: ``rtn`` takes the range of the numbers and the nearest codes; ``mse`` the range that
            loses least; ``gptq`` and ``adaptive`` need calibration data and look at the results.
        only: operators: Gather, Gemm, MatMul, Conv (in 8 bits; a Conv is decoded on every run).
        exclude: patterns of layer or weight names, ``?`` for any character, a slash too.
        head: bits of the products that no other one follows, when ``bits`` are fewer.
        tables: bits of the tables of Gather: 8, or none to leave them.
        damping: part of the mean second moment that gptq and adaptive add to each.
        by_activity: whether gptq begins with the largest inputs (act-order).
    """

    name: ClassVar[str] = "quantize-weights"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    counted: ClassVar[bool] = True
    bits: int = 8
    block: int | None = 32
    symmetric: bool = True
    method: Method = "mse"
    only: tuple[str, ...] = ("Gather", "Gemm", "MatMul")
    exclude: tuple[str, ...] = ()
    head: int = 8
    tables: int | None = 8
    damping: float = 0.01
    by_activity: bool = False

    def __post_init__(self) -> None:
        for what, bits in (("bits", self.bits), ("head", self.head)):
            if bits not in (4, 8):
                raise InputError(f"{self.name}{{{what}}} is 4 or 8, not {bits}")
        if self.tables not in (8, None):
            raise InputError(f"{self.name}{{tables}} is 8 or none, not {self.tables}")
        if self.block is not None and (self.block < 16 or self.block & (self.block - 1)):
            raise InputError(
                f"{self.name}{{block}} is a power of two from 16 on, or none, not {self.block}",
                mend="kernels know no other blocks",
            )
        if not 0 < self.damping < 1:
            raise InputError(f"{self.name}{{damping}} is between 0 and 1, not {self.damping}")
        unknown = [kind for kind in self.only if kind not in KINDS]
        if unknown:
            raise InputError(
                f"{self.name}{{only}} cannot be {unknown[0]}",
                mend=f"choose from: {', '.join(KINDS)}",
            )

    def run(self, model: Model, ctx: Context) -> None:
        """Quantize layer by layer; layers that share a weight go together."""
        named = f"{self.name}{{method={self.method}}}"
        if ctx.calibration is None and self._settings().needs_data:
            raise InputError(f"{named} needs calibration data", mend="give it with --data")
        layers = list(Selection(self.only, self.exclude).layers(model, ctx, self.name))
        plans = plan_weights(self._settings(), layers, model, ctx)
        widths = {name: width for plan in plans for name, width in plan.sources().items()}
        moments = second_moments(named, model, ctx, widths) if widths else {}
        for plan in plans:
            plan.carry_out(moments, ctx)

    def _settings(self) -> Settings:
        return Settings(
            self.name,
            self.bits,
            self.block,
            self.symmetric,
            self.method,
            self.head,
            self.tables,
            self.damping,
            self.by_activity,
        )
