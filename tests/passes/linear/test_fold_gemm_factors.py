"""Factors of Gemm, and biases of zeros."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

_W = "float[2,3] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5}"
_C = "float[3] c = {1.0, 2.0, 4.0}"


def _model(gemm: str, constants: str = f"{_W}, {_C}", more: str = "") -> str:
    return f"""agraph (float[N,2] a, float[2,3] v, float[3] r) => (float[p,q] y) <{constants}> {{
            t = {gemm}
            {more}
            y = Identity (t)
        }}"""


@pytest.mark.parametrize(
    ("gemm", "left"),
    [
        ("Gemm <alpha = 0.5> (a, w)", set()),
        ("Gemm <alpha = 0.5, beta = 3.0> (a, w)", set()),
        ("Gemm <alpha = 0.5, beta = 3.0> (a, w, c)", set()),
        ("Gemm <alpha = 0.5, beta = 3.0> (a, w, r)", {"beta"}),
        ("Gemm <alpha = 0.5, beta = 3.0> (a, v, c)", {"alpha"}),
        ("Gemm <alpha = 0.5, transA = 1, transB = 1> (w, a)", {"transA", "transB"}),
    ],
)
def test_factors_go_where_a_constant_is(gemm: str, left: set[str]) -> None:
    model, _ = run_passes(_model(gemm), "fold-gemm-factors")
    assert ops(model) == ["Gemm", "Identity"]
    assert set(model.graph[0].attributes) == left


@pytest.mark.parametrize("gemm", ["Gemm <alpha = 0.5, beta = 3.0> (a, v, r)"])
def test_nothing_constant_is_said(gemm: str) -> None:
    model, records = run_passes(_model(gemm), "fold-gemm-factors")
    assert set(model.graph[0].attributes) == {"alpha", "beta"}
    assert reasons(records) == ["what they multiply is not constant"]


def test_a_factor_of_zero_stays() -> None:
    gemm = "Gemm <alpha = 0.0, beta = 0.0> (a, w, c)"
    model, _ = run_passes(_model(gemm), "fold-gemm-factors")
    assert set(model.graph[0].attributes) == {"alpha", "beta"}


def test_factors_that_overflow_stay() -> None:
    constants = f"{_W.replace('3.0', '3.0e38')}, {_C}"
    text = _model("Gemm <alpha = 3.0> (a, w)", constants)
    model, records = run_passes(text, "fold-gemm-factors")
    assert set(model.graph[0].attributes) == {"alpha"}
    assert reasons(records) == ["the new weight has values that are not finite"]


_ZEROS = "float[3] z = {0.0, -0.0, 0.0}"


@pytest.mark.parametrize("zeros", [_ZEROS, "float z = {0.0}"])
def test_a_gemm_without_zeros(zeros: str) -> None:
    text = _model("Gemm <beta = 2.0, transB = 0> (a, w, z)", f"{_W}, {zeros}")
    model, _ = run_passes(text, "remove-zero-bias")
    assert len(model.graph[0].inputs) == 2


@pytest.mark.parametrize("conv", ["Conv (x, k, z)", "ConvTranspose <group = 1> (x, k, z)"])
def test_a_conv_without_zeros(conv: str) -> None:
    text = f"""agraph (float[1,1,3,3] x) => (float[1,1,3,3] y)
        <float[1,1,1,1] k = {{2.0}}, float[1] z = {{0.0}}> {{
            y = {conv}
        }}"""
    model, _ = run_passes(text, "remove-zero-bias")
    assert len(model.graph[0].inputs) == 2


def test_before_opset_11_gemm_needs_its_addend() -> None:
    text = _model("Gemm (a, w, z)", f"{_W}, {_ZEROS}")
    model, records = run_passes(text, "remove-zero-bias", opset=9)
    assert len(model.graph[0].inputs) == 3
    assert not reasons(records)


def test_a_bias_that_is_not_zero_or_not_constant_stays() -> None:
    for addend in ("c", "r"):
        model, records = run_passes(_model(f"Gemm (a, w, {addend})"), "remove-zero-bias")
        assert len(model.graph[0].inputs) == 3
        assert not reasons(records)


def test_zeros_that_a_caller_may_replace_stay() -> None:
    text = f"""agraph (float[N,2] a, float[3] z = {{0.0, 0.0, 0.0}}) => (float[N,3] y) <{_W}> {{
            y = Gemm (a, w, z)
        }}"""
    model, _ = run_passes(text, "remove-zero-bias")
    assert len(model.graph[0].inputs) == 3
