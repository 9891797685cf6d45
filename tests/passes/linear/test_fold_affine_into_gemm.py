"""Addends and factors after Gemm."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import to_proto
from burnish.text import parse_model

PASS = "fold-affine-into-gemm"
_W = "float[2,3] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5}"
_C = "float[3] c = {1.0, 2.0, 4.0}"


def _model(gemm: str, last: str, constants: str, a: str = "N,2", y: str = "N,3") -> str:
    return f"""agraph (float[{a}] a, float[2,3] v, float[3] r, float[4,3] s, float[3] q)
        => (float[{y}] y) <{constants}> {{
            t = {gemm}
            y = {last}
        }}"""


@pytest.mark.parametrize(
    "gemm", ["Gemm (a, w)", "Gemm <beta = 3.0, alpha = 0.5> (a, w, c)", "Gemm (a, v, c)"]
)
@pytest.mark.parametrize("last", ["Add (t, d)", "Add (d, t)", "Sub (t, d)"])
@pytest.mark.parametrize("d", ["float[3] d = {5.0, -6.0, 7.0}", "float[1,1] d = {2.0}"])
def test_a_constant_addend_joins_c(gemm: str, last: str, d: str) -> None:
    model, _ = run_passes(_model(gemm, last, f"{_W}, {_C}, {d}"), PASS)
    assert ops(model) == ["Gemm"]
    assert "beta" not in model.graph[0].attributes


@pytest.mark.parametrize("last", ["Add (t, r)", "Add (r, t)"])
def test_any_addend_that_fits_becomes_c(last: str) -> None:
    model, _ = run_passes(_model("Gemm <beta = 2.0> (a, w)", last, _W), PASS)
    assert ops(model) == ["Gemm"]
    assert [item.name for item in model.graph[0].inputs if item] == ["a", "w", "r"]


def test_the_sum_of_two_products_is_one_chain() -> None:
    model, _ = run_passes(
        """agraph (float[N,2] a, float[2,3] v, float[N,4] b, float[4,3] w) => (float[N,3] y) {
            s = Gemm (a, v)
            t = Gemm (b, w)
            y = Add (s, t)
        }""",
        PASS,
    )
    assert ops(model) == ["Gemm", "Gemm"]


@pytest.mark.parametrize(
    ("gemm", "last", "a", "y", "why"),
    [
        ("Gemm (a, w)", "Add (t, s)", "1,2", "4,3", "the addend may enlarge the product"),
        ("Gemm (a, w, c)", "Add (t, s)", "1,2", "4,3", ""),  # C is there, and s is computed
        ("Gemm (a, w)", "Sub (t, r)", "N,2", "N,3", ""),
        ("Gemm (a, w, q)", "Add (t, c)", "N,2", "N,3", "c is not a constant"),
        ("Gemm (a, w)", "Sub (c, t)", "N,2", "N,3", ""),
    ],
)
def test_what_does_not_fit_stays(gemm: str, last: str, a: str, y: str, why: str) -> None:
    model, records = run_passes(_model(gemm, last, f"{_W}, {_C}", a, y), PASS)
    assert ops(model) == ["Gemm", last.split()[0]]
    assert reasons(records) == ([why] if why else [])


def test_rows_of_unknown_number_are_not_those_of_the_addend() -> None:
    text = """agraph (float[N,2] a, float[2,3] w, float[M,3] d) => (float[p,3] y) {
            t = Gemm (a, w)
            y = Add (t, d)
        }"""
    done = optimize(to_proto(parse_model(text)), passes=PASS)
    assert ops(done.model) == ["Gemm", "Add"]
    assert reasons(done.records) == ["the addend may enlarge the product"]


def test_a_column_and_a_row_would_grow() -> None:
    constants = f"{_W}, float[2,1] c = {{1.0, 2.0}}, float[3] d = {{1.0, 2.0, 3.0}}"
    for last in ("Add (t, d)", "Mul (t, d)"):
        model, records = run_passes(_model("Gemm (a, w, c)", last, constants, "2,2", "2,3"), PASS)
        assert ops(model) == ["Gemm", last.split()[0]]
        assert reasons(records) == ["the new constant would be larger"]


@pytest.mark.parametrize("last", ["Mul (t, d)", "Mul (d, t)", "Div (t, d)"])
@pytest.mark.parametrize("d", ["float[3] d = {5.0, -6.0, 7.0}", "float[1,1] d = {2.0}"])
@pytest.mark.parametrize(
    "gemm", ["Gemm (a, w)", "Gemm <beta = 3.0, alpha = 0.5> (a, w, c)", "Gemm <transB = 1> (a, u)"]
)
def test_a_factor_goes_into_the_constants(gemm: str, last: str, d: str) -> None:
    u = "float[3,2] u = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5}"
    model, _ = run_passes(_model(gemm, last, f"{_W}, {_C}, {u}, {d}"), PASS)
    assert ops(model) == ["Gemm"]


@pytest.mark.parametrize("gemm", ["Gemm (a, v)", "Gemm <beta = 3.0> (a, v, r)", "Gemm (a, w, r)"])
def test_a_number_goes_into_alpha_and_beta(gemm: str) -> None:
    constants = f"{_W}, float d = {{4.0}}, float[3] e = {{1.0, 2.0, 3.0}}"
    model, _ = run_passes(_model(gemm, "Div (t, d)", constants), PASS)
    assert ops(model) == ["Gemm"]
    assert model.graph[0].attributes["alpha"].as_float() == 0.25
    model, records = run_passes(_model(gemm, "Mul (t, e)", constants), PASS)
    assert ops(model) == ["Gemm", "Mul"]
    assert reasons(records) == ["the matrix or the addend is not a constant"]


def test_a_factor_that_float32_cannot_hold_stays() -> None:
    text = """agraph (double[N,2] a, double[2,3] v) => (double[N,3] y) <double d = {0.1}> {
            t = Gemm (a, v)
            y = Mul (t, d)
        }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Gemm", "Mul"]
    assert reasons(records) == ["alpha or beta would be rounded to float32"]


@pytest.mark.parametrize("d", ["float[2,1] d = {2.0, 3.0}", "float[1,1,1] d = {2.0}"])
def test_a_factor_per_row_or_of_another_rank_stays(d: str) -> None:
    y = "2,3" if "2,1" in d else "1,2,3"
    model, _ = run_passes(_model("Gemm (a, w)", "Mul (t, d)", f"{_W}, {d}", "2,2", y), PASS)
    assert ops(model) == ["Gemm", "Mul"]
