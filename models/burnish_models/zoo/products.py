"""Products of matrices beside each other, inside Reshapes, and spelled as Einsum."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, weights

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "queries_keys_values_half",
        "Three projections of one input in half precision, one of them without bias.",
        """(float16[N, 3, 4] x) => (float16[N, 3, 4] q, float16[N, 3, 2] k, float16[N, 3, 5] v) {
            s = MatMul (x, wq)
            q = Add (s, bq)
            k = MatMul (x, wk)
            t = MatMul (x, wv)
            v = Add (bv, t)
        }""",
        rows=("A17",),
        dims={"N": 2},
        initializers={
            "wq": weights(4, 4).astype(np.float16),
            "bq": weights(4, seed=1).astype(np.float16),
            "wk": weights(4, 2, seed=2).astype(np.float16),
            "wv": weights(4, 5, seed=3).astype(np.float16),
            "bv": weights(1, 5, seed=4).astype(np.float16),
        },
    ),
    ZooModel(
        "projections_of_a_shared_weight",
        "Three projections of one input, the weights of two of them read elsewhere too.",
        """(float[N, 4] x, float[4, 4] s)
            => (float[N, 4] p, float[N, 4] q, float[N, 4] r, float[4, 4] z) {
            p = MatMul (x, w1)
            q = MatMul (x, w2)
            r = MatMul (x, w3)
            t = Mul (w1, s)
            z = Sub (w2, t)
        }""",
        trap="Merging them: the weights that something else reads would be there twice.",
        keeps=("MatMul", "MatMul", "MatMul"),
        dims={"N": 2},
        initializers={f"w{n}": weights(4, 4, seed=n) for n in (1, 2, 3)},
    ),
    ZooModel(
        "rows_parted_along_other_axes",
        "Rows joined from axes of 2 and 3, multiplied, and parted into axes of 3 and 2.",
        """(float[2, 3, 4] x) => (float[3, 2, 5] y) {
            t = Reshape (x, matrix)
            u = Gemm (t, w, b)
            y = Reshape (u, apart)
        }""",
        trap="Multiplying x as it is: the result would have the axes of x.",
        keeps=("Gemm", "Reshape"),
        initializers={
            "w": weights(4, 5),
            "b": weights(5, seed=1),
            "matrix": np.array([-1, 4]),
            "apart": np.array([3, 2, 5]),
        },
    ),
    ZooModel(
        "einsum_stretches_what_it_sums",
        "A product of matrices whose summed axis is 1 in one of them.",
        """(float[2, 1] x, float[5, 3] z) => (float[2, 3] y) {
            y = Einsum <equation = "ij,jk->ik"> (x, z)
        }""",
        trap="A MatMul: it does not stretch the size 1.",
        keeps=("Einsum",),
    ),
    ZooModel(
        "pad_then_pool_with_indices",
        "Padding with the lowest number before a MaxPool that also says where.",
        """(float[1, 1, 4, 4] x) => (float[1, 1, 5, 5] y, int64[1, 1, 5, 5] i) {
            t = Pad (x, pads, lowest)
            y, i = MaxPool <kernel_shape = [2, 2]> (t)
        }""",
        trap="Moving the padding into the pooling: the positions count in the padded tensor.",
        keeps=("Pad", "MaxPool"),
        initializers={
            "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
            "lowest": np.array(-np.inf, dtype=np.float32),
        },
    ),
)
