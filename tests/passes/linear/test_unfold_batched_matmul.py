"""Matrix products of folded leading axes: unfold-batched-matmul."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

PASS = "infer-shapes, unfold-batched-matmul, remove-dead-code"


def _model(
    middle: str = "p = Softmax <axis = -1> (a)",
    *,
    q: str = "B,2,S,4",
    extra: str = "",
    result: str = "float[B,2,S,6] y",
    values: str = "v3 = Reshape (v, foldv)",
) -> str:
    return f"""agraph (float[{q}] q, float[B,2,5,4] k, float[B,2,5,6] v{extra}) => ({result})
        <int64[3] foldv = {{-1, 5, 6}}, int64[3] foldk = {{-1, 5, 4}}, int64[1] four = {{4}},
         int64[1] last = {{-1}}, int64[1] two = {{2}}, int64[1] five = {{5}},
         int64[4] apart = {{0, 2, -1, 6}}, int64[4] scores = {{0, 2, -1, 5}},
         float[1,1,1] half = {{0.5}}, float[3] three = {{1.0, 2.0, 3.0}}> {{
        n = Shape <start = 2, end = 3> (q)
        b = Shape <start = 0, end = 1> (q)
        foldq = Concat <axis = 0> (last, n, four)
        foldp = Concat <axis = 0> (last, n, five)
        unfold = Concat <axis = 0> (b, two, n, five)
        unfoldz = Concat <axis = 0> (b, two, n, last)
        q3 = Reshape (q, foldq)
        k3 = Reshape (k, foldk)
        {values}
        kt = Transpose <perm = [0, 2, 1]> (k3)
        a = MatMul (q3, kt)
        {middle}
        z = MatMul (p, v3)
        y = Reshape (z, unfoldz)
    }}"""


@pytest.mark.parametrize(
    ("middle", "left"),
    [
        ("p = Softmax <axis = -1> (a)", ["Softmax"]),
        ("s = Mul (half, a)\np = Softmax <axis = 2> (s)", ["Mul", "Softmax"]),
        ("s = Cast <to = 11> (a)\nt = Softmax (s)\np = Cast <to = 1> (t)",
         ["Cast", "Cast", "Softmax"]),
    ],
    ids=["plain", "scaled", "in double"],
)  # fmt: skip
def test_nothing_stays_folded(middle: str, left: list[str]) -> None:
    model, _ = run_passes(_model(middle), PASS, opset=17)
    assert sorted(ops(model)) == sorted(["MatMul", "MatMul", "Transpose", *left])


def test_a_mask_of_four_axes_in_between() -> None:
    middle = """a4 = Reshape (a, unfold)
        m4 = Add (a4, mask)
        m = Reshape (m4, foldp)
        p = Softmax <axis = -1> (m)"""
    text = _model(middle, extra=", float[B,1,S,5] mask")
    model, _ = run_passes(text, PASS, opset=17)
    assert sorted(ops(model)) == ["Add", "MatMul", "MatMul", "Softmax", "Transpose"]


@pytest.mark.parametrize(
    "text",
    [
        _model("p = Softmax <axis = 1> (a)"),
        _model(result="float[B,2,S,6] y, float[N,S,5] p"),
        _model("p = Relu (a)"),
        _model(q="2,B,S,4"),
    ],
    ids=["over rows", "the weights are a result", "an unknown operator", "folded elsewhere"],
)
def test_what_must_stay(text: str) -> None:
    model, _ = run_passes(text, PASS, opset=17)
    assert "Reshape" in ops(model)
    assert ops(model).count("Reshape") == 4


def test_one_stack_of_matrices_for_all_is_not_unfolded() -> None:
    text = """agraph (float[2,3,4,5] a, float[1,1,5,6] b) => (float[2,3,4,6] y)
        <int64[3] fold = {6, 4, 5}, int64[3] one = {1, 5, 6}, int64[4] apart = {2, 3, 4, 6}> {
        a3 = Reshape (a, fold)
        b3 = Reshape (b, one)
        z = MatMul (a3, b3)
        y = Reshape (z, apart)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Reshape", "Reshape", "MatMul", "Reshape"]


def test_a_number_for_each_matrix_is_not_one_number() -> None:
    text = """agraph (float[3,1,4,5] a, float[3,1,5,4] b) => (float[3,1,4,4] y)
        <int64[3] fold = {3, 4, 5}, int64[3] foldb = {3, 5, 4}, int64[4] apart = {3, 1, 4, 4},
         float[3,1,1] each = {1.0, 2.0, 3.0}> {
        a3 = Reshape (a, fold)
        b3 = Reshape (b, foldb)
        z = MatMul (a3, b3)
        s = Mul (z, each)
        y = Reshape (s, apart)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count("Reshape") == 3


def test_softmax_before_opset_13_counts_from_its_axis() -> None:
    text = """agraph (float[2,3,4,5] a, float[2,3,5,6] b) => (float[2,3,4,6] y)
        <int64[3] fold = {6, 4, 5}, int64[3] foldb = {6, 5, 6}, int64[4] apart = {2, 3, 4, 6}> {
        a3 = Reshape (a, fold)
        b3 = Reshape (b, foldb)
        p = Softmax (a3)
        z = MatMul (p, b3)
        y = Reshape (z, apart)
    }"""
    model, _ = run_passes(text, PASS, opset=12)
    assert ops(model).count("Reshape") == 3
    last = text.replace("Softmax (", "Softmax <axis = 2> (")
    model, _ = run_passes(last, PASS, opset=12)
    assert ops(model) == ["Softmax", "MatMul"]
