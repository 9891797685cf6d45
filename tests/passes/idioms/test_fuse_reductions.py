"""Reductions of squares, absolute values, logarithms and exponentials."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import attribute, to_proto
from burnish.text import parse_model

PASS = "fuse-reductions"


def _model(body: str, result: str = "N,1,4", outputs: str = "", dtype: str = "float") -> str:
    return f"""agraph ({dtype}[N,3,4] x) => ({dtype}[{result}] y{outputs})
        <int64[1] axis = {{1}}, float two = {{2.0}}, float three = {{3.0}}> {{ {body} }}"""


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("a = Mul (x, x) y = ReduceSum (a, axis)", ["ReduceSumSquare"]),
        ("a = Pow (x, two) y = ReduceSum (a, axis)", ["ReduceSumSquare"]),
        ("a = Abs (x) y = ReduceSum (a, axis)", ["ReduceL1"]),
        ("a = Mul (x, x) b = ReduceSum (a, axis) y = Sqrt (b)", ["ReduceL2"]),
        ("b = ReduceSumSquare (x, axis) y = Sqrt (b)", ["ReduceL2"]),
        ("a = Exp (x) b = ReduceSum (a, axis) y = Log (b)", ["ReduceLogSumExp"]),
        ("c = Abs (x) a = Sqrt (c) b = ReduceSum (a, axis) y = Log (b)",
         ["Abs", "Sqrt", "ReduceLogSum"]),
    ],
)  # fmt: skip
def test_it_writes_the_operator(body: str, result: list[str]) -> None:
    model, _ = run_passes(_model(body), PASS)
    assert ops(model) == result


@pytest.mark.parametrize(
    ("reduction", "result", "opset"),
    [
        ("ReduceSum <keepdims = 0> (a, axis)", "N,4", 13),
        ("ReduceSum <keepdims = 0> (a, axis)", "N,4", 20),
        ("ReduceSum <keepdims = 0, axes = [-2]> (a)", "N,4", 12),
        ("ReduceSum (a)", "1,1,1", 13),
    ],
)
def test_at_every_opset(reduction: str, result: str, opset: int) -> None:
    text = _model(f"a = Abs (x) y = {reduction}", result)
    model, _ = run_passes(text, PASS, opset=opset)
    assert ops(model) == ["ReduceL1"]
    assert attribute(model.graph[0], "keepdims", 1) == int(result != "N,4")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("a = Mul (x, two) y = ReduceSum (a, axis)", []),
        ("a = Pow (x, three) y = ReduceSum (a, axis)", []),
        ("a = Abs (x) y = ReduceMean (a, axis)", []),
    ],
)
def test_another_function_is_left_alone(body: str, why: list[str]) -> None:
    model, records = run_passes(_model(body), PASS)
    assert len(ops(model)) == 2
    assert reasons(records) == why


def test_no_axes_may_mean_no_reduction() -> None:
    body = "a = Abs (x) y = ReduceSum <noop_with_empty_axes = 1> (a)"
    model, records = run_passes(_model(body, "N,3,4"), PASS)
    assert ops(model) == ["Abs", "ReduceSum"]
    assert reasons(records) == ["no axis is reduced"]


def test_integers_have_no_kernel() -> None:
    text = """agraph (int64[2,3] x) => (int64[2,1] y) <int64[1] axis = {1}> {
        a = Abs (x) y = ReduceSum (a, axis) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Abs", "ReduceSum"]
    assert reasons(records) == ["runtimes reduce only floats like that"]


def test_axes_known_only_at_run_time() -> None:
    text = """agraph (float[2,3] x, int64[1] axis) => (float[a,b] y) {
        a = Abs (x) y = ReduceSum (a, axis) }"""
    done = optimize(to_proto(parse_model(text)), passes=PASS)
    assert ops(done.model) == ["Abs", "ReduceSum"]
    assert reasons(done.records) == ["the reduced axes are known only when the model runs"]


def test_a_square_with_another_reader_stays() -> None:
    body = "a = Mul (x, x) y = ReduceSum (a, axis) z = Neg (a)"
    model, records = run_passes(_model(body, outputs=", float[N,3,4] z"), PASS)
    assert ops(model) == ["Mul", "ReduceSum", "Neg"]
    assert reasons(records) == ["a has another reader"]


def test_exponentials_that_are_needed_are_not_taken_twice() -> None:
    body = "a = Exp (x) b = ReduceSum (a, axis) y = Log (b) z = Neg (a)"
    model, _ = run_passes(_model(body, outputs=", float[N,3,4] z"), PASS)
    assert ops(model) == ["Exp", "ReduceLogSum", "Neg"]
