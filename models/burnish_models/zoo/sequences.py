"""Sequences taken step by step, rotated by position, and looked at with heads folded away."""

from __future__ import annotations

import numpy as np

from burnish_models.zoo.model import ZooModel, weights

_STEPS = {
    "w": weights(1, 9, 4),
    "r": weights(1, 9, 3, seed=1),
    "b": weights(1, 18, seed=2),
    "zero": np.array([0]),
}

MODELS: tuple[ZooModel, ...] = (
    ZooModel(
        "gru_cell",
        "A gated recurrent unit as PyTorch writes it, its gates in the order r, z, n.",
        """(float[N, 4] x, float[N, 3] h) => (float[N, 3] y) {
            gi = Gemm <transB = 1> (x, wi, bi)
            gh = Gemm <transB = 1> (h, wh, bh)
            ir, iz, in = Split <axis = 1, num_outputs = 3> (gi)
            hr, hz, hn = Split <axis = 1, num_outputs = 3> (gh)
            rs = Add (hr, ir)
            r = Sigmoid (rs)
            zs = Add (hz, iz)
            z = Sigmoid (zs)
            rn = Mul (hn, r)
            ns = Add (in, rn)
            n = Tanh (ns)
            d = Sub (h, n)
            zd = Mul (d, z)
            y = Add (zd, n)
        }""",
        rows=("F14",),
        opset=18,
        dims={"N": 2},
        initializers={
            "wi": weights(9, 4),
            "wh": weights(9, 3, seed=1),
            "bi": weights(9, seed=2),
            "bh": weights(9, seed=3),
        },
    ),
    ZooModel(
        "steps_of_one_sequence",
        "Two steps of GRU over rows of one value, and their states joined.",
        """(float[N, 2, 4] x, float[1, N, 3] h) => (float[N, 2, 3] y) {
            x1 = Gather <axis = 1> (x, first)
            x2 = Gather <axis = 1> (x, second)
            a1 = Unsqueeze (x1, zero)
            a2 = Unsqueeze (x2, zero)
            n1, h1 = GRU <hidden_size = 3, linear_before_reset = 1> (a1, w, r, b, , h)
            n2, h2 = GRU <hidden_size = 3, linear_before_reset = 1> (a2, w, r, b, , h1)
            s1 = Squeeze (h1, zero)
            s2 = Squeeze (h2, zero)
            t1 = Unsqueeze (s1, one)
            t2 = Unsqueeze (s2, one)
            y = Concat <axis = 1> (t1, t2)
        }""",
        rows=("F14",),
        dims={"N": 2},
        initializers={
            **_STEPS,
            "first": np.array(0),
            "second": np.array(1),
            "one": np.array([1]),
        },
    ),
    ZooModel(
        "greedy_decoding",
        "Two steps of GRU, the second of which reads the word that the first has chosen.",
        """(float[1, N, 4] x, float[1, N, 3] h) => (float[1, N, 3] h2) {
            n1, h1 = GRU <hidden_size = 3, linear_before_reset = 1> (x, w, r, b, , h)
            s1 = Squeeze (h1, zero)
            word = ArgMax <axis = 1, keepdims = 0> (s1)
            next = Gather (words, word)
            x2 = Unsqueeze (next, zero)
            n2, h2 = GRU <hidden_size = 3, linear_before_reset = 1> (x2, w, r, b, , h1)
        }""",
        trap="Taking both steps at once: what the second reads is not known before the first.",
        keeps=("ArgMax", "Gather", "GRU", "GRU"),
        dims={"N": 2},
        initializers={**_STEPS, "words": weights(3, 4, seed=4)},
    ),
    ZooModel(
        "neighbours_by_tables_of_halves",
        "Neighbours are exchanged, but the angles are written half the width apart.",
        """(float[N, 2, 3, 4] x, float[N, 3, 2] angle) => (float[N, 2, 3, 4] y) {
            twice = Concat <axis = -1> (angle, angle)
            wide = Unsqueeze (twice, one)
            c = Cos (wide)
            s = Sin (wide)
            even = Slice (x, zero, end, last, two)
            odd = Slice (x, one, end, last, two)
            n = Neg (odd)
            n1 = Unsqueeze (n, last)
            e1 = Unsqueeze (even, last)
            pairs = Concat <axis = -1> (n1, e1)
            r = Reshape (pairs, flat)
            xc = Mul (x, c)
            rs = Mul (r, s)
            y = Add (xc, rs)
        }""",
        trap="One RotaryEmbedding: a pair would be turned by one angle, here it has two.",
        keeps=("Cos", "Sin", "Neg"),
        dims={"N": 2},
        initializers={
            "zero": np.array([0]),
            "one": np.array([1]),
            "two": np.array([2]),
            "last": np.array([-1]),
            "end": np.array([2**63 - 1]),
            "flat": np.array([0, 2, 3, 4]),
        },
    ),
    ZooModel(
        "attention_of_folded_heads",
        "Attention on [batch * heads, length, size], with the mask added on four axes.",
        """(float[N, 2, 3, 4] q, float[N, 2, 3, 4] k, float[N, 2, 3, 4] v, float[N, 1, 3, 3] m)
            => (float[N, 2, 3, 4] y) {
            q3 = Reshape (q, fold)
            k3 = Reshape (k, fold)
            v3 = Reshape (v, fold)
            kt = Transpose <perm = [0, 2, 1]> (k3)
            s3 = MatMul (q3, kt)
            s = Reshape (s3, apart)
            masked = Add (s, m)
            t = Reshape (masked, square)
            p = Softmax <axis = -1> (t)
            z = MatMul (p, v3)
            y = Reshape (z, heads)
        }""",
        rows=("F10",),
        dims={"N": 2},
        initializers={
            "fold": np.array([-1, 3, 4]),
            "square": np.array([-1, 3, 3]),
            "apart": np.array([-1, 2, 3, 3]),
            "heads": np.array([-1, 2, 3, 4]),
        },
    ),
)
