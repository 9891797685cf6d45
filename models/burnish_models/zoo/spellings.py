"""Operators spelled out in simpler ones, and what only looks like that."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel

MODELS = (
    ZooModel(
        "gelu_mul_first",
        "Gelu by tanh as transformers' gelu_fast multiplies it out.",
        """(float[N,4] x) => (float[N,4] y)
        <float half = {0.5}, float scale = {0.7978845608}, float cubic = {0.044715},
         float one = {1.0}> {
            a = Mul (x, half)
            b = Mul (x, scale)
            c = Mul (x, cubic)
            d = Mul (c, x)
            e = Add (d, one)
            f = Mul (b, e)
            g = Tanh (f)
            h = Add (g, one)
            y = Mul (a, h)
        }""",
        rows=("F2",),
        opset=20,
        ir_version=9,
        dims={"N": 3},
    ),
    ZooModel(
        "gelu_nearly",
        "The argument of Erf is divided by 1.4, not by the square root of 2.",
        """(float[4] x) => (float[4] y)
        <float root = {1.4}, float half = {0.5}, float one = {1.0}> {
            a = Div (x, root)
            b = Erf (a)
            c = Add (b, one)
            d = Mul (x, c)
            y = Mul (d, half)
        }""",
        trap="Taking any x * (1 + Erf(x / c)) for Gelu without a look at the constant.",
        keeps=("Erf",),
        opset=20,
        ir_version=9,
    ),
    ZooModel(
        "layer_norm_of_channels",
        "ConvNeXt standardizes axis 1 of an image; LayerNormalization knows only the last axes.",
        """(float[N,3,2,4] x) => (float[N,3,2,4] y)
        <int64[1] axes = {1}, float epsilon = {0.000001}> {
            m = ReduceMean (x, axes)
            d = Sub (x, m)
            s = Mul (d, d)
            v = ReduceMean (s, axes)
            e = Add (v, epsilon)
            r = Sqrt (e)
            y = Div (d, r)
        }""",
        trap="LayerNormalization, which would take the mean over height and width too.",
        keeps=("ReduceMean", "ReduceMean"),
        opset=18,
        ir_version=9,
        dims={"N": 2},
    ),
    ZooModel(
        "epsilon_outside_the_root",
        "Annotated-transformer layer norm divides by the deviation plus epsilon.",
        """(float[2,4] x) => (float[2,4] y)
        <int64[1] axes = {-1}, float epsilon = {0.1}> {
            m = ReduceMean (x, axes)
            d = Sub (x, m)
            s = Mul (d, d)
            v = ReduceMean (s, axes)
            r = Sqrt (v)
            e = Add (r, epsilon)
            y = Div (d, e)
        }""",
        trap="LayerNormalization adds its epsilon under the root.",
        keeps=("Sqrt",),
        opset=18,
        ir_version=9,
    ),
    ZooModel(
        "softmax_of_a_square",
        "A sum that drops its axis is broadcast along the other one.",
        """(float[3,3] x) => (float[3,3] y) <int64[1] axes = {1}> {
            e = Exp (x)
            s = ReduceSum <keepdims = 0> (e, axes)
            y = Div (e, s)
        }""",
        trap="Softmax: the shapes fit only because the matrix is square.",
        keeps=("Exp", "ReduceSum"),
    ),
    ZooModel(
        "normalize_with_a_floor",
        "A vector is divided by its length, but by no less than a bound.",
        """(float[2,2] x) => (float[2,2] y) <float floor = {0.5}> {
            n = ReduceL2 <axes = [1]> (x)
            c = Clip (n, floor)
            y = Div (x, c)
        }""",
        trap="LpNormalization: short vectors would come out too long.",
        keeps=("ReduceL2", "Clip"),
        feeds={"x": np.array([[3, 4], [0.1, 0.1]], np.float32)},
    ),
)
