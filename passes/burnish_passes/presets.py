"""The levels ``-O0`` to ``-O3`` as pipeline text.

``O0`` changes nothing. ``O1`` keeps every bit. ``O2``, the default, may also round differently.
``O3`` is for what pays only on some targets; so far that is nothing. Order matters: shapes first, because most rules ask about them; dead code before
the fixpoint, so that it does not hold values alive; common subexpressions last in each round, when
equal things have become equally written.
"""

from __future__ import annotations

from typing import Final

_START: Final = "inline-functions, infer-shapes, lift-constants, remove-dead-code"
_RAISE: Final = "raise-function-bodies, raise-opset"
_EXACT: Final = """
    fold-constants, inline-if, hoist-invariants, unroll-loop, lift-constants,
    scalarize-range, fold-shape-arithmetic, simplify-reshape,
    eliminate-identity, eliminate-neutral-element, eliminate-idempotent,
    simplify-where, absorb-negation, fold-absorbing-element, fold-into-keepdims,
    eliminate-no-op-movement, compose-casts, compose-transposes, compose-reshapes,
    compose-concats, compose-slices, drop-transpose-before-reshape, select-from-split,
    remove-zero-initial-state, drop-unused-outputs, resolve-sequences, eliminate-full-scatter,
    simplify-gather, raise-depth-to-space, simplify-split, merge-slices-into-split,
    make-pads-explicit, drop-expand-before-broadcast,
    cancel-requantize, drop-bounds-before-quantize, propagate-quantization
"""
_IDIOMS: Final = """
    fuse-gelu, fuse-activations, fuse-hard-activations,
    fuse-layer-normalization, fuse-rms-normalization, fuse-channel-normalization,
    fold-affine-into-normalization, fuse-reductions, fuse-softmax,
    fuse-rotary-embedding, fuse-attention, drop-repeated-heads, fuse-attention-cache,
    merge-attention-heads
"""
_LINEAR: Final = """
    compose-clips, compose-reductions, fuse-log-softmax,
    fuse-conv-batch-norm, fold-affine-into-conv, fold-batch-norm-into-gemm, fuse-pad,
    fold-focus-into-conv, fuse-pad-into-pool, eliminate-unit-pool, lower-einsum,
    drop-reshape-around-matmul
"""
_ALGEBRA: Final = """
    eliminate-zero-addition, simplify-power, fold-affine-before-conv, fold-batch-norm-across-views,
    fold-affine-before-matmul, fold-scale-into-matmul, merge-constant-products,
    fuse-matmul-add, fold-affine-into-gemm, fold-gemm-factors, remove-zero-bias,
    fold-transpose-into-gemm, raise-global-average-pool, merge-split-convs, fuse-reciprocal, merge-constant-steps, multiply-by-reciprocal
"""
_END: Final = "merge-initializers, eliminate-common-subexpressions, remove-dead-code"
_NATIVE: Final = """
    fuse-packed-attention, fuse-skip-layer-normalization, fuse-bias-gelu, fuse-quick-gelu,
    remove-dead-code
"""


def _one_line(text: str) -> str:
    return " ".join(text.split())


PRESETS: Final[dict[str, str]] = {
    "O0": "",
    "O1": _one_line(f"{_START}, fixpoint[{_EXACT}, {_END}], infer-shapes"),
    "O2": _one_line(
        f"{_START}, {_RAISE}, fixpoint[{_EXACT}, {_END}], "
        f"fixpoint[{_EXACT}, {_IDIOMS}, {_LINEAR}, {_END}], expand-missing-operators, "
        f"fixpoint[{_EXACT}, {_IDIOMS}, {_LINEAR}, {_ALGEBRA}, {_END}], "
        f"merge-parallel-matmuls, {_END}, infer-shapes"
    ),
    "O3": _one_line(f"O2, merge-parallel-convs, {_END}, infer-shapes"),
    "ort-native": _one_line(_NATIVE),
}
