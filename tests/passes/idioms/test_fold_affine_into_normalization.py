"""Factors and offsets after a normalization."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import constant_array

PASS = "fold-affine-into-normalization"


def _model(body: str, *, inputs: str = "", outputs: str = "") -> str:
    return f"""agraph (float[N,2,4] x{inputs}) => (float[a,b,c] y{outputs})
        <float[4] ones = {{1.0, 1.0, 1.0, 1.0}}, float[4] w = {{1.0, 2.0, 3.0, 4.0}},
         float[4] v = {{0.1, 0.2, 0.3, 0.4}}, float two = {{2.0}}, float zero = {{0.0}},
         float[1,1,4] high = {{1.0, 2.0, 3.0, 5.0}}, float[2,1] rows = {{2.0, 3.0}},
         float[2] a = {{1.0, 2.0}}, float[2] b = {{3.0, 4.0}},
         float[3,1,1,1] big = {{1.0, 2.0, 3.0}}> {{ {body} }}"""


@pytest.mark.parametrize(
    ("body", "scale", "bias"),
    [
        ("n = LayerNormalization (x, ones) y = Mul (n, w)", [1, 2, 3, 4], None),
        ("n = LayerNormalization (x, w) y = Mul (w, n)", [1, 4, 9, 16], None),
        ("n = LayerNormalization (x, w) y = Div (n, two)", [0.5, 1, 1.5, 2], None),
        ("n = LayerNormalization (x, w) y = Mul (high, n)", [1, 4, 9, 20], None),
        ("n = LayerNormalization (x, w) y = Add (v, n)", [1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4]),
        ("n = LayerNormalization (x, w) y = Sub (n, two)", [1, 2, 3, 4], [-2, -2, -2, -2]),
        ("n = LayerNormalization (x, w, v) y = Mul (n, two)", [2, 4, 6, 8], [0.2, 0.4, 0.6, 0.8]),
        ("n = InstanceNormalization (x, a, b) y = Mul (n, rows)", [2, 6], [6, 12]),
        ("n = InstanceNormalization (x, a, b) y = Add (n, two)", [1, 2], [5, 6]),
    ],
)
def test_it_folds(body: str, scale: list[float], bias: list[float] | None) -> None:
    model, _ = run_passes(_model(body), PASS)
    assert len(ops(model)) == 1
    held = [constant_array(value) for value in model.graph[0].inputs[1:]]
    wanted = [scale] if bias is None else [scale, bias]
    assert [array.tolist() for array in held if array is not None] == [
        pytest.approx(each) for each in wanted
    ]


def test_a_scale_given_at_run_time() -> None:
    body = "n = LayerNormalization (x, ones) t = Mul (n, s) y = Add (o, t)"
    model, _ = run_passes(_model(body, inputs=", float[4] s, float[4] o"), PASS)
    assert ops(model) == ["LayerNormalization"]
    assert list(model.graph[0].inputs) == list(model.graph.inputs)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("n = LayerNormalization (x, w) y = Mul (n, rows)", "scale or bias vary along other axes"),
        ("n = InstanceNormalization (x, a, b) y = Mul (n, w)",
         "scale or bias vary along other axes"),
        ("n = LayerNormalization (x, w) y = Div (n, zero)", "a scale or bias would not be finite"),
        ("n = LayerNormalization (x, w) y = Add (n, x)", None),
        ("n = LayerNormalization (x, w) y = Sub (v, n)", None),
    ],
)  # fmt: skip
def test_it_declines(body: str, why: str | None) -> None:
    model, records = run_passes(_model(body), PASS)
    assert len(ops(model)) == 2
    assert reasons(records) == ([] if why is None else [why])


def test_it_does_not_enlarge_the_result() -> None:
    text = _model("n = LayerNormalization (x, w) y = Mul (n, big)").replace("[a,b,c]", "[a,b,c,d]")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["LayerNormalization", "Mul"]
    assert reasons(records) == ["scale or bias vary along other axes"]


def test_an_offset_is_no_part_of_rms_normalization() -> None:
    body = "n = RMSNormalization (x, w) t = Mul (n, v) y = Add (t, v)"
    model, _ = run_passes(_model(body), PASS, opset=23)
    assert ops(model) == ["RMSNormalization", "Add"]


def test_a_scale_that_may_be_overridden_is_not_constant() -> None:
    text = """agraph (float[N,2,4] x, float[4] s) => (float[a,b,c] y)
        <float[4] w = {1.0, 2.0, 3.0, 4.0}, float[4] s = {1.0, 2.0, 3.0, 5.0}> {
        n = LayerNormalization (x, w) y = Mul (n, s) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["LayerNormalization", "Mul"]
    assert reasons(records) == ["scale or bias are known only when the model runs"]


def test_a_normalization_with_another_reader_stays() -> None:
    body = "n = LayerNormalization (x, ones) y = Mul (n, w) z = Neg (n)"
    model, records = run_passes(_model(body, outputs=", float[N,2,4] z"), PASS)
    assert ops(model) == ["LayerNormalization", "Mul", "Neg"]
    assert reasons(records) == ["n has another reader"]


def test_statistics_that_are_read_stay() -> None:
    body = "n, m = LayerNormalization (x, ones) y = Mul (n, w)"
    model, records = run_passes(_model(body, outputs=", float[N,2,1] m"), PASS)
    assert ops(model) == ["LayerNormalization", "Mul"]
    assert reasons(records) == ["m is a graph output"]
