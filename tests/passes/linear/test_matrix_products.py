"""MatMul and Add into Gemm, and batch normalization into matrices."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import to_proto
from burnish.text import parse_model


def _sum(a: str, b: str, c: str, result: str, kind: str = "float", swap: bool = False) -> str:
    operands = "c, t" if swap else "t, c"
    return f"""agraph ({kind}[{a}] a, {kind}[{b}] b, {kind}{c} c) => ({kind}[{result}] y) {{
        t = MatMul (a, b)
        y = Add ({operands})
    }}"""


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("c", ["[5]", "[1]", "", "[1,5]", "[2,5]", "[2,1]"])
def test_a_bias_that_fits_makes_a_gemm(c: str, swap: bool) -> None:
    model, _ = run_passes(_sum("2,3", "3,5", c, "2,5", swap=swap), "fuse-matmul-add")
    assert ops(model) == ["Gemm"]
    assert [value.name for value in model.graph[0].inputs if value] == ["a", "b", "c"]


def test_rows_of_unknown_number() -> None:
    model, _ = run_passes(_sum("N,3", "3,5", "[N,5]", "N,5"), "fuse-matmul-add")
    assert ops(model) == ["Gemm"]


@pytest.mark.parametrize(
    ("a", "b", "c", "result"),
    [
        ("1,3", "3,5", "[4,5]", "4,5"),
        ("2,3", "3,1", "[4]", "2,4"),
        ("2,3", "3,5", "[1,2,5]", "1,2,5"),
        ("6,2,3", "3,5", "[5]", "6,2,5"),
        ("3", "3,5", "[5]", "5"),
        ("1,3", "3,5", "[N,5]", "N,5"),
    ],
)
def test_what_gemm_cannot_say_stays(a: str, b: str, c: str, result: str) -> None:
    model, records = run_passes(_sum(a, b, c, result), "fuse-matmul-add")
    assert ops(model) == ["MatMul", "Add"]
    assert reasons(records)


def test_integers_stay() -> None:
    model, records = run_passes(_sum("2,3", "3,5", "[5]", "2,5", "int32"), "fuse-matmul-add")
    assert ops(model) == ["MatMul", "Add"]
    assert reasons(records) == ["Gemm at opset 20 is not for int32"]


_STATISTICS = """float[2] scale = {2.0, -0.5}, float[2] bias = {1.0, 0.25},
    float[2] mean = {0.5, -1.0}, float[2] var = {4.0, 0.3}"""


def _normalised(product: str, more: str, weight: str = "3,2") -> str:
    return f"""agraph (float[N,3] a, float[2] r) => (float[N,2] y)
        <float[{weight}] w = {{1.0, -2.0, 0.5, 3.0, 0.1, 0.7}}, {more}, {_STATISTICS}> {{
            t = {product}
            y = BatchNormalization (t, scale, bias, mean, var)
        }}"""


@pytest.mark.parametrize(
    ("product", "more", "weight"),
    [
        ("Gemm (a, w, c)", "float[2] c = {1.0, 2.0}", "3,2"),
        ("Gemm (a, w)", "float[2] c = {1.0, 2.0}", "3,2"),
        ("Gemm <transB = 1> (a, w, c)", "float[1,2] c = {1.0, 2.0}", "2,3"),
        ("Gemm <alpha = 0.5, beta = 3.0> (a, w, c)", "float[1] c = {1.5}", "3,2"),
        ("Gemm <beta = 3.0> (a, w, c)", "float c = {1.5}", "3,2"),
        ("MatMul (a, w)", "float c = {1.0}", "3,2"),
    ],
)
def test_batch_norm_goes_into_the_matrix(product: str, more: str, weight: str) -> None:
    model, _ = run_passes(_normalised(product, more, weight), "fold-batch-norm-into-gemm")
    assert ops(model) == ["Gemm"]


def test_an_addend_that_differs_between_rows_stays() -> None:
    text = _normalised("Gemm (a, w, c)", "float[3,1] c = {1.0, 2.0, 3.0}").replace("[N,", "[3,")
    model, records = run_passes(text, "fold-batch-norm-into-gemm")
    assert ops(model) == ["Gemm", "BatchNormalization"]
    assert reasons(records) == ["the addend differs between rows"]


def test_a_computed_addend_stays() -> None:
    model, _ = run_passes(
        _normalised("Gemm (a, w, r)", "float c = {1.0}"), "fold-batch-norm-into-gemm"
    )
    assert ops(model) == ["Gemm", "BatchNormalization"]


def test_gemm_before_opset_7_stays() -> None:
    text = _sum("2,3", "3,5", "[2,5]", "2,5")
    done = optimize(to_proto(parse_model(text, opset=6)), passes="fuse-matmul-add")
    assert ops(done.model) == ["MatMul", "Add"]
