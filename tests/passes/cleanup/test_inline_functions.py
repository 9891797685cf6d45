"""Calls of the model's own functions: nesting, attributes, opsets."""

from __future__ import annotations

import onnx
import onnx.parser
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize

PASS = "inline-functions"
HEADER = '<ir_version: 10, opset_import: ["": 20, "local": 1]>'


def test_nested_calls_pass_attributes_on() -> None:
    text = (
        HEADER
        + """
    g (float[2] x) => (float[2] y) { a = local.outer <slope = 0.5> (x) y = local.outer <slope = 2.0> (a) }
    <domain: "local", opset_import: ["": 20, "local": 1]>
    outer <slope> (a) => (b) { t = local.inner <alpha: float = @slope> (a) b = Neg(t) }
    <domain: "local", opset_import: ["": 20]>
    inner <alpha> (a) => (b) { b = LeakyRelu <alpha: float = @alpha> (a) }"""
    )
    model, _ = run_passes(text, PASS)
    assert ops(model)[:4] == ["LeakyRelu", "Neg", "LeakyRelu", "Neg"]
    slopes = [node.attributes["alpha"].as_float() for node in model.graph if node.op_type != "Neg"]
    assert slopes == [0.5, 2.0]


def test_default_of_an_attribute() -> None:
    text = (
        HEADER
        + """
    g (float[2] x) => (float[2] y) { a = local.f (x) y = local.f <slope = 2.0> (a) }
    <domain: "local", opset_import: ["": 20]>
    f <slope: float = 0.25> (a) => (b) { b = LeakyRelu <alpha: float = @slope> (a) }"""
    )
    model, _ = run_passes(text, PASS)
    slopes = [node.attributes["alpha"].as_float() for node in model.graph]
    assert slopes == [0.25, 2.0]


def test_names_of_two_calls_do_not_meet() -> None:
    text = (
        HEADER
        + """
    g (float[2] x) => (float[2] y) { t = local.f(x) y = local.f(t) }
    <domain: "local", opset_import: ["": 20]>
    f (x) => (y) { t = Exp(x) y = Neg(t) }"""
    )
    model, _ = run_passes(text, PASS)
    names = [out.name for node in model.graph for out in node.outputs]
    assert len(set(names)) == len(names) == 4
    assert names[-1] == "y"


def test_calls_inside_branches() -> None:
    text = (
        HEADER
        + """
    g (bool c, float[2] x) => (float[2] y) {
        y = If (c) <
            then_branch = yes () => (float[2] p) { p = local.f(x) },
            else_branch = no () => (float[2] q) { q = Neg(x) }>
    }
    <domain: "local", opset_import: ["": 20]>
    f (a) => (b) { t = Exp(a) b = Abs(t) }"""
    )
    model, _ = run_passes(text, f"{PASS}, remove-dead-code")
    assert sorted(ops(model)) == ["Abs", "Exp", "If", "Neg"]
    assert not model.functions


def test_an_optional_input_left_out() -> None:
    text = (
        HEADER
        + """
    g (float[2] x) => (float[2] y) { y = local.f(x) }
    <domain: "local", opset_import: ["": 20]>
    f (a, low) => (b) { b = Clip(a, low) }"""
    )
    model, _ = run_passes(text, PASS)
    assert ops(model)[0] == "Clip"


def test_same_meaning_in_another_opset() -> None:
    text = (
        HEADER
        + """
    g (float[2] x) => (float[2] y) { y = local.f(x) }
    <domain: "local", opset_import: ["": 14]>
    f (a) => (b) { b = Relu(a) }"""
    )
    model, _ = run_passes(text, f"{PASS}, remove-dead-code")
    assert ops(model) == ["Relu"]


def test_another_meaning_in_another_opset_stays() -> None:
    # ReduceMax takes its axes as attribute until opset 17.
    text = (
        HEADER
        + """
    g (float[2, 3] x) => (float[2, 1] y) { y = local.f(x) }
    <domain: "local", opset_import: ["": 14]>
    f (a) => (b) { b = ReduceMax <axes = [1]> (a) }"""
    )
    # ONNX's checker wants one opset everywhere, so the result is not checked.
    model, records = optimize(onnx.parser.parse_model(text), passes=PASS)
    assert ops(model) == ["f", "ReduceMax"]
    assert reasons(records) == ["ReduceMax(b) means something else at opset 20 of the model"]


def test_a_function_that_returns_its_input() -> None:
    text = (
        HEADER
        + """
    g (float[2] x) => (float[2] y, float[2] z) { y, z = local.f(x) }
    <domain: "local", opset_import: ["": 20]>
    f (a) => (b, c) { b = Identity(a) c = Relu(a) }"""
    )
    model, _ = run_passes(text, f"{PASS}, eliminate-identity")
    assert [value.name for value in model.graph.outputs] == ["y", "z"]
    assert ops(model)[:2] == ["Identity", "Relu"]


def test_two_overloads_are_two_functions() -> None:
    text = (
        HEADER
        + """
    g (float[2] x) => (float[2] y) { a = local.f:one(x) y = local.f:two(a) }
    <domain: "local", overload: "one", opset_import: ["": 20]>
    f (a) => (b) { b = Relu(a) }
    <domain: "local", overload: "two", opset_import: ["": 20]>
    f (a) => (b) { b = Neg(a) }"""
    )
    model, _ = run_passes(text, f"{PASS}, remove-dead-code")
    assert ops(model) == ["Relu", "Neg"]
