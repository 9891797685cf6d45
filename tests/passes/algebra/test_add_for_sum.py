"""A Sum of two operands is an Add, one of three is none."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

PASS = "add-for-sum"


@pytest.mark.parametrize("opset", [8, 20])
def test_two_operands_that_broadcast(opset: int) -> None:
    text = "g (float[2, 3] a, float[3] b) => (float[2, 3] y) { y = Sum (a, b) }"
    model, _ = run_passes(text, PASS, opset=opset)
    assert ops(model) == ["Add"]


@pytest.mark.parametrize(("count", "operands"), [(1, "a"), (3, "a, b, a")])
def test_other_numbers_of_operands(count: int, operands: str) -> None:
    text = f"g (float[2] a, float[2] b) => (float[2] y) {{ t = Sum ({operands}) y = Mul (t, b) }}"
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Sum", "Mul"], count
