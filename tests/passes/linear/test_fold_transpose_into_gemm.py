"""Transposes of matrices in front of Gemm and MatMul, and constants on the left."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import attribute, to_proto
from burnish.text import parse_model

PASS = "fold-transpose-into-gemm"
TURN = "Transpose <perm = [1, 0]>"


def _model(body: str, a: str = "3,4", b: str = "4,5", result: str = "3,5") -> str:
    return f"""agraph (float[{a}] a, float[{b}] b, float[5] c) => (float[{result}] y)
        <float[5,4] w = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}}> {{
            {body}
        }}"""


@pytest.mark.parametrize(
    ("body", "a", "b", "flags"),
    [
        (f"t = {TURN} (b) y = Gemm (a, t, c)", "3,4", "5,4", (0, 1)),
        (f"t = {TURN} (a) y = Gemm (t, b, c)", "4,3", "4,5", (1, 0)),
        ("t = Transpose (a) y = Gemm <alpha = 0.5> (t, b)", "4,3", "4,5", (1, 0)),
        (f"t = {TURN} (b) y = Gemm <transB = 1> (a, t, c)", "3,4", "4,5", (0, 0)),
        (f"t = {TURN} (a) y = Gemm <transA = 1, beta = 2.0> (t, b, c)", "3,4", "4,5", (0, 0)),
        (f"t = {TURN} (a) u = {TURN} (b) y = Gemm (t, u, c)", "4,3", "5,4", (1, 1)),
        (f"t = {TURN} (b) y = MatMul (a, t)", "3,4", "5,4", (0, 1)),
        (f"t = {TURN} (a) y = MatMul (t, b)", "4,3", "4,5", (1, 0)),
        (f"t = {TURN} (a) u = Transpose (b) y = MatMul (t, u)", "4,3", "5,4", (1, 1)),
    ],
)
def test_it_folds(body: str, a: str, b: str, flags: tuple[int, int]) -> None:
    model, _ = run_passes(_model(body, a, b), PASS)
    assert ops(model) == ["Gemm"]
    gemm = model.graph[0]
    assert (attribute(gemm, "transA", 0), attribute(gemm, "transB", 0)) == flags


@pytest.mark.parametrize(
    ("body", "a", "result"),
    [
        # Such a Transpose moves nothing; taking it for one that does is a mistake of peers.
        ("t = Transpose <perm = [0, 1]> (a) y = Gemm (t, b, c)", "3,4", "3,5"),
        ("t = Transpose <perm = [0, 1]> (a) y = MatMul (t, b)", "3,4", "3,5"),
        ("t = Transpose <perm = [0, 2, 1]> (a) y = MatMul (t, b)", "2,4,3", "2,3,5"),
        ("t = Transpose <perm = [1, 0, 2]> (a) y = MatMul (t, b)", "3,2,4", "2,3,5"),
        ("t = Transpose (b) y = MatMul (a, t)", "2,3,5", "2,3,4"),
        ("t = Transpose (a) y = MatMul (t, b)", "4", "5"),
    ],
)
def test_other_transposes_stay(body: str, a: str, result: str) -> None:
    model, records = run_passes(_model(body, a, result=result), PASS)
    assert ops(model)[0] == "Transpose"
    assert not reasons(records)


def test_a_transpose_with_other_readers_stays_for_them() -> None:
    body = f"t = {TURN} (a) u = Gemm (t, b, c) v = Relu (t) w2 = MatMul (v, b) y = Add (u, w2)"
    model, _ = run_passes(_model(body, "4,3"), PASS)
    assert ops(model) == ["Transpose", "Gemm", "Relu", "MatMul", "Add"]
    assert model.graph[1].inputs[0] is model.graph.inputs[0]


def test_a_transpose_with_other_readers_does_not_make_a_gemm_of_matmul() -> None:
    body = f"t = {TURN} (a) u = MatMul (t, b) v = Relu (t) w2 = MatMul (v, b) y = Add (u, w2)"
    model, records = run_passes(_model(body, "4,3"), PASS)
    assert ops(model).count("MatMul") == 2
    assert reasons(records) == ["t has another reader"]


def test_a_tied_weight_is_not_doubled() -> None:
    text = """agraph (bool[N] k, float[N,4] x) => (float[N,4] e, float[N,5] y)
        <float[5,4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}> {
            i = Cast <to = 7> (k)
            e = Gather (w, i)
            t = Transpose <perm = [1, 0]> (w)
            y = MatMul (x, t)
        }"""
    model, _ = run_passes(text, f"{PASS}, remove-dead-code")
    assert ops(model) == ["Cast", "Gather", "Gemm"]
    assert list(model.graph.initializers) == ["w"]


def test_a_dequantized_weight_keeps_its_matmul() -> None:
    text = """agraph (float[N,2] x) => (float[N,3] y)
        <int8[3,2] w = {1, 2, 3, 4, 5, 6}, float s = {0.5}> {
            d = DequantizeLinear (w, s)
            t = Transpose <perm = [1, 0]> (d)
            y = MatMul (x, t)
        }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["DequantizeLinear", "Transpose", "MatMul"]
    assert reasons(records) == ["runtimes look for MatMul behind a DequantizeLinear"]


def test_integers_stay() -> None:
    text = _model(f"t = {TURN} (b) y = MatMul (a, t)", "3,4", "5,4")
    text = text.replace("float[", "int32[")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Transpose", "MatMul"]
    assert reasons(records) == ["Gemm at opset 20 is not for int32"]


def test_a_gemm_needs_an_addend_before_opset_11() -> None:
    text = _model(f"t = {TURN} (b) y = MatMul (a, t)", "3,4", "5,4")
    done = optimize(to_proto(parse_model(text, opset=9)), passes=PASS)
    assert ops(done.model) == ["Transpose", "MatMul"]
    assert reasons(done.records) == ["Gemm at opset 9 does not take 2 inputs"]


def test_a_constant_on_the_left_keeps_the_order_of_the_product() -> None:
    body = "t = MatMul (w, a) y = Add (t, c)"
    model, _ = run_passes(_model(body, "4,5", result="5,5"), "fuse-matmul-add")
    assert ops(model) == ["Gemm"]
    assert [value.name for value in model.graph[0].inputs if value] == ["w", "a", "c"]
