"""Models of long ago, raised as far as the target goes, answer with the same bits."""

from __future__ import annotations

import pytest
from tests.support import run_passes

MODELS = [
    (
        7,
        """(float[1, 2, 4, 4] x, float[2] s) => (float[1, 2, 4, 4] y)
        { y = BatchNormalization <spatial = 1> (x, s, s, s, s) }""",
    ),
    (7, "(float[2, 3] x, float[3] s) => (float[2, 3] y) { y = PRelu (x, s) }"),
    (
        8,
        """(float[1, 1, 3, 3] x, float[1, 2, 3, 3] w) => (float[1, 2, 7, 7] y)
        { y = ConvTranspose <strides = [2, 2]> (x, w) }""",
    ),
    (
        8,
        """(float[1, 1, 5, 5] x) => (float[1, 1, 2, 2] y)
        { y = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (x) }""",
    ),
    (
        10,
        """(float[1, 1, 6, 6] x) => (float[1, 1, 3, 3] y)
        { y = MaxPool <ceil_mode = 1, kernel_shape = [3, 3], strides = [2, 2]> (x) }""",
    ),
    (10, "(float[3] x, float s, uint8 z) => (uint8[3] y) { y = QuantizeLinear (x, s, z) }"),
    (11, "(float[2, 3] x, float[3] b, float[2, 2] a) => (float[2, 3] y) { y = Gemm (a, x, b) }"),
    (11, "(float[2, 3] x) => (float[1, 1] y) { y = ReduceSum <axes = [-1, 0]> (x) }"),
    (
        13,
        "(float[2, 3] x) => (int64[2] s, float[3] y) { s = Shape (x) y = ReduceL2 <axes = [0], keepdims = 0> (x) }",
    ),
    (
        14,
        """(float[3, 1, 2] x, float[1, 8, 2] w) => (float[3, 1, 1, 2] y)
        { y, h, c = LSTM <hidden_size = 2> (x, w, w) }""",
    ),
    (
        17,
        """(float[1, 4, 1] x) => (float[1, 3, 2] y) { y = DFT <axis = 1, onesided = 1> (x) }""",
    ),
    (
        16,
        """(float[1, 1, 3, 3] x, float[1, 2, 2, 2] p) => (float[1, 1, 2, 2] y)
        { y = GridSample (x, p) }""",
    ),
]


@pytest.mark.parametrize(("opset", "graph"), MODELS)
def test_the_bits_stay(opset: int, graph: str) -> None:
    model, _ = run_passes(f"g {graph}", "raise-opset", opset=opset)
    assert model.opset_imports[""] == 26


def test_group_normalization_answers_the_same() -> None:
    text = """g (float[2, 4, 3] x, float[2] s, float[2] b) => (float[2, 4, 3] y)
        { y = GroupNormalization <num_groups = 2> (x, s, b) }"""
    run_passes(text, "raise-opset", opset=18)
