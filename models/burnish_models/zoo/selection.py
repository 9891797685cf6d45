"""Selecting parts: Slice, Split, Gather, blocks of pixels, scatters and sequences."""

from __future__ import annotations

from burnish_models.zoo.model import ZooModel, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "slice_same_axis_clamped",
        "Slices in a row along one axis; the inner one takes fewer than the outer one asks for.",
        """(float[N, 6] x) => (float[A, B] y)
            <int64[1] two = {2}, int64[1] five = {5}, int64[1] nine = {9}, int64[1] zero = {0},
             int64[1] last = {-3}, int64[1] end = {9223372036854775807}, int64[1] one = {1},
             int64[1] back = {-1}, int64[1] front = {-9223372036854775807}> {
            a = Slice (x, two, five, one)
            b = Slice (a, one, nine, one)
            c = Slice (b, end, front, one, back)
            d = Slice (c, last, end, zero)
            y = Slice (d, one, end, zero)
        }""",
        rows=("C9",),
        trap="Adding -3 and 1: of two rows the first Slice takes both and the second the last.",
        keeps=("Slice",),
        dims={"N": 2, "A": 1, "B": 2},
    ),
    ZooModel(
        "slices_overlap",
        "Slices that look like a partition of an axis and are none.",
        """(float[2, 6] x) => (float[2, 4] y, float[2, 3] z, float[2, 7] w)
            <int64[1] zero = {0}, int64[1] three = {3}, int64[1] four = {4}, int64[1] axis = {1},
             int64[1] end = {9223372036854775807}> {
            a = Slice (x, zero, four, axis)
            b = Slice (x, three, end, axis)
            y = Neg (a)
            z = Exp (b)
            w = Concat <axis = 1> (a, b)
        }""",
        trap="Splitting into 4 and 2: the second begins at 3.",
        keeps=("Slice", "Slice"),
    ),
    ZooModel(
        "rotate_half",
        "Both halves of an axis, swapped and one negated, as rotary embeddings do.",
        """(float[1, 2, N, 8] x) => (float[1, 2, N, 8] y)
            <int64[1] zero = {0}, int64[1] half = {4}, int64[1] axis = {-1},
             int64[1] end = {9223372036854775807}> {
            a = Slice (x, zero, half, axis)
            b = Slice (x, half, end, axis)
            c = Neg (b)
            y = Concat <axis = -1> (c, a)
        }""",
        rows=("C12",),
        dims={"N": 3},
    ),
    ZooModel(
        "focus_conv",
        "YOLO's Focus: its order of pixels is not that of SpaceToDepth, but a Conv follows.",
        """(float[1, 3, 8, 6] x) => (float[1, 4, 4, 3] y)
            <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] three = {3},
             int64[1] end = {9223372036854775807}> {
            even = Slice (x, zero, end, two, two)
            odd = Slice (x, one, end, two, two)
            a = Slice (even, zero, end, three, two)
            b = Slice (odd, zero, end, three, two)
            c = Slice (even, one, end, three, two)
            d = Slice (odd, one, end, three, two)
            f = Concat <axis = 1> (a, b, c, d)
            y = Conv <pads = [1, 1, 1, 1]> (f, w)
        }""",
        rows=("C9", "C14"),
        trap="SpaceToDepth with the weights as they are: rows and columns would change places.",
        keeps=("Conv",),
        initializers={"w": weights(4, 12, 3, 3)},
    ),
    ZooModel(
        "scatter_rows_reversed",
        "A ScatterND that writes every row, in another order.",
        """(float[3, 2] x, float[3, 2] u) => (float[3, 2] y) {
            rows = Constant <value = int64[3, 1] {2, 1, 0}> ()
            t = ScatterND (x, rows, u)
            y = Neg (t)
        }""",
        trap="Taking the updates for the result because every row is written: they are turned.",
        keeps=("ScatterND",),
    ),
)
