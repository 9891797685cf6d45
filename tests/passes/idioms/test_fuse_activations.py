"""Softplus, Mish, Sigmoid and Swish as exporters spell them."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import attribute, to_proto
from burnish.target import Limits, Target
from burnish.text import parse_model
from burnish.verify import verify

PASS = "fuse-activations"
WITH_SWISH = dataclasses.replace(Target(), limits=Limits(highest_opset=26))


def _model(body: str, dtype: str = "float") -> str:
    return f"""agraph ({dtype}[N,4] x) => ({dtype}[N,4] y)
        <float one = {{1.0}}, float two = {{2.0}}, float twenty = {{20.0}}, float five = {{5.0}},
         float quick = {{1.702}}> {{ {body} }}"""


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("a = Exp (x) b = Add (a, one) y = Log (b)", ["Softplus"]),
        ("a = Exp (x) b = Add (one, a) y = Log (b)", ["Softplus"]),
        ("a = Softplus (x) b = Greater (x, twenty) y = Where (b, x, a)", ["Softplus"]),
        ("a = Softplus (x) b = Tanh (a) y = Mul (b, x)", ["Mish"]),
        ("a = Exp (x) b = Add (a, one) c = Log (b) d = Tanh (c) y = Mul (x, d)", ["Mish"]),
        ("n = Neg (x) a = Exp (n) b = Add (a, one) y = Reciprocal (b)", ["Sigmoid"]),
        ("n = Neg (x) a = Exp (n) b = Add (one, a) y = Div (one, b)", ["Sigmoid"]),
    ],
)
def test_it_writes_the_operator(body: str, result: list[str]) -> None:
    model, _ = run_passes(_model(body), PASS)
    assert ops(model) == result


@pytest.mark.parametrize(
    "body",
    [
        "a = Exp (x) b = Add (a, two) y = Log (b)",
        "z = Relu (x) a = Softplus (z) b = Tanh (a) y = Mul (b, x)",
        "n = Neg (x) a = Exp (n) b = Add (a, one) y = Div (two, b)",
        "a = Exp (x) b = Add (a, one) y = Reciprocal (b)",
    ],
)
def test_another_function_is_left_alone(body: str) -> None:
    model, records = run_passes(_model(body), PASS)
    assert len(ops(model)) == body.count("=")
    assert reasons(records) == []


def test_a_low_bound_can_be_seen() -> None:
    text = _model("a = Softplus (x) b = Greater (x, five) y = Where (b, x, a)")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Softplus", "Greater", "Where"]
    assert reasons(records) == ["Softplus differs from a line above the bound"]


def test_doubles_have_no_kernel() -> None:
    text = """agraph (double[N] x) => (double[N] y) <double one = {1.0}> {
        a = Exp (x) b = Add (a, one) y = Log (b) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Exp", "Add", "Log"]
    assert reasons(records) == ["runtimes have no Softplus of doubles"]


def test_mish_needs_its_opset() -> None:
    text = _model("a = Softplus (x) b = Tanh (a) y = Mul (b, x)")
    model, records = run_passes(text, PASS, opset=17)
    assert ops(model) == ["Softplus", "Tanh", "Mul"]
    assert reasons(records) == ["Mish needs opset 18"]


@pytest.mark.parametrize(
    ("body", "alpha"),
    [
        ("a = Sigmoid (x) y = Mul (x, a)", 1.0),
        ("s = Mul (quick, x) a = Sigmoid (s) y = Mul (a, x)", 1.702),
        ("s = Div (x, two) a = Sigmoid (s) y = Mul (x, a)", 0.5),
    ],
)
def test_swish_where_the_target_has_it(body: str, alpha: float) -> None:
    source = to_proto(parse_model(_model(body), opset=24))
    done = optimize(source, passes=PASS, target=WITH_SWISH)
    assert ops(done.model) == ["Swish"]
    assert attribute(done.model.graph[0], "alpha", 1.0) == pytest.approx(alpha)
    assert verify(source, to_proto(done.model), exactness=done.pipeline.exactness).ok


@pytest.mark.parametrize(
    ("body", "opset", "why"),
    [
        ("a = Sigmoid (x) y = Mul (x, a)", 23, ["Swish needs opset 24"]),
        ("s = Add (x, two) a = Sigmoid (s) y = Mul (x, a)", 24, []),
        ("z = Relu (x) a = Sigmoid (z) y = Mul (x, a)", 24, []),
    ],
)
def test_no_swish(body: str, opset: int, why: list[str]) -> None:
    source = to_proto(parse_model(_model(body), opset=opset))
    done = optimize(source, passes=PASS, target=WITH_SWISH)
    assert "Swish" not in ops(done.model)
    assert reasons(done.records) == why
