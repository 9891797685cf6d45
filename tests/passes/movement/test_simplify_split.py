"""Splits make only what is read."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "simplify-split"


@pytest.mark.parametrize("opset", [9, 11, 13, 18])
@pytest.mark.parametrize("part", ["a", "b", "c"])
def test_one_part_is_a_slice(part: str, opset: int) -> None:
    even = ", num_outputs = 3" if opset >= 18 else ""
    model, _ = run_passes(
        f"""agraph (float[2,6] x) => (float[2,2] y) {{
            a, b, c = Split <axis = -1{even}> (x)
            y = Neg({part})
        }}""",
        PASS,
        opset=opset,
    )
    assert ops(model) == ["Slice", "Neg"]


def test_a_part_that_is_a_graph_output_keeps_its_name() -> None:
    model, _ = run_passes(
        """agraph (float[6] x) => (float[2] b) {
            a, b, c = Split <axis = 0, num_outputs = 3> (x)
        }""",
        PASS,
    )
    assert ops(model) == ["Slice"]
    assert model.graph.outputs[0].name == "b"


def test_parts_of_unknown_size_stay() -> None:
    model, records = run_passes(
        """agraph (float[N] x) => (float[M] y) {
            a, b = Split <axis = 0, num_outputs = 2> (x)
            y = Neg(b)
        }""",
        PASS,
    )
    assert ops(model) == ["Split", "Neg"]
    assert "the sizes of the parts are not known" in reasons(records)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        # Side by side, in order, read by nobody else: one part.
        ("t = Concat <axis = 0> (a, b) y = Neg(t) z = Relu(c)", ["Split", "Neg", "Relu"]),
        ("t = Concat <axis = -1> (b, c) y = Neg(t) z = Relu(a)", ["Split", "Neg", "Relu"]),
        ("y = Concat <axis = 0> (b, c) z = Relu(a)", ["Split", "Relu"]),
        # The third is read by nobody: then one part is left, in the next round.
        ("y = Concat <axis = 0> (a, b) z = Neg(x)", ["Slice", "Neg"]),
        # In another order, twice, with something else, or read again.
        ("t = Concat <axis = 0> (b, a) y = Neg(t) z = Relu(c)", None),
        ("t = Concat <axis = 0> (a, c) y = Neg(t) z = Relu(b)", None),
        ("t = Concat <axis = 0> (a, a) y = Neg(t) z = Relu(c)", ["Split", "Concat", "Neg", "Relu"]),
        ("t = Concat <axis = 0> (a, b, x) y = Neg(t) z = Relu(c)", None),
        ("t = Concat <axis = 0> (a, b) y = Add(t, t) z = Sum(a, c)", None),
    ],
)
def test_parts_joined_at_once(body: str, left: list[str] | None) -> None:
    text = f"""agraph (float[6] x) => (float[p] y, float[q] z) {{
        a, b, c = Split <axis = 0, num_outputs = 3> (x)
        {body}
    }}"""
    model, _ = run_passes(text, f"fixpoint[{PASS}]")
    if left is None:
        untouched, _ = run_passes(text, "")
        left = ops(untouched)
    assert ops(model) == left


def test_a_join_along_another_axis_stays() -> None:
    model, _ = run_passes(
        """agraph (float[2,6] x) => (float[4,2] y, float[2,2] z) {
            a, b, c = Split <axis = 1, num_outputs = 3> (x)
            y = Concat <axis = 0> (a, b)
            z = Neg(c)
        }""",
        PASS,
    )
    assert ops(model) == ["Split", "Concat", "Neg"]


def test_unread_neighbours_are_one_part() -> None:
    model, _ = run_passes(
        """agraph (float[8] x) => (float[2] y, float[2] z) {
            a, b, c, d = Split <axis = 0, num_outputs = 4> (x)
            y = Neg(a)
            z = Relu(d)
        }""",
        PASS,
    )
    split = next(iter(model.graph))
    assert [split.op_type, len(split.outputs)] == ["Split", 3]
