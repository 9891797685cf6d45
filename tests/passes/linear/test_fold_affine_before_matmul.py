"""Constants before products of matrices: only along the axis that is summed over."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "fold-affine-before-matmul"
_W = "float[2,3] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5}"
_ROW = "float[2] c = {3.0, -5.0}"
_INNER = ["Mul (x, c)", "Div (x, c)", "Add (c, x)", "Sub (x, c)", "Sub (c, x)"]


def _model(inner: str, product: str, constants: str, x: str = "N,2", y: str = "p,q") -> str:
    return f"""agraph (float[{x}] x, float[3] r) => (float[{y}] y) <{constants}> {{
            u = {inner}
            t = {product}
            y = Identity (t)
        }}"""


@pytest.mark.parametrize("inner", _INNER)
@pytest.mark.parametrize(
    "product", ["Gemm (u, w)", "Gemm <alpha = 0.5, beta = 2.0> (u, w, b)", "Gemm (u, w, k)"]
)
def test_it_folds_into_gemm(inner: str, product: str) -> None:
    constants = f"{_W}, {_ROW}, float[1,3] b = {{0.5, -1.0, 2.0}}, float k = {{0.5}}"
    model, _ = run_passes(_model(inner, product, constants), PASS)
    assert ops(model) == ["Gemm", "Identity"]


@pytest.mark.parametrize("inner", _INNER)
def test_transposed_operands(inner: str) -> None:
    matrix = "float[3,2] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5}"
    product = "Gemm <transA = 1, transB = 1> (u, w)"
    column = "float[2,1] c = {3.0, -5.0}"
    model, _ = run_passes(_model(inner, product, f"{matrix}, {column}", "2,N"), PASS)
    assert ops(model) == ["Gemm", "Identity"]
    model, records = run_passes(_model(inner, product, f"{matrix}, {_ROW}", "2,2"), PASS)
    assert ops(model) == [inner.split()[0], "Gemm", "Identity"]
    assert reasons(records) == ["the constant acts along another axis"]


@pytest.mark.parametrize("inner", _INNER)
def test_a_matrix_product_with_an_offset_becomes_gemm(inner: str) -> None:
    model, _ = run_passes(_model(inner, "MatMul (u, w)", f"{_W}, {_ROW}"), PASS)
    scales = inner[:3] in ("Mul", "Div")
    assert ops(model) == ["MatMul" if scales else "Gemm", "Identity"]


@pytest.mark.parametrize("inner", _INNER)
@pytest.mark.parametrize("x", ["N,2", "B,N,2"])
def test_a_bias_takes_the_offset(inner: str, x: str) -> None:
    text = _model(inner, "MatMul (u, w)", f"{_W}, {_ROW}, float[3] b = {{1.0, 2.0, 4.0}}", x)
    text = text.replace("Identity (t)", "Add (b, t)").replace("p,q", x.replace("2", "3"))
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Add"] or ops(model) == ["Gemm", "Add"]


def test_without_a_bias_an_offset_of_batches_stays() -> None:
    text = _model("Add (x, c)", "MatMul (u, w)", f"{_W}, {_ROW}", "B,N,2", "B,N,3")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Add", "MatMul", "Identity"]
    assert not reasons(records)
    text = text.replace("Add (x", "Mul (x")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Identity"]


@pytest.mark.parametrize("inner", _INNER)
def test_a_constant_left_matrix(inner: str) -> None:
    matrix, column = "float[3,2] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5}", "float[2,1] c = {3.0, -5.0}"
    text = _model(inner, "MatMul (w, u)", f"{matrix}, {column}", "2,N")
    model, _ = run_passes(text, PASS)
    assert ops(model) in (["MatMul", "Identity"], ["Gemm", "Identity"])
    row = _model(inner, "MatMul (w, u)", f"{matrix}, {_ROW}", "2,2")
    model, records = run_passes(row, PASS)
    assert ops(model) == [inner.split()[0], "MatMul", "Identity"]
    assert reasons(records) == ["the constant acts along another axis"]


@pytest.mark.parametrize(
    ("x", "constant", "why"),
    [
        ("2,2", "float[2,1] c = {3.0, 5.0}", "the constant acts along another axis"),
        ("1,2", "float[4,2] c = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0}", "the constant acts a"),
        ("2,1", _ROW, "the constant may enlarge the other operand"),
        ("2", "float[1,2] c = {3.0, 5.0}", "the constant has more axes than the other operand"),
    ],
)
def test_what_acts_elsewhere_stays(x: str, constant: str, why: str) -> None:
    text = _model("Mul (x, c)", "MatMul (u, w)", f"{_W}, {constant}", x)
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Mul", "MatMul", "Identity"]
    assert all(reason.startswith(why) for reason in reasons(records))
    assert reasons(records)


def test_batch_norm_of_channels_that_are_not_summed_over_stays() -> None:
    statistics = """float[2] scale = {2.0, -0.5}, float[2] bias = {1.0, 0.25},
        float[2] mean = {0.5, -1.0}, float[2] var = {4.0, 0.3}"""
    norm = "BatchNormalization (x, scale, bias, mean, var)"
    model, _ = run_passes(_model(norm, "Gemm (u, w)", f"{_W}, {statistics}"), PASS)
    assert ops(model) == ["Gemm", "Identity"]
    text = _model(norm, "MatMul (u, w)", f"{_W}, {statistics}", "1,2,2", "1,2,3")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["BatchNormalization", "MatMul", "Identity"]
    assert reasons(records) == ["the channels are not the axis that is summed over"]


def test_a_computed_addend_stays() -> None:
    text = _model("Add (x, c)", "Gemm (u, w, r)", f"{_W}, {_ROW}")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Add", "Gemm", "Identity"]
    assert reasons(records) == ["c is not a constant"]
    model, _ = run_passes(text.replace("Add (x", "Mul (x"), PASS)
    assert ops(model) == ["Gemm", "Identity"]


def test_an_addend_that_would_grow_stays() -> None:
    constants = f"{_W}, {_ROW}, float[2,1] b = {{0.5, -1.0}}"
    model, records = run_passes(_model("Add (x, c)", "Gemm (u, w, b)", constants, "2,2"), PASS)
    assert ops(model) == ["Add", "Gemm", "Identity"]
    assert reasons(records) == ["the new constant would be larger"]


def test_a_large_matrix_with_another_reader_stays() -> None:
    text = """agraph (float[N,64] x, float[64] r) => (float[N,128] y, float[64,128] z) {
            c = Constant <value = float {3.0}> ()
            w = Constant <value = float[64,128] {%s}> ()
            u = Mul (x, c)
            y = MatMul (u, w)
            z = Neg (w)
        }"""
    model, records = run_passes(text % ", ".join(["1.5"] * 64 * 128), PASS)
    assert ops(model).count("Mul") == 1
    assert reasons(records) == ["w has another reader and would be held twice"]


def test_integers_stay() -> None:
    text = """agraph (int32[N,1] x) => (int32[N,1] y) <int32[1,1] w = {3}, int32 c = {2}> {
            u = Div (x, c)
            y = MatMul (u, w)
        }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Div", "MatMul"]
