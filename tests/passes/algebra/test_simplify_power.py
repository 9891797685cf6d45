"""Powers: which exponents, of which numbers."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "simplify-power"


def _text(source: str, exponent: str, kind: str = "float", shape: str = "3") -> str:
    return f"""g ({kind}[{shape}] x) => ({kind}[r{shape.count(",")}] y) <{exponent}> {{
        s = {source}
        t = Pow(s, c)
        y = Neg(t)
    }}"""


@pytest.mark.parametrize(
    ("exponent", "op"),
    [
        ("float c = {2.0}", "Mul"),
        ("float[1] c = {2.0}", "Mul"),
        ("float[3] c = {2.0, 2.0, 2.0}", "Mul"),
        ("int64 c = {2}", "Mul"),
        ("float c = {-1.0}", "Reciprocal"),
        ("int32 c = {-1}", "Reciprocal"),
    ],
)
def test_exponents(exponent: str, op: str) -> None:
    model, _ = run_passes(_text("Identity(x)", exponent), PASS)
    assert ops(model) == ["Identity", op, "Neg"]


@pytest.mark.parametrize(
    "exponent", ["float c = {3.0}", "float c = {1.5}", "float[3] c = {2.0, 2.0, 3.0}"]
)
def test_other_exponents(exponent: str) -> None:
    model, records = run_passes(_text("Identity(x)", exponent), PASS)
    assert "Pow" in ops(model)
    assert reasons(records) == []


@pytest.mark.parametrize(
    ("source", "becomes"),
    [
        ("Abs(x)", True),
        ("Exp(x)", True),
        ("Sigmoid(x)", True),
        ("Mul(x, x)", True),
        ("Identity(x)", False),  # may be negative: the power of -inf is inf, its root NaN
        ("Relu(x)", False),  # -0.0 stays -0.0 in some runtimes
        ("Neg(x)", False),
        ("Sub(x, x)", False),
        ("Mul(x, c)", False),
    ],
)
def test_a_root_needs_a_proof(source: str, becomes: bool) -> None:
    model, records = run_passes(_text(source, "float c = {0.5}"), PASS)
    assert ("Sqrt" in ops(model)) == becomes
    assert bool(reasons(records)) != becomes


def test_the_variance_of_a_normalization_has_a_root() -> None:
    text = """g (float[2,4] x) => (float[2,1] y)
        <float two = {2.0}, float half = {0.5}, float eps = {1e-5}, int64[1] last = {-1}> {
        s = Pow(x, two)
        v = ReduceMean(s, last)
        e = Add(v, eps)
        y = Pow(e, half)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Mul", "ReduceMean", "Add", "Sqrt"]


def test_integers_are_raised_in_floating_point() -> None:
    model, _ = run_passes(_text("Identity(x)", "int32 c = {2}", "int32"), PASS)
    assert "Pow" in ops(model)


def test_an_exponent_that_broadcasts_the_base_stays() -> None:
    text = """g (float[1,3] x) => (float[2,3] y) <float[2,1] c = {2.0, 2.0}> { y = Pow(x, c) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Pow"]
    assert "broadcast" in reasons(records)[0]


def test_an_exponent_of_unknown_value_stays() -> None:
    text = "g (float[2] x, float c) => (float[2] y) <float c = {2.0}> { y = Pow(x, c) }"
    assert ops(run_passes(text, PASS)[0]) == ["Pow"]
