"""Elementwise algebra: neutral elements, idempotent ops, and where they are not neutral."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "neutral_elements",
        "x * 1, x / 1, x - 0, x ^ 1 and Sum, Mean and Max of one value.",
        """(float[2, 3] x) => (float[2, 3] y)
        <float one = {1}, float[3] ones = {1, 1, 1}, float zero = {0}> {
            a = Mul (x, one)
            b = Div (a, ones)
            c = Sub (b, zero)
            d = Pow (c, one)
            e = Sum (d)
            f = Mean (e)
            g = Max (f)
            y = Exp (g)
        }""",
        rows=("E1",),
    ),
    ZooModel(
        "neutral_on_the_left",
        "1 * x and 0 + x of integers; 1 / x and 0 - x are something else.",
        """(int32[3] x) => (int32[3] y, int32[3] z) <int32 one = {1}, int32 zero = {0}> {
            a = Mul (one, x)
            b = Add (zero, a)
            y = Abs (b)
            z = Sub (zero, x)
        }""",
        rows=("E1",),
        trap="Removing Sub(0, x): subtraction has a neutral element only on the right.",
    ),
    ZooModel(
        "neutral_broadcasts",
        "Multiplying by ones of a larger shape repeats x.",
        """(float[1, 3] x) => (float[2, 3] y) <float[2, 1] ones = {1, 1}> {
            y = Mul (x, ones)
        }""",
        trap="Removing Mul by one: the result is larger than x.",
    ),
    ZooModel(
        "neutral_symbolic_broadcast",
        "Multiplying by a vector of ones when x may have one column.",
        """(float[N, M] x) => (float[N, 3] y) <float[3] ones = {1, 1, 1}> {
            y = Mul (x, ones)
        }""",
        dims={"N": 2, "M": 1},
        trap="Removing Mul by one: M may be 1 and then is repeated three times.",
    ),
    ZooModel(
        "neutral_raises_rank",
        "Multiplying by a one of rank 2 adds an axis.",
        """(float[3] x) => (float[1, 3] y) <float[1, 1] one = {1}> {
            y = Mul (x, one)
        }""",
        trap="Removing Mul by one: the result has one axis more.",
    ),
    ZooModel(
        "negative_zero",
        "x + 0.0 turns -0.0 into +0.0, which 1/x shows as the sign of infinity.",
        """(float[2] x) => (float[2] y) <float zero = {0}, float one = {1}> {
            a = Add (x, zero)
            y = Div (one, a)
        }""",
        trap="Removing Add of +0.0 in a bitwise pass: only -0.0 is neutral.",
        keeps=("Add", "Div"),
        feeds={"x": np.array([-0.0, 2], np.float32)},
    ),
    ZooModel(
        "negative_zero_neutral",
        "x + (-0.0) and x - 0.0 give every x back, -0.0 included.",
        """(float[2] x) => (float[2] y) <float one = {1}, float zero = {0}> {
            a = Add (x, minus)
            b = Sub (a, zero)
            y = Div (one, b)
        }""",
        rows=("E1",),
        initializers={"minus": np.array(-0.0, np.float32)},
        feeds={"x": np.array([-0.0, 2], np.float32)},
    ),
    ZooModel(
        "idempotent",
        "Relu, Ceil, Floor, Round, Sign and Abs applied twice.",
        """(float[4] x) => (float[4] a, float[4] b, float[4] c, float[4] d, float[4] e, float[4] f) {
            a1 = Relu (x)
            a = Relu (a1)
            b1 = Ceil (x)
            b = Ceil (b1)
            c1 = Floor (x)
            c = Floor (c1)
            d1 = Round (x)
            d = Round (d1)
            e1 = Sign (x)
            e = Sign (e1)
            f1 = Abs (x)
            f = Abs (f1)
        }""",
        rows=("E6",),
    ),
    ZooModel(
        "not_idempotent",
        "Neg, Exp and Reciprocal applied twice are not the same as once.",
        """(float[4] x) => (float[4] y) {
            a = Neg (x)
            b = Neg (a)
            c = Exp (b)
            d = Exp (c)
            e = Reciprocal (d)
            y = Reciprocal (e)
        }""",
        trap="Treating any op applied twice as one.",
        keeps=("Exp", "Exp"),
        feeds={"x": np.array([0.5, -1, 0.25, 1], np.float32)},
    ),
    ZooModel(
        "nan_arithmetic",
        "x - x and x * 0 are NaN where x is infinite.",
        """(float[2] x) => (float[2] y, float[2] z) <float zero = {0}> {
            y = Sub (x, x)
            z = Mul (x, zero)
        }""",
        trap="Replacing x - x and x * 0 by zero: true of integers, not of infinity.",
        keeps=("Sub", "Mul"),
        feeds={"x": np.array([np.inf, 1], np.float32)},
    ),
    ZooModel(
        "clip_disjoint",
        "Two Clips with disjoint ranges: the second decides.",
        """(float[4] x) => (float[4] y) <float a = {0}, float b = {6}, float c = {8}, float d = {10}> {
            t = Clip (x, a, b)
            y = Clip (t, c, d)
        }""",
        trap="Intersecting the ranges to [8, 6]: the answer is 8 everywhere.",
    ),
    ZooModel(
        "arg_max_exp",
        "ArgMax of Exp: overflow makes equal what was ordered.",
        """(float[3] x) => (int64[1] y) {
            e = Exp (x)
            y = ArgMax (e)
        }""",
        trap="Dropping the monotonic Exp: Exp(100) and Exp(200) are both inf, so the first wins.",
        keeps=("Exp", "ArgMax"),
        feeds={"x": np.array([1, 100, 200], np.float32)},
    ),
)
