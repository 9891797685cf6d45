"""Rotary embedding by halves."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.text import parse_model

PASS = "fuse-rotary-embedding, eliminate-common-subexpressions, remove-dead-code"
SLICES = "x1 = Slice (x, zero, four, last)\nx2 = Slice (x, four, end, last, one)"
TABLES = "full = Concat <axis = -1> (angle, angle)\nc3 = Cos (full)\ns3 = Sin (full)"


def _model(
    halves: str = SLICES,
    tables: str = TABLES,
    result: str = "xc = Mul (x, c)\nrs = Mul (r, s)\ny = Add (xc, rs)",
    joined: str = "r = Concat <axis = 3> (n, x1)",
    negative: str = "n = Neg (x2)",
    angle: str = "B,S,4",
) -> str:
    return f"""agraph (float[B,2,S,8] x, float[{angle}] angle) => (float[B,2,S,8] y)
        <int64[1] zero = {{0}}, int64[1] one = {{1}}, int64[1] four = {{4}}, int64[1] last = {{-1}},
         int64[1] end = {{9223372036854775807}}, int64[1] three = {{3}}, float f = {{0.5}}> {{
        {tables}
        c = Unsqueeze (c3, one)
        s = Unsqueeze (s3, one)
        {halves}
        {negative}
        {joined}
        {result}
    }}"""


@pytest.mark.parametrize(
    "text",
    [
        _model(),
        _model("x1, x2 = Split <axis = 3, num_outputs = 2> (x)"),
        _model(result="xc = Mul (c, x)\nrs = Mul (s, r)\ny = Add (rs, xc)"),
        _model(
            tables="full = Concat <axis = 2> (angle, angle)\nc1 = Cos (full)\ns1 = Sin (full)\n"
            "c3 = Mul (c1, f)\ns3 = Mul (f, s1)"
        ),
    ],
    ids=["slices", "split", "swapped", "scaled"],
)
def test_it_is_raised(text: str) -> None:
    model, _ = run_passes(text, PASS, opset=23)
    assert "RotaryEmbedding" in ops(model)
    assert not {"Neg", "Slice", "Split", "Concat"} & set(ops(model))


def test_one_table_for_all_batches_is_repeated() -> None:
    model, _ = run_passes(_model(angle="1,S,4"), PASS, opset=23)
    assert ops(model).count("Expand") == 2
    assert "RotaryEmbedding" in ops(model)


def test_halves_that_may_differ_are_no_rotation() -> None:
    tables = "cc = Concat <axis = -1> (angle, other)\nc3 = Cos (cc)\ns3 = Sin (cc)"
    text = _model(tables=tables).replace("angle)", "angle, float[B,S,4] other)", 1)
    model, records = run_passes(text, "fuse-rotary-embedding", opset=23)
    assert "RotaryEmbedding" not in ops(model)
    assert "the halves of c may differ" in reasons(records)


def test_tables_of_another_batch_are_not_taken() -> None:
    source = parse_model(_model(angle="A,S,4"), opset=23)
    done = optimize(source, passes="fuse-rotary-embedding")
    assert "RotaryEmbedding" not in ops(done.model)
    assert any("the batch of" in reason for reason in reasons(done.records))


@pytest.mark.parametrize(
    "text",
    [
        _model(joined="r = Concat <axis = 3> (x1, n)"),
        _model(negative="n = Neg (x1)"),
        _model(halves="x1 = Slice (x, zero, three, last)\nx2 = Slice (x, three, end, last)"),
    ],
    ids=["the wrong half first", "one half twice", "unequal halves"],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    model, _ = run_passes(text, "fuse-rotary-embedding", opset=23)
    assert "RotaryEmbedding" not in ops(model)
