"""Transposes that move through operators, and those that must stay."""

from __future__ import annotations

from burnish_models.zoo.model import ZooModel

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "transpose_around_bias",
        "Channels last between Transposes, with a bias for the last axis, as TensorFlow has it.",
        """(float[N, 3, 4, 5] x) => (float[N, 3, 4, 5] y) <float[3] c = {1, 2, 3}> {
            a = Transpose <perm = [0, 2, 3, 1]> (x)
            b = Add (a, c)
            d = Relu (b)
            y = Transpose <perm = [0, 3, 1, 2]> (d)
        }""",
        rows=("C2",),
        dims={"N": 2},
    ),
    ZooModel(
        "transpose_anchors",
        "A detection head: a Reshape splits the channels behind height and width.",
        """(float[1, 6, 3, 3] x) => (float[1, 27, 2] y) <int64[3] s = {1, -1, 2}> {
            a = Transpose <perm = [0, 2, 3, 1]> (x)
            y = Reshape (a, s)
        }""",
        rows=("C4",),
        trap="Moving the Transpose behind the Reshape: the axes it keeps together are mixed.",
        keeps=("Transpose",),
    ),
    ZooModel(
        "transpose_two_outputs",
        "One value, transposed back to two graph outputs.",
        """(float[2, 3, 4] x) => (float[2, 3, 4] y, float[2, 3, 4] z) {
            a = Transpose <perm = [0, 2, 1]> (x)
            b = Relu (a)
            y = Transpose <perm = [0, 2, 1]> (b)
            z = Transpose <perm = [0, 2, 1]> (b)
        }""",
        rows=("C2",),
        trap="Letting one value be both outputs; or moving Transposes to and fro for ever.",
    ),
    ZooModel(
        "cast_across_movement_rounds",
        "Casts to float16 and back with a Transpose between.",
        """(float[2, 3] x) => (float[3, 2] y) {
            a = Cast <to = 10> (x)
            b = Transpose <perm = [1, 0]> (a)
            y = Cast <to = 1> (b)
        }""",
        rows=("C20",),
        trap="Dropping both Casts: the first rounds.",
        keeps=("Cast", "Cast"),
    ),
)
