"""HardSwish, HardSigmoid and LeakyRelu as exporters spell them."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

PASS = "fuse-hard-activations"


def _model(body: str, outputs: str = "") -> str:
    return f"""agraph (float[N,4] x) => (float[N,4] y{outputs})
        <float zero = {{0.0}}, float one = {{1.0}}, float three = {{3.0}}, float six = {{6.0}},
         float sixth = {{0.166666672}}, float half = {{0.5}}, float quarter = {{0.25}},
         float[4] row = {{0.1, 0.2, 0.3, 0.4}}> {{ {body} }}"""


CLIP = "a = Add (x, three) b = Clip (a, zero, six)"


@pytest.mark.parametrize(
    "body",
    [
        f"{CLIP} c = Mul (x, b) y = Div (c, six)",
        f"{CLIP} c = Mul (b, x) y = Mul (sixth, c)",
        f"{CLIP} c = Div (b, six) y = Mul (x, c)",
        f"{CLIP} c = Mul (x, sixth) y = Mul (c, b)",
        "a = Add (three, x) b = Clip (a, zero, six) c = Div (x, six) y = Mul (b, c)",
        "a = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul (x, a)",
        "a = Mul (x, sixth) b = Add (a, half) c = Clip (b, zero, one) y = Mul (c, x)",
    ],
)
def test_hard_swish_in_any_order(body: str) -> None:
    model, _ = run_passes(_model(body), PASS)
    assert ops(model) == ["HardSwish"]


@pytest.mark.parametrize(
    ("body", "alpha", "beta"),
    [
        (f"{CLIP} y = Div (b, six)", 1 / 6, 0.5),
        (f"{CLIP} y = Mul (b, sixth)", 1 / 6, 0.5),
        ("a = Mul (quarter, x) b = Add (half, a) y = Clip (b, zero, one)", 0.25, 0.5),
        ("a = Sub (x, half) y = Clip (a, zero, one)", 1.0, -0.5),
        ("a = Sub (half, x) y = Clip (a, zero, one)", -1.0, 0.5),
    ],
)
def test_hard_sigmoid(body: str, alpha: float, beta: float) -> None:
    model, _ = run_passes(_model(body), PASS)
    assert ops(model) == ["HardSigmoid"]
    assert attribute(model.graph[0], "alpha") == pytest.approx(alpha)
    assert attribute(model.graph[0], "beta") == pytest.approx(beta)


@pytest.mark.parametrize(
    "body",
    [
        "a = Mul (x, quarter) y = Max (x, a)",
        "a = Mul (quarter, x) y = Max (a, x)",
        "a = Mul (x, quarter) p = Greater (x, zero) y = Where (p, x, a)",
    ],
)
def test_leaky_relu(body: str) -> None:
    model, _ = run_passes(_model(body), PASS)
    assert ops(model) == ["LeakyRelu"]
    assert attribute(model.graph[0], "alpha") == 0.25


@pytest.mark.parametrize(
    "body",
    [
        "a = Add (x, one) b = Clip (a, zero, six) c = Mul (x, b) y = Div (c, six)",
        f"{CLIP} c = Mul (x, b) y = Div (c, three)",
        "a = Add (x, three) b = Clip (a, one, six) c = Mul (x, b) y = Div (c, six)",
        "a = HardSigmoid (x) y = Mul (x, a)",
        "a = Add (x, row) y = Clip (a, zero, one)",
        "y = Clip (x, zero, one)",
        "a = Mul (x, six) y = Max (x, a)",
        "a = Mul (x, quarter) p = Greater (x, one) y = Where (p, x, a)",
        "a = Mul (x, quarter) p = Greater (x, zero) y = Where (p, a, x)",
    ],
)
def test_another_function_is_left_alone(body: str) -> None:
    model, records = run_passes(_model(body), PASS)
    assert len(ops(model)) == body.count(") ") + 1
    assert reasons(records) == []


def test_it_needs_the_operator() -> None:
    text = _model(f"{CLIP} c = Mul (x, b) y = Div (c, six)")
    model, records = run_passes(text, PASS, opset=13)
    assert ops(model) == ["Add", "Clip", "Mul", "Div"]
    assert reasons(records) == ["HardSwish needs opset 14"]


def test_an_inner_result_with_another_reader_stays() -> None:
    body = f"{CLIP} c = Mul (x, b) y = Div (c, six) z = Neg (a)"
    model, records = run_passes(_model(body, ", float[N,4] z"), PASS)
    assert ops(model) == ["Add", "Clip", "Mul", "Div", "Neg"]
    assert reasons(records) == ["a has another reader"]
