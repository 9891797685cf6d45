"""Data movement: Transpose, Concat, Split, no-op movements, and Pad before pooling."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "transpose_cancel",
        "Two Transposes that undo each other.",
        """(float[N, 3, 4] x) => (float[N, 3, 4] y) {
            a = Transpose <perm = [0, 2, 1]> (x)
            b = Transpose <perm = [0, 2, 1]> (a)
            y = Relu (b)
        }""",
        rows=("C1",),
        dims={"N": 2},
    ),
    ZooModel(
        "transpose_merge",
        "Two Transposes that become one with the composed permutation.",
        """(float[2, 3, 4] x) => (float[4, 2, 3] y) {
            a = Transpose <perm = [1, 2, 0]> (x)
            y = Transpose <perm = [1, 2, 0]> (a)
        }""",
        rows=("C1",),
        trap="Taking them for inverses because the permutations are equal: they rotate.",
        keeps=("Transpose",),
    ),
    ZooModel(
        "transpose_default_perm",
        "Transpose without perm reverses the axes.",
        """(float[2, 3, 4] x) => (float[2, 3, 4] y) {
            a = Transpose (x)
            b = Transpose <perm = [2, 1, 0]> (a)
            y = Relu (b)
        }""",
        rows=("C1",),
    ),
    ZooModel(
        "concat_concat",
        "A Concat inside a Concat of the same axis is flattened.",
        """(float[2] a, float[3] b, float[1] c) => (float[6] y) {
            ab = Concat <axis = 0> (a, b)
            y = Concat <axis = 0> (ab, c)
        }""",
        rows=("C10",),
    ),
    ZooModel(
        "concat_axes_differ",
        "A Concat inside a Concat of another axis is not flattened.",
        """(float[2, 1] a, float[2, 1] b, float[1, 2] c) => (float[3, 2] y) {
            ab = Concat <axis = 1> (a, b)
            y = Concat <axis = 0> (ab, c)
        }""",
        trap="Flattening: the two join along different axes.",
        keeps=("Concat", "Concat"),
    ),
    ZooModel(
        "concat_twice",
        "One value enters an inner Concat and the outer one, in this order.",
        """(float[2] a, float[2] b) => (float[8] y) {
            ab = Concat <axis = 0> (a, b)
            y = Concat <axis = 0> (ab, a, b)
        }""",
        rows=("C10",),
        trap="Keying the inputs by name: a and b occur twice.",
    ),
    ZooModel(
        "concat_inner_twice",
        "The inner Concat is used twice by the outer one.",
        """(float[2] a, float[2] b) => (float[8] y) {
            ab = Concat <axis = 0> (a, b)
            y = Concat <axis = 0> (ab, ab)
        }""",
        trap="Counting readers by node: one node reads it, in two places.",
    ),
    ZooModel(
        "split_concat",
        "All parts of a Split put together in order are the value.",
        """(float[6, 2] x) => (float[6, 2] y) <int64[3] parts = {1, 2, 3}> {
            a, b, c = Split <axis = 0> (x, parts)
            whole = Concat <axis = 0> (a, b, c)
            y = Relu (whole)
        }""",
        rows=("C11",),
    ),
    ZooModel(
        "split_concat_swapped",
        "The parts of a Split put together in another order are a shuffle.",
        """(float[6, 2] x) => (float[6, 2] y) <int64[2] parts = {3, 3}> {
            a, b = Split <axis = 0> (x, parts)
            y = Concat <axis = 0> (b, a)
        }""",
        trap="Removing both: the halves change places.",
        keeps=("Concat",),
    ),
    ZooModel(
        "split_concat_other_axis",
        "The parts of a Split joined along another axis.",
        """(float[4, 2] x) => (float[2, 4] y) <int64[2] parts = {2, 2}> {
            a, b = Split <axis = 0> (x, parts)
            y = Concat <axis = 1> (a, b)
        }""",
        trap="Removing both: the axes differ.",
        keeps=("Concat",),
    ),
    ZooModel(
        "concat_slice",
        "A Slice that takes exactly one part of a Concat selects that part.",
        """(float[2] a, float[3] b) => (float[3] y)
        <int64[1] start = {2}, int64[1] end = {5}, int64[1] axis = {0}> {
            ab = Concat <axis = 0> (a, b)
            part = Slice (ab, start, end, axis)
            y = Relu (part)
        }""",
        rows=("C11",),
    ),
    ZooModel(
        "no_op_movements",
        "Expand, Tile, Pad, Slice, Concat, Reshape, Transpose and Cast that change nothing.",
        """(float[2, 3] x) => (float[2, 3] y)
        <int64[2] size = {2, 3}, int64[2] once = {1, 1}, int64[4] none = {0, 0, 0, 0},
         int64[2] start = {0, 0}, int64[2] end = {2, 3}> {
            a = Expand (x, size)
            b = Tile (a, once)
            c = Pad (b, none)
            d = Slice (c, start, end)
            e = Concat <axis = 0> (d)
            f = Reshape (e, size)
            g = Transpose <perm = [0, 1]> (f)
            h = Cast <to = 1> (g)
            y = Relu (h)
        }""",
        rows=("C17",),
    ),
    ZooModel(
        "no_op_resize",
        "A Resize by one, a Split into one part and a Flatten of a matrix.",
        """(float[1, 2, 4, 4] x) => (float[2, 16] y)
        <float[4] scales = {1, 1, 1, 1}, int64[1] all = {2}, int64[2] flat = {2, 16}> {
            a = Resize <mode = "linear"> (x, , scales)
            b = Split <axis = 1> (a, all)
            c = Reshape (b, flat)
            d = Flatten <axis = 1> (c)
            y = Relu (d)
        }""",
        rows=("C17",),
    ),
    ZooModel(
        "slice_to_the_end",
        "A Slice to the largest integer takes everything, even of a symbolic axis.",
        """(float[N, 3] x) => (float[N, 3] y)
        <int64[1] start = {0}, int64[1] end = {9223372036854775807}, int64[1] axis = {0}> {
            s = Slice (x, start, end, axis)
            y = Relu (s)
        }""",
        rows=("C17",),
        dims={"N": 5},
    ),
    ZooModel(
        "slice_reversed",
        "A Slice over everything with step -1 reverses.",
        """(float[4] x) => (float[4] y)
        <int64[1] axis = {0}, int64[1] start = {-1}, int64[1] step = {-1}> {
            y = Slice (x, start, end, axis, step)
        }""",
        trap="Removing it because input and output have the same shape.",
        keeps=("Slice",),
        initializers={"end": np.array([-(2**63)], np.int64)},
    ),
    ZooModel(
        "transpose_square",
        "A Transpose of a square matrix keeps the shape and moves the data.",
        """(float[3, 3] x) => (float[3, 3] y) {
            y = Transpose (x)
        }""",
        trap="Removing it because input and output have the same shape.",
        keeps=("Transpose",),
    ),
    ZooModel(
        "pad_max_pool",
        "Zero padding before MaxPool: on negative data the zeros win.",
        """(float[1, 1, 4, 4] x) => (float[1, 1, 6, 6] y) <int64[8] pads = {0, 0, 2, 2, 0, 0, 2, 2}> {
            n = Abs (x)
            m = Neg (n)
            p = Pad (m, pads)
            y = MaxPool <kernel_shape = [3, 3]> (p)
        }""",
        trap="Moving the pads into MaxPool, which pads with minus infinity, not zero.",
        keeps=("Pad", "MaxPool"),
    ),
    ZooModel(
        "rnn_zero_state",
        "An LSTM whose initial states are all zero needs none given.",
        """(float[S, 1, 2] x) => (float[S, 1, 1, 3] y)
        <float[1, 1, 3] h = {0, 0, 0}, float[1, 1, 3] c = {0, 0, 0}> {
            y = LSTM <hidden_size = 3> (x, w, r, , , h, c)
        }""",
        rows=("D6",),
        dims={"S": 4},
        initializers={
            "w": np.linspace(-1, 1, 24, dtype=np.float32).reshape(1, 12, 2),
            "r": np.linspace(1, -1, 36, dtype=np.float32).reshape(1, 12, 3),
        },
    ),
)
