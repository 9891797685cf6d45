"""Function bodies of ONNX operators, written out, and what only looks like one."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "leaky_relu_body",
        "LeakyRelu as the standard defines it.",
        """(float[N, 3] x) => (float[N, 3] y) {
            a = Constant <value_float = 0.25> ()
            ac = CastLike (a, x)
            o = Constant <value = float {0}> ()
            oc = CastLike (o, x)
            l = Less (x, oc)
            s = Mul (ac, x)
            y = Where (l, s, x)
        }""",
        rows=("F4",),
        dims={"N": 4},
    ),
    ZooModel(
        "bounds_of_a_tensor",
        "The body of Clip with a whole tensor as lower bound.",
        """(float[N, 3] x, float[3] low) => (float[N, 3] y) {
            l = Less (x, low)
            y = Where (l, low, x)
        }""",
        trap="Clip: it takes a scalar only.",
        dims={"N": 4},
    ),
    ZooModel(
        "slope_that_widens",
        "The body of PRelu with a slope that is larger than the input.",
        """(float[4] x, float[3, 1] slope) => (float[3, 4] y) {
            o = Constant <value = float {0}> ()
            oc = CastLike (o, x)
            l = Less (x, oc)
            s = Mul (slope, x)
            y = Where (l, s, x)
        }""",
        trap="PRelu: its result has the shape of its input.",
        keeps=("Where",),
    ),
    ZooModel(
        "norm_body_read_inside",
        "RMSNormalization as the standard defines it, its root mean square read from outside.",
        """(float[N, 6] x) => (float[N, 6] y, float[N, 1] z) {
            e = Cast <to = 1> (eps)
            s = Shape (x)
            rank = Size (s)
            from = Add (rank, at)
            axes = Range (from, rank, one)
            u = Cast <to = 1> (x)
            q = Mul (u, u)
            mean = ReduceMean (q, axes)
            safe = Add (mean, e)
            r = Sqrt (safe)
            n = Div (u, r)
            t = Cast <to = 1> (n)
            y = Mul (t, w)
            z = Neg (r)
        }""",
        trap="RMSNormalization: what z needs would be gone.",
        keeps=("Sqrt",),
        opset=23,
        ir_version=10,
        dims={"N": 4},
        initializers={
            "w": weights(6),
            "eps": np.array(1e-5, np.float32),
            "at": np.array(-1),
            "one": np.array(1),
        },
    ),
)
