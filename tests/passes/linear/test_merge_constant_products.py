"""Two constant matrices become one, if that is less work."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "merge-constant-products"


def _matrix(name: str, rows: int, columns: int) -> str:
    numbers = ", ".join(str((7 * i + 3) % 11 / 4 - 1) for i in range(rows * columns))
    return f"float[{rows},{columns}] {name} = {{{numbers}}}"


def _model(steps: str, constants: str, x: str = "B,N,3", y: str = "B,N,4") -> str:
    return f"agraph (float[{x}] x, float[4] r) => (float[{y}] y) <{constants}> {{ {steps} }}"


_V, _W, _B = _matrix("v", 3, 5), _matrix("w", 5, 4), "float[5] b = {1.0, 2.0, 3.0, 4.0, 5.0}"
_D = "float[4] d = {1.0, -2.0, 3.0, 4.0}"


def test_two_right_matrices() -> None:
    model, _ = run_passes(_model("t = MatMul (x, v) y = MatMul (t, w)", f"{_V}, {_W}"), PASS)
    assert ops(model) == ["MatMul"]


def test_a_bias_between_them() -> None:
    steps = "t = MatMul (x, v) u = Add (b, t) y = MatMul (u, w)"
    model, _ = run_passes(_model(steps, f"{_V}, {_W}, {_B}"), PASS)
    assert ops(model) == ["MatMul", "Add"]


def test_a_bias_that_differs_between_rows_stays() -> None:
    steps = "t = MatMul (x, v) u = Add (b, t) y = MatMul (u, w)"
    bias = _matrix("b", 2, 5)
    text = _model(steps, f"{_V}, {_W}, {bias}", "1,2,3", "1,2,4")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Add", "MatMul"]
    assert reasons(records) == ["the bias is not one number for each column"]


def test_two_left_matrices() -> None:
    constants = f"{_matrix('v', 5, 3)}, {_matrix('w', 4, 5)}"
    steps = "t = MatMul (v, x) y = MatMul (w, t)"
    model, _ = run_passes(_model(steps, constants, "B,3,N", "B,4,N"), PASS)
    assert ops(model) == ["MatMul"]


@pytest.mark.parametrize("inner", ["Gemm (x, v)", "Gemm <alpha = 0.5, beta = 3.0> (x, v, b)"])
@pytest.mark.parametrize("outer", ["Gemm (t, w)", "Gemm <alpha = 2.0, beta = 0.25> (t, w, d)"])
def test_two_gemms(inner: str, outer: str) -> None:
    steps = f"t = {inner} y = {outer}"
    model, _ = run_passes(_model(steps, f"{_V}, {_W}, {_B}, {_D}", "N,3", "N,4"), PASS)
    assert ops(model) == ["Gemm"]


def test_two_gemms_of_transposed_matrices() -> None:
    constants = f"{_matrix('v', 5, 3)}, {_matrix('w', 4, 5)}, {_B}"
    steps = "t = Gemm <transA = 1, transB = 1> (x, v, b) y = Gemm <transB = 1> (t, w, r)"
    model, records = run_passes(_model(steps, constants, "3,N", "N,4"), PASS)
    assert ops(model) == ["Gemm", "Gemm"]
    assert reasons(records) == ["the addend of the second is not a constant"]
    steps = steps.replace(", r)", ")")
    model, _ = run_passes(_model(steps, constants, "3,N", "N,4"), PASS)
    assert ops(model) == ["Gemm"]
    steps = steps.replace(", b)", ")").replace("(t, w)", "(t, w, r)")
    model, _ = run_passes(_model(steps, constants, "3,N", "N,4"), PASS)
    assert ops(model) == ["Gemm"]


def test_a_gemm_that_transposes_the_first_result_stays() -> None:
    steps = "t = Gemm (x, v) y = Gemm <transA = 1> (t, w)"
    constants = f"{_V}, {_matrix('w', 2, 4)}"
    model, records = run_passes(_model(steps, constants, "2,3", "5,4"), PASS)
    assert ops(model) == ["Gemm", "Gemm"]
    assert reasons(records) == ["the result of the first is transposed"]


def test_a_bottleneck_stays() -> None:
    constants = f"{_matrix('v', 6, 2)}, {_matrix('w', 2, 6)}"
    steps = "t = MatMul (x, v) y = MatMul (t, w)"
    model, records = run_passes(_model(steps, constants, "N,6", "N,6"), PASS)
    assert ops(model) == ["MatMul", "MatMul"]
    assert reasons(records) == ["one product would be more multiplications than two"]


def test_a_matrix_with_another_reader_stays() -> None:
    text = _model("t = MatMul (x, v) u = MatMul (t, w) k = MatMul (x, v)", f"{_V}, {_W}")
    text = text.replace("k = MatMul (x, v)", "k = MatMul (x, v) m = ReduceMax (k) y = Add (u, m)")
    model, records = run_passes(text.replace("B,N", "1,2"), PASS)
    assert ops(model).count("MatMul") == 3
    assert reasons(records) == ["a matrix has another reader and would stay"]


def test_batches_of_matrices_and_integers_stay() -> None:
    constants = "float[2,1,1] v = {1.0, 2.0}, float[2,1,1] w = {1.0, 2.0}"
    steps = "t = MatMul (x, v) y = MatMul (t, w)"
    model, _ = run_passes(_model(steps, constants, "2,N,1", "2,N,1"), PASS)
    assert ops(model) == ["MatMul", "MatMul"]
    text = _model(steps, "float[1,1] v = {3.0}, float[1,1] w = {2.0}", "N,1", "N,1")
    text = text.replace("float", "int32").replace(".0", "")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "MatMul"]
