"""Reshape to a matrix, product, Reshape back."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

PASS = "drop-reshape-around-matmul"
PRODUCTS = [
    "u = MatMul (t, b)",
    "v = MatMul (t, b) u = Add (c, v)",
    "u = Gemm (t, b)",
    "u = Gemm (t, b, c)",
    "u = Gemm (t, b, row)",
    "u = Gemm (t, b, one)",
    "u = Gemm <transB = 1> (t, w, c)",
]


def _model(
    product: str,
    x: str = "2,5,3",
    matrix: str = "-1, 3",
    apart: str = "2, 5, 4",
    result: str = "2,5,4",
    more: str = "",
    outputs: str = "",
) -> str:
    axes, parts = apart.count(",") + 1, matrix.count(",") + 1
    return f"""agraph (float[{x}] x, float[3,4] b, float[4] c, float[1,4] row, float[10,1] rows,
        float one) => (float[{result}] y{outputs})
        <float[4,3] w = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
         int64[{parts}] matrix = {{{matrix}}}, int64[{axes}] apart = {{{apart}}}> {{
            t = Reshape (x, matrix)
            {product}
            y = Reshape (u, apart)
            {more}
        }}"""


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize(
    ("x", "apart", "result"),
    [
        ("2,5,3", "2, 5, 4", "2,5,4"),
        ("2,5,3", "2, -1, 4", "2,5,4"),
        ("N,5,3", "-1, 5, 4", "N,5,4"),
        ("2,1,5,3", "2, 1, 5, 4", "2,1,5,4"),
    ],
)
def test_it_multiplies_without_making_a_matrix(
    product: str, x: str, apart: str, result: str
) -> None:
    model, _ = run_passes(_model(product, x, apart=apart, result=result), PASS)
    biased = any(name in product for name in ("c", "row", "one"))
    assert ops(model) == (["MatMul", "Add"] if biased else ["MatMul"])


def test_a_flatten_makes_a_matrix_too() -> None:
    text = _model(PRODUCTS[3]).replace("Reshape (x, matrix)", "Flatten <axis = 2> (x)")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Add"]


def test_sizes_known_only_when_it_runs() -> None:
    text = """agraph (float[N,S,3] x, float[3,4] b) => (float[N,S,4] y)
        <int64[2] matrix = {-1, 3}, int64[1] four = {4}> {
            s = Shape <end = 2> (x)
            apart = Concat <axis = 0> (s, four)
            t = Reshape (x, matrix)
            u = Gemm (t, b)
            y = Reshape (u, apart)
        }"""
    model, _ = run_passes(text, f"{PASS}, remove-dead-code")
    assert ops(model) == ["MatMul"]


def test_a_matrix_that_others_read_stays_for_them() -> None:
    text = _model(PRODUCTS[0], more="z = Relu (t)", outputs=", float[10,3] z")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Reshape", "MatMul", "Relu"]


@pytest.mark.parametrize("product", PRODUCTS[:4])
@pytest.mark.parametrize(
    ("x", "apart", "result", "why"),
    [
        ("2,5,3", "5, 2, 4", "5,2,4", "the rows after the product may lie along other axes"),
        ("5,3,2", "5, 2, 4", "5,2,4", "the rows before the product are cut or joined"),
        ("N,M,3", "2, -1, 4", "2,K,4", "the rows after the product may lie along other axes"),
    ],
)
def test_rows_that_come_back_elsewhere_stay(
    product: str, x: str, apart: str, result: str, why: str
) -> None:
    model, records = run_passes(_model(product, x, apart=apart, result=result), PASS)
    assert ops(model).count("Reshape") == 2
    assert reasons(records) == [why]


@pytest.mark.parametrize(("apart", "result"), [("2, 5, 2, 2", "2,5,2,2"), ("10, 4", "10,4")])
def test_a_result_of_other_rank_stays(apart: str, result: str) -> None:
    model, records = run_passes(_model(PRODUCTS[3], apart=apart, result=result), PASS)
    assert ops(model) == ["Reshape", "Gemm", "Reshape"]
    assert not reasons(records)


@pytest.mark.parametrize(
    ("product", "why"),
    [
        ("u = Gemm (t, b, rows)", "the addend differs between rows"),
        ("v = MatMul (t, b) u = Add (v, rows)", "the addend differs between rows"),
        ("u = Gemm <alpha = 2.0> (t, b, c)", "alpha of the Gemm is not 1"),
        ("u = Gemm <beta = 2.0> (t, b, c)", "beta of the Gemm is not 1"),
        (
            "k = Transpose (b) u = Gemm <transB = 1> (t, k, c)",
            "the Gemm transposes a matrix that is computed",
        ),
    ],
)
def test_what_matmul_cannot_say_stays(product: str, why: str) -> None:
    model, records = run_passes(_model(product), PASS)
    assert ops(model).count("Reshape") == 2
    assert reasons(records) == [why]


def test_a_shared_weight_is_not_doubled() -> None:
    text = _model(PRODUCTS[6], more="z = Relu (w)", outputs=", float[4,3] z")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Reshape", "Gemm", "Reshape", "Relu"]
    assert reasons(records) == ["w has other readers, and would be there twice"]


def test_a_transposed_left_matrix_is_no_subject() -> None:
    text = _model("u = Gemm <transA = 1> (t, q)", "2,5,3", result="2,5,4")
    text = text.replace("float one)", "float one, float[10,4] q)").replace("2, 5, 4}", "3, 2, 2}")
    text = text.replace("float[2,5,4] y", "float[3,2,2] y")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Reshape", "Gemm", "Reshape"]
    assert attribute(model.graph[1], "transA") == 1
    assert not reasons(records)
