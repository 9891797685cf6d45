"""The Gaussian error linear unit in the spellings of exporters."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import Model, attribute

PASS = "fuse-gelu"
HALF_PRECISION = {"root": "15784", "half": "14336", "one": "15360"}


def _model(body: str, *, dtype: str = "float", shape: str = "N,4", outputs: str = "") -> str:
    return f"""agraph ({dtype}[{shape}] x) => ({dtype}[{shape}] y{outputs})
        <float root = {{1.41421354}}, float inverse = {{0.707106769}}, float half = {{0.5}},
         float one = {{1.0}}, float two = {{2.0}}, float three = {{3.0}}, float minus = {{-1.0}},
         float scale = {{0.797884583}}, float cubic = {{0.044715}}, float both = {{0.0356774069}},
         float near = {{1.4}}, float[1,1,1] high = {{0.5}}> {{ {body} }}"""


def _kinds(model: Model) -> list[str]:
    gelus = [node for node in model.graph if node.op_type == "Gelu"]
    assert len(gelus) == len(ops(model))
    return [str(attribute(node, "approximate", "none")) for node in gelus]


ERF = "a = Div (x, root) b = Erf (a) c = Add (b, one)"


@pytest.mark.parametrize(
    "body",
    [
        f"{ERF} d = Mul (x, c) y = Mul (d, half)",
        f"{ERF} d = Mul (x, half) y = Mul (d, c)",
        f"{ERF} d = Mul (c, half) y = Mul (d, x)",
        f"{ERF} d = Mul (half, x) y = Mul (c, d)",
        f"{ERF} d = Mul (c, x) y = Div (d, two)",
        "a = Mul (inverse, x) b = Erf (a) c = Add (one, b) d = Mul (x, c) y = Mul (half, d)",
        "a = Mul (inverse, x) b = Erf (a) c = Sub (b, minus) d = Mul (x, c) y = Mul (half, d)",
        "a = Div (x, root) b = Erf (a) c = Mul (b, half) d = Add (c, half) y = Mul (x, d)",
    ],
)
def test_erf_in_any_order(body: str) -> None:
    model, _ = run_passes(_model(body), PASS)
    assert _kinds(model) == ["none"]


CUBES = {
    "pow": "p = Pow (x, three) q = Mul (p, cubic)",
    "left": "o = Mul (x, x) p = Mul (o, x) q = Mul (cubic, p)",
    "right": "o = Mul (x, x) p = Mul (x, o) q = Mul (p, cubic)",
    "first": "o = Mul (x, cubic) p = Mul (o, x) q = Mul (p, x)",
}


@pytest.mark.parametrize("cube", CUBES)
def test_tanh_with_any_cube(cube: str) -> None:
    body = f"""{CUBES[cube]} r = Add (x, q) s = Mul (r, scale) t = Tanh (s) u = Add (t, one)
        v = Mul (x, u) y = Mul (v, half)"""
    model, _ = run_passes(_model(body), PASS)
    assert _kinds(model) == ["tanh"]


@pytest.mark.parametrize(
    "inner",
    [
        "o = Mul (x, x) p = Mul (o, cubic) q = Add (one, p) r = Mul (x, scale) s = Mul (r, q)",
        "o = Mul (x, cubic) p = Mul (o, x) q = Add (p, one) r = Mul (x, q) s = Mul (scale, r)",
        "o = Pow (x, three) p = Mul (o, both) q = Mul (x, scale) s = Add (p, q)",
    ],
)
def test_tanh_with_the_polynomial_in_other_shapes(inner: str) -> None:
    body = f"{inner} t = Tanh (s) u = Add (one, t) v = Mul (x, half) y = Mul (v, u)"
    model, _ = run_passes(_model(body), PASS)
    assert _kinds(model) == ["tanh"]


def test_what_is_multiplied_may_be_a_product_itself() -> None:
    text = f"""agraph (float[N,4] z) => (float[N,4] y) <float root = {{1.41421354}},
        float half = {{0.5}}, float one = {{1.0}}, float three = {{3.0}}> {{
        x = Mul (z, three) {ERF} d = Mul (x, c) y = Mul (d, half) }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Mul", "Gelu"]


def test_constants_rounded_to_halves() -> None:
    text = f"""agraph (float16[N,4] x) => (float16[N,4] y)
        <float16 root = {{15784}}, float16 half = {{14336}}, float16 one = {{15360}}> {{
        {ERF} d = Mul (x, c) y = Mul (d, half) }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Gelu"]


@pytest.mark.parametrize(
    "body",
    [
        "a = Div (x, near) b = Erf (a) c = Add (b, one) d = Mul (x, c) y = Mul (d, half)",
        "a = Div (x, root) b = Erf (a) c = Add (b, two) d = Mul (x, c) y = Mul (d, half)",
        f"{ERF} d = Mul (x, c) y = Mul (d, two)",
        f"{ERF} z = Relu (x) d = Mul (z, c) y = Mul (d, half)",
        f"{ERF} y = Mul (c, half)",
        (
            "o = Mul (x, x) q = Mul (o, cubic) r = Add (x, q) s = Mul (r, scale) t = Tanh (s)"
            " u = Add (t, one) v = Mul (x, u) y = Mul (v, half)"
        ),
    ],
)
def test_another_function_is_left_alone(body: str) -> None:
    model, records = run_passes(_model(body), PASS)
    assert "Gelu" not in ops(model)
    assert reasons(records) == []


def test_it_needs_the_operator() -> None:
    text = _model(f"{ERF} d = Mul (x, c) y = Mul (d, half)")
    model, records = run_passes(text, PASS, opset=19)
    assert "Gelu" not in ops(model)
    assert reasons(records) == ["Gelu needs opset 20"]


def test_an_inner_result_with_another_reader_stays() -> None:
    body = f"{ERF} d = Mul (x, c) y = Mul (d, half) z = Neg (b)"
    model, records = run_passes(_model(body, outputs=", float[N,4] z"), PASS)
    assert "Gelu" not in ops(model)
    assert reasons(records) == ["b has another reader"]


def test_an_inner_result_read_by_a_subgraph_stays() -> None:
    text = f"""agraph (float[N,4] x, bool p) => (float[N,4] y, float[N,4] z)
        <float root = {{1.41421354}}, float half = {{0.5}}, float one = {{1.0}}> {{
        {ERF} d = Mul (x, c) y = Mul (d, half)
        z = If (p) <then_branch = g () => (float[N,4] t) {{ t = Neg (b) }},
                    else_branch = h () => (float[N,4] e) {{ e = Neg (x) }}> }}"""
    model, records = run_passes(text, PASS)
    assert "Gelu" not in ops(model)
    assert reasons(records) == ["b has another reader"]


def test_a_constant_of_more_axes_would_enlarge_the_result() -> None:
    body = f"{ERF} d = Mul (x, c) y = Mul (d, high)"
    text = _model(body).replace("(float[N,4] y", "(float[1,N,4] y")
    model, records = run_passes(text, PASS)
    assert "Gelu" not in ops(model)
    assert reasons(records) == ["y [1, N, 4] may not have the shape of x [N, 4]"]
