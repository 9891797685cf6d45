"""Subgraphs and functions are compared like the model itself."""

from __future__ import annotations

import onnx
import pytest

from burnish.ir import Model
from burnish.loading import load
from burnish.modeldiff import diff_models
from burnish.text import parse_model


def parse(text: str, opsets: str = '"": 20') -> Model:
    header = f"<ir_version: 10, opset_import: [{opsets}]>\n"
    return load(onnx.parser.parse_model(header + text))


BRANCH = """
agraph (bool c, float[2] x) => (float[2] y) {
    o = Abs(x)
    p = %s(o)
    y = If (c) <
        then_branch = th () => (float[2] a) { t = Relu(p) a = %s(t) },
        else_branch = el () => (float[2] b) { b = Neg(o) }
    >
    z = Sqrt(y)
}
"""


def test_what_differs_in_a_branch_is_listed_there() -> None:
    found = diff_models(parse(BRANCH % ("Exp", "Sin")), parse(BRANCH % ("Exp", "Cos")))
    assert found.lines == (
        "@ nodes of then_branch of If(y)",
        "   t = Relu(p)",
        "-  a = Sin(t)",
        "+  a = Cos(t)",
    )
    assert found.same == 4


def test_a_change_around_a_branch_is_not_listed_in_it() -> None:
    found = diff_models(parse(BRANCH % ("Exp", "Sin")), parse(BRANCH % ("Log", "Sin")))
    assert found.removed == ("p = Exp(o)",)
    assert found.added == ("p = Log(o)",)
    assert not found.changed


def test_the_order_of_branches_says_nothing() -> None:
    one = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]>\n' + BRANCH % ("Exp", "Sin")
    )
    other = onnx.ModelProto.FromString(one.SerializeToString())
    branches = other.graph.node[2].attribute
    first, second = (onnx.AttributeProto.FromString(b.SerializeToString()) for b in branches)
    del branches[:]
    branches.extend([second, first])
    assert not diff_models(load(one), load(other))
    branches[0].name, branches[1].name = "then_branch", "else_branch"
    assert diff_models(load(one), load(other))


def test_branches_within_branches_are_reached() -> None:
    text = """
    agraph (bool c, float[2] x) => (float[2] y) {
        y = If (c) <
            then_branch = th () => (float[2] a) {
                a = If (c) <
                    then_branch = t2 () => (float[2] d) { d = Elu<alpha = %s>(x) },
                    else_branch = e2 () => (float[2] e) { e = Neg(x) }
                >
            },
            else_branch = el () => (float[2] b) { b = Abs(x) }
        >
    }
    """
    found = diff_models(parse(text % "0.5"), parse(text % "0.25"))
    assert found.lines == (
        "@ nodes of then_branch of If(a)",
        "-  d = Elu(x) {alpha=0.5}",
        "+  d = Elu(x) {alpha=0.25}",
    )


LOOP = """
agraph (int64 n, bool c, float[2] x) => (float[2] y) {
    y = Loop (n, c, x) <
        body = b (int64 i, bool go, float[2] s) => (bool still, float[2] r) {
            still = Identity(go)
            %s
        }
    >
}
"""


@pytest.mark.parametrize("body", ["k = Relu(s) r = Exp(k)", "r = Exp(s)"])
def test_a_loop_body_is_compared(body: str) -> None:
    one = parse(LOOP % "k = Abs(s) r = Exp(k)")
    found = diff_models(one, parse(LOOP % body))
    assert all(line.startswith(("@ nodes of body", " ", "-", "+")) for line in found.lines)
    assert found.removed == ("k = Abs(s)",)
    assert found.same == 1


