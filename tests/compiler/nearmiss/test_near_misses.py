"""Idioms that are nearly there: the condition that failed is found, and no other is blamed."""

from __future__ import annotations

import pytest

from burnish.driver import optimize, pipeline_of
from burnish.ir import Model, Node, label, to_proto
from burnish.nearmiss import NearMiss, NearMisses, near_misses
from burnish.nearmiss.forms import forms_of
from burnish.nearmiss.walk import grow
from burnish.passdef import Context
from burnish.registry import pass_types
from burnish.target import Target
from burnish.text import model_text, parse_model

GELU = """agraph (float[2,8] x) => (float[2,8] y)
    <float root = {1.41421354}, float one = {1.0}, float half = {0.5}> {
        a = Div(x, root)
        b = Erf(a)
        c = Add(b, one)
        d = Mul(x, c)
        y = Mul(d, half)
    }"""
NORM = """agraph (float[2,3,4] x) => (float[2,3,4] y)
    <int64[1] axes = {-1}, float two = {2.0}, float epsilon = {0.001}> {
        a = ReduceMean(x, axes)
        b = Sub(x, a)
        c = Pow(b, two)
        d = ReduceMean(c, axes)
        e = Add(d, epsilon)
        f = Sqrt(e)
        y = Div(b, f)
    }"""
ATTENTION = """agraph (float[1,2,3,4] q, float[1,2,4,5] k, float[1,2,5,4] v, float[3,5] mask)
    => (float[1,2,3,4] y) <float scale = {0.5}> {
        scores = MatMul(q, k)
        scaled = Mul(scores, scale)
        masked = Add(scaled, mask)
        p = Softmax <axis = -1>(masked)
        y = MatMul(p, v)
    }"""


def result(text: str, *swaps: tuple[str, str]) -> Model:
    """What ``O2`` makes of the text after ``swaps``."""
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    return optimize(to_proto(parse_model(text, opset=23))).model


def misses(model: Model, op_type: str) -> list[NearMiss]:
    """What nearly stands around the first node of this type, for the passes of ``O2``."""
    passes = {item.name: item for item in pipeline_of("O2", Target()).flat()}
    found = NearMisses(model, Context.of(model, Target()), tuple(passes.values()))
    return found.at(node(model, op_type))


def node(model: Model, op_type: str) -> Node:
    return next(each for each in model.graph if each.op_type == op_type)


@pytest.mark.parametrize(
    ("swaps", "condition"),
    [
        ([("half = {0.5}", "half = {0.4}")], "half is 0.4, in the example 0.5"),
        ([("y = Mul(d, half)", "y = Sub(d, half)")], "expected Mul after Mul(d), found Sub(y) with 0.5"),
        ([("Div(x, root)", "Sin(x)")], "expected Div before Erf(b), found Sin(a)"),
        ([("x) =>", "x, float r) =>"), ("x, root", "x, r")], "r is not a constant: it is an input"),
        ([("y)", "y, float[2,8] c)")], "c is a graph output"),
        ([("y)", "y, float[2,8] z)"), ("y = ", "z = Neg(b)\n y = ")], "b has another reader"),
    ],
)  # fmt: skip
def test_a_gelu_that_is_none(swaps: list[tuple[str, str]], condition: str) -> None:
    (miss,) = misses(result(GELU, *swaps), "Erf")
    assert miss.name == "fuse-gelu"
    assert miss.conditions == (condition,)
    assert len(miss.matched) >= 3
    assert miss.size == 5


def test_a_gelu_that_is_one_misses_nothing() -> None:
    model = result(GELU)
    assert [each.op_type for each in model.graph] == ["Gelu"]
    assert misses(model, "Gelu") == []


def test_a_number_type_that_the_pass_does_not_take() -> None:
    text = GELU.replace("float[", "double[").replace("float ", "double ")
    (miss,) = misses(result(text), "Erf")
    assert miss.matched == ("Div(a)", "Erf(b)", "Add(c)", "Mul(d)", "Mul(y)")
    assert miss.conditions == ("the pass does not take the type: x is double",)


