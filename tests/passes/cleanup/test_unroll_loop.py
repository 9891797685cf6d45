"""Loops of known length: conditions, what they collect, names, what must stay a Loop."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import scopes
from burnish.text import parse_model

PASS = "unroll-loop"


def _text(rounds: str, go: str = "bool go = {1}", cond: str = "next = Identity(more)") -> str:
    return f"""g (float[2] x) => (float[2] y) <int64 n = {{{rounds}}}, {go}> {{
        y = Loop (n, go, x) <
            body = b (int64 i, bool more, float[2] s) => (bool next, float[2] t)
                <bool yes = {{1}}, bool no = {{0}}, float[2] w = {{0.5, 2.0}}> {{
                {cond}
                t = Mul(s, w) }}>
    }}"""


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_the_body_as_often_as_it_runs(rounds: int) -> None:
    model, _ = run_passes(_text(str(rounds)), PASS)
    assert ops(model).count("Mul") == rounds
    assert "Loop" not in ops(model)
    assert model.graph.outputs[0].name == "y"


@pytest.mark.parametrize(
    ("rounds", "go", "cond", "times"),
    [
        ("0", "bool go = {1}", "next = Identity(more)", 0),
        ("-3", "bool go = {1}", "next = Identity(more)", 0),
        ("7", "bool go = {0}", "next = Identity(more)", 0),
        ("7", "bool go = {1}", "next = Identity(no)", 1),
        ("3", "bool[1] go = {1}", "next = Identity(yes)", 3),
        ("1", "bool go = {1}", "next = Not(more)", 1),
    ],
)
def test_conditions(rounds: str, go: str, cond: str, times: int) -> None:
    model, _ = run_passes(_text(rounds, go, cond), f"fold-constants, {PASS}")
    assert ops(model).count("Mul") == times
    assert "Loop" not in ops(model)


def test_a_while_loop_stays() -> None:
    model, _ = run_passes(_text("3", cond="a = Less(i, n) next = And(a, more)"), PASS)
    assert "Loop" in ops(model)


def test_a_trip_count_the_caller_gives_stays() -> None:
    text = _text("3").replace("(float[2] x)", "(float[2] x, int64 n)")
    model, _ = run_passes(text, PASS)
    assert "Loop" in ops(model)


@pytest.mark.parametrize("opset", [11, 16, 20])
@pytest.mark.parametrize("rounds", [1, 3])
def test_what_every_round_yields_is_joined(opset: int, rounds: int) -> None:
    text = f"""g (float[2] x) => (float[2] y, float[r,2] all, int64[r] numbers)
        <int64 n = {{{rounds}}}, bool go = {{1}}> {{
        y, all, numbers = Loop (n, go, x) <
            body = b (int64 i, bool more, float[2] s)
                => (bool next, float[2] t, float[2] row, int64 j) {{
                next = Identity(more)
                t = Mul(s, x)
                row = Neg(s)
                j = Identity(i) }}>
    }}"""
    model, _ = run_passes(text, PASS, opset=opset)
    assert "Loop" not in ops(model)
    assert ops(model).count("Concat") == (2 if rounds > 1 else 0)
    assert ops(model).count("Unsqueeze") == 2 * rounds


def test_a_body_that_hands_on_its_inputs() -> None:
    text = """g (float[2] x, float[2] z) => (float[2] p, float[2] q, float[r,2] all)
        <int64 n = {3}, bool go = {1}> {
        p, q, all = Loop (n, go, x, z) <
            body = b (int64 i, bool more, float[2] s, float[2] t)
                => (bool more, float[2] t, float[2] s, float[2] u) {
                u = Add(s, t) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count("Add") == 3
    assert [value.name for value in model.graph.outputs] == ["p", "q", "all"]


def test_collecting_nothing_has_a_shape_nobody_knows() -> None:
    text = """g (float[2] x) => (float[2] y, float[r,2] all) <int64 n = {0}, bool go = {1}> {
        y, all = Loop (n, go, x) <
            body = b (int64 i, bool more, float[2] s) => (bool next, float[2] t, float[2] row) {
                next = Identity(more) t = Neg(s) row = Neg(s) }>
    }"""
    model, records = run_passes(text, PASS)
    assert "Loop" in ops(model)
    assert "never runs" in reasons(records)[0]


def test_long_loops_stay_unless_asked() -> None:
    model, records = run_passes(_text("40"), PASS)
    assert "Loop" in ops(model)
    assert "80 nodes, more than 64" in reasons(records)[0]
    model, _ = run_passes(_text("40"), f"{PASS}{{limit=80}}")
    assert ops(model).count("Mul") == 40


def test_every_round_draws_its_own_numbers() -> None:
    text = """g (float[2] x) => (float[2] y) <int64 n = {2}, bool go = {1}> {
        y = Loop (n, go, x) <
            body = b (int64 i, bool more, float[2] s) => (bool next, float[2] t) {
                next = Identity(more)
                r = RandomUniformLike <seed = 1.0> (s)
                t = Add(s, r) }>
    }"""
    done = optimize(parse_model(text, opset=20), passes=PASS)
    assert "Loop" in ops(done.model)
    assert "random" in reasons(done.records)[0]


def test_names_stay_apart() -> None:
    text = """g (float[2] x) => (float[2] y) <int64 n = {2}, bool go = {1}> {
        a = Loop (n, go, x) <
            body = b (int64 i, bool more, float[2] s) => (bool next, float[2] t)
                <float[2] w = {1, 2}> {
                next = Identity(more) u = Mul(s, w) t = Neg(u) }>
        c = Loop (n, go, a) <
            body = b2 (int64 i, bool more, float[2] s) => (bool next, float[2] t)
                <float[2] w = {3, 4}> {
                next = Identity(more) u = Mul(s, w) t = Neg(u) }>
        u = Exp(c)
        w = Abs(u)
        y = Neg(w)
    }"""
    model, _ = run_passes(text, PASS)
    names = [out.name for node in model.graph for out in node.outputs]
    names += list(model.graph.initializers)
    assert len(set(names)) == len(names)
    assert ops(model).count("Mul") == 4


def test_loops_in_loops_and_branches() -> None:
    text = """g (float[2] x, bool c) => (float[2] y) <int64 n = {2}, bool go = {1}> {
        y = Loop (n, go, x) <
            body = outer (int64 i, bool more, float[2] s) => (bool next, float[2] t) {
                next = Identity(more)
                q = If (c) <
                    then_branch = yes () => (float[2] p) { p = Add(s, x) },
                    else_branch = no () => (float[2] r) {
                        r = Loop (n, go, s) <
                            body = inner (int64 j, bool m, float[2] u) => (bool o, float[2] v) {
                                o = Identity(m) v = Sub(u, s) }> }>
                t = Relu(q) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert "Loop" not in ops(model)
    assert ops(model).count("Sub") == 4
    names = [out.name for scope in scopes(model) for node in scope.graph for out in node.outputs]
    assert len(set(names)) == len(names)


def test_in_a_function_constants_are_nodes() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "f": 1]>
        g (float[2] x) => (float[2] y) { y = f.twice(x) }
        <domain: "f", opset_import: ["": 17]>
        twice (x) => (y) {
            n = Constant <value = int64 {2}> ()
            go = Constant <value = bool {1}> ()
            y = Loop (n, go, x) <
                body = b (int64 i, bool more, float[2] s) => (bool next, float[2] t) {
                    next = Identity(more) t = Add(s, s) }>
        }"""
    model, _ = run_passes(text, PASS)
    assert "Loop" not in ops(model)
    assert ops(model).count("Add") == 2
