"""Where the sign of zero can be seen, an addition of zero stays."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "eliminate-zero-addition"
HEAD = "agraph (float[2] x, float[2] z) => (float[2] y) <float[1] zero = {0}, float[1] one = {1}>"


@pytest.mark.parametrize(
    "rest",
    [
        "y = Div(z, t)",
        "y = Reciprocal(t)",
        "y = Pow(t, z)",
        "u = Relu(t)  v = Neg(u)  y = Div(z, v)",
        "u = Div(t, z)  y = Div(z, u)",
        "u = Add(t, zero)  y = Div(z, u)",
    ],
)
def test_it_stays_where_something_divides_by_it(rest: str) -> None:
    model, records = run_passes(f"{HEAD} {{ t = Add(x, zero) {rest} }}", PASS)
    assert "Add" in ops(model)
    assert any("may tell -0.0 from 0.0" in why for why in reasons(records))


@pytest.mark.parametrize(
    "rest",
    [
        "y = Relu(t)",
        "y = Div(t, z)",
        "u = Exp(t)  y = Div(z, u)",
        "u = Mul(t, t)  v = Add(u, one)  y = Div(z, v)",
        "y = Identity(t)",
    ],
)
def test_it_goes_where_nobody_can_tell(rest: str) -> None:
    model, _ = run_passes(f"{HEAD} {{ t = Add(x, zero) {rest} }}", PASS)
    left = [node for node in model.graph if node.op_type == "Add"]
    assert all(node.inputs[1] is not model.graph.initializers["zero"] for node in left)


def test_it_stays_inside_a_branch() -> None:
    text = """agraph (float[2] x, bool c) => (float[2] y) <float[1] zero = {0}> {
        b = If (c) <
            then_branch = t () => (float[2] p) { p = Add(x, zero) },
            else_branch = e () => (float[2] q) { q = Neg(x) }
        >
        y = Reciprocal(b)
    }"""
    model, records = run_passes(text, PASS)
    assert "Add" in ops(model)
    assert any("may leave the subgraph" in why for why in reasons(records))