@pytest.mark.parametrize(
    ("swaps", "condition"),
    [
        (
            [(", float epsilon = {0.001}", ""), ("x) =>", "x, float epsilon) =>")],
            "epsilon is not a constant: it is an input",
        ),
        (
            [("x) =>", "x, float epsilon) =>")],
            "epsilon is not a constant: it is an input whose default a caller may override",
        ),
        ([("two = {2.0}", "two = {3.0}")], "two is 3., in the example 2."),
        ([("y)", "y, float[2,3,1] d)")], "d is a graph output"),
        ([("float[2,3,4] x", "float[] x"), ("float[2,3,4] y", "float[] y")], "the rank of x is not known"),
    ],
)  # fmt: skip
def test_a_normalization_that_is_none(swaps: list[tuple[str, str]], condition: str) -> None:
    model = result(NORM, *swaps)
    first = misses(model, "ReduceMean")[0]
    assert first.name == "fuse-layer-normalization"
    assert first.conditions == (condition,)


def test_another_spelling_is_not_blamed() -> None:
    # O2 itself writes Mul(b, b) for Pow(b, 2), which the pass reads as well.
    model = result(NORM, (", float epsilon = {0.001}", ""), ("x) =>", "x, float epsilon) =>"))
    assert "Mul" in [each.op_type for each in model.graph]
    first = misses(model, "Sqrt")[0]
    assert first.conditions == ("epsilon is not a constant: it is an input",)
    assert len(first.matched) == first.size == 7


@pytest.mark.parametrize(
    ("swap", "condition"),
    [
        (("axis = -1", "axis = 2"), "axis of Softmax(p) is 2, in the example -1"),
        (("{0.5}", "{-0.5}"), "the factor of the scores is not positive"),
        (("(float[1,2,3,4] y)", "(float[1,2,3,4] y, float[1,2,3,5] p)"), "p is a graph output"),
        (("Add(scaled", "Sub(scaled"), "expected Add before Softmax(p), found Sub(masked)"),
    ],
)
def test_an_attention_that_is_none(swap: tuple[str, str], condition: str) -> None:
    first = misses(result(ATTENTION, swap), "Softmax")[0]
    assert first.name == "fuse-attention"
    assert first.conditions == (condition,)


def test_beyond_a_wrong_operator_the_form_goes_on() -> None:
    first = misses(result(ATTENTION, ("Add(scaled", "Sub(scaled")), "Softmax")[0]
    assert first.operators == ("MatMul", "Mul", "Softmax", "MatMul")
    assert first.score == 4 / 5


def test_a_missing_operator_and_one_too_many_do_not_hide_the_rest() -> None:
    # No factor on the scores, and PyTorch's guard against NaN between softmax and product.
    guard = "n = IsNaN(p) g = Where(n, none, p) y = MatMul(g, v)"
    model = result(
        ATTENTION,
        ("scaled = Mul(scores, scale)", ""),
        ("Add(scaled", "Add(scores"),
        ("y = MatMul(p, v)", guard),
        ("float scale = {0.5}", "float none = {0}"),
        ("(float[1,2,3,4] y)", "(float[1,2,3,4] y, float[1,2,3,5] p)"),
    )
    first = misses(model, "Softmax")[0]
    assert first.name == "fuse-attention"
    assert first.operators == ("MatMul", "Add", "Softmax", "MatMul")
    assert first.conditions == ("p is a graph output",)


def test_the_wrong_node_itself_has_the_answer_too() -> None:
    model = result(GELU, ("y = Mul(d, half)", "y = Sub(d, half)"))
    miss = next(each for each in misses(model, "Sub") if each.name == "fuse-gelu")
    assert miss.conditions == ("expected Mul after Mul(d), found Sub(y) with 0.5",)
    assert "Sub(y)" not in miss.matched


