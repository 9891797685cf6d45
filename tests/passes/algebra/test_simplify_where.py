"""Choices: known ones, negated ones, and what a condition broadcasts."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "simplify-where"


def test_a_negated_condition_swaps_the_operands() -> None:
    text = """g (bool[3] c, float[3] a, float[3] b) => (float[3] y, bool[3] z) {
        n = Not(c) y = Where(n, a, b) z = Xor(n, c) }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Not", "Where", "Xor"]
    where = next(node for node in model.graph if node.op_type == "Where")
    assert [value.name for value in where.inputs if value is not None] == ["c", "b", "a"]


@pytest.mark.parametrize(("condition", "left"), [("{1}", "a"), ("{0}", "b")])
def test_a_known_condition_chooses(condition: str, left: str) -> None:
    text = f"""g (float[2,3] a, float[2,3] b) => (float[2,3] y) <bool c = {condition}> {{
        t = Where(c, a, b) y = Neg(t) }}"""
    model, _ = run_passes(text, PASS)
    (node,) = model.graph
    assert node.inputs[0] is not None
    assert node.inputs[0].name == left


@pytest.mark.parametrize(
    "text",
    [
        "g (float[3] a, float[2,3] b) => (float[2,3] y) <bool c = {1}> {%s}",
        "g (float[3] a, float[3] b) => (float[2,3] y) <bool[2,1] c = {1, 1}> {%s}",
        "g (float[1] a, float[N] b) => (float[K] y) <bool c = {1}> {%s}",
    ],
)
def test_what_broadcasts_stays(text: str) -> None:
    model, records = run_passes(text % "t = Where(c, a, b) y = Neg(t)", PASS)
    assert ops(model) == ["Where", "Neg"]
    assert "may not have the shape" in reasons(records)[0]


def test_a_mixed_condition_stays() -> None:
    text = """g (float[2] a, float[2] b) => (float[2] y) <bool[2] c = {1, 0}> {
        t = Where(c, a, b) y = Neg(t) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Where", "Neg"]
    assert reasons(records) == []


def test_no_choice_at_all() -> None:
    text = """g (bool[3] c, float[2,3] a, bool[2,3] d, float[3] b) => (float[2,3] y, float[2,3] z) {
        t = Where(c, a, a) y = Neg(t) u = Where(d, b, b) z = Neg(u) }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Neg", "Where", "Neg"]
