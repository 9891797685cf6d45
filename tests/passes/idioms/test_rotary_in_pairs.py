"""Rotary embedding of neighbours, of heads behind the length, and of a first part only."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

PASS = "fuse-rotary-embedding, eliminate-common-subexpressions, remove-dead-code"
EVERY_SECOND = """x1 = Slice (x, zero, end, last, two)
    x2 = Slice (x, one, end, last, two)
    n = Neg (x2)
    n1 = Unsqueeze (n, last)
    x11 = Unsqueeze (x1, last)"""
STACK = "pairs = Concat <axis = -1> (n1, x11)\nr = Reshape (pairs, flat)"
TWICE = "a = Unsqueeze (angle, last)\naa = Expand (a, twice)\nw = Reshape (aa, wide)"
CONSTANTS = """<int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] last = {-1},
    int64[1] end = {9223372036854775807}, int64[4] twice = {1, 1, 1, 2}, int64[3] wide = {0, 0, 8},
    int64[4] flat = {0, 0, 2, 8}, int64[5] split = {0, 0, 2, 4, 2}, int64 k0 = {0},
    int64 k1 = {-1}>"""


def _model(
    halves: str = EVERY_SECOND,
    stack: str = STACK,
    twice: str = TWICE,
    heads: str = "two",
    x: str = "B,S,2,8",
    flat: str = "0, 0, 2, 8",
) -> str:
    return f"""agraph (float[{x}] x, float[B,S,4] angle) => (float[{x}] y)
        {CONSTANTS.replace("0, 0, 2, 8", flat)} {{
        {twice}
        c3 = Cos (w)
        s3 = Sin (w)
        c = Unsqueeze (c3, {heads})
        s = Unsqueeze (s3, {heads})
        {halves}
        {stack}
        xc = Mul (x, c)
        rs = Mul (r, s)
        y = Add (xc, rs)
    }}"""


PAIRS = "p = Reshape (x, split)\n"


@pytest.mark.parametrize(
    "text",
    [
        _model(),
        _model(twice="a = Unsqueeze (angle, last)\naa = Tile (a, twice)\nw = Reshape (aa, wide)"),
        _model(
            twice="a = Unsqueeze (angle, last)\naa = Concat <axis = 3> (a, a)\n"
            "w = Reshape (aa, wide)"
        ),
        _model(
            PAIRS + "a1, a2 = Split <axis = -1, num_outputs = 2> (p)\nn1 = Neg (a2)",
            "pairs = Concat <axis = -1> (n1, a1)\nr = Reshape (pairs, flat)",
        ),
        _model(
            PAIRS + "a1 = Gather <axis = -1> (p, k0)\na2 = Gather <axis = 4> (p, k1)\n"
            "b2 = Unsqueeze (a2, last)\nn1 = Neg (b2)\nx11 = Unsqueeze (a1, last)"
        ),
    ],
    ids=["slices and Expand", "Tile", "stacked angles", "Split of pairs", "Gather of pairs"],
)
def test_neighbours_are_rotated_in_place(text: str) -> None:
    model, _ = run_passes(text, PASS, opset=23)
    assert sorted(ops(model)) == ["Cos", "Reshape", "Reshape", "RotaryEmbedding", "Sin"]
    rotary = next(node for node in model.graph if node.op_type == "RotaryEmbedding")
    assert attribute(rotary, "interleaved") == 1
    assert attribute(rotary, "num_heads") == 2


def test_heads_before_the_length_stay_there() -> None:
    model, _ = run_passes(
        _model(heads="one", x="B,2,S,8", flat="0, 2, -1, 8"), f"infer-shapes, {PASS}", opset=23
    )
    assert sorted(ops(model)) == ["Cos", "RotaryEmbedding", "Sin"]


def test_tables_with_equal_neighbours() -> None:
    """``cos[position]`` of a constant table whose columns come in pairs."""
    table = "float[2,4] table = {1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 2.0, 2.0}"
    text = f"""agraph (float[B,2,S,4] x, int64[B,S] position) => (float[B,2,S,4] y)
        {CONSTANTS[:-1].replace("0, 0, 2, 8", "0, 2, -1, 4")}, {table}> {{
        c3 = Gather (table, position)
        c = Unsqueeze (c3, one)
        {EVERY_SECOND}
        {STACK}
        xc = Mul (x, c)
        rs = Mul (r, c)
        y = Add (xc, rs)
    }}"""
    text = text.replace("int64[B,S] position", "bool[B,S] late").replace(
        "c3 = Gather", "position = Cast <to = 7> (late)\nc3 = Gather"
    )
    merged = PASS.replace(",", ", merge-initializers,", 1)
    model, _ = run_passes(text, merged, opset=23)
    assert sorted(ops(model)) == ["Cast", "Gather", "RotaryEmbedding"]
    unequal = text.replace("2.0, 2.0", "2.0, 3.0")
    model, records = run_passes(unequal, PASS, opset=23)
    assert "RotaryEmbedding" not in ops(model)
    assert "neighbours in c may differ" in reasons(records)


def test_tables_of_two_axes() -> None:
    text = f"""agraph (float[3,2,5,8] x, float[5,4] angle) => (float[3,2,5,8] y)
        {CONSTANTS.replace("0, 0, 2, 8", "3, 2, 5, 8")} {{
        w = Concat <axis = 1> (angle, angle)
        c = Cos (w)
        s = Sin (w)
        four = Constant <value_ints = [4]> ()
        x1 = Slice (x, zero, four, last)
        x2 = Slice (x, four, end, last)
        n = Neg (x2)
        r = Concat <axis = -1> (n, x1)
        xc = Mul (x, c)
        rs = Mul (r, s)
        y = Add (xc, rs)
    }}"""
    model, _ = run_passes(text, f"lift-constants, {PASS}", opset=23)
    assert "RotaryEmbedding" in ops(model)
    assert "Neg" not in ops(model)


@pytest.mark.parametrize(
    "text",
    [
        _model(stack="pairs = Concat <axis = -1> (x11, n1)\nr = Reshape (pairs, flat)"),
        _model(stack="pairs = Concat <axis = -2> (n1, x11)\nr = Reshape (pairs, flat)"),
        _model(EVERY_SECOND.replace("Slice (x, one", "Slice (x, zero")),
        _model(EVERY_SECOND.replace("x11 = Unsqueeze (x1", "x11 = Unsqueeze (n")),
    ],
    ids=["the even first", "halves joined", "the even twice", "both negated"],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    model, _ = run_passes(text, PASS, opset=23)
    assert "RotaryEmbedding" not in ops(model)


def test_angles_half_the_width_apart_do_not_fit_neighbours() -> None:
    text = _model(twice="w = Concat <axis = -1> (angle, angle)")
    model, records = run_passes(text, PASS, opset=23)
    assert "RotaryEmbedding" not in ops(model)
    assert "neighbours in c may differ" in reasons(records)


def test_doubles_are_no_type_of_the_operator() -> None:
    model, records = run_passes(_model().replace("float[", "double["), PASS, opset=23)
    assert "RotaryEmbedding" not in ops(model)
    assert "RotaryEmbedding takes no such type" in reasons(records)


def _partial(parts: str, turned: str = "r = RotaryEmbedding (x1, c, s)", joined: str = "") -> str:
    joined = joined or "y = Concat <axis = -1> (r, x2)"
    return f"""agraph (float[B,2,S,8] x, float[B,S,2] c, float[B,S,2] s) => (float[B,2,S,8] y)
        {CONSTANTS[:-1]}, int64[1] four = {{4}}, int64[1] axis = {{3}}> {{
        {parts}
        {turned}
        {joined}
    }}"""


PARTS = "x1 = Slice (x, zero, four, axis)\nx2 = Slice (x, four, end, last)"


@pytest.mark.parametrize(
    "parts", [PARTS, "x1, x2 = Split <axis = 3, num_outputs = 2> (x)"], ids=["slices", "split"]
)
def test_the_rest_passes_through_the_operator(parts: str) -> None:
    model, _ = run_passes(_partial(parts), PASS, opset=23)
    assert ops(model) == ["RotaryEmbedding"]
    assert attribute(model.graph[0], "rotary_embedding_dim") == 4


def test_the_first_part_of_heads_behind_the_length() -> None:
    text = f"""agraph (float[B,S,2,8] x, float[B,S,2] c, float[B,S,2] s) => (float[B,S,2,8] y)
        {CONSTANTS[:-1]}, int64[1] four = {{4}}, int64[3] join = {{0, 0, 8}},
        int64[4] apart = {{0, 0, 2, 4}}, int64[1] axis = {{3}}> {{
        {PARTS}
        x3 = Reshape (x1, join)
        r3 = RotaryEmbedding <num_heads = 2, interleaved = 1> (x3, c, s)
        r = Reshape (r3, apart)
        y = Concat <axis = -1> (r, x2)
    }}"""
    model, _ = run_passes(text, PASS, opset=23)
    assert ops(model) == ["Reshape", "RotaryEmbedding", "Reshape"]
    wrong = text.replace("num_heads = 2", "num_heads = 1").replace("S,2] c", "S,4] c")
    model, records = run_passes(wrong.replace("S,2] s", "S,4] s"), PASS, opset=23)
    assert "Concat" in ops(model)
    assert reasons(records) == ["the heads of x1 are not what is rotated"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_partial(PARTS.replace("(x, four", "(x, two"), joined="z = Concat <axis = -1> (r, x2)\n"
                  "y = Slice (z, two, end, last)"), "x2 is not what is left of x"),
        (_partial(PARTS, joined="z = Concat <axis = -1> (r, x2)\nf = Concat <axis = -1> (r, r)\n"
                  "y = Add (z, f)"), "the rotated part has another reader"),
    ],
    ids=["parts overlap", "another reader"],
)  # fmt: skip
def test_a_part_that_must_stay(text: str, why: str) -> None:
    model, records = run_passes(text, PASS, opset=23)
    assert "Concat" in ops(model)
    assert why in reasons(records)


def test_a_rotated_second_part_stays() -> None:
    text = _partial(PARTS, "r = RotaryEmbedding (x2, c, s)", "y = Concat <axis = -1> (r, x1)")
    model, _ = run_passes(text, PASS, opset=23)
    assert "Concat" in ops(model)
