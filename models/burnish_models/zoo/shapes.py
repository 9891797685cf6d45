"""Shape arithmetic: static sizes, symbolic sizes, and the traps of Shape, Reshape and Slice."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "shape_static",
        "Shape and Size of a value with a static shape are constants.",
        """(float[2, 3] x) => (int64[2] s, int64 n) {
            r = Relu (x)
            s = Shape (r)
            n = Size (r)
        }""",
        rows=("D2",),
    ),
    ZooModel(
        "shape_static_part",
        "One axis of a partly symbolic shape is a constant when that axis is static.",
        """(float[N, 3, 8] x) => (int64[1] y) <int64[1] two = {2}, int64[1] k = {10}> {
            s = Shape (x)
            width = Gather (s, two)
            y = Mul (width, k)
        }""",
        rows=("D2", "D3"),
        dims={"N": 4},
    ),
    ZooModel(
        "shape_start_end",
        "Shape with start and end, counted from the back too (opset 15).",
        """(float[N, 3, 8] x) => (int64[1] middle, int64[2] last) {
            middle = Shape <start = 1, end = 2> (x)
            last = Shape <start = -2> (x)
        }""",
        rows=("D2",),
        dims={"N": 4},
    ),
    ZooModel(
        "shape_start_after_end",
        "Shape whose start lies after its end is empty.",
        """(float[N, 3, 8] x) => (int64[K] y) {
            y = Shape <start = 2, end = 1> (x)
        }""",
        rows=("D2",),
        dims={"N": 4, "K": 0},
        trap="Reading shape[start:end] without clamping: the answer has no elements.",
    ),
    ZooModel(
        "shape_of_elementwise",
        "The shape of Relu(Neg(x)) is the shape of x, which frees both nodes.",
        """(float[N, M] x) => (int64[2] y) {
            n = Neg (x)
            r = Relu (n)
            y = Shape (r)
        }""",
        rows=("D4", "D9"),
        dims={"N": 2, "M": 3},
    ),
    ZooModel(
        "shape_rebuilt",
        "A shape taken apart and put together in order is the shape itself.",
        """(float[N, M] x) => (int64[2] y) <int64[1] zero = {0}, int64[1] one = {1}> {
            s = Shape (x)
            n = Gather (s, zero)
            m = Gather (s, one)
            y = Concat <axis = 0> (n, m)
        }""",
        rows=("D5",),
        dims={"N": 2, "M": 3},
    ),
    ZooModel(
        "bert_head_split",
        "The Shape, Gather, Unsqueeze, Concat, Reshape chain of an exported transformer.",
        """(float[batch, seq, 8] x) => (float[batch, 2, seq, 4] y)
        <int64 zero = {0}, int64 one = {1}, int64[1] axis = {0},
         int64[1] heads = {2}, int64[1] width = {4}> {
            s0 = Shape (x)
            b = Gather (s0, zero)
            s1 = Shape (x)
            t = Gather (s1, one)
            b1 = Unsqueeze (b, axis)
            t1 = Unsqueeze (t, axis)
            shape = Concat <axis = 0> (b1, t1, heads, width)
            split = Reshape (x, shape)
            y = Transpose <perm = [0, 2, 1, 3]> (split)
        }""",
        rows=("D3", "C6"),
        dims={"batch": 2, "seq": 5},
    ),
    ZooModel(
        "symbolic_arithmetic",
        "A flattened size computed with Cast, Mul, Div and Sub from symbolic dimensions.",
        """(float[N, M, 4] x) => (float[N, K] y)
        <int64[1] zero = {0}, int64[1] one = {1}, int64[1] four = {4}, int32[1] two = {2}> {
            s = Shape (x)
            n = Gather (s, zero)
            m = Slice (s, one, two64)
            small = Cast <to = 6> (m)
            doubled = Mul (small, two)
            halved = Div (doubled, two)
            wide = Cast <to = 7> (halved)
            flat = Mul (wide, four)
            shape = Concat <axis = 0> (n, flat)
            y = Reshape (x, shape)
        }""",
        rows=("D3", "C6"),
        initializers={"two64": np.array([2], np.int64)},
        dims={"N": 2, "M": 3, "K": 12},
    ),
    ZooModel(
        "reshape_two_unknown",
        "Two sizes of the new shape are unknown, so it stays computed at run time.",
        """(float[N, M] x, float[P, Q] like) => (float[P, Q] y) {
            s = Shape (like)
            y = Reshape (x, s)
        }""",
        dims={"N": 2, "M": 6, "P": 3, "Q": 4},
        trap="A constant shape with two -1: only one size may be inferred.",
        keeps=("Reshape",),
    ),
    ZooModel(
        "reshape_reshape",
        "Of two Reshapes the last decides.",
        """(float[N, 6] x) => (float[N, 3, 2] y)
        <int64[1] flat = {-1}, int64[3] last = {-1, 3, 2}> {
            a = Reshape (x, flat)
            y = Reshape (a, last)
        }""",
        rows=("C5",),
        dims={"N": 2},
    ),
    ZooModel(
        "reshape_reshape_zero",
        "The second Reshape copies a size of the first result with 0.",
        """(float[4, 6] x) => (float[2, 12] y) <int64[2] one = {2, 12}, int64[2] two = {0, -1}> {
            a = Reshape (x, one)
            y = Reshape (a, two)
        }""",
        trap="Keeping [0, -1] on x: 0 would copy 4 from x instead of 2 from the first result.",
        keeps=("Reshape",),
    ),
    ZooModel(
        "reshape_allowzero",
        "With allowzero=1 a 0 is a size of zero, not a copy.",
        """(float[0, 3] x) => (float[3, 0] y) <int64[2] one = {0, 3}, int64[2] two = {3, 0}> {
            a = Reshape <allowzero = 1> (x, one)
            y = Reshape <allowzero = 1> (a, two)
        }""",
        trap="Merging the two and losing allowzero: then 0 copies the size 3 of x.",
        keeps=("Reshape",),
    ),
    ZooModel(
        "slice_symbolic",
        "Slice[0:4] of a symbolic axis cuts whenever that axis is longer than 4.",
        """(float[N, 3] x) => (float[M, 3] y)
        <int64[1] start = {0}, int64[1] end = {4}, int64[1] axis = {0}> {
            y = Slice (x, start, end, axis)
        }""",
        dims={"N": 6, "M": 4},
        trap="Removing it as a no-op: only a static N of at most 4 would make it one.",
        keeps=("Slice",),
    ),
    ZooModel(
        "expand_broadcasts",
        "Expand that repeats a row, next to one that changes nothing.",
        """(float[1, 3] x) => (float[4, 3] y)
        <int64[2] big = {4, 3}, int64[2] same = {1, 3}> {
            kept = Expand (x, same)
            y = Expand (kept, big)
        }""",
        rows=("C17",),
        trap="Removing both: the second repeats the row four times.",
        keeps=("Expand",),
    ),
    ZooModel(
        "expand_symbolic",
        "Expand to a size that equals the input's only at run time.",
        """(float[N, 3] x, int64[2] size) => (float[K, 3] y) {
            y = Expand (x, size)
        }""",
        dims={"N": 1, "K": 2},
        feeds={"size": np.array([2, 3], np.int64)},
        trap="Removing it because the rank agrees: N may be 1 and size larger.",
        keeps=("Expand",),
    ),
    ZooModel(
        "squeeze_negative_axes",
        "Squeeze after Unsqueeze of the same axes, once counted from the back.",
        """(float[N, 3] x) => (float[N, 3] y) <int64[2] at = {0, 3}, int64[2] off = {-1, -4}> {
            up = Unsqueeze (x, at)
            down = Squeeze (up, off)
            y = Relu (down)
        }""",
        rows=("C7",),
        dims={"N": 2},
    ),
    ZooModel(
        "unsqueeze_positions",
        "Two Unsqueezes become one whose axes are positions in the final output.",
        """(float[2, 3] x) => (float[1, 2, 1, 3] y)
        <int64[1] first = {1}, int64[1] second = {0}> {
            a = Unsqueeze (x, first)
            y = Unsqueeze (a, second)
        }""",
        rows=("C7",),
        trap="Concatenating the axes to [0, 1]: the inner 1 moves to 2 when 0 is inserted.",
    ),
    ZooModel(
        "mixed_to_reshape",
        "Flatten, Unsqueeze, Squeeze and Reshape in a row are one Reshape.",
        """(float[2, 3, 4] x) => (float[4, 6] y)
        <int64[1] at = {1}, int64[2] last = {4, 6}> {
            a = Flatten <axis = 1> (x)
            b = Unsqueeze (a, at)
            c = Squeeze (b, at)
            y = Reshape (c, last)
        }""",
        rows=("C8", "C7"),
    ),
    ZooModel(
        "squeeze_without_axes",
        "Squeeze without axes removes every axis of size 1, which may be a symbolic one.",
        """(float[N, 1, 3] x) => (float y) {
            s = Squeeze (x)
            y = ReduceSum <keepdims = 0> (s)
        }""",
        dims={"N": 1},
        trap="Reading it as Squeeze of axis 1: N is 1 here and goes too.",
    ),
    ZooModel(
        "rank_two_pads",
        "Pads computed as a matrix and flattened: the value's rank matters.",
        """(float[N, 3] x) => (float[M, P] y)
        <int64[2, 2] before = {0, 1, 2, 3}, int64[1] flat = {-1}> {
            turned = Transpose (before)
            pads = Reshape (turned, flat)
            y = Pad (x, pads)
        }""",
        rows=("D1",),
        dims={"N": 2, "M": 3, "P": 8},
        trap="Carrying shape values flat: Transpose of the matrix changes their order.",
    ),
    ZooModel(
        "dynamic_attention_scores",
        "Scores scaled by a size read from the shape and reshaped with symbolic sizes.",
        """(float[batch, seq, 4] x) => (float[K, seq] y)
        <int64 last = {2}, int64 one = {1}, int64[1] axis = {0}, int64[1] rest = {-1}> {
            query = MatMul (x, w)
            key = Transpose <perm = [0, 2, 1]> (x)
            scores = MatMul (query, key)
            s = Shape (x)
            width = Gather (s, last)
            real = Cast <to = 1> (width)
            root = Sqrt (real)
            scaled = Div (scores, root)
            weight = Softmax <axis = -1> (scaled)
            t = Gather (s, one)
            t1 = Unsqueeze (t, axis)
            shape = Concat <axis = 0> (rest, t1)
            y = Reshape (weight, shape)
        }""",
        rows=("D2", "D3", "C6"),
        initializers={"w": weights(4, 4)},
        dims={"batch": 2, "seq": 3, "K": 6},
    ),
)
