"""BatchNormalization behind a MatMul whose axes are rearranged."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "fold-batch-norm-across-views"
_CONSTANTS = """float[3,2] w = {1.0, -2.0, 0.5, 3.0, 0.1, 0.7}, float[2] b = {1.0, 2.0},
    float[2] scale = {2.0, -0.5}, float[2] bias = {1.0, 0.25},
    float[2] mean = {0.5, -1.0}, float[2] var = {4.0, 0.3},
    int64[2] rows = {-1, 2}, int64[4] square = {-1, 2, 2, 1}, int64[2] pairs = {2, -1}"""


def _model(view: str, a: str = "B,N,3", y: str = "p,q,r", bias: bool = True) -> str:
    product = "s = MatMul (a, w) t = Add (s, b)" if bias else "t = MatMul (a, w)"
    return f"""agraph (float[{a}] a) => (float[{y}] y) <{_CONSTANTS}> {{
            {product}
            v = {view}
            y = BatchNormalization (v, scale, bias, mean, var)
        }}"""


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("view", "a", "y"),
    [
        ("Transpose <perm = [0, 2, 1]> (t)", "B,N,3", "p,q,r"),
        ("Transpose <perm = [1, 3, 0, 2]> (t)", "B,4,5,3", "p,q,r,s"),
        ("Reshape (t, rows)", "B,N,3", "p,q"),
        ("Reshape (t, pairs)", "2,1,3", "p,q"),
    ],
)
def test_it_folds(view: str, a: str, y: str, bias: bool) -> None:
    model, _ = run_passes(_model(view, a, y, bias), PASS)
    assert ops(model) == ["MatMul", "Add", view.split()[0]]


@pytest.mark.parametrize(
    ("view", "a", "y"),
    [
        ("Transpose <perm = [0, 1, 2]> (t)", "B,2,3", "p,q,r"),
        ("Transpose <perm = [2, 1, 0]> (t)", "B,2,3", "p,q,r"),
        ("Reshape (t, square)", "2,2,3", "p,q,r,s"),
    ],
)
def test_other_channels_stay(view: str, a: str, y: str) -> None:
    model, records = run_passes(_model(view, a, y), PASS)
    assert ops(model)[-1] == "BatchNormalization"
    assert reasons(records) == ["the columns of MatMul do not become the channels"]
