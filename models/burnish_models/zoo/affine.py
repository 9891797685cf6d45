"""Constant factors and offsets beside linear operators: where they may not be folded."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, batch_norm, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "offset_padded_conv",
        "An offset, then a Conv that pads.",
        """(float[N, 2, 5, 5] x) => (float[N, 3, 5, 5] y) {
            u = Add (x, c)
            y = Conv <pads = [1, 1, 1, 1]> (u, w)
        }""",
        trap="Moving the offset into the bias: the padding is 0, not the offset.",
        keeps=("Add", "Conv"),
        dims={"N": 2},
        initializers={"w": weights(3, 2, 3, 3), "c": weights(2, 1, 1, seed=3)},
    ),
    ZooModel(
        "offset_conv_transpose",
        "An offset, then a ConvTranspose.",
        """(float[1, 2, 3, 3] x) => (float[1, 3, 5, 5] y) {
            u = Add (x, c)
            y = ConvTranspose (u, w)
        }""",
        trap="Moving the offset into the bias: fewer taps overlap at the border.",
        keeps=("Add", "ConvTranspose"),
        initializers={"w": weights(2, 3, 3, 3), "c": weights(2, 1, 1, seed=3)},
    ),
    ZooModel(
        "bn_then_strided_conv",
        "BatchNormalization, then a Conv in groups without padding.",
        """(float[1, 4, 6, 6] x) => (float[1, 2, 2, 2] y) {
            u = BatchNormalization (x, scale, shift, mean, var)
            y = Conv <group = 2, strides = [2, 2]> (u, w, b)
        }""",
        rows=("A3",),
        initializers={"w": weights(2, 2, 3, 3), "b": weights(2, seed=9), **batch_norm(4)},
    ),
    ZooModel(
        "rounding_by_addition",
        "A large number is added and taken away again, which rounds to integers.",
        """(float[N, 3] x) => (float[N, 3] y) {
            u = Add (x, c)
            y = Sub (u, c)
        }""",
        trap="Adding the constants: nothing would be left, and nothing rounded.",
        keeps=("Add", "Sub"),
        dims={"N": 4},
        initializers={"c": np.array(12582912.0, np.float32)},
    ),
    ZooModel(
        "low_rank_product",
        "Two narrow constant matrices in a row, as adapters leave them.",
        """(float[N, 8] x) => (float[N, 8] y) {
            t = MatMul (x, v)
            y = MatMul (t, w)
        }""",
        trap="Multiplying the matrices: one of 64 elements for two of 16.",
        keeps=("MatMul", "MatMul"),
        dims={"N": 3},
        initializers={"v": weights(8, 2), "w": weights(2, 8, seed=4)},
    ),
)
