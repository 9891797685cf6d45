"""Padding before AveragePool and MaxPool."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import attribute, to_proto
from burnish.text import parse_model

PASS = "fuse-pad-into-pool"
AVERAGE = "AveragePool <kernel_shape = [3, 3]> (t)"
MAX = "MaxPool <kernel_shape = [3, 3]> (t)"
LOWEST = "lowest = {-3.4028234663852886e38}"


def _model(pad: str, pool: str, before: str = "", more: str = "", kind: str = "float") -> str:
    return f"""agraph ({kind}[N,2,6,6] x{more}) => ({kind}[a,b,c,d] y)
        <int64[8] p = {{0, 0, 1, 2, 0, 0, 0, 1}}, int64[8] n = {{0, 0, 1, 0, 0, 0, -1, 0}},
         int64[8] k = {{0, 1, 0, 0, 0, 0, 0, 0}}, int64[8] wide = {{0, 0, 3, 0, 0, 0, 0, 0}},
         int64[2] h = {{1, 2}}, int64[1] last = {{-1}},
         float zero = {{0.0}}, float one = {{1.0}}, float {LOWEST}, float two = {{2.0}},
         uint8 none = {{0}}, int8 least = {{-128}}, int8 nil = {{0}}> {{
            inf = Constant <value_float = -inf> ()
            {before}
            t = {pad}
            y = {pool}
        }}"""


@pytest.mark.parametrize(
    ("pad", "pool", "pads"),
    [
        ("Pad (x, p)", AVERAGE, (1, 2, 0, 1)),
        ("Pad (x, h, zero, last)", AVERAGE, (0, 1, 0, 2)),
        (
            "Pad (x, p)",
            "AveragePool <kernel_shape=[3, 4], strides=[2, 1], count_include_pad=1, pads=[0, 1, 1, 0]> (t)",
            (1, 3, 1, 1),
        ),
        ("Pad (x, p)", 'AveragePool <kernel_shape = [3, 3], auto_pad = "VALID"> (t)', (1, 2, 0, 1)),
        (
            "Pad (x, p)",
            "AveragePool <kernel_shape = [3, 3], pads = [0, 0, 0, 0]> (t)",
            (1, 2, 0, 1),
        ),
    ],
)
def test_zeros_go_into_an_average(pad: str, pool: str, pads: tuple[int, ...]) -> None:
    model, _ = run_passes(_model(pad, pool), PASS)
    assert ops(model)[1:] == ["AveragePool"]
    assert attribute(model.graph[1], "pads") == pads
    assert attribute(model.graph[1], "count_include_pad") == 1


@pytest.mark.parametrize(
    ("pad", "before"),
    [
        ("Pad (x, p, inf)", ""),
        ("Pad (r, p)", "r = Relu (x)"),
        ("Pad (r, p, lowest)", "r = Relu (x)"),
        ("Pad (r, p, zero)", "s = Sigmoid (x) r = Transpose <perm = [0, 1, 3, 2]> (s)"),
        ("Pad (r, p, two)", "r = Clip (x, two)"),
        ("Pad (r, p)", "u = Abs (x) v = Exp (x) r = Concat <axis = 1> (u, v)"),
        ("Pad (r, p)", "u = Abs (x) v = Exp (x) r = Add (u, v)"),
    ],
)
def test_what_no_element_is_below_goes_into_a_maximum(pad: str, before: str) -> None:
    model, _ = run_passes(_model(pad, MAX, before), PASS)
    assert "Pad" not in ops(model)
    assert attribute(model.graph[len(model.graph) - 1], "pads") == (1, 2, 0, 1)


@pytest.mark.parametrize(("kind", "fill"), [("uint8", "none"), ("int8", "least")])
def test_the_lowest_integer_goes_into_a_maximum(kind: str, fill: str) -> None:
    model, _ = run_passes(_model(f"Pad (x, p, {fill})", MAX, kind=kind), PASS)
    assert "Pad" not in ops(model)


@pytest.mark.parametrize(
    ("pad", "pool", "why"),
    [
        ("Pad (x, p)", MAX, "the Pad fills with 0, and data may be below it"),
        ("Pad (x, p, lowest)", MAX, "the Pad fills with -3.40282e+38, and data may be below it"),
        ('Pad <mode = "edge"> (x, p)', MAX, "what the Pad fills with is not known"),
        ("Pad (x, n, inf)", MAX, "the Pad cuts something off"),
        ("Pad (x, k, inf)", MAX, "the Pad adds batches or channels"),
        ("Pad (x, wide, inf)", MAX, "a whole window would lie in the padding"),
        (
            "Pad (x, p, inf)",
            "MaxPool <kernel_shape = [3, 3], ceil_mode = 1> (t)",
            "the pooling rounds its size up",
        ),
        (
            "Pad (x, p, inf)",
            'MaxPool <kernel_shape = [3, 3], auto_pad = "SAME_UPPER"> (t)',
            "auto_pad is SAME_UPPER",
        ),
        (
            "Pad (x, p)",
            "AveragePool <kernel_shape = [3, 3], pads = [0, 1, 0, 0]> (t)",
            "the pooling does not count padding of its own",
        ),
        ("Pad (x, p, one)", AVERAGE, "the Pad may not fill with 0"),
        ('Pad <mode = "reflect"> (x, p)', AVERAGE, "the Pad may not fill with 0"),
    ],
)
def test_it_declines(pad: str, pool: str, why: str) -> None:
    model, records = run_passes(_model(pad, pool), PASS)
    assert ops(model)[1:] == ["Pad", pool.split()[0]]
    assert reasons(records) == [why]


def test_a_signed_zero_point_is_not_the_lowest() -> None:
    model, records = run_passes(_model("Pad (x, p, nil)", MAX, kind="int8"), PASS)
    assert "Pad" in ops(model)
    assert reasons(records) == ["the Pad fills with 0, and data may be below it"]


@pytest.mark.parametrize(
    "before",
    [
        "r = LeakyRelu (x)",
        "s = Relu (x) r = Sub (s, one)",
        "r = Clip (x, zero, m)",
        "s = Relu (x) r = Concat <axis = 1> (s, x)",
    ],
)
def test_data_that_only_looks_positive_stays(before: str) -> None:
    model, records = run_passes(_model("Pad (r, p)", MAX, before, ", float m"), PASS)
    assert "Pad" in ops(model)
    assert reasons(records) == ["the Pad fills with 0, and data may be below it"]


def test_positions_of_the_maxima_count_in_the_padded_tensor() -> None:
    text = _model("Pad (x, p, inf)", MAX).replace("y = MaxPool", "y, i = MaxPool")
    text = text.replace("[a,b,c,d] y)", "[a,b,c,d] y, int64[e,f,g,h] i)")
    model, records = run_passes(text, PASS)
    assert ops(model)[1:] == ["Pad", "MaxPool"]
    assert reasons(records) == ["i is a graph output"]


def test_a_pad_with_other_readers_stays_for_them() -> None:
    text = _model("Pad (x, p)", "AveragePool <kernel_shape = [3, 3]> (t) z = Relu (t)")
    text = text.replace("[a,b,c,d] y)", "[a,b,c,d] y, float[e,f,g,h] z)")
    model, _ = run_passes(text, PASS)
    assert ops(model)[1:] == ["Pad", "AveragePool", "Relu"]
    assert model.graph[2].inputs[0] is model.graph.inputs[0]


def test_before_opset_7_an_average_never_counts_padding() -> None:
    text = """agraph (float[1,1,4,4] x) => (float[1,1,a,b] y) {
        t = Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1]> (x)
        y = AveragePool <kernel_shape = [2, 2]> (t)
    }"""
    done = optimize(to_proto(parse_model(text, opset=6)), passes=PASS)
    assert ops(done.model) == ["Pad", "AveragePool"]


def test_a_window_with_gaps_may_see_padding_alone() -> None:
    # Of one element between two of padding, a window of two with a gap sees both of padding.
    text = """g (float[1,1,1] x) => (float[1,1,1] y) <int64[6] p = {0, 0, 1, 0, 0, 1}> {
        r = Relu(x)
        t = Pad(r, p)
        y = MaxPool <kernel_shape = [2], dilations = [2]> (t)
    }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Relu", "Pad", "MaxPool"]
    assert reasons(records) == ["a window with gaps may see nothing but padding"]
