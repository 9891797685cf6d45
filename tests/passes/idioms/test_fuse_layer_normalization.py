"""Layer normalization in the spellings of exporters."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

PASS = "fuse-layer-normalization"
HALVES = "fuse-layer-normalization, remove-dead-code"


def _model(body: str, *, shape: str = "N,3,4", outputs: str = "", axes: str = "-1") -> str:
    count = len(axes.split(","))
    return f"""agraph (float[{shape}] x) => (float[{shape}] y{outputs})
        <int64[{count}] axes = {{{axes}}}, int64[1] other = {{1}}, float two = {{2.0}},
         float three = {{3.0}}, float one = {{1.0}}, float e = {{0.001}}, float half = {{0.5}},
         float minus = {{-0.5}}, float[4] w = {{1.0, 2.0, 3.0, 4.0}},
         float[4] v = {{0.1, 0.2, 0.3, 0.4}}, float[2] es = {{0.1, 0.2}},
         float[3,1] rows = {{1.0, 2.0, 3.0}}> {{ {body} }}"""


MEAN = "m = ReduceMean (x, axes) d = Sub (x, m)"
VARIANCE = "s = Mul (d, d) q = ReduceMean (s, axes) p = Add (q, e)"


@pytest.mark.parametrize(
    "body",
    [
        f"{MEAN} {VARIANCE} r = Sqrt (p) y = Div (d, r)",
        f"{MEAN} {VARIANCE} r = Sqrt (p) i = Reciprocal (r) y = Mul (i, d)",
        f"{MEAN} {VARIANCE} r = Sqrt (p) i = Div (one, r) y = Mul (d, i)",
        f"{MEAN} {VARIANCE} i = Pow (p, minus) y = Mul (d, i)",
        f"{MEAN} {VARIANCE} r = Pow (p, half) y = Div (d, r)",
        f"{MEAN} {VARIANCE} r = Sqrt (p) t = Mul (w, d) y = Div (t, r)",
        f"{MEAN} {VARIANCE} r = Sqrt (p) t = Div (w, r) y = Mul (t, d)",
        (
            f"{MEAN} s = Pow (d, two) q = ReduceMean (s, axes) p = Add (e, q) r = Sqrt (p)"
            " y = Div (d, r)"
        ),
        (
            f"{MEAN} s = Pow (d, two) q = ReduceMean (s, axes) p = Add (e, q) r = Sqrt (p)"
            " l = ReduceMean (x, axes) k = Sub (x, l) y = Div (k, r)"
        ),
        (
            f"{MEAN} {VARIANCE} r = Sqrt (p) i = Reciprocal (r) t = Mul (i, w) a = Mul (x, t)"
            " b = Mul (t, m) c = Sub (v, b) y = Add (c, a)"
        ),
    ],
)
def test_in_any_order(body: str) -> None:
    model, _ = run_passes(_model(body), PASS, opset=18)
    assert ops(model) == ["LayerNormalization"]
    assert attribute(model.graph[0], "epsilon") == pytest.approx(0.001)


@pytest.mark.parametrize(("axes", "shape"), [("1,2", "N,3,4"), ("-2,-1", "N,3,4"), ("-1", "N,4")])
def test_over_any_last_axes(axes: str, shape: str) -> None:
    body = f"{MEAN} {VARIANCE} r = Sqrt (p) y = Div (d, r)"
    model, _ = run_passes(_model(body, axes=axes, shape=shape), PASS, opset=18)
    assert ops(model) == ["LayerNormalization"]
    assert attribute(model.graph[0], "axis", -1) == -len(axes.split(","))


def test_axes_as_an_attribute() -> None:
    body = """m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) s = Mul (d, d)
        q = ReduceMean <axes = [-1]> (s) p = Add (q, e) r = Sqrt (p) y = Div (d, r)"""
    model, _ = run_passes(_model(body), PASS, opset=17)
    assert ops(model) == ["LayerNormalization"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            f"{MEAN} {VARIANCE} r = Sqrt (p) t = Mul (rows, d) y = Div (t, r)",
            ["scale or bias vary along other axes"],
        ),
        (f"{MEAN} {VARIANCE} r = Sqrt (p) t = Mul (x, d) y = Div (t, r)", None),
        (f"{MEAN} {VARIANCE} y = Div (d, p)", []),
        ((f"{MEAN} s = Mul (d, d) q = ReduceMean (s, axes) r = Sqrt (q) p = Add (r, e)"
         " y = Div (d, p)"), []),
        ((f"{MEAN} s = Pow (d, three) q = ReduceMean (s, axes) p = Add (q, e) r = Sqrt (p)"
         " y = Div (d, r)"), []),
        ((f"{MEAN} s = Mul (d, d) q = ReduceMean (s, other) p = Add (q, e) r = Sqrt (p)"
         " y = Div (d, r)"), []),
        (f"{MEAN} {VARIANCE} r = Sqrt (p) y = Div (x, r)", []),
    ],
)  # fmt: skip
def test_it_is_left_alone(body: str, why: list[str] | None) -> None:
    model, records = run_passes(_model(body), PASS, opset=18)
    assert "LayerNormalization" not in ops(model)
    if why is None:
        why = ["x may not have the shape of the normalized axes"]
    assert reasons(records) == why


@pytest.mark.parametrize(
    ("axes", "shape", "opset", "why"),
    [
        ("1", "N,3,4", 18, "the normalized axes are not the last ones"),
        ("-1", "N,3,K", 18, "the size of a normalized axis is not known"),
        ("-1", "N,300000", 18, "the scale would have to be a large tensor"),
    ],
)
def test_it_declines(axes: str, shape: str, opset: int, why: str) -> None:
    body = f"{MEAN} {VARIANCE} r = Sqrt (p) y = Div (d, r)"
    model, records = run_passes(_model(body, axes=axes, shape=shape), PASS, opset=opset)
    assert ops(model)[-1] == "Div"
    assert reasons(records) == [why]


def test_it_needs_the_operator() -> None:
    body = """m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) s = Mul (d, d)
        q = ReduceMean <axes = [-1]> (s) p = Add (q, e) r = Sqrt (p) y = Div (d, r)"""
    model, records = run_passes(_model(body), PASS, opset=16)
    assert ops(model)[-1] == "Div"
    assert reasons(records) == ["LayerNormalization needs opset 17"]


def test_a_mean_that_is_an_output_stays() -> None:
    body = f"{MEAN} {VARIANCE} r = Sqrt (p) y = Div (d, r)"
    model, records = run_passes(_model(body, outputs=", float[N,3,1] m"), PASS, opset=18)
    assert "LayerNormalization" not in ops(model)
    assert reasons(records) == ["m is a graph output"]


def test_doubles_would_lose_digits() -> None:
    text = """agraph (double[N,4] x) => (double[N,4] y)
        <int64[1] axes = {-1}, double e = {0.001}> {
        m = ReduceMean (x, axes) d = Sub (x, m) s = Mul (d, d) q = ReduceMean (s, axes)
        p = Add (q, e) r = Sqrt (p) y = Div (d, r) }"""
    model, records = run_passes(text, PASS)
    assert ops(model)[-1] == "Div"
    assert reasons(records) == ["LayerNormalization computes in single precision"]


def _halves(scale: str, down: int = 10, dtype: str = "float16") -> str:
    return f"""agraph (float16[N,2] x) => ({dtype}[N,2] y)
        <int64[1] axes = {{-1}}, float e = {{0.001}}, float[2] w = {{{scale}}}> {{
        z = Cast <to = 1> (x) m = ReduceMean (z, axes) d = Sub (z, m) s = Mul (d, d)
        q = ReduceMean (s, axes) p = Add (q, e) r = Sqrt (p) t = Mul (w, d) u = Div (t, r)
        y = Cast <to = {down}> (u) }}"""


def test_halves_lose_their_casts() -> None:
    model, _ = run_passes(_halves("2.0, 0.5"), HALVES)
    assert ops(model) == ["LayerNormalization"]


@pytest.mark.parametrize("scale", ["2.0, 0.3", "2.0, 100000.0"])
def test_a_scale_that_is_no_half_keeps_them(scale: str) -> None:
    model, records = run_passes(_halves(scale), HALVES)
    assert ops(model) == ["Cast", "LayerNormalization", "Cast"]
    assert [why for why in reasons(records) if why.endswith("would be rounded to 16 bits")]


def test_a_cast_to_another_type_stays() -> None:
    model, _ = run_passes(_halves("2.0, 0.5", 11, "double"), HALVES)
    assert ops(model) == ["Cast", "LayerNormalization", "Cast"]
