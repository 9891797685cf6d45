"""What a target wants of a quantized model: types of codes, integer kernels, where codes pay."""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = [
    "OPENVINO",
    "ORT_ARM",
    "ORT_X86",
    "TENSORRT",
    "TVM",
    "Quantization",
    "of_this_machine",
    "saturates_here",
]

_MOVEMENTS = frozenset(
    {"DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "Identity", "MaxPool"}
    | {"Pad", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
_CALCULATIONS = frozenset(
    {"Add", "AveragePool", "Concat", "GlobalAveragePool", "LeakyRelu", "Mul", "Sigmoid"}
)


@dataclass(frozen=True)
class Quantization:
    """What passes that quantize may rely on.

    Types of codes are named as in ``burnish.quantization.CODE_TYPES``.

    Attributes:
        activations: the codes of values.
        symmetric: whether zero must be the code in the middle.
        weights: the codes of weights, which are symmetric.
        per_channel: whether each output channel of a weight may have its own scale.
        products: operators with a weight that have integer kernels.
        needs_codes_out: those of them whose integer kernel writes codes only; the others may as
            well write numbers.
        calculations: other operators with integer kernels, whose operands and result each have
            their own scale and zero point.
        movements: operators that run on codes when scale and zero point are the same before and
            after (Pad, when pad-codes made it one of codes).
        absorbs_bounds: whether a Relu or Clip goes into the QuantizeLinear after it, when it
            bounds nothing that the codes do not bound as well.
        joins_bias: whether the runtime makes one float operator of a MatMul of known sizes and the
            vector that is added to it, before it looks for codes.
        residual: what an Add after a product reads as codes: ``all`` of its operands, when it
            has an integer kernel; ``skip``, the operand that is not the product's result; ``none``.
        integer_bias: whether the bias is to be int32 codes.
        one_reader: whether each reader wants a DequantizeLinear of its own.
        fewest_channels: convolutions of fewer channels are faster on numbers.
        fewest_columns: the same for a MatMul or Gemm with a smaller side of its weight.
        saturating: whether products of neighbours (u8 * s8) are summed in saturating int16; None
            when the processor of this machine is to be asked.
    """

    activations: str = "uint8"
    symmetric: bool = False
    weights: str = "int8"
    per_channel: bool = True
    products: frozenset[str] = frozenset({"Conv", "Gemm", "MatMul"})
    needs_codes_out: frozenset[str] = frozenset({"Conv"})
    calculations: frozenset[str] = _CALCULATIONS
    movements: frozenset[str] = _MOVEMENTS
    absorbs_bounds: bool = True
    joins_bias: bool = True
    residual: Literal["all", "skip", "none"] = "all"
    integer_bias: bool = True
    one_reader: bool = True
    fewest_channels: int = 0
    fewest_columns: int = 0
    saturating: bool | None = False

    @property
    def saturates(self) -> bool:
        """Whether sums of two products may saturate, as far as can be told from here."""
        return saturates_here() if self.saturating is None else self.saturating


ORT_X86 = Quantization(saturating=True)
"""ONNX Runtime on any x86 processor. There it runs int8 activations only where it can turn them
into uint8 by itself, which it cannot at a residual Add (``qdq_s8_to_u8.cc``)."""
ORT_ARM = Quantization(activations="int8")
"""ONNX Runtime on Arm, which multiplies int8 by int8. Relu still goes into the codes, as the zero
point after it is the least code."""
TENSORRT = Quantization(
    activations="int8",
    symmetric=True,
    products=frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"}),
    needs_codes_out=frozenset(),
    calculations=frozenset(),
    movements=frozenset(),
    absorbs_bounds=False,
    joins_bias=False,
    residual="skip",
    integer_bias=False,
    one_reader=False,
    fewest_channels=16,
    fewest_columns=16,
)
"""TensorRT moves Q and DQ to where it wants them itself; it asks for the inputs of products, and
for the skip input of a residual Add (TensorRT documentation, explicit quantization; the numbers
are those of NVIDIA's ModelOpt)."""
TVM = Quantization(
    products=frozenset(),
    needs_codes_out=frozenset(),
    calculations=frozenset(),
    movements=frozenset(),
    absorbs_bounds=False,
    joins_bias=False,
    residual="none",
)
"""TVM's Relax makes loops over numbers of quantized operators: only weights gain."""
OPENVINO = Quantization(joins_bias=False, one_reader=False, saturating=None)
"""OpenVINO on x86, which reads Q/DQ pairs as its own FakeQuantize."""

_FLAGS = Path("/proc/cpuinfo")
_EXACT = frozenset({"amx_int8", "avx512_vnni", "avx_vnni", "avx_vnni_int8"})
"""Instruction sets of x86 that sum four products in 32 bits."""


def is_arm() -> bool:
    """Whether this machine's processor is an Arm."""
    return platform.machine().lower() in ("aarch64", "arm64", "armv7l", "armv8l")


@functools.cache
def saturates_here() -> bool:
    """Whether this machine's processor sums products of u8 and s8 in saturating int16.

    It does when it is an x86 without VNNI and AMX. Where nothing is known of the processor, it is
    taken to be such a one.
    """
    if is_arm():
        return False
    try:
        lines = _FLAGS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _EXACT.intersection(flags.split())


def of_this_machine() -> Quantization:
    """What ONNX Runtime wants on this machine's processor."""
    return ORT_ARM if is_arm() else _HERE


_HERE = Quantization(saturating=None)
