"""The levels ``-O0`` to ``-O3`` as pipeline text, and the groups of passes they are made of.

``O0`` changes nothing. ``O1`` keeps every bit. ``O2``, the default, may also round differently.
``O3`` is for what pays only on some targets. Order matters; docs/adr/0009 says why it is this one.
"""

from __future__ import annotations

from typing import Final


def _one_line(text: str) -> str:
    return " ".join(text.split())


PRESETS: Final[dict[str, str]] = {
    "O0": "",
    "O1": "prepare, fixpoint[exact, settle], fixpoint[sink-transposes, exact, settle], infer-shapes",
    "O2": _one_line("""
        prepare, raise,
        fixpoint[exact, settle],
        fixpoint[exact, idioms, linear, settle],
        expand-missing-operators,
        fixpoint[exact, idioms, linear, algebra, settle],
        merge-parallel-matmuls,
        fixpoint[sink-transposes-through-sums, exact, linear, settle], infer-shapes
    """),
    "O3": "O2, merge-parallel-convs, settle, infer-shapes",
    # Shapes, because most rules ask about them; no dead code, because it holds values alive.
    "prepare": _one_line("""
        inline-functions, infer-shapes, lift-constants, remove-dead-code
    """),
    # Function bodies first, while they stand as ONNX writes them; then the newest opset.
    "raise": _one_line("""
        raise-function-bodies, raise-opset
    """),
    # Keeps every bit.
    "exact": _one_line("""
        fold-constants, inline-if, hoist-invariants, unroll-loop, lift-constants,
        scalarize-range, fold-shape-arithmetic, simplify-reshape,
        eliminate-identity, eliminate-neutral-element, eliminate-idempotent,
        simplify-where, absorb-negation, fold-absorbing-element, fold-into-keepdims,
        eliminate-no-op-movement, compose-casts, compose-casts-across-movement,
        compose-transposes, compose-reshapes,
        compose-concats, compose-slices, drop-transpose-before-reshape,
        drop-reshapes-around-transpose, select-from-split,
        remove-zero-initial-state, drop-unused-outputs, resolve-sequences, eliminate-full-scatter,
        simplify-gather, raise-depth-to-space, simplify-split, merge-slices-into-split,
        make-pads-explicit, drop-expand-before-broadcast,
        cancel-requantize, drop-bounds-before-quantize, propagate-quantization
    """),
    # Decomposed operators put together again.
    "idioms": _one_line("""
        fuse-gelu, fuse-activations, fuse-hard-activations,
        fuse-layer-normalization, fuse-rms-normalization, fuse-channel-normalization,
        fold-affine-into-normalization, fuse-reductions, fuse-softmax,
        fuse-gru-cell{in_sequences=true}, fuse-lstm-cell, compose-recurrent-steps,
        fuse-rotary-embedding, split-axis-before-transpose, unfold-batched-matmul,
        fuse-attention, drop-repeated-heads, fuse-attention-cache,
        merge-attention-heads
    """),
    # Into weights and windows, without hiding an idiom.
    "linear": _one_line("""
        compose-clips, compose-reductions, fuse-log-softmax,
        fuse-conv-batch-norm, fold-affine-into-conv, fold-batch-norm-into-gemm, fuse-pad,
        fold-focus-into-conv, fuse-pad-into-pool, eliminate-unit-pool, lower-einsum,
        drop-reshape-around-matmul
    """),
    # Constants into weights and into each other; this takes idioms apart.
    "algebra": _one_line("""
        eliminate-zero-addition, simplify-power,
        fold-affine-before-conv, fold-batch-norm-across-views, fold-affine-before-matmul,
        fold-scale-into-matmul, merge-constant-products,
        fuse-matmul-add, fold-affine-into-gemm, fold-gemm-factors, remove-zero-bias,
        fold-transpose-into-gemm, raise-global-average-pool, merge-split-convs,
        fuse-reciprocal, merge-constant-steps, multiply-by-reciprocal
    """),
    # Equal things are now equally written.
    "settle": _one_line("""
        merge-initializers, eliminate-common-subexpressions, remove-dead-code
    """),
    # To codes and back around what the target computes on integers; needs calibration data. With
    # options it is written out: O2, add-for-sum, insert-qdq{calibration=mse}, settle-codes.
    "quantize": "O2, add-for-sum, insert-qdq, settle-codes",
    # Moves and bounds become those of codes. Equal DequantizeLinear nodes are left as they are: a
    # runtime wants one for each reader.
    "settle-codes": _one_line("""
        fixpoint[pad-codes, drop-bounds-before-quantize, propagate-quantization,
        cancel-requantize], merge-initializers, remove-dead-code
    """),
    # What `burnish quantize --scheme NAME` runs after a level. Data is needed for static, smooth
    # and corrected; float16 uses it when it is there.
    "scheme-static": "add-for-sum, insert-qdq, settle-codes",
    "scheme-smooth": "add-for-sum, smooth-quant, insert-qdq, settle-codes",
    "scheme-corrected": _one_line("""
        add-for-sum, equalize-layers, remember-float-model, insert-qdq, correct-bias, settle-codes
    """),
    "scheme-dynamic": "quantize-dynamic, settle-codes",
    "scheme-weights-int8": "quantize-weights, settle-codes",
    "scheme-weights-int4": "quantize-weights{bits=4}, settle-codes",
    "scheme-weights-int4-gptq": "quantize-weights{bits=4,method=gptq}, settle-codes",
    "scheme-codebook": "compress-weights, settle-codes",
    "scheme-float16": "cast-float16, settle",
    # Operators of ONNX Runtime's own.
    "ort-native": _one_line("""
        fuse-packed-attention, fuse-skip-layer-normalization, fuse-bias-gelu, fuse-quick-gelu,
        fuse-matmul-nbits, remove-dead-code
    """),
}