def test_what_the_pass_says_itself_comes_first() -> None:
    found = misses(result(NORM, ("y)", "y, float[2,3,1] d)")), "ReduceMean")
    assert [each.declined for each in found] == sorted(
        (each.declined for each in found), reverse=True
    )
    assert found[0].declined


def test_at_most_three_for_a_node_and_at_least_two_operators() -> None:
    text = """agraph (float[2,8] x, float[8] c) => (float[2,8] y) {
        a = Add(x, c)
        b = Mul(a, c)
        d = Div(b, a)
        e = Sub(d, c)
        y = Mul(e, b)
    }"""
    model = result(text)
    for each in model.graph:
        found = near_misses(model, each, Context.of(model, Target()))
        assert len(found) <= 3
        assert all(len(miss.matched) >= 2 and miss.score >= 0.5 for miss in found)


def test_a_lone_operator_is_no_near_miss() -> None:
    model = result("agraph (float[2,8] x) => (float[2,8] y) { y = Erf(x) }")
    assert near_misses(model, node(model, "Erf"), Context.of(model, Target())) == []


def test_constants_that_callers_may_override_stop_a_spelled_pattern() -> None:
    text = """agraph (float[1,2,4,4] x, float[3] s) => (float[1,3,4,4] y) <
        float[3,2,1,1] w = {1, 2, 3, 4, 5, 6}, float[3] s = {1, 2, 3}, float[3] b = {1, 1, 1},
        float[3] m = {0, 0, 0}, float[3] v = {1, 1, 1}> {
        c = Conv(x, w)
        y = BatchNormalization(c, s, b, m, v)
    }"""
    (miss,) = misses(result(text), "Conv")
    assert (miss.name, len(miss.matched), miss.size) == ("fuse-conv-batch-norm", 2, 2)
    assert miss.conditions == (
        "s is not a constant: it is an input whose default a caller may override",
    )


def test_an_operator_outside_of_a_subgraph_is_no_part_of_a_form_inside() -> None:
    text = """agraph (float[2,8] x, bool when) => (float[2,8] y)
        <float root = {1.41421354}, float one = {1.0}, float half = {0.5}> {
        a = Div(x, root)
        b = Erf(a)
        y = If (when) <
            then_branch = yes () => (float[2,8] u) { c = Add(b, one)  d = Mul(x, c)  u = Mul(d, half) },
            else_branch = no () => (float[2,8] w) { w = Neg(x) }
        >
    }"""
    model = result(text)
    # Outside stand Div and Erf alone, and inside no Erf: too little of a Gelu at either place.
    assert "fuse-gelu" not in [each.name for each in misses(model, "Erf")]
    form = next(form for form in forms_of(pass_types()["fuse-gelu"]) if form.documented == 1)
    erf = next(pattern for pattern in form.telling if "Erf" in pattern.op_types)
    partial = grow(form, erf, node(model, "Erf"))
    assert [label(each) for each in partial.nodes.values()] == ["Erf(b)", "Div(a)"]


def test_asking_changes_nothing() -> None:
    model = result(ATTENTION, ("axis = -1", "axis = 2"))
    before = model_text(model)
    assert misses(model, "Softmax")
    assert model_text(model) == before


def test_as_data() -> None:
    (miss,) = misses(result(GELU, ("half = {0.5}", "half = {0.4}")), "Erf")
    assert miss.json() == {
        "pass": "fuse-gelu",
        "rule": "example 1",
        "where": "Mul(y)",
        "matched": ["Div(a)", "Erf(b)", "Add(c)", "Mul(d)", "Mul(y)"],
        "operators": ["Div", "Erf", "Add", "Mul", "Mul"],
        "size": 5,
        "conditions": ["half is 0.4, in the example 0.5"],
        "declined": False,
    }
