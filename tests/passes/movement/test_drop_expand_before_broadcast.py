"""Expand and Tile before operators that broadcast."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import to_proto
from burnish.text import parse_model

PASS = "drop-expand-before-broadcast"
WHY = "the result may have its size from the expanded operand"


def _model(body: str, x: str, y: str, result: str, outputs: str = "") -> str:
    return f"""agraph (float[{x}] x, float[{y}] y, bool[{y}] c) => (float[{result}] z{outputs})
        <int64[2] sizes = {{3, 4}}, int64[2] rows = {{3, 1}}, int64[2] twice = {{1, 2}},
         int64[3] more = {{2, 3, 4}}> {{
            shape = Shape (y)
            {body}
        }}"""


@pytest.mark.parametrize(
    ("body", "x", "y", "result"),
    [
        ("t = Expand (x, shape) z = Mul (t, y)", "4", "N,4", "N,4"),
        ("t = Expand (x, shape) z = Sub (y, t)", "N,1", "N,M", "N,M"),
        ("t = Expand (x, sizes) z = Div (t, y)", "1,1", "3,4", "3,4"),
        ("t = Expand (x, sizes) z = Pow (t, y)", "3,1", "1,4", "3,4"),
        ("t = Expand (x, sizes) z = Add (t, y)", "4", "2,3,1", "2,3,4"),
        ("t = Tile (x, rows) z = Add (t, y)", "1,4", "3,4", "3,4"),
        ("t = Expand (x, shape) u = Expand (x, shape) z = Where (c, t, y)", "1", "N,4", "N,4"),
        ("t = Expand (x, shape) z = Max (t, y, t)", "1,1", "N,4", "N,4"),
    ],
)
def test_it_reads_what_was_expanded(body: str, x: str, y: str, result: str) -> None:
    model, _ = run_passes(_model(body, x, y, result), f"{PASS}, remove-dead-code")
    assert len(ops(model)) == 1
    assert model.graph.inputs[0] in model.graph[0].inputs


@pytest.mark.parametrize(
    ("body", "x", "y", "result"),
    [
        ("t = Expand (x, sizes) z = Add (t, y)", "4", "1,4", "3,4"),
        ("t = Expand (x, more) z = Add (t, y)", "3,4", "3,4", "2,3,4"),
        ("t = Tile (x, twice) z = Add (t, y)", "3,2", "3,4", "3,4"),
    ],
)
def test_an_expand_that_matters_stays(body: str, x: str, y: str, result: str) -> None:
    model, records = run_passes(_model(body, x, y, result), PASS)
    assert len(ops(model)) == 3
    assert reasons(records) == [WHY]


def test_of_two_expanded_operands_one_keeps_the_size() -> None:
    body = "t = Expand (x, sizes) u = Expand (y, sizes) z = Add (t, u)"
    model, _ = run_passes(_model(body, "4", "1,4", "3,4"), PASS)
    assert ops(model) == ["Shape", "Expand", "Add"]


def test_an_expand_with_other_readers_stays_for_them() -> None:
    body = "t = Expand (x, shape) z = Add (t, y) w = Relu (t)"
    model, _ = run_passes(_model(body, "4", "N,4", "N,4", ", float[N,4] w"), PASS)
    assert ops(model) == ["Shape", "Expand", "Add", "Relu"]
    assert model.graph[2].inputs[0] is model.graph.inputs[0]


def test_operators_that_do_not_broadcast_are_no_subject() -> None:
    body = "t = Expand (x, shape) z = Concat <axis = 0> (t, y)"
    model, records = run_passes(_model(body, "1,4", "3,4", "6,4"), PASS)
    assert ops(model) == ["Shape", "Expand", "Concat"]
    assert not reasons(records)


def test_an_expanded_operand_of_the_graph_around_is_read_in_a_branch() -> None:
    text = """agraph (float[4] x, float[N,4] y, bool c) => (float[N,4] z) {
        shape = Shape (y)
        t = Expand (x, shape)
        z = If (c) <then_branch = yes () => (float[N,4] p) { p = Add (t, y) },
                    else_branch = no () => (float[N,4] q) { q = Sub (y, t) }>
    }"""
    model, _ = run_passes(text, f"{PASS}, remove-dead-code")
    assert ops(model) == ["If", "Add", "Sub"]


def test_max_does_not_broadcast_before_opset_8() -> None:
    text = """agraph (float[1,4] x, float[3,4] y) => (float[3,4] z) <int64[2] rows = {3, 1}> {
        t = Tile (x, rows)
        z = Max (t, y)
    }"""
    done = optimize(to_proto(parse_model(text, opset=7)), passes=PASS)
    assert ops(done.model) == ["Tile", "Max"]
    assert reasons(done.records) == ["not every operator broadcasts at opset 7"]
