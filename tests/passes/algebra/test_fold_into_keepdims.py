"""Squeeze and Unsqueeze of reductions: the axes, the opset, empty lists."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import to_proto
from burnish.text import parse_model

PASS = "fold-into-keepdims"


@pytest.mark.parametrize("reduction", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceLogSumExp"])
@pytest.mark.parametrize("opset", [11, 13, 18])
def test_each_opset_spells_the_axes_its_own_way(reduction: str, opset: int) -> None:
    as_input = opset >= (13 if reduction == "ReduceSum" else 18)
    first = (
        f"{reduction} <keepdims = 0> (x, b)"
        if as_input
        else f"{reduction} <axes = [-1], keepdims = 0> (x)"
    )
    then = "Unsqueeze(r, a)" if opset >= 13 else "Unsqueeze <axes = [2]> (r)"
    text = f"""g (float[2,3,4] x) => (float[2,3,1] y) <int64[1] a = {{2}}, int64[1] b = {{-1}}> {{
        r = {first} y = {then} }}"""
    model, _ = run_passes(text, PASS, opset=opset)
    assert ops(model) == [reduction]


@pytest.mark.parametrize(
    ("text", "result", "left"),
    [
        ("r = ReduceMax(x, a) y = Squeeze(r, a)", "[2,3]", 1),
        ("r = ReduceMax(x, a) y = Squeeze(r)", "[2,3]", 1),  # all of size 1 are the reduced ones
        ("r = ReduceMax(x, ab) y = Squeeze(r, ba)", "[3]", 1),
        ("r = ReduceMax(x, ab) y = Squeeze(r, a)", "[1,3]", 2),
        ("r = ReduceMax <keepdims = 0> (x, a) y = Unsqueeze(r, b)", "[2,1,3]", 2),
        ("r = ReduceMax <keepdims = 0> (x, ab) y = Unsqueeze(r, b)", "[3,1]", 2),
        ("r = ReduceMax(x, a) y = Unsqueeze(r, a)", "[2,3,1,1]", 2),
        ("r = ArgMax <axis = -1> (x) y = Squeeze(r, a)", "[2,3]", 1),
        ("r = ArgMin <axis = 2, keepdims = 0> (x) y = Unsqueeze(r, a)", "[2,3,1]", 1),
        ("r = ReduceMax(x) y = Squeeze(r, abc)", "", 1),
        ("r = ReduceMax(x, none) y = Squeeze(r, abc)", "", 1),
        ("r = ReduceMax <keepdims = 0> (x) y = Unsqueeze(r, abc)", "[1,1,1]", 1),
    ],
)
def test_the_axes_have_to_be_those_reduced(text: str, result: str, left: int) -> None:
    kind = "int64" if "Arg" in text else "float"
    whole = f"""g (float[2,3,4] x) => ({kind}{result or "[]"} y)
        <int64[1] a = {{2}}, int64[1] b = {{1}}, int64[2] ab = {{2, 0}}, int64[2] ba = {{0, -1}},
         int64[3] abc = {{0, 1, 2}}, int64[0] none = {{}}> {{ {text} }}"""
    source = to_proto(parse_model(whole, opset=20))
    if not result:  # ONNX text cannot spell the shape of a scalar
        source.graph.output[0].type.tensor_type.shape.SetInParent()
    done = optimize(source, passes=PASS)
    assert len(ops(done.model)) == left
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    before, after = run_model(source, {"x": x})["y"], run_model(to_proto(done.model), {"x": x})["y"]
    assert before.shape == after.shape
    assert before.tolist() == after.tolist()


def test_no_axes_at_all() -> None:
    text = """g (float[1,3] x) => (float[3] y) <int64[1] a = {0}, int64[0] none = {}> {
        r = ReduceSum <noop_with_empty_axes = 1> (x, none) y = Squeeze(r, a) }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["ReduceSum", "Squeeze"]


def test_axes_known_only_at_run_time() -> None:
    text = """g (float[2,3] x, int64[1] axes) => (float[2,1] y) <int64[1] a = {1}> {
        r = ReduceSum <keepdims = 0> (x, axes) y = Unsqueeze(r, a) }"""
    done = optimize(parse_model(text, opset=20), passes=PASS)
    assert ops(done.model) == ["ReduceSum", "Unsqueeze"]
    assert "known only when the model runs" in reasons(done.records)[0]


def test_a_reduction_with_another_reader_stays() -> None:
    text = """g (float[2,3] x) => (float[2] y, float[2,1] z) <int64[1] a = {1}> {
        r = ReduceSum(x, a) y = Squeeze(r, a) z = Neg(r) }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["ReduceSum", "Squeeze", "Neg"]
    assert "another reader" in reasons(records)[0]
