"""Code motion out of loops: what may run where the loop would not, captures, names."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import Model, scopes, to_proto
from burnish.text import parse_model

PASS = "hoist-invariants"


def _outside(model: Model) -> list[str]:
    return [node.op_type for node in model.graph]


def _text(body: str, rounds: str = "<int64 n = {3}, bool go = {1}>", inputs: str = "") -> str:
    return f"""g (float[2] x{inputs}) => (float[2] y) {rounds} {{
        y = Loop (n, go, x) <
            body = b (int64 i, bool more, float[2] s) => (bool next, float[2] t)
                <float[2] w = {{0.5, 2.0}}, int64[1] two = {{2}}> {{
                next = Identity(more)
                {body} }}>
    }}"""


@pytest.mark.parametrize(
    ("body", "moved"),
    [
        ("e = Exp(x) t = Mul(s, e)", ["Exp"]),
        ("e = Exp(x) f = Add(e, x) t = Mul(s, f)", ["Exp", "Add"]),
        ("e = Mul(x, w) t = Mul(s, e)", ["Mul"]),  # the body's constant moves along
        ("e = Reshape(x, two) t = Mul(s, e)", ["Reshape"]),
        ("e = Exp(s) f = Add(e, x) t = Mul(s, f)", []),
        ("f = Cast <to = 1> (i) e = Mul(x, f) t = Mul(s, e)", []),
        ("t = Exp(x)", []),  # a result of the body stays in it
        ("r = RandomUniformLike <seed = 1.0> (x) e = Mul(r, w) t = Mul(s, e)", []),
    ],
)
def test_what_moves(body: str, moved: list[str]) -> None:
    if "Random" in body:
        model = optimize(parse_model(_text(body), opset=20), passes=PASS).model
    else:
        model, _ = run_passes(_text(body), PASS)
    assert _outside(model) == [*moved, "Loop"]


@pytest.mark.parametrize(
    ("rounds", "inputs"),
    [
        ("<bool go = {1}>", ", int64 n"),
        ("<int64 n = {3}>", ", bool go"),
        ("<int64 n = {0}, bool go = {1}>", ""),
    ],
)
def test_only_what_cannot_fail_moves_when_the_loop_may_not_run(rounds: str, inputs: str) -> None:
    body = "e = Exp(x) f = Gather(e, two) g = Expand(f, two) t = Mul(s, g)"
    proto = to_proto(parse_model(_text(body, rounds, inputs), opset=20))
    done = optimize(proto, passes=PASS)
    assert _outside(done.model) == ["Exp", "Loop"]
    feeds = {"x": np.ones(2, np.float32)}
    feeds |= {"n": np.array(0)} if "n" in inputs else {}
    feeds |= {"go": np.array(False)} if "bool" in inputs else {}
    # Element 2 of two does not exist, and nobody asks for it.
    assert run_model(to_proto(done.model), feeds)["y"].tolist() == [1, 1]


def test_side_by_side_names() -> None:
    text = """g (float[2] x) => (float[2] y) <int64 n = {2}, bool go = {1}> {
        a = Loop (n, go, x) <
            body = b (int64 i, bool more, float[2] s) => (bool next, float[2] t)
                <float[2] w = {1, 2}> {
                next = Identity(more) e = Mul(x, w) t = Sub(s, e) }>
        y = Loop (n, go, a) <
            body = b2 (int64 i, bool more, float[2] s) => (bool next, float[2] t)
                <float[2] w = {3, 4}> {
                next = Identity(more) e = Add(x, w) t = Sub(s, e) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert _outside(model) == ["Mul", "Loop", "Add", "Loop"]
    names = [out.name for node in model.graph for out in node.outputs]
    names += list(model.graph.initializers)
    assert len(set(names)) == len(names)


def test_a_constant_that_the_body_yields_stays_in_it() -> None:
    text = """g (float[2] x) => (float[2] y) <int64 n = {2}, bool go = {1}> {
        y = Loop (n, go, x) <
            body = b (int64 i, bool more, float[2] s) => (bool keep, float[2] t)
                <bool keep = {1}> {
                k = Not(keep) e = Cast <to = 1> (k) f = Exp(x) g = Add(e, f) t = Add(s, g) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert _outside(model) == ["Exp", "Loop"]


def test_out_of_two_loops_at_once() -> None:
    text = """g (float[2] x) => (float[2] y) <int64 n = {2}, bool go = {1}> {
        y = Loop (n, go, x) <
            body = outer (int64 i, bool more, float[2] s) => (bool next, float[2] t) {
                next = Identity(more)
                t = Loop (n, go, s) <
                    body = inner (int64 j, bool m, float[2] u) => (bool o, float[2] v) {
                        o = Identity(m)
                        e = Exp(x)
                        f = Exp(s)
                        h = Add(e, f)
                        v = Sub(u, h) }> }>
    }"""
    model, _ = run_passes(text, PASS)
    found = [[node.op_type for node in scope.graph] for scope in scopes(model)]
    assert found == [["Exp", "Loop"], ["Identity", "Exp", "Add", "Loop"], ["Identity", "Sub"]]


def test_a_whole_if_moves() -> None:
    body = """e = If (c) <
        then_branch = yes () => (float[2] p) { p = Exp(x) },
        else_branch = no () => (float[2] q) { q = Mul(x, w) }>
    t = Sub(s, e)"""
    model, _ = run_passes(_text(body, inputs=", bool c"), PASS)
    assert _outside(model) == ["If", "Loop"]
    body = body.replace("Mul(x, w)", "Mul(s, w)")
    model, _ = run_passes(_text(body, inputs=", bool c"), PASS)
    assert _outside(model) == ["Loop"]


@pytest.mark.parametrize(("rows", "moved"), [("3", ["Mul"]), ("N", [])])
def test_a_scan_runs_as_often_as_its_input_is_long(rows: str, moved: list[str]) -> None:
    text = f"""g (float[{rows},2] x, float[2] z) => (float[2] y, float[{rows},2] all)
        <float[2] zero = {{0, 0}}, float[2] k = {{2, 3}}> {{
        y, all = Scan (zero, x) <num_scan_inputs = 1,
            body = b (float[2] s, float[2] row) => (float[2] t, float[2] out) {{
                e = Mul(z, k)
                t = Add(s, e)
                out = Mul(row, t) }}>
    }}"""
    model, _ = run_passes(text, PASS)
    assert _outside(model) == [*moved, "Scan"]


def test_constants_of_a_body_in_a_function_stay() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "f": 1]>
        g (float[2] x) => (float[2] y) { y = f.scaled(x) }
        <domain: "f", opset_import: ["": 17]>
        scaled (x) => (y) {
            n = Constant <value = int64 {2}> ()
            go = Constant <value = bool {1}> ()
            y = Loop (n, go, x) <
                body = b (int64 i, bool more, float[2] s) => (bool next, float[2] t)
                    <float[2] w = {1, 2}> {
                    next = Identity(more) e = Mul(x, w) f = Exp(x) h = Add(e, f) t = Sub(s, h) }>
        }"""
    model, records = run_passes(text, PASS)
    (function,) = model.functions.values()
    assert [node.op_type for node in function] == ["Constant", "Constant", "Exp", "Loop"]
    assert reasons(records) == []
    assert ops(model).count("Mul") == 1
