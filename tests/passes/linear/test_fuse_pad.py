"""Padding with zeros before a convolution."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import attribute, to_proto
from burnish.text import parse_model

PASS = "fuse-pad"


def _model(pad: str, conv: str = "Conv (t, w)", outputs: str = "", body: str = "") -> str:
    return f"""agraph (float[1,2,5,5] x, float[3,2,3,3] w) => (float[a,b,c,d] y{outputs})
        <int64[8] p = {{0, 0, 1, 2, 0, 0, 0, 3}}, int64[8] n = {{0, 0, 1, 0, 0, 0, -1, 0}},
         int64[8] k = {{0, 1, 0, 0, 0, 0, 0, 0}}, int64[2] h = {{1, 2}}, int64[1] last = {{-1}},
         float zero = {{0.0}}, float one = {{1.0}}> {{
            t = {pad}
            {body}
            y = {conv}
        }}"""


@pytest.mark.parametrize(
    ("pad", "conv", "pads"),
    [
        ("Pad (x, p)", "Conv (t, w)", (1, 2, 0, 3)),
        ("Pad (x, p, zero)", "Conv <pads = [1, 0, 0, 1]> (t, w)", (2, 2, 0, 4)),
        ("Pad (x, h, , last)", "Conv <strides = [2, 2]> (t, w)", (0, 1, 0, 2)),
        ("Pad (x, p)", 'Conv <auto_pad = "VALID"> (t, w)', (1, 2, 0, 3)),
    ],
)
def test_it_folds(pad: str, conv: str, pads: tuple[int, ...]) -> None:
    model, _ = run_passes(_model(pad, conv), PASS)
    assert ops(model) == ["Conv"]
    assert attribute(model.graph[0], "pads") == pads


@pytest.mark.parametrize(
    ("pad", "conv", "why"),
    [
        ("Pad (x, p, one)", "Conv (t, w)", "the Pad may not fill with 0"),
        ("Pad (x, n)", "Conv (t, w)", "the Pad cuts something off"),
        ("Pad (x, k)", "Conv (t, w)", "the Pad adds batches or channels"),
        ('Pad <mode = "edge"> (x, p)', "Conv (t, w)", "the Pad is not constant"),
        ("Pad (x, p)", 'Conv <auto_pad = "SAME_UPPER"> (t, w)', "auto_pad is SAME_UPPER"),
    ],
)
def test_it_declines(pad: str, conv: str, why: str) -> None:
    text = _model(pad, conv)
    if why.startswith("the Pad adds"):
        text = text.replace("float[3,2,3,3] w", "float[3,3,3,3] w")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Pad", "Conv"]
    assert reasons(records) == [why]


def test_a_pad_with_other_readers_stays_for_them() -> None:
    text = _model("Pad (x, p)", outputs=", float[e,f,g,h] z", body="z = Relu (t)")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Pad", "Relu", "Conv"]
    assert model.graph[2].inputs[0] is model.graph.inputs[0]


def test_a_pooling_that_takes_the_largest_is_not_touched() -> None:
    model, _ = run_passes(_model("Pad (x, p)", "MaxPool <kernel_shape = [2, 2]> (t)"), PASS)
    assert ops(model) == ["Pad", "MaxPool"]


def test_attribute_spelling_of_old_opsets() -> None:
    text = _model("Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1], value = 0.0> (x)")
    done = optimize(to_proto(parse_model(text, opset=10)), passes=PASS)
    assert ops(done.model) == ["Conv"]
