"""A product with a reciprocal."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "fuse-reciprocal"


def _model(steps: str, kind: str = "float", x: str = "[N,3]", one: str = " one = {1.0}") -> str:
    one = one if kind == "float" else one.replace(".0", "")
    return f"""agraph ({kind}{x} x, {kind}[N,3] v) => ({kind}[p,q] y) <{kind}{one}> {{
            {steps}
        }}"""


@pytest.mark.parametrize("reciprocal", ["Reciprocal (x)", "Div (one, x)"])
@pytest.mark.parametrize("product", ["Mul (v, r)", "Mul (r, v)"])
@pytest.mark.parametrize("x", ["[N,3]", "[3]", "[1,1]"])
def test_it_divides(reciprocal: str, product: str, x: str) -> None:
    model, _ = run_passes(_model(f"r = {reciprocal} y = {product}", x=x), PASS)
    assert ops(model) == ["Div"]


def test_two_reciprocals() -> None:
    model, _ = run_passes(_model("r = Reciprocal (x) s = Reciprocal (v) y = Mul (r, s)"), PASS)
    assert ops(model) == ["Reciprocal", "Div"]


def test_integers_stay() -> None:
    text = _model("u = Max (x, one) r = Div (one, u) y = Mul (r, v)", "int32")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Max", "Div", "Mul"]
    assert reasons(records) == ["a quotient of integers is rounded to zero"]


def test_another_dividend_stays() -> None:
    model, records = run_passes(_model("r = Div (one, x) y = Mul (r, v)", one=" one = {2.0}"), PASS)
    assert ops(model) == ["Div", "Mul"]
    assert not reasons(records)


def test_ones_that_enlarge_the_divisor_stay() -> None:
    text = _model("r = Div (one, x) y = Mul (r, v)", x="[1,1]", one="[2,1] one = {1.0, 1.0}")
    model, records = run_passes(text.replace("N,3", "1,3"), PASS)
    assert ops(model) == ["Div", "Mul"]
    assert reasons(records) == ["the constant may broadcast the other operand to a larger shape"]


def test_a_reciprocal_with_another_reader_stays() -> None:
    model, records = run_passes(_model("r = Reciprocal (x) t = Mul (v, r) y = Add (r, t)"), PASS)
    assert ops(model) == ["Reciprocal", "Mul", "Add"]
    assert reasons(records) == ["r has another reader"]
