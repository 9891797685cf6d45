"""What nobody reads goes; the interface stays."""

from __future__ import annotations

import onnx
from tests.support import ops, run_passes

from burnish.driver import optimize

PASS = "remove-dead-code"


def test_chains_and_their_weights_go_at_once() -> None:
    text = """g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[2] unread = {3, 4}> {
        a = Mul(x, w) b = Exp(a) c = Neg(b)
        y = Relu(x)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Relu"]
    assert not model.graph.initializers


def test_inputs_stay_read_or_not() -> None:
    text = """g (float[2] x, float[N] spare, float[2] w) => (float[2] y)
    <float[2] w = {1, 2}> { y = Relu(x) }"""
    model, _ = run_passes(text, PASS)
    assert [value.name for value in model.graph.inputs] == ["x", "spare", "w"]
    assert list(model.graph.initializers) == ["w"]


def test_what_only_a_subgraph_reads_is_alive() -> None:
    text = """g (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
        deep = Exp(x)
        y = If (c) <
            then_branch = yes () => (float[2] p) {
                p = If (c) <
                    then_branch = yes2 () => (float[2] r) { r = Add(deep, w) },
                    else_branch = no2 () => (float[2] s) { s = Neg(x) }> },
            else_branch = no () => (float[2] q) { q = Neg(x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert sorted(ops(model)) == ["Add", "Exp", "If", "If", "Neg", "Neg"]
    assert list(model.graph.initializers) == ["w"]


def test_what_only_dead_inner_nodes_read_is_dead() -> None:
    text = """g (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
        deep = Add(x, w)
        y = If (c) <
            then_branch = yes () => (float[2] p) { dead = Exp(deep) p = Neg(x) },
            else_branch = no () => (float[2] q) { q = Abs(x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert sorted(ops(model)) == ["Abs", "If", "Neg"]
    assert not model.graph.initializers


def test_a_dead_if_takes_its_captures_along() -> None:
    text = """g (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
        deep = Add(x, w)
        gone = If (c) <
            then_branch = yes () => (float[2] p) { p = Exp(deep) },
            else_branch = no () => (float[2] q) { q = Abs(deep) }>
        y = Relu(x)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Relu"]


def test_a_node_with_one_result_in_use_stays() -> None:
    text = "g (float[4] x) => (float[2] y) { y, z = Split <axis = 0, num_outputs = 2> (x) }"
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Split"]


def test_functions_and_imports_nobody_needs_go() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "used": 1, "unused": 1, "elsewhere": 1]>
    g (float[2] x) => (float[2] y) { y = used.outer(x) }
    <domain: "used", opset_import: ["": 20, "used": 1]>
    outer (a) => (b) { b = used.inner(a) }
    <domain: "used", opset_import: ["": 20]>
    inner (a) => (b) { b = Relu(a) }
    <domain: "unused", opset_import: ["": 20, "used": 1]>
    other (a) => (b) { b = used.third(a) }
    <domain: "used", opset_import: ["": 20]>
    third (a) => (b) { b = Neg(a) }"""
    model, _ = run_passes(text, PASS)
    assert sorted(function.name for function in model.functions.values()) == ["inner", "outer"]
    assert set(model.opset_imports) == {"", "used"}


def test_dead_code_in_function_bodies_goes() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "local": 1]>
    g (float[2] x) => (float[2] y) { y = local.f(x) }
    <domain: "local", opset_import: ["": 20]>
    f (a) => (b) { dead = Exp(a) b = Relu(a) }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["f", "Relu"]


def test_custom_operators_nobody_reads_go_too() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "acme": 1]>
    g (float[2] x) => (float[2] y) { a = acme.Pure(x) y = Relu(x) }"""
    model = optimize(onnx.parser.parse_model(text), passes=PASS).model
    assert ops(model) == ["Relu"]
    assert set(model.opset_imports) == {""}
