"""Ifs with a known condition: names that meet, captures, outputs."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import scopes

PASS = "inline-if"


@pytest.mark.parametrize(("condition", "left"), [(1, "Relu"), (0, "Neg")])
def test_the_branch_taken_stays(condition: int, left: str) -> None:
    text = f"""g (float[2] x) => (float[2] y) <bool c = {{{condition}}}> {{
        y = If (c) <
            then_branch = yes () => (float[2] p) {{ p = Relu(x) }},
            else_branch = no () => (float[2] q) {{ q = Neg(x) }}>
    }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == [left]
    assert model.graph.outputs[0].name == "y"


def test_a_condition_of_one_element_counts() -> None:
    text = """g (float[2] x) => (float[2] y) <bool[1] c = {1}> {
        y = If (c) <
            then_branch = yes () => (float[2] p) { p = Relu(x) },
            else_branch = no () => (float[2] q) { q = Neg(x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Relu"]


def test_a_condition_the_caller_may_override_stays() -> None:
    text = """g (float[2] x, bool c) => (float[2] y) <bool c = {1}> {
        y = If (c) <
            then_branch = yes () => (float[2] p) { p = Relu(x) },
            else_branch = no () => (float[2] q) { q = Neg(x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert "If" in ops(model)


def test_names_that_meet_names_outside() -> None:
    text = """g (float[2] x) => (float[2] y, float[2] z) <bool c = {0}> {
        r = If (c) <
            then_branch = yes () => (float[2] p) { p = Relu(x) },
            else_branch = no () => (float[2] q) <float[2] k = {3, 4}> {
                t = Mul(x, k)
                q = Exp(t) }>
        t = Neg(r)
        k = Abs(x)
        y = Add(t, k)
        z = If (c) <
            then_branch = yes2 () => (float[2] p) { p = Relu(x) },
            else_branch = no2 () => (float[2] q) <float[2] k = {5, 6}> {
                t = Div(x, k)
                q = Exp(t) }>
    }"""
    model, _ = run_passes(text, PASS)
    names = [out.name for node in model.graph for out in node.outputs]
    names += list(model.graph.initializers)
    assert len(set(names)) == len(names) == 10
    assert len(model.graph.initializers) == 3


def test_initializers_move_along_and_captures_stay() -> None:
    text = """g (float[2] x) => (float[2] y) <bool c = {1}, float[2] outer = {1, 2}> {
        a = Relu(x)
        y = If (c) <
            then_branch = yes () => (float[2] p) <float[2] w = {3, 4}> {
                b = Add(a, outer) p = Mul(b, w) },
            else_branch = no () => (float[2] q) { q = Neg(x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Relu", "Add", "Mul"]
    assert len(model.graph.initializers) == 3


@pytest.mark.parametrize("result", ["a", "x", "outer"])
def test_a_branch_that_passes_on_what_it_did_not_compute(result: str) -> None:
    text = f"""g (float[2] x) => (float[2] y, float[2] a) <bool c = {{1}}, float[2] outer = {{1, 2}}> {{
        a = Relu(x)
        y = If (c) <
            then_branch = yes () => (float[2] p) {{ p = Identity({result}) }},
            else_branch = no () => (float[2] q) {{ q = Neg(x) }}>
    }}"""
    model, _ = run_passes(text, f"{PASS}, eliminate-identity")
    assert ops(model) == ["Relu", "Identity"]
    assert [value.name for value in model.graph.outputs] == ["y", "a"]


def test_one_branch_value_for_two_outputs() -> None:
    text = """g (float[2] x) => (float[2] y, float[2] z) <bool c = {1}> {
        y, z = If (c) <
            then_branch = yes () => (float[2] p, float[2] p2) { p = Relu(x) p2 = Identity(p) },
            else_branch = no () => (float[2] q, float[2] q2) { q = Neg(x) q2 = Abs(x) }>
    }"""
    model, _ = run_passes(text, f"{PASS}, eliminate-identity")
    assert ops(model) == ["Relu", "Identity"]


def test_branches_within_branches() -> None:
    text = """g (float[2] x) => (float[2] y) <bool c = {1}> {
        y = If (c) <
            then_branch = yes () => (float[2] p) <bool d = {0}> {
                a = Exp(x)
                p = If (d) <
                    then_branch = yes2 () => (float[2] r) { r = Neg(a) },
                    else_branch = no2 () => (float[2] s) { a2 = Abs(a) s = Relu(a2) }> },
            else_branch = no () => (float[2] q) { q = Neg(x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Exp", "Abs", "Relu"]


def test_inside_a_loop_body() -> None:
    text = """g (float[2] x) => (float[2] y) <int64 n = {3}, bool go = {1}> {
        y = Loop (n, go, x) <body = step (int64 i, bool m, float[2] s) => (bool o, float[2] t) {
            o = Identity(m)
            c = Constant <value = bool {1}> ()
            t = If (c) <
                then_branch = yes () => (float[2] p) { p = Add(s, x) },
                else_branch = no () => (float[2] q) { q = Neg(s) }> }>
    }"""
    model, _ = run_passes(text, PASS)
    assert sorted(ops(model)) == ["Add", "Constant", "Identity", "Loop"]


def test_function_bodies_have_no_initializers() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "local": 1]>
    g (float[2] x) => (float[2] y) { y = local.f(x) }
    <domain: "local", opset_import: ["": 20]>
    f (a) => (b) {
        c = Constant <value = bool {1}> ()
        b = If (c) <
            then_branch = yes () => (float[2] p) <float[2] w = {3, 4}> { p = Mul(a, w) },
            else_branch = no () => (float[2] q) { q = Neg(a) }>
    }"""
    model, records = run_passes(text, PASS)
    assert "If" in ops(model)
    assert any("a function has none" in why for why in reasons(records))


def test_a_constant_that_the_branch_returns_can_be_lifted() -> None:
    # There it had to be a node; inlined, it need not be one.
    text = """g (float[2] x) => (float[2] y) <bool c = {1}, float[2] u = {1, 2}> {
        r = If (c) <
            then_branch = yes () => (float[2] p) { p = Add(u, u) },
            else_branch = no () => (float[2] q) { q = Neg(x) }>
        y = Mul(x, r)
    }"""
    model, _ = run_passes(text, f"fold-constants, {PASS}, lift-constants, remove-dead-code")
    assert ops(model) == ["Mul"]
    assert [len(scope.graph.initializers) for scope in scopes(model)] == [1]
