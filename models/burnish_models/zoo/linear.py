"""Conv and Gemm: folding BatchNormalization into them, and when that is wrong."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, batch_norm, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "conv_bn",
        "Conv without bias, then BatchNormalization.",
        """(float[N, 2, 5, 5] x) => (float[N, 3, 5, 5] y) {
            c = Conv <pads = [1, 1, 1, 1]> (x, w)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        rows=("A1",),
        dims={"N": 2},
        initializers={"w": weights(3, 2, 3, 3), **batch_norm(3)},
    ),
    ZooModel(
        "conv_bias_bn",
        "Conv with bias, then BatchNormalization with its own epsilon, then Relu.",
        """(float[1, 2, 5, 5] x) => (float[1, 3, 3, 3] y) {
            c = Conv (x, w, b)
            n = BatchNormalization <epsilon = 0.1> (c, scale, shift, mean, var)
            y = Relu (n)
        }""",
        rows=("A1",),
        initializers={"w": weights(3, 2, 3, 3), "b": weights(3, seed=9), **batch_norm(3)},
    ),
    ZooModel(
        "conv_group_bn",
        "A depthwise Conv, then BatchNormalization.",
        """(float[1, 4, 5, 5] x) => (float[1, 4, 3, 3] y) {
            c = Conv <group = 4> (x, w)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        rows=("A1",),
        initializers={"w": weights(4, 1, 3, 3), **batch_norm(4)},
    ),
    ZooModel(
        "conv_transpose_group_bn",
        "A ConvTranspose in groups: its output channels are axis 1 of W, in each group.",
        """(float[1, 4, 3, 3] x) => (float[1, 6, 5, 5] y) {
            c = ConvTranspose <group = 2> (x, w, b)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        rows=("A1",),
        trap="Scaling axis 0 of W, or axis 1 without its groups.",
        initializers={"w": weights(4, 3, 3, 3), "b": weights(6, seed=9), **batch_norm(6)},
    ),
    ZooModel(
        "conv_one_dimension_bn",
        "A Conv over one spatial axis, then BatchNormalization.",
        """(float[1, 2, 8] x) => (float[1, 3, 6] y) {
            c = Conv (x, w)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        rows=("A1",),
        initializers={"w": weights(3, 2, 3), **batch_norm(3)},
    ),
    ZooModel(
        "conv_shared_result_bn",
        "The result of Conv is normalized and also read as it is.",
        """(float[1, 2, 5, 5] x) => (float[1, 3, 5, 5] y) {
            c = Conv <pads = [1, 1, 1, 1]> (x, w)
            n = BatchNormalization (c, scale, shift, mean, var)
            y = Mul (c, n)
        }""",
        trap="Scaling the weight of Conv: the other reader wants the unscaled result.",
        keeps=("Conv", "BatchNormalization"),
        initializers={"w": weights(3, 2, 3, 3), **batch_norm(3)},
    ),
    ZooModel(
        "conv_shared_weight_bn",
        "Two Convs share one weight; only one of them is normalized.",
        """(float[1, 2, 5, 5] x, float[1, 2, 5, 5] z) => (float[1, 3, 3, 3] y) {
            c = Conv (x, w)
            n = BatchNormalization (c, scale, shift, mean, var)
            d = Conv (z, w)
            y = Add (n, d)
        }""",
        rows=("A1",),
        trap="Scaling the weight in place: the second Conv reads it too.",
        initializers={"w": weights(3, 2, 3, 3), **batch_norm(3)},
    ),
    ZooModel(
        "conv_runtime_scale_bn",
        "The scale of BatchNormalization is a graph input.",
        """(float[1, 2, 5, 5] x, float[3] scale) => (float[1, 3, 3, 3] y) {
            c = Conv (x, w)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        trap="Folding: the scale is not known at compile time.",
        keeps=("Conv", "BatchNormalization"),
        initializers={
            "w": weights(3, 2, 3, 3),
            **{name: array for name, array in batch_norm(3).items() if name != "scale"},
        },
    ),
    ZooModel(
        "conv_runtime_bias_bn",
        "The bias of Conv is computed at run time.",
        """(float[1, 2, 5, 5] x, float[3] b) => (float[1, 3, 3, 3] y) {
            c = Conv (x, w, b)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        trap="Reading the bias as zero, or as a constant: it is neither.",
        initializers={"w": weights(3, 2, 3, 3), **batch_norm(3)},
    ),
    ZooModel(
        "conv_overridable_weight_bn",
        "The weight of Conv is a default that the caller may replace.",
        """(float[1, 1, 3, 3] x, float[1, 1, 1, 1] w = {2}) => (float[1, 1, 3, 3] y) {
            c = Conv (x, w)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        trap="Folding into w: a caller who feeds w would get the normalization lost or doubled.",
        keeps=("Conv", "BatchNormalization"),
        initializers=batch_norm(1),
    ),
    ZooModel(
        "conv_last_axis_mul",
        "A bare vector after Conv multiplies the last axis, not the channels.",
        """(float[1, 2, 5, 5] x) => (float[1, 3, 3, 3] y) <float[3] k = {1, 2, 3}> {
            c = Conv (x, w)
            y = Mul (c, k)
        }""",
        trap="Scaling the output channels by k: k has three values and so has the width.",
        keeps=("Mul",),
        initializers={"w": weights(3, 2, 3, 3)},
    ),
    ZooModel(
        "conv_last_axis_add",
        "A bare vector added after Conv belongs to the last axis, not to the channels.",
        """(float[1, 2, 5, 5] x) => (float[1, 3, 3, 3] y) <float[3] k = {1, 2, 3}> {
            c = Conv (x, w)
            y = Add (k, c)
        }""",
        trap="Making k the bias of Conv: k has three values and so has the width.",
        keeps=("Add",),
        initializers={"w": weights(3, 2, 3, 3)},
    ),
    ZooModel(
        "conv_between_output_bn",
        "The result of Conv is a graph output and is normalized too.",
        """(float[1, 2, 5, 5] x) => (float[1, 3, 3, 3] c, float[1, 3, 3, 3] y) {
            c = Conv (x, w)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        trap="Folding: c would be scaled, or have no producer.",
        keeps=("Conv", "BatchNormalization"),
        initializers={"w": weights(3, 2, 3, 3), **batch_norm(3)},
    ),
    ZooModel(
        "conv_half_bn",
        "Conv and BatchNormalization in float16, folded in float32 and rounded once.",
        """(float16[1, 2, 5, 5] x) => (float16[1, 3, 3, 3] y) {
            c = Conv (x, w)
            y = BatchNormalization (c, scale, shift, mean, var)
        }""",
        rows=("A1",),
        initializers={
            name: array.astype(np.float16)
            for name, array in {"w": weights(3, 2, 3, 3), **batch_norm(3)}.items()
        },
    ),
    ZooModel(
        "residual_block",
        "Two normalized Convs around a skip connection, as in a ResNet.",
        """(float[N, 3, 6, 6] x) => (float[N, 3, 6, 6] y) {
            c = Conv <pads = [1, 1, 1, 1]> (x, v)
            n = BatchNormalization (c, a_scale, a_shift, a_mean, a_var)
            r = Relu (n)
            d = Conv <pads = [1, 1, 1, 1]> (r, w)
            m = BatchNormalization (d, scale, shift, mean, var)
            s = Add (m, x)
            y = Relu (s)
        }""",
        rows=("A1",),
        dims={"N": 1},
        initializers={
            "v": weights(3, 3, 3, 3, seed=5),
            "w": weights(3, 3, 3, 3),
            **batch_norm(3, "a_"),
            **batch_norm(3),
        },
    ),
)
