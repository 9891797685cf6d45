"""Patterns: commutation, optional and further inputs, several results, limits of a match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from burnish.ir import Model, scopes
from burnish.match import Declined, Match, Mismatch, compile_pattern, matches
from burnish.passdef import Context
from burnish.target import Target
from burnish.text import parse_model


def find(before: Callable[..., Any], text: str) -> list[Match]:
    """Every match of a pattern in every scope of a model."""
    model: Model = parse_model(text)
    ctx, pattern = Context.of(model, Target()), compile_pattern(before)
    return [
        match
        for scope in scopes(model)
        for node in scope.graph
        for match in matches(pattern, node, scope, ctx)
    ]


def bound(match: Match) -> dict[str, str | None]:
    return {name: value.name if value else None for name, value in match.values.items()}


def test_two_operands_of_a_commutative_operator_match_both_ways() -> None:
    text = """agraph (float[2] x) => (float[2] y) <float c = {1.0}> {
        t = Relu (x)
        u = Add (c, t)
        y = Sub (c, u)
    }"""
    (found,) = find(lambda op, x, c: op.Add(op.Relu(x), c.constant), text)
    assert bound(found) == {"x": "x", "c": "c"}
    assert find(lambda op, u, c: op.Sub(u, c.constant), text) == []


def test_one_value_twice_is_matched_once() -> None:
    text = "agraph (float[2] x) => (float[2] y) { y = Add (x, x) }"
    assert len(find(lambda op, a, b: op.Add(a, b), text)) == 1
    assert len(find(lambda op, a: op.Add(a, a), text)) == 1


def test_one_variable_wants_one_value() -> None:
    text = "agraph (float[2] x, float[2] z) => (float[2] y) { y = Add (x, z) }"
    assert find(lambda op, a: op.Add(a, a), text) == []


def test_operands_of_nested_commutative_operators_try_every_order() -> None:
    text = """agraph (float[2] x, float[2] z) => (float[2] y) <float c = {1.0}, float d = {2.0}> {
        t = Mul (d, x)
        y = Add (c, t)
    }"""
    (found,) = find(lambda op, x, a, b: op.Add(op.Mul(x, a.constant), b.constant), text)
    assert bound(found) == {"x": "x", "a": "d", "b": "c"}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("x, w, b", {"x": "x", "w": "w", "b": "b"}),
        ("x, w", {"x": "x", "w": "w", "b": None}),
        ("x, w, ", {"x": "x", "w": "w", "b": None}),
    ],
)
def test_an_optional_input_may_be_absent(inputs: str, expected: dict[str, str | None]) -> None:
    text = f"""agraph (float[1,1,2,2] x, float[1,1,1,1] w, float[1] b) => (float[1,1,2,2] y) {{
        y = Conv ({inputs})
    }}"""
    (found,) = find(lambda op, x, w, b: op.Conv(x, w, b.optional), text)
    assert bound(found) == expected
    assert found.get("b") is None or found["b"].name == "b"


def test_an_input_that_is_not_optional_may_not_be_absent() -> None:
    text = "agraph (float[2] x, float b) => (float[2] y) { y = Clip (x, , b) }"
    assert find(lambda op, x, low, high: op.Clip(x, low, high), text) == []
    assert len(find(lambda op, x, high: op.Clip(x, None, high), text)) == 1


def test_inputs_beyond_the_pattern_need_an_ellipsis() -> None:
    text = "agraph (float[2] x) => (float[6] y) { y = Concat <axis = 0> (x, x, x) }"
    assert find(lambda op, x: op.Concat(x), text) == []
    (found,) = find(lambda op, x: op.Concat(x, ...), text)
    assert [value.name for value in found.node("Concat").inputs if value] == ["x", "x", "x"]


def test_attributes_must_be_equal() -> None:
    text = "agraph (float[2,3] x) => (float[3,2] y) { y = Transpose <perm = [1, 0]> (x) }"
    assert len(find(lambda op, x: op.Transpose(x, perm=(1, 0)), text)) == 1
    assert find(lambda op, x: op.Transpose(x, perm=(0, 1)), text) == []


def test_either_operator_and_names() -> None:
    text = "agraph (float[2] x) => (float[2] y) { t = Relu (x) y = Neg (t) }"
    (found,) = find(lambda op, x: op.Neg(op.either("Abs", "Relu")(x, _name="inner")), text)
    assert found.node("inner").op_type == "Relu"
    with pytest.raises(KeyError):
        found.node("outer")


def test_the_second_result_is_not_the_first() -> None:
    text = """agraph (float[4] x) => (float[2] y, float[2] z) {
        a, b = Split <num_outputs = 2> (x)
        y = Neg (b)
        z = Relu (a)
    }"""

    def of_second(op: Any, x: Any) -> Any:
        _, second = op.Split(x, _outputs=2)
        return op.Neg(second)

    assert len(find(of_second, text)) == 1
    assert find(lambda op, x: op.Neg(op.Split(x)), text) == []


def test_several_roots_are_found_through_what_they_share() -> None:
    text = """agraph (float[2] x) => (float[2] y, float[2] z) {
        y = Sin (x)
        z = Cos (x)
    }"""

    def pair(op: Any, x: Any) -> Any:
        return op.Sin(x), op.Cos(x)

    (found,) = find(pair, text)
    assert (found.node("Sin").outputs[0].name, found.node("Cos").outputs[0].name) == ("y", "z")


def test_a_match_stays_inside_one_graph() -> None:
    text = """agraph (float[2] x, bool c) => (float[2] y) {
        t = Relu (x)
        y = If (c) <
            then_branch = g1 () => (float[2] p) { p = Neg (t) },
            else_branch = g2 () => (float[2] q) { r = Relu (x) q = Neg (r) }
        >
    }"""
    (found,) = find(lambda op, x: op.Neg(op.Relu(x)), text)
    assert found.root.outputs[0].name == "q"


def test_a_pattern_of_no_operator_is_refused() -> None:
    with pytest.raises(TypeError, match="must return the result of an operator"):
        compile_pattern(lambda op, x: x)


def test_questions_decline_with_a_reason() -> None:
    text = "agraph (float[2] x) => (float[2] y) { y = Clip (x) }"
    (found,) = find(lambda op, x, low: op.Clip(x, low.optional), text)
    with pytest.raises(Declined, match="low is absent"):
        found["low"]
    with pytest.raises(Declined, match="x is not a constant"):
        found.const("x")
    with pytest.raises(Declined, match="because"):
        found.require(False, "because")
    with pytest.raises(Mismatch):
        found.suppose(False)
    found.require(True, "unused")
    found.suppose(True)
