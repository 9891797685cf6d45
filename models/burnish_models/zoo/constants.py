"""Constants: folding, duplicates, generators that must stay lazy, quantized weights."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "fold_chain",
        "A chain of ops on constants, some of them Constant nodes, becomes one initializer.",
        """(float[2, 3] x) => (float[2, 3] y) <float[3, 2] w = {1, 2, 3, 4, 5, 6}> {
            two = Constant <value_float = 2.0> ()
            doubled = Mul (w, two)
            turned = Transpose <perm = [1, 0]> (doubled)
            root = Sqrt (turned)
            y = Add (x, root)
        }""",
        rows=("D1", "D7"),
    ),
    ZooModel(
        "fold_to_output",
        "A graph output that is constant keeps its name and its place among the outputs.",
        """(float[2] x) => (float[2] c, float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}> {
            c = Add (a, b)
            y = Mul (x, c)
        }""",
        rows=("D1",),
    ),
    ZooModel(
        "fold_strings",
        "String constants are concatenated without losing their type.",
        """(string[2] x) => (string[4] y) <string[1] a = {"north"}, string[1] b = {"south"}> {
            ab = Concat <axis = 0> (a, b)
            y = Concat <axis = 0> (x, ab)
        }""",
        rows=("D1",),
        feeds={"x": np.array(["east", "west"], dtype=object)},
    ),
    ZooModel(
        "fold_shared_weight",
        "One weight feeds a foldable chain and a MatMul: the fold makes a copy.",
        """(float[2, 3] x) => (float[2, 3] y, float[3, 3] z) {
            turned = Transpose (w)
            y = MatMul (x, turned)
            gram = MatMul (turned, w)
            bias = Constant <value_float = 1.0> ()
            z = Add (gram, bias)
        }""",
        rows=("D1", "D7"),
        initializers={"w": weights(3, 3)},
        trap="Folding Transpose in place: another node reads the weight as it is.",
    ),
    ZooModel(
        "duplicate_initializers",
        "Two initializers with the same type, shape and bytes become one.",
        """(float[3] x) => (float[3] y)
        <float[3] a = {1, 2, 3}, float[3] b = {1, 2, 3}, int32[3] c = {1, 2, 3}> {
            xa = Add (x, a)
            xb = Mul (xa, b)
            f = Cast <to = 1> (c)
            y = Sub (xb, f)
        }""",
        rows=("D7", "D1"),
    ),
    ZooModel(
        "signed_zero_initializers",
        "Initializers +0.0 and -0.0 compare equal and are different constants.",
        """(float[2] x) => (float[2] up, float[2] down) {
            up = Div (one, plus)
            down = Div (one, minus)
            unused = Identity (x)
        }""",
        rows=("D1", "D9"),
        initializers={
            "one": np.ones(2, np.float32),
            "plus": np.zeros(2, np.float32),
            "minus": np.full(2, -0.0, np.float32),
        },
        trap="Merging equal initializers by value: 1/+0.0 is inf and 1/-0.0 is -inf.",
    ),
    ZooModel(
        "nan_initializers",
        "Two NaN constants with the same bytes are one constant; NaN differs from itself.",
        """(float[2] x) => (float[2] y, bool[2] z) {
            xa = Max (x, a)
            y = Add (xa, b)
            z = Equal (a, b)
        }""",
        rows=("D7", "D1"),
        initializers={
            "a": np.array([np.nan, 1], np.float32),
            "b": np.array([np.nan, 1], np.float32),
        },
        trap="Replacing Equal(a, a) by true once a and b are merged: NaN is not equal to NaN.",
    ),
    ZooModel(
        "overridable_initializer",
        "Since IR 4 an initializer that is also an input is a default the caller may replace.",
        """(float[4] x, float[4] w = {1, 2, 3, 4}) => (float[4] y) {
            doubled = Add (w, w)
            y = Mul (x, doubled)
        }""",
        trap="Folding Add(w, w): w is only a default; feeding it must change the answer.",
        keeps=("Add", "Mul"),
    ),
    ZooModel(
        "ir3_initializers",
        "In IR 3 every initializer is listed as an input and is still a constant.",
        """(float[1, 2] x, float[2, 2] w = {1, 2, 3, 4}, float[2] b = {1, 1})
        => (float[1, 2] y) {
            turned = Transpose (w)
            product = MatMul (x, turned)
            y = Add (product, b)
        }""",
        opset=8,
        ir_version=3,
        trap="Dropping w from the inputs but not from the initializers: invalid before IR 4.",
    ),
    ZooModel(
        "lazy_constant_of_shape",
        "Four megabytes of zeros are kept as the 16 bytes that make them.",
        """(int64[2] rows) => (float[2, 1024] y) <int64[2] size = {1024, 1024}> {
            zeros = ConstantOfShape <value = float[1] {0.5}> (size)
            y = Gather (zeros, rows)
        }""",
        keeps=("ConstantOfShape",),
        trap="Folding the generator: the file grows from bytes to megabytes.",
    ),
    ZooModel(
        "lazy_expand",
        "A constant row expanded to four megabytes stays an Expand.",
        """(int64[2] rows) => (float[2, 1024] y)
        <float[1, 1] one = {1}, int64[2] size = {1024, 1024}> {
            table = Expand (one, size)
            y = Gather (table, rows)
        }""",
        keeps=("Expand",),
        trap="Folding Expand: the file grows from bytes to megabytes.",
    ),
    ZooModel(
        "lazy_tile",
        "A constant tiled to four megabytes stays a Tile.",
        """(int64[2] rows) => (float[2, 1024] y)
        <float[1, 2] pair = {1, 2}, int64[2] times = {1024, 512}> {
            table = Tile (pair, times)
            y = Gather (table, rows)
        }""",
        keeps=("Tile",),
        trap="Folding Tile: the file grows from bytes to megabytes.",
    ),
    ZooModel(
        "lazy_range",
        "A million consecutive numbers stay a Range.",
        """(int64[2] rows) => (int64[2] y)
        <int64 first = {0}, int64 last = {1048576}, int64 step = {1}> {
            numbers = Range (first, last, step)
            y = Gather (numbers, rows)
        }""",
        keeps=("Range",),
        trap="Folding Range: the file grows from 24 bytes to 8 megabytes.",
    ),
    ZooModel(
        "lazy_one_hot",
        "A one-hot table of four megabytes stays a OneHot.",
        """(int64[2] rows) => (float[2, 1024] y)
        <int64 zero = {0}, int64 depth = {1024}, int64 one = {1}, float[2] values = {0, 1}> {
            numbers = Range (zero, depth, one)
            table = OneHot (numbers, depth, values)
            y = Gather (table, rows)
        }""",
        keeps=("OneHot",),
        trap="Folding OneHot: the file grows from bytes to megabytes.",
    ),
    ZooModel(
        "quantize_weight",
        "QuantizeLinear of a constant weight becomes an int8 initializer; its DQ stays.",
        """(float[2, 4] x) => (float[2, 3] y)
        <float[3] scale = {0.01, 0.02, 0.03}, int8[3] zero = {0, 0, 0}> {
            q = QuantizeLinear <axis = 1> (w, scale, zero)
            d = DequantizeLinear <axis = 1> (q, scale, zero)
            y = MatMul (x, d)
        }""",
        rows=("D16",),
        keeps=("DequantizeLinear", "MatMul"),
        initializers={"w": weights(4, 3)},
    ),
    ZooModel(
        "dequantized_weight",
        "DequantizeLinear of an int8 weight marks a quantized model and is not folded.",
        """(float[2, 4] x) => (float[2, 3] y) <float scale = {0.02}, int8 zero = {3}> {
            d = DequantizeLinear (w, scale, zero)
            y = MatMul (x, d)
        }""",
        initializers={"w": np.arange(-6, 6, dtype=np.int8).reshape(4, 3)},
        keeps=("DequantizeLinear",),
        trap="Folding it: the weight grows fourfold and no int8 kernel can be chosen.",
    ),
)
