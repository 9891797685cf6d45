"""Operator set versions: axes as attributes, old broadcasting rules, new ops."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from burnish_models.zoo.model import ZooModel, batch_norm, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "opset7",
        "Opset 7: Reshape by input, BatchNormalization with spatial, Dropout with ratio.",
        """(float[1, 2, 4, 4] x) => (float[1, 3, 4] y) <int64[3] shape = {1, 3, -1}> {
            c = Conv (x, w)
            n = BatchNormalization (c, scale, shift, mean, var)
            d = Dropout <ratio = 0.5> (n)
            y = Reshape (d, shape)
        }""",
        rows=("A1", "D10"),
        opset=7,
        ir_version=4,
        initializers={"w": weights(3, 2, 3, 3), **batch_norm(3)},
    ),
    ZooModel(
        "opset9",
        "Opset 9: Slice, Squeeze and Unsqueeze take attributes, Upsample has scales.",
        """(float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y) <float[4] scales = {1, 1, 1, 1}> {
            a = Slice <axes = [2, 3], starts = [0, 0], ends = [4, 4]> (x)
            b = Squeeze <axes = [0]> (a)
            c = Unsqueeze <axes = [0]> (b)
            d = Upsample <mode = "nearest"> (c, scales)
            e = Pad <pads = [0, 0, 0, 0, 0, 0, 0, 0]> (d)
            y = Relu (e)
        }""",
        rows=("C7", "C17"),
        opset=9,
        ir_version=4,
    ),
    ZooModel(
        "opset11",
        "Opset 11: Split has its sizes as attribute, Clip takes inputs.",
        """(float[N, 6] x) => (float[N, 6] y) <float low = {0}> {
            a, b = Split <axis = 1, split = [2, 4]> (x)
            c = Concat <axis = 1> (a, b)
            d = Clip (c, low)
            y = Relu (d)
        }""",
        rows=("C11",),
        opset=11,
        ir_version=6,
        dims={"N": 2},
    ),
    ZooModel(
        "opset11_softmax",
        "Before opset 13 Softmax flattens from its axis on.",
        """(float[2, 3, 4] x) => (float[2, 3, 4] y) {
            a = Identity (x)
            y = Softmax <axis = 1> (a)
        }""",
        rows=("D10",),
        opset=11,
        ir_version=6,
        trap="Reading it as the Softmax of opset 13, along axis 1 only.",
        keeps=("Softmax",),
    ),
    ZooModel(
        "opset13",
        "Opset 13: axes of Squeeze, Unsqueeze and ReduceSum are inputs.",
        """(float[N, 3] x) => (float[N] y) <int64[1] axis = {1}> {
            a = Unsqueeze (x, axis)
            b = Squeeze (a, axis)
            y = ReduceSum <keepdims = 0> (b, axis)
        }""",
        rows=("C7",),
        opset=13,
        ir_version=7,
        dims={"N": 2},
    ),
    ZooModel(
        "reduce_noop_axes",
        "A reduction over empty axes that is told to do nothing, and one that reduces all.",
        """(float[2, 3] x) => (float[2, 3] same, float[1, 1] total) {
            same = ReduceSum <noop_with_empty_axes = 1> (x)
            total = ReduceSum (x)
        }""",
        opset=13,
        ir_version=7,
        trap="Merging the two: the flag turns the first into Identity.",
        keeps=("ReduceSum",),
    ),
    ZooModel(
        "opset18",
        "Opset 18: reductions take their axes as input, Split counts its outputs.",
        """(float[N, 6] x) => (float[N, 1] y) <int64[1] axis = {1}> {
            a, b = Split <axis = 1, num_outputs = 2> (x)
            c = Concat <axis = 1> (a, b)
            y = ReduceMean (c, axis)
        }""",
        rows=("C11",),
        opset=18,
        dims={"N": 2},
    ),
    ZooModel(
        "opset21",
        "Opset 21: a weight quantized in blocks of two, in int4.",
        """(float[1, 4] x) => (float[1, 2] y)
        <float[2, 2] scale = {0.5, 0.25, 0.125, 1.0}> {
            d = DequantizeLinear <axis = 0, block_size = 2> (w, scale)
            i = Identity (x)
            y = MatMul (i, d)
        }""",
        rows=("D10",),
        opset=21,
        ir_version=10,
        initializers={"w": np.array([[1, -2], [3, -4], [5, -6], [7, -8]], ml_dtypes.int4)},
        keeps=("DequantizeLinear", "MatMul"),
    ),
)