def test_a_weight_inside_or_around_a_branch_is_one_weight() -> None:
    text = """
    agraph (bool c, float[3] x) => (float[3] y) %s {
        y = If (c) <
            then_branch = th () => (float[3] a) %s { a = Add(x, w) },
            else_branch = el () => (float[3] b) { b = Neg(x) }
        >
    }
    """
    weight = "<float[3] w = {1, 2, %s}>"
    outside, inside = parse(text % (weight % 3, "")), parse(text % ("", weight % 3))
    assert not diff_models(outside, inside)
    found = diff_models(outside, parse(text % ("", weight % 4)))
    assert [weight.how for weight in found.weights] == ["values"]
    assert len(found.changed) == 1


FUNCTIONS = """
agraph (float[2] x) => (float[2] y) { t = %s.%s(x) y = Abs(t) }
<domain: "%s", opset_import: ["": %s]>
%s (a) => (b) { c = Relu(a) b = %s(c) }
"""


def function(
    name: str = "twice", inner: str = "Exp", domain: str = "own", opset: int = 20
) -> Model:
    text = FUNCTIONS % (domain, name, domain, opset, name, inner)
    return parse(text, f'"": 20, "{domain}": 1')


def test_the_name_of_a_function_says_nothing() -> None:
    found = diff_models(function(), function("double", domain="others"))
    assert found.lines == ()
    assert found.notes == ("functions under other names: 1",)


def test_a_node_in_a_function_is_listed_there() -> None:
    found = diff_models(function(), function("double", "Log"))
    assert found.lines == (
        "@ nodes of function own.twice",
        "   c = Relu(a)",
        "-  b = Exp(c)",
        "+  b = Log(c)",
    )
    assert found.same == 2


def test_the_opset_of_a_function_counts() -> None:
    found = diff_models(function(), function(opset=18))
    assert found.changed == (
        (
            "function own.twice(1 inputs) with 1 outputs in opset ai.onnx 20",
            "function own.twice(1 inputs) with 1 outputs in opset ai.onnx 18",
        ),
    )


def test_a_function_in_place_of_its_body_is_told() -> None:
    flat = parse("agraph (float[2] x) => (float[2] y) { c = Relu(x) t = Exp(c) y = Abs(t) }")
    found = diff_models(function(), flat)
    assert len(found.removed) == 2
    assert [line for line in found.removed if line.startswith("function own.twice(")]
    assert found.added == ("c = Relu(x)", "t = Exp(c)")


def test_functions_that_call_each_other_in_a_circle_come_to_an_end() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "own": 1]>
    agraph (float[2] x) => (float[2] y) { y = own.f(x) }
    <domain: "own", opset_import: ["": 20, "own": 1]>
    f (a) => (b) { b = own.g(a) }
    <domain: "own", opset_import: ["": 20, "own": 1]>
    g (a) => (b) { b = own.f(a) }
    """
    model = parse_model(text)  # Such a file is refused.
    assert not diff_models(model, parse_model(text))


CONSTANTS = """
agraph (bool c) => (float[%s] y) {
    y = If (c) <
        then_branch = th () => (float[%s] a) { a = Constant<value = float[%s] {%s}>() },
        else_branch = el () => (float[%s] b) { b = Constant<value = float[%s] {%s}>() }
    >
}
"""


def constants(*held: str) -> Model:
    size = held[0].count(",") + 1
    return parse(CONSTANTS % (size, size, size, held[0], size, size, held[1]))


def test_a_small_constant_that_a_branch_returns_is_compared() -> None:
    found = diff_models(constants("1.0", "2.0"), constants("1.0", "3.0"))
    assert found.lines == (
        "@ nodes of else_branch of If(y)",
        "-  output b is float32[1] 2.0",
        "+  output b is float32[1] 3.0",
    )
    assert diff_models(constants("1.0", "2.0"), constants("2.0", "1.0"))


def test_a_weight_that_a_branch_returns_is_compared() -> None:
    found = diff_models(constants("1.0, 2.0", "2.0, 2.0"), constants("1.0, 2.0", "2.0, 4.0"))
    assert [(weight.names, weight.how) for weight in found.weights] == [(("b", "b"), "values")]
    assert len(found.changed) == 1
