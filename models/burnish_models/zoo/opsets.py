"""Operators whose meaning or spelling changed between opsets: traps for raising a model."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "opset10_resize",
        "Before opset 11 Resize aligns corners; it cuts off when it grows, and rounds up else.",
        """(float[1, 1, 4, 4] x) => (float[1, 1, 7, 7] big, float[1, 1, 2, 2] small)
        <float[4] up = {1, 1, 1.75, 1.75}, float[4] down = {1, 1, 0.6, 0.6}> {
            big = Resize <mode = "nearest"> (x, up)
            small = Resize <mode = "nearest"> (x, down)
        }""",
        opset=10,
        ir_version=5,
        trap="Raising it with the defaults of opset 11, half-pixel and round half down.",
        keeps=("Resize", "Resize"),
    ),
    ZooModel(
        "opset12_softmax_over_axes",
        "Softmax over the last two axes together, of unknown batch size.",
        """(float[N, 2, 3] x) => (float[N, 2, 3] y) {
            y = LogSoftmax (x)
        }""",
        opset=12,
        ir_version=7,
        dims={"N": 2},
        trap="Raising it to opset 13 as it stands, where it would work along one axis.",
        keeps=("LogSoftmax",),
    ),
    ZooModel(
        "opset11_dropout_mask",
        "A mask of opset 11 is read; what it holds changed at 12.",
        """(float[2] x) => (float[2] y, bool[2] mask) {
            y, mask = Dropout (x)
        }""",
        opset=11,
        ir_version=6,
        trap="Raising the model: no Dropout of a later opset gives this mask.",
    ),
    ZooModel(
        "opset15_roi_align",
        "RoiAlign with the default of opset 10, whose kernel ONNX Runtime loses at 22.",
        """(float[1, 1, 4, 4] x) => (float[1, 1, 2, 2] y)
        <float[1, 4] boxes = {0, 0, 3, 3}, int64[1] which = {0}> {
            y = RoiAlign <output_height = 2, output_width = 2> (x, boxes, which)
        }""",
        opset=15,
        trap="Raising it to opset 16 without naming its coordinates, or beyond 21.",
        keeps=("RoiAlign",),
    ),
    ZooModel(
        "opset7_upsample",
        "Upsample with scales as attribute: an operator that opset 10 replaced.",
        """(float[1, 1, 2, 2] x) => (float[1, 1, 4, 5] y) {
            a = Relu (x)
            b = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 2.5]> (a)
            y = Pad <pads = [0, 0, 0, 0, 0, 0, 0, 0]> (b)
        }""",
        opset=7,
        ir_version=4,
        feeds={"x": np.array([[[[1, -2], [3, 4]]]], np.float32)},
    ),
)
