"""Scatters that leave nothing of what they write to, and those that do."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "eliminate-full-scatter"


def _rows(
    places: str,
    sizes: str = "3,1",
    kind: str = "float[3,2]",
    reduction: str = "none",
    updates: str = "float[3,2]",
) -> tuple[list[str], list[str]]:
    rank = kind.count(",") + 1
    result = ",".join(f"d{place}" for place in range(rank))
    model, records = run_passes(
        f"""agraph ({kind} x, {updates} u) => (float[{result}] y)
            <int64[{sizes}] i = {{{places}}}> {{
            t = ScatterND <reduction = "{reduction}"> (x, i, u)
            y = Neg(t)
        }}""",
        PASS,
    )
    return ops(model), reasons(records)


@pytest.mark.parametrize(
    ("places", "sizes"),
    [
        ("0, 1, 2", "3,1"),
        ("0, -2, -1", "3,1"),
        ("0, 0, 0, 1, 1, 0, 1, 1, 2, 0, 2, 1", "3,2,2"),
    ],
)
def test_every_row_to_its_own_place(places: str, sizes: str) -> None:
    assert _rows(places, sizes)[0] == ["Neg"]


@pytest.mark.parametrize("places", ["2, 1, 0", "0, 1, 1", "0, 2, 1"])
def test_rows_in_another_order_stay(places: str) -> None:
    left, why = _rows(places)
    assert left == ["ScatterND", "Neg"]
    assert "not every row is written to its own place" in why


def test_some_rows_stay() -> None:
    assert _rows("0, 1", "2,1", updates="float[2,2]")[0] == ["ScatterND", "Neg"]


def test_adding_needs_what_was_there() -> None:
    left, why = _rows("0, 1, 2", reduction="add")
    assert left == ["ScatterND", "Neg"]
    assert any("combines old and new" in reason for reason in why)


_COUNTED = """agraph (float[N,2] x, float[{rows},2] u, int64 k) => (float[a,b] y)
    <int64 zero = {{0}}, int64 one = {{1}}, int64[1] last = {{-1}}> {{
    s = Shape(x)
    n = Gather(s, zero)
    r = Range({start}, n, one)
    i = Unsqueeze(r, last)
    t = ScatterND(x, i, u)
    y = Neg(t)
}}"""


def test_rows_counted_to_the_size_of_the_axis() -> None:
    model, _ = run_passes(_COUNTED.format(rows="N", start="zero"), PASS)
    assert ops(model)[-1] == "Neg"
    assert "ScatterND" not in ops(model)


def test_rows_that_are_not_all_counted_stay() -> None:
    text = (
        _COUNTED.format(rows="N", start="one")
        .replace(", u)", ", w)")
        .replace("s = Shape(x)", "w = Slice(u, first, end) s = Shape(x)")
    )
    text = text.replace(
        "int64[1] last", "int64[1] first = {1}, int64[1] end = {9223372036854775807}, int64[1] last"
    )
    model, _ = run_passes(text, PASS)
    assert "ScatterND" in ops(model)


@pytest.mark.parametrize("op", ["ScatterElements", "Scatter"])
@pytest.mark.parametrize(
    ("axis", "places", "left"),
    [
        (0, "0, 0, 1, 1, 2, 2", ["Neg"]),
        (-1, "0, 1, 0, 1, -2, -1", ["Neg"]),
        (0, "0, 0, 1, 1, 2, 1", None),
        (1, "0, 1, 1, 0, 0, 1", None),
    ],
)
def test_elements(op: str, axis: int, places: str, left: list[str] | None) -> None:
    if op == "Scatter":
        places = places.replace("-2, -1", "0, 1")  # opset 9 does not count from the end
    model, _ = run_passes(
        f"""agraph (float[3,2] x, float[3,2] u) => (float[3,2] y) <int64[3,2] i = {{{places}}}> {{
            t = {op} <axis = {axis}> (x, i, u)
            y = Neg(t)
        }}""",
        PASS,
        opset=9 if op == "Scatter" else 18,
    )
    assert ops(model) == (left or [op, "Neg"])


def test_fewer_elements_stay() -> None:
    model, _ = run_passes(
        """agraph (float[3,2] x, float[3,1] u) => (float[3,2] y) <int64[3,1] i = {0, 0, 0}> {
            t = ScatterElements <axis = 1> (x, i, u)
            y = Neg(t)
        }""",
        PASS,
    )
    assert ops(model) == ["ScatterElements", "Neg"]
