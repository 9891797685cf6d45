"""A factor after MatMul: into the constant matrix, if it acts along an axis that the matrix has."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "fold-scale-into-matmul"
_W = "float[2,3] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5}"


def _model(steps: str, constants: str, a: str = "B,N,2", y: str = "B,N,3") -> str:
    return f"""agraph (float[{a}] a) => (float[{y}] y) <{constants}> {{
            {steps}
        }}"""


@pytest.mark.parametrize("last", ["y = Mul (c, t)", "y = Mul (t, c)", "y = Div (t, c)"])
@pytest.mark.parametrize("bias", ["", "float b = {0.5}, ", "float[1,3] b = {0.5, 1.0, 2.0}, "])
@pytest.mark.parametrize(
    "constant", ["float c = {4.0}", "float[1,1,1] c = {4.0}", "float[3] c = {2.0, -4.0, 5.0}"]
)
def test_a_number_or_row_folds(last: str, bias: str, constant: str) -> None:
    steps = "t = MatMul (a, w)" if not bias else "s = MatMul (a, w) t = Add (s, b)"
    model, records = run_passes(_model(f"{steps} {last}", f"{_W}, {bias}{constant}"), PASS)
    assert ops(model) == (["MatMul", "Add"] if bias else ["MatMul"]), reasons(records)


def test_a_column_folds_into_a_left_matrix() -> None:
    column = "float[2,1] c = {2.0, -4.0}"
    model, _ = run_passes(
        _model("t = MatMul (w, a) y = Mul (t, c)", f"{_W}, {column}", "B,3,N", "B,2,N"), PASS
    )
    assert ops(model) == ["MatMul"]
    row = "float[2] c = {2.0, -4.0}"
    text = _model("t = MatMul (w, a) y = Mul (t, c)", f"{_W}, {row}", "3", "2")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul"]
    text = _model("t = MatMul (w, a) y = Mul (t, c)", f"{_W}, {row}", "3,2", "2,2")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Mul"]
    assert reasons(records) == ["the constant acts along another axis"]


@pytest.mark.parametrize(
    ("constant", "a", "y", "why"),
    [
        ("float[2,1] c = {2.0, 4.0}", "2,2", "2,3", "the constant acts along another axis"),
        ("float[1,1,3] c = {2.0, 4.0, 5.0}", "2,2", "1,2,3", "the constant has more axes"),
    ],
)
def test_what_acts_elsewhere_stays(constant: str, a: str, y: str, why: str) -> None:
    text = _model("t = MatMul (a, w) y = Mul (t, c)", f"{_W}, {constant}", a, y)
    model, records = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Mul"]
    assert reasons(records)[0].startswith(why)


def test_one_column_may_not_become_three() -> None:
    constants = "float[2,1] w = {1.0, 2.0}, float[3] c = {2.0, 4.0, 5.0}"
    text = _model("t = MatMul (a, w) y = Mul (t, c)", constants, "N,2", "N,3")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Mul"]
    assert reasons(records) == ["the constant would enlarge the product"]


def test_a_quotient_by_zero_and_of_a_constant_stay() -> None:
    text = _model("t = MatMul (a, w) y = Div (t, c)", f"{_W}, float[3] c = {{2.0, 0.0, 5.0}}")
    model, records = run_passes(text.replace("B,N", "1,1"), PASS)
    assert ops(model) == ["MatMul", "Div"]
    assert reasons(records) == ["the factor is not finite"]
    text = _model("t = MatMul (a, w) y = Div (c, t)", f"{_W}, float c = {{2.0}}")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Div"]
    assert not reasons(records)


def test_integers_stay() -> None:
    text = """agraph (int32[N,1] a) => (int32[N,1] y) <int32[1,1] w = {3}, int32 c = {2}> {
            t = MatMul (a, w)
            y = Div (t, c)
        }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Div"]


def test_a_bias_that_would_grow_stays() -> None:
    constants = f"{_W}, float[2,1] b = {{1.0, 2.0}}, float[3] c = {{2.0, 4.0, 5.0}}"
    text = _model("s = MatMul (a, w) t = Add (s, b) y = Mul (t, c)", constants, "2,2", "2,3")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Add", "Mul"]
    assert reasons(records) == ["the new constant would be larger"]


def test_an_overridable_matrix_is_no_constant() -> None:
    text = """agraph (float[N,1] a, float[1,1] w = {3.0}) => (float[N,1] y) <float c = {2.0}> {
            t = MatMul (a, w)
            y = Mul (t, c)
        }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Mul"]
