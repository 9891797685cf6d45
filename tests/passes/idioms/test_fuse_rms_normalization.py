"""Normalization by the root mean square in the spellings of exporters."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

PASS = "fuse-rms-normalization"


def _model(body: str, *, shape: str = "N,3,4", axes: str = "-1", outputs: str = "") -> str:
    return f"""agraph (float[{shape}] x) => (float[{shape}] y{outputs})
        <int64[1] axes = {{{axes}}}, float two = {{2.0}}, float one = {{1.0}},
         float e = {{0.001}}, float minus = {{-0.5}}, float negative = {{-0.001}},
         float[4] w = {{1.0, 2.0, 3.0, 4.0}}, float[3,1] rows = {{1.0, 2.0, 3.0}},
         float[4] es = {{0.1, 0.2, 0.3, 0.4}}> {{ {body} }}"""


MEAN = "s = Mul (x, x) q = ReduceMean (s, axes) p = Add (q, e)"


@pytest.mark.parametrize(
    "body",
    [
        f"{MEAN} r = Sqrt (p) y = Div (x, r)",
        f"{MEAN} r = Sqrt (p) i = Reciprocal (r) y = Mul (x, i)",
        f"{MEAN} r = Sqrt (p) i = Div (one, r) y = Mul (i, x)",
        f"{MEAN} i = Pow (p, minus) y = Mul (x, i)",
        f"{MEAN} r = Sqrt (p) t = Mul (x, w) y = Div (t, r)",
        f"{MEAN} r = Sqrt (p) i = Reciprocal (r) t = Mul (w, i) y = Mul (x, t)",
        f"{MEAN} r = Sqrt (p) t = Div (w, r) y = Mul (t, x)",
        "s = Pow (x, two) q = ReduceMean (s, axes) p = Add (e, q) r = Sqrt (p) y = Div (x, r)",
    ],
)
def test_in_any_order(body: str) -> None:
    model, _ = run_passes(_model(body), PASS, opset=23)
    assert ops(model) == ["RMSNormalization"]
    assert attribute(model.graph[0], "epsilon") == pytest.approx(0.001)


def test_of_a_product() -> None:
    text = _model(f"x = Mul (z, w) {MEAN} r = Sqrt (p) y = Div (x, r)").replace("] x)", "] z)")
    model, _ = run_passes(text, PASS, opset=23)
    assert ops(model) == ["Mul", "RMSNormalization"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (f"{MEAN} r = Sqrt (p) t = Mul (x, rows) y = Div (t, r)",
         ["scale or bias vary along other axes"]),
        (("s = Mul (x, x) q = ReduceMean (s, axes) p = Add (q, negative) a = Abs (p)"
         " r = Sqrt (a) y = Div (x, r)"), []),
        ("s = Mul (x, x) q = ReduceMean (s, axes) p = Add (q, es) r = Sqrt (p) y = Div (x, r)", []),
        ("s = Mul (x, x) q = ReduceMean (s, axes) r = Sqrt (q) p = Add (r, e) y = Div (x, p)", []),
        (f"{MEAN} r = Sqrt (p) y = Mul (x, r)", []),
        (f"{MEAN} r = Sqrt (p) t = Mul (x, x) y = Div (t, r)", []),
        (f"{MEAN} i = Reciprocal (p) y = Mul (x, i)", []),
    ],
)  # fmt: skip
def test_it_is_left_alone(body: str, why: list[str]) -> None:
    model, records = run_passes(_model(body), PASS, opset=23)
    assert "RMSNormalization" not in ops(model)
    assert reasons(records) == why


def test_the_channels_are_not_the_last_axis() -> None:
    body = f"{MEAN} r = Sqrt (p) y = Div (x, r)"
    model, records = run_passes(_model(body, axes="1"), PASS, opset=23)
    assert "RMSNormalization" not in ops(model)
    assert reasons(records) == ["the normalized axes are not the last ones"]


def test_it_needs_the_operator() -> None:
    model, records = run_passes(_model(f"{MEAN} r = Sqrt (p) y = Div (x, r)"), PASS, opset=22)
    assert "RMSNormalization" not in ops(model)
    assert reasons(records) == ["RMSNormalization needs opset 23"]


def test_a_root_with_another_reader_stays() -> None:
    body = f"{MEAN} r = Sqrt (p) y = Div (x, r) z = Neg (r)"
    model, records = run_passes(_model(body, outputs=", float[N,3,1] z"), PASS, opset=23)
    assert "RMSNormalization" not in ops(model)
    assert reasons(records) == ["r has another reader"]


LLAMA = """agraph (float16[N,2] x, float16[2] w) => (float16[N,2] y)
    <int64[1] axes = {-1}, float e = {0.001}> {
    z = Cast <to = 1> (x) s = Mul (z, z) q = ReduceMean (s, axes) p = Add (q, e) r = Sqrt (p)
    i = Reciprocal (r) t = Mul (z, i) u = Cast <to = 10> (t) y = Mul (w, u) }"""


def test_llama_in_halves() -> None:
    model, _ = run_passes(
        LLAMA, f"{PASS}, fold-affine-into-normalization, remove-dead-code", opset=23
    )
    assert ops(model) == ["RMSNormalization"]
    assert model.graph[0].inputs[1] is model.graph.inputs[1]
