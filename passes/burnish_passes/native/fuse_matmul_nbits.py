"""A product with a weight held as codes becomes one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from burnish.errors import InputError
from burnish.ir import Array, DataType, Node, Value, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Exactness
from burnish_passes.native.contrib import DOMAIN, ContribRule
from burnish_passes.proofs import operand

_BITS: Final = {
    DataType.INT4: 4,
    DataType.UINT4: 4,
    DataType.INT8: 8,
    DataType.UINT8: 8,
}
_SIGNED: Final = frozenset({DataType.INT4, DataType.INT8})
_SMALLEST_BLOCK, _LARGEST_BLOCK = 16, 256


@dataclass(frozen=True)
class FuseMatMulNBits(ContribRule):
    """Let ONNX Runtime multiply with codes of 4 or 8 bits directly.

    ``MatMul(x, DequantizeLinear(codes, scale)) => MatMulNBits(x, codes, scale)``, a Gemm with a
    bias likewise.

    In this text, a number of int4 holds two codes, as in a file:

    Before::

        <ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>
        agraph (float[B,4] x) => (float[B,2] y)
            <int4[4,2] codes = {33, 67, 239, 205}, float[2] scale = {0.5, 0.25}> {
            w = DequantizeLinear <axis = 1> (codes, scale)
            y = MatMul(x, w)
        }

    After::

        <ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>
        agraph (float[B,4] x) => (float[B,2] y)
            <uint8[2,1,8] codes = {185, 87, 136, 136, 136, 136, 136, 136,
                                   202, 70, 136, 136, 136, 136, 136, 136},
             float[2,1] scale = {0.5, 0.25}> {
            y = com.microsoft.MatMulNBits <K = 4, N = 2, bits = 4, block_size = 16,
                                           accuracy_level = 1> (x, codes, scale)
        }

    The runtime does the same when it loads a model, but then with accuracy level 4: it rounds
    ``x`` to 8 bits as well. Codes lie by column, ``[N, blocks, bytes of a block]``, of 4 bits the
    first in the lower half of a byte; they have no sign, and stand for zero in the middle unless
    there are zero points.

    Codes of 8 bits stay with ``accuracy=1``, unless ``slow=true``: the kernel then decodes them on
    each run, which took 12 times as long as float32 (one row by 1024 x 1024).

    FLOAT with ``accuracy=1``: sums are formed in another order. LOSSY with the others. Source: ONNX
    Runtime's contrib operator MatMulNBits.

    Attributes:
        accuracy: what ``x`` is rounded to: 1 for float32 (not at all), 2 float16, 4 int8 (faster,
            off by about 0.5 %).
        slow: also where the kernel is slower than float32.
    """

    name: ClassVar[str] = "fuse-matmul-nbits"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    accuracy: int = 1
    slow: bool = False

    def __post_init__(self) -> None:
        if self.accuracy not in (1, 2, 4):
            raise InputError(
                f"{self.name}{{accuracy}} is 1, 2 or 4, not {self.accuracy}",
                mend="1 keeps float32, 4 rounds the other operand to 8 bits",
            )
        if self.accuracy > 1:
            # The promise of this one, not of all.
            object.__setattr__(self, "exactness", Exactness.LOSSY)

    def before(self, op: Any, x: Any, codes: Any, scale: Any) -> Any:
        weight = op.DequantizeLinear(codes.constant, scale.constant, ..., _name="decode")
        return op.either("Gemm", "MatMul")(x, weight, ..., _name="product")

    def when(self, m: Match) -> None:
        decode = m.node("decode")
        m.suppose(m.node("product").inputs[1] is decode.outputs[0])
        dtype = m.dtype("scale")
        kinds = (DataType.FLOAT, DataType.FLOAT16)
        m.require(dtype in kinds and m.dtype("x") == dtype, "ONNX Runtime has no such kernel")
        m.require(m.dtype("codes") in _BITS, "it has kernels for 4 and 8 bits only")
        m.require(len(m.shape("codes")) == 2, "the weight is no matrix")
        fast = self.slow or self.accuracy == 4 or _BITS[m.dtype("codes")] == 4
        m.require(fast, "it has no fast kernel for 8 bits unless accuracy=4; slow=true does it")
        zero = operand(decode, 2)
        known = zero is None or constant_array(zero) is not None
        m.require(known, "the zero point is known only when the model runs")
        block = attribute(decode, "block_size", 0)
        if block:
            m.require(attribute(decode, "axis", 1) in (0, -2), "blocks are not of rows")
            even = block >= _SMALLEST_BLOCK and not block & (block - 1)
            m.require(even, f"it has no kernel for blocks of {block}")
        elif m.const("scale").size > 1:
            m.require(attribute(decode, "axis", 1) in (1, -1), "scales differ by row")
        if m.node("product").op_type == "Gemm":
            self._require_plain(m, m.node("product"))

    def _require_plain(self, m: Match, gemm: Node) -> None:
        plain = attribute(gemm, "alpha", 1.0) == 1.0 and attribute(gemm, "beta", 1.0) == 1.0
        m.require(plain, "the Gemm has factors")
        turned = attribute(gemm, "transA", 0) or attribute(gemm, "transB", 0)
        m.require(not turned, "the Gemm turns an operand")
        bias = operand(gemm, 2)
        if bias is not None:
            width = m.shape("codes")[1]
            m.require(m.shape_of(bias) == (width,), "the bias has not one number for each column")

    def after(self, op: Any, m: Match) -> Any:
        decode = m.node("decode")
        bits, codes = _BITS[m.dtype("codes")], m.const("codes").astype(np.int64)
        rows, columns = codes.shape
        scale, zero = m.const("scale"), constant_array(operand(decode, 2))
        zero = np.zeros(scale.shape, np.int64) if zero is None else zero.astype(np.int64)
        block = attribute(decode, "block_size", 0)
        if not block:
            block = min(max(_SMALLEST_BLOCK, 1 << (rows - 1).bit_length()), _LARGEST_BLOCK)
            blocks = -(-rows // block)
            scale, zero = (np.broadcast_to(held, (blocks, columns)) for held in (scale, zero))
        lift = 2 ** (bits - 1) if m.dtype("codes") in _SIGNED else 0
        middle = 2 ** (bits - 1)
        zero = zero + lift
        inputs: list[Value | None] = [
            m["x"],
            op.constant(_packed_codes(codes + lift, block, bits, middle), f"{m['codes'].name}_n"),
            op.constant(np.ascontiguousarray(scale.T), f"{m['scale'].name}_n"),
            None if (zero == middle).all() else op.constant(_packed(zero.T, bits)),
            None,
            operand(m.node("product"), 2),
        ]
        while inputs[-1] is None:
            inputs.pop()
        return op.MatMulNBits(
            *inputs,
            K=rows,
            N=columns,
            bits=bits,
            block_size=block,
            accuracy_level=self.accuracy,
            _domain=DOMAIN,
        )


def _packed_codes(codes: Array, block: int, bits: int, fill: int) -> Array:
    """Codes ``[K, N]`` without sign as uint8 ``[N, blocks, block * bits / 8]``."""
    rows, columns = codes.shape
    blocks = -(-rows // block)
    whole = np.full((blocks * block, columns), fill, np.int64)
    whole[:rows] = codes
    return _packed(whole.T.reshape(columns, blocks, block), bits)


def _packed(codes: Array, bits: int) -> Array:
    """Codes as bytes, of 4 bits two along the last axis, the first in the lower half."""
    small = codes.astype(np.uint8)
    if bits == 8:
        return np.ascontiguousarray(small)
    if small.shape[-1] % 2:
        small = np.concatenate([small, np.zeros_like(small[..., :1])], axis=-1)
    return np.ascontiguousarray(small[..., 0::2] | small[..., 1::2] << 4)
