"""Zero initial states of recurrent operators, given or computed."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

PASS = "remove-zero-initial-state"
ONCE = f"{PASS}, remove-dead-code"


def lstm(states: str, more: str = "", initializers: str = "") -> str:
    return f"""g (float[5, B, 2] x, float[1, 12, 2] w, float[1, 12, 3] r) => (float[1, B, 3] h)
    <int64 one = {{1}}, int64[1] dirs = {{1}}, int64[1] width = {{3}}{initializers}> {{
        {more}
        y, h, c = LSTM <hidden_size = 3> (x, w, r, , , {states})
    }}"""


COMPUTED = """
        s = Shape (x)
        b = Gather (s, one)
        axis = Constant <value = int64[1] {0}> ()
        b1 = Unsqueeze (b, axis)
        size = Concat <axis = 0> (dirs, b1, width)
        zeros = ConstantOfShape <value = float[1] {%s}> (size)
"""


def test_zeros_computed_for_a_batch_of_any_size() -> None:
    model, _ = run_passes(lstm("zeros, zeros", COMPUTED % "0"), ONCE)
    assert ops(model) == ["LSTM"]


@pytest.mark.parametrize("number", ["-0.0", "1"])
def test_other_fillings_stay(number: str) -> None:
    model, _ = run_passes(lstm("zeros, zeros", COMPUTED % number), ONCE)
    assert "ConstantOfShape" in ops(model)


def test_zeros_that_were_moved_are_zeros() -> None:
    moved = COMPUTED % "0" + "t = Transpose <perm = [0, 1, 2]> (zeros)\n e = Expand (t, size)"
    model, _ = run_passes(lstm("e, e", moved), ONCE)
    assert ops(model) == ["LSTM"]


def test_only_the_zero_one_goes() -> None:
    made = COMPUTED % "0" + "ones = Exp (zeros)"
    model, _ = run_passes(lstm("zeros, ones", made), ONCE)
    node = next(node for node in model.graph if node.op_type == "LSTM")
    assert node.inputs[5] is None
    assert node.inputs[6] is not None
    model, _ = run_passes(lstm("ones, zeros", made), ONCE)
    node = next(node for node in model.graph if node.op_type == "LSTM")
    assert len(node.inputs) == 6


def test_peepholes_behind_the_states_stay() -> None:
    more = COMPUTED % "0" + "p = ConstantOfShape <value = float[1] {0.5}> (psize)"
    text = lstm("zeros, zeros, p", more, ", int64[2] psize = {1, 9}")
    model, _ = run_passes(text, ONCE)
    node = next(node for node in model.graph if node.op_type == "LSTM")
    assert node.inputs[5] is None
    assert node.inputs[6] is None
    assert node.inputs[7] is not None


@pytest.mark.parametrize(("op", "gates"), [("GRU", 3), ("RNN", 1)])
def test_the_other_recurrent_operators(op: str, gates: int) -> None:
    text = f"""g (float[5, 2, 2] x, float[1, {3 * gates}, 2] w, float[1, {3 * gates}, 3] r)
    => (float[1, 2, 3] h) <float[1, 2, 3] zeros = {{0, 0, 0, 0, 0, 0}}> {{
        y, h = {op} <hidden_size = 3> (x, w, r, , , zeros)
    }}"""
    model, _ = run_passes(text, ONCE)
    assert not model.graph.initializers


def test_a_state_the_caller_may_override_stays() -> None:
    text = """g (float[5, 2, 2] x, float[1, 3, 2] w, float[1, 3, 3] r, float[1, 2, 3] zeros)
    => (float[1, 2, 3] h) <float[1, 2, 3] zeros = {0, 0, 0, 0, 0, 0}> {
        y, h = RNN <hidden_size = 3> (x, w, r, , , zeros)
    }"""
    model, _ = run_passes(text, ONCE)
    assert len(model.graph[0].inputs) == 6


def test_inside_a_branch() -> None:
    text = """g (bool c, float[5, 2, 2] x, float[1, 3, 2] w, float[1, 3, 3] r) => (float[1, 2, 3] h)
    <float[1, 2, 3] zeros = {0, 0, 0, 0, 0, 0}> {
        h = If (c) <
            then_branch = yes () => (float[1, 2, 3] p) {
                y, p = RNN <hidden_size = 3> (x, w, r, , , zeros) },
            else_branch = no () => (float[1, 2, 3] q) { q = Identity(zeros) }>
    }"""
    model, records = run_passes(text, PASS)
    assert records[0].rewrites == 1
    assert ops(model).count("RNN") == 1
