"""Floating-point types of 16 bits, and the operators that lose too much in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from burnish.ir import DataType, Node, attribute
from burnish.passdef import Context
from burnish_passes.proofs import operand

__all__ = [
    "BFLOAT16",
    "BOUNDED",
    "CARRIED",
    "FLOAT16",
    "FLOAT32_INPUTS",
    "FLOAT32_OUTPUTS",
    "HEAVY",
    "Format",
    "why_by_nature",
]


@dataclass(frozen=True)
class Format:
    """A type that stands in for float32.

    Attributes:
        name: as ONNX spells it.
        dtype: the element type.
        largest: the largest finite number.
        smallest: the smallest number that has all its digits.
    """

    name: str
    dtype: DataType
    largest: float
    smallest: float


FLOAT16: Final = Format("float16", DataType.FLOAT16, 65504.0, 2.0**-14)
BFLOAT16: Final = Format("bfloat16", DataType.BFLOAT16, 3.3895313892515355e38, 2.0**-126)

HEAVY: Final = frozenset(
    {"Attention", "Conv", "ConvTranspose", "DeformConv", "Einsum", "GRU", "Gemm", "LSTM", "MatMul"}
    | {"RNN"}
)
"""Operators that a shorter type is for: what stands near them follows."""
BOUNDED: Final = frozenset(
    {"ArgMax", "ArgMin", "Clip", "Equal", "Erf", "Greater", "GreaterOrEqual", "HardSigmoid"}
    | {"IsInf", "IsNaN", "LayerNormalization", "Less", "LessOrEqual", "RMSNormalization", "Shape"}
    | {"Sigmoid", "Sign", "Size", "Softmax", "Softsign", "Tanh"}
)
"""Operators whose results are small however large their inputs are."""
CARRIED: Final = {"Attention": (2,), "Gather": (0,), "Where": (1, 2)}
"""Operators whose results are as large as these inputs alone."""
FLOAT32_INPUTS: Final = {"BatchNormalization": (1, 2, 3, 4), "Dropout": (1,), "Resize": (1,)}
"""Inputs that stay float32: statistics, ratios and coordinates."""
FLOAT32_OUTPUTS: Final = {"LayerNormalization": (1, 2)}
"""Results that are float32 because the operator computes them so."""

_SUMS: Final = frozenset({"ReduceMean", "ReduceSum"})
_LONGEST_SUM: Final = 256
_REASONS: Final = {
    "adds or multiplies many numbers": frozenset(
        {"CumProd", "CumSum", "DFT", "GlobalLpPool", "LpNormalization", "LpPool", "ReduceL1"}
        | {"MeanVarianceNormalization", "NegativeLogLikelihoodLoss", "ReduceL2", "ReduceLogSum"}
        | {"ReduceLogSumExp", "ReduceProd", "ReduceSumSquare", "STFT"}
        | {"SoftmaxCrossEntropyLoss"}
    ),
    "makes small errors large": frozenset(
        {"Cosh", "Det", "Exp", "Log", "Pow", "Reciprocal", "Sinh", "Softplus", "Tan"}
    ),
    "computes positions or angles": frozenset(
        {"AffineGrid", "Cos", "GridSample", "MaxRoiPool", "Mod", "NonMaxSuppression", "Range"}
        | {"RoiAlign", "Sin"}
    ),
}


def why_by_nature(node: Node, ctx: Context) -> str | None:
    """Why an operator should compute in float32 whatever its numbers are; None when it need not."""
    for reason, op_types in _REASONS.items():
        if node.op_type in op_types:
            return f"{node.op_type} {reason}"
    if node.op_type.startswith("Scatter") and attribute(node, "reduction", "none") != "none":
        return f"{node.op_type} adds or multiplies many numbers"
    if node.op_type in _SUMS and _summed(node, ctx) > _LONGEST_SUM:
        return f"{node.op_type} adds more than {_LONGEST_SUM} numbers"
    return None


def _summed(node: Node, ctx: Context) -> int:
    """How many elements one result of a reduction comes from; a large number when not known."""
    value, result = operand(node, 0), node.outputs[0]
    before = None if value is None else ctx.shapes.shape(value)
    after = ctx.shapes.shape(result)
    unknown = _LONGEST_SUM + 1
    if before is None or after is None:
        return unknown
    axes = attribute(node, "axes")
    if axes is None:
        contents = operand(node, 1)
        held = None if contents is None else ctx.shapes.contents(contents)
        axes = tuple(range(len(before))) if contents is None else held and held.ints()
    if axes is None:
        return unknown
    count = 1
    for axis in axes:
        size = before[axis]
        if not isinstance(size, int):
            return unknown
        count *= size
    return count
