"""Number types: which pairs of Cast may go, and types that few tools carry."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from burnish_models.zoo.model import ZooModel

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "cast_widening",
        "A Cast to a wider type and back gives every value back.",
        """(float16[4] x, int32[4] n) => (float16[4] y, int32[4] m) {
            wide = Cast <to = 1> (x)
            half = Cast <to = 10> (wide)
            y = Relu (half)
            long = Cast <to = 7> (n)
            short = Cast <to = 6> (long)
            m = Abs (short)
        }""",
        rows=("C19",),
    ),
    ZooModel(
        "cast_merge",
        "A widening Cast before another Cast is skipped.",
        """(float16[4] x) => (double[4] y) {
            wide = Cast <to = 1> (x)
            y = Cast <to = 11> (wide)
        }""",
        rows=("C19",),
    ),
    ZooModel(
        "cast_through_half",
        "float32 to float16 and back rounds.",
        """(float[4] x) => (float[4] y) {
            half = Cast <to = 10> (x)
            y = Cast <to = 1> (half)
        }""",
        trap="Removing the pair: the values have lost 13 bits.",
        keeps=("Cast", "Cast"),
        feeds={"x": np.array([1 / 3, 70000, 1e-9, -2], np.float32)},
    ),
    ZooModel(
        "cast_through_int32",
        "int64 to int32 and back wraps around.",
        """(int64[3] x) => (int64[3] y) {
            short = Cast <to = 6> (x)
            y = Cast <to = 7> (short)
        }""",
        trap="Removing the pair: large values lose their upper half.",
        keeps=("Cast", "Cast"),
        feeds={"x": np.array([5, 2**32 + 7, -1], np.int64)},
    ),
    ZooModel(
        "cast_through_int",
        "float to int64 and back truncates.",
        """(float[3] x) => (float[3] y) {
            whole = Cast <to = 7> (x)
            y = Cast <to = 1> (whole)
        }""",
        trap="Removing the pair because int64 is wider: the fraction is lost.",
        keeps=("Cast", "Cast"),
        feeds={"x": np.array([1.5, -2.75, 3], np.float32)},
    ),
    ZooModel(
        "cast_through_bool",
        "A Cast to bool keeps only whether the value is zero.",
        """(float[3] x) => (float[3] y) {
            truth = Cast <to = 9> (x)
            y = Cast <to = 1> (truth)
        }""",
        trap="Removing the pair: every value but zero becomes one.",
        keeps=("Cast", "Cast"),
        feeds={"x": np.array([0, -2.5, 3], np.float32)},
    ),
    ZooModel(
        "cast_float_to_bool_via_int",
        "0.5 is true, but cast to an integer first it is 0 and false.",
        """(float[3] x) => (bool[3] y) {
            whole = Cast <to = 6> (x)
            y = Cast <to = 9> (whole)
        }""",
        trap="Skipping the first Cast: 0.5 would become true.",
        keeps=("Cast", "Cast"),
        feeds={"x": np.array([0, 0.5, 1.5], np.float32)},
    ),
    ZooModel(
        "float8_saturate",
        "Without saturation a value too large for float8 becomes NaN, not the largest float8.",
        """(float[3] x) => (float[3] sharp, float[3] soft) {
            a = Cast <to = 17, saturate = 0> (x)
            sharp = Cast <to = 1> (a)
            b = Cast <to = 17> (x)
            soft = Cast <to = 1> (b)
        }""",
        opset=19,
        ir_version=9,
        trap="Merging the two Casts to float8, or dropping saturate=0.",
        keeps=("Cast", "Cast", "Cast", "Cast"),
        feeds={"x": np.array([1, 500, -1e6], np.float32)},
    ),
    ZooModel(
        "bfloat16_weight",
        "A bfloat16 weight is cast to float32 at run time or once.",
        """(float[2] x) => (float[2] y) {
            wide = Cast <to = 1> (w)
            y = Mul (x, wide)
        }""",
        rows=("D1",),
        initializers={"w": np.array([1.5, -2], ml_dtypes.bfloat16)},
    ),
    ZooModel(
        "quantize_dequantize",
        "Q and DQ of an activation round it to the int8 grid.",
        """(float[4] x) => (float[4] y) <float scale = {0.25}, int8 zero = {1}> {
            q = QuantizeLinear (x, scale, zero)
            d = DequantizeLinear (q, scale, zero)
            y = Relu (d)
        }""",
        trap="Removing the pair: the rounding is the point of a quantized model.",
        keeps=("QuantizeLinear", "DequantizeLinear"),
    ),
    ZooModel(
        "unsigned_neutral",
        "Neutral elements of unsigned integers, where 0 - x wraps around.",
        """(uint8[3] x) => (uint8[3] y, uint8[3] z) <uint8 zero = {0}, uint8 one = {1}> {
            a = Add (x, zero)
            b = Mul (a, one)
            y = BitShift <direction = "LEFT"> (b, one)
            z = Sub (zero, x)
        }""",
        rows=("E1",),
        engine="reference",
    ),
)
