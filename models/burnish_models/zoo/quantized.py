"""Quantized graphs: which codes are the same codes, and which steps saturation implies."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "requantized_twice",
        "Numbers quantized, dequantized, moved and quantized again with the same parameters.",
        """(float[2, 3] x, float[4, 3] w) => (float[3, 6] y)
        <float s = {0.05}, float same = {0.05}, uint8 z = {100}> {
            a = QuantizeLinear (x, s, z)
            b = DequantizeLinear (a, same, z)
            c = QuantizeLinear (w, s, z)
            d = DequantizeLinear (c, s, z)
            e = Concat <axis = 0> (b, d)
            f = Transpose (e)
            g = QuantizeLinear (f, same, z)
            y = DequantizeLinear (g, s, z)
        }""",
        rows=("G1", "G2", "G4"),
    ),
    ZooModel(
        "requantized_coarser",
        "Codes of one scale become codes of another.",
        """(uint8[4] q) => (uint8[4] y) <float s = {0.5}, float t = {0.75}, uint8 z = {3}> {
            a = DequantizeLinear (q, s, z)
            y = QuantizeLinear (a, t, z)
        }""",
        trap="Dropping the pair: the scales differ, so the codes do.",
        keeps=("DequantizeLinear", "QuantizeLinear"),
    ),
    ZooModel(
        "relu_with_symmetric_codes",
        "A Relu before codes that are symmetric, and one before codes that begin at 0.",
        """(float[2, 3] x) => (int8[2, 3] y, uint8[2, 3] w)
        <float s = {0.01}, int8 mid = {0}, uint8 low = {0}> {
            a = Relu (x)
            y = QuantizeLinear (a, s, mid)
            n = Neg (x)
            b = Relu (n)
            w = QuantizeLinear (b, s, low)
        }""",
        rows=("G7",),
        trap="Dropping the first Relu: int8 with zero point 0 holds negative numbers too.",
        keeps=("QuantizeLinear", "QuantizeLinear"),
    ),
    ZooModel(
        "quantized_channels_transposed",
        "A weight with one scale for each channel is transposed after it is dequantized.",
        """(float[2, 3] x) => (float[2, 2] y) <float[2] s = {0.5, 0.01}, float t = {0.02}, uint8 z = {128}> {
            a = QuantizeLinear (x, t, z)
            b = DequantizeLinear (a, t, z)
            c = DequantizeLinear <axis = 0> (w, s)
            d = Transpose (c)
            y = MatMul (b, d)
        }""",
        rows=("G4",),
        trap="Moving the Transpose before DequantizeLinear with axis = 0: the channels move along.",
        initializers={"w": (weights(2, 3) * 200).astype(np.int8)},
        keeps=("DequantizeLinear", "DequantizeLinear"),
    ),
    ZooModel(
        "loop_that_may_not_run",
        "A lookup that would fail sits in a Loop that does not run.",
        """(float[4] x, int64 rounds, int64[4] where) => (float[4] y) <bool go = {1}> {
            y = Loop (rounds, go, x) <
                body = step (int64 i, bool more, float[4] state) => (bool next, float[4] after) {
                    next = Identity (more)
                    e = Exp (x)
                    found = Gather (e, where)
                    after = Add (state, found)
                }>
        }""",
        rows=("D13",),
        trap="Moving the Gather out of the Loop: no element 9 exists, and nobody asks for it.",
        feeds={"rounds": np.array(0), "where": np.array([0, 1, 2, 9])},
        keeps=("Exp", "Gather", "Add"),
    ),
)
