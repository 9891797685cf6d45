"""Softmax and LogSoftmax spelled out."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import attribute

PASS = "fuse-softmax"


def _model(body: str, axis: str = "2", outputs: str = "") -> str:
    return f"""agraph (float[N,3,4] x) => (float[N,3,4] y{outputs})
        <int64[1] axis = {{{axis}}}, int64[1] other = {{1}}, int64[2] both = {{1, 2}}> {{ {body} }}"""


SHIFTED = "m = ReduceMax (x, axis) d = Sub (x, m)"


@pytest.mark.parametrize("axis", ["2", "-1", "1", "0"])
@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("e = Exp (x) s = ReduceSum (e, axis) y = Div (e, s)", "Softmax"),
        (f"{SHIFTED} e = Exp (d) s = ReduceSum (e, axis) y = Div (e, s)", "Softmax"),
        (f"{SHIFTED} e = Exp (d) f = Exp (d) s = ReduceSum (e, axis) y = Div (f, s)", "Softmax"),
        (f"{SHIFTED} y = Softmax <axis = %s> (d)", "Softmax"),
        ("l = ReduceLogSumExp (x, axis) y = Sub (x, l)", "LogSoftmax"),
        ("e = Exp (x) s = ReduceSum (e, axis) l = Log (s) y = Sub (x, l)", "LogSoftmax"),
        (f"{SHIFTED} l = ReduceLogSumExp (d, axis) y = Sub (d, l)", "LogSoftmax"),
    ],
)
def test_it_writes_the_operator(body: str, result: str, axis: str) -> None:
    model, _ = run_passes(_model(body.replace("%s", axis), axis), PASS)
    assert ops(model) == [result]
    assert attribute(model.graph[0], "axis", -1) % 3 == int(axis) % 3


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("e = Exp (x) s = ReduceSum (e, both) y = Div (e, s)",
         ["the sum does not run over one axis and keep it"]),
        ("e = Exp (x) z = Neg (x) f = Exp (z) s = ReduceSum (f, axis) y = Div (e, s)", []),
        ("e = Exp (x) s = ReduceMean (e, axis) y = Div (e, s)", []),
        ("z = Neg (x) l = ReduceLogSumExp (z, axis) y = Sub (x, l)", []),
        ("m = ReduceMax (x, other) d = Sub (x, m) y = Softmax (d)",
         ["the maximum is taken along another axis"]),
        ("z = Neg (x) e = Exp (z) s = ReduceSum (e, axis) l = Log (s) y = Sub (x, l)", []),
        ("m = ReduceMin (x, axis) d = Sub (x, m) y = Softmax (d)", []),
    ],
)  # fmt: skip
def test_another_function_is_left_alone(body: str, why: list[str]) -> None:
    model, records = run_passes(_model(body), PASS)
    assert len(ops(model)) == body.count(" = ")
    assert reasons(records) == why


def test_a_sum_that_drops_its_axis_broadcasts_along_another() -> None:
    text = """agraph (float[4,4] x) => (float[4,4] y) <int64[1] axis = {1}> {
        e = Exp (x) s = ReduceSum <keepdims = 0> (e, axis) y = Div (e, s) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Exp", "ReduceSum", "Div"]
    assert reasons(records) == ["the sum does not run over one axis and keep it"]


def test_before_opset_13_softmax_flattens() -> None:
    text = """agraph (float[2,3,4] x) => (float[2,3,4] y) {
        e = Exp (x) s = ReduceSum <axes = [%d]> (e) y = Div (e, s) }"""
    model, records = run_passes(text % 1, PASS, opset=11)
    assert ops(model) == ["Exp", "ReduceSum", "Div"]
    assert reasons(records) == ["before opset 13 it runs over all the last axes"]
    model, _ = run_passes(text % 2, PASS, opset=11)
    assert ops(model) == ["Softmax"]
    assert attribute(model.graph[0], "axis") == 2


def test_an_exponential_with_another_reader_stays() -> None:
    body = "e = Exp (x) s = ReduceSum (e, axis) y = Div (e, s) z = Neg (e)"
    model, records = run_passes(_model(body, outputs=", float[N,3,4] z"), PASS)
    assert ops(model) == ["Exp", "ReduceSum", "Div", "Neg"]
    assert reasons(records) == ["e has another reader"]
