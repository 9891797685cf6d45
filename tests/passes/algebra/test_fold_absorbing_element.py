"""Results no operand can change: of integers and booleans, never of floats."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "fold-absorbing-element"


def _text(kind: str, op: str, shape: str = "2,3") -> str:
    result = "bool" if op.split("(")[0] in ("Equal", "Greater", "Less") else kind
    return f"""g ({kind}[{shape}] x) => ({result}[r0,r1] y)
        <{kind} zero = {{0}}, {kind} one = {{1}}, {kind}[4,1,1] zeros = {{0, 0, 0, 0}}> {{
        t = {op}
        y = Identity(t)
    }}"""


@pytest.mark.parametrize(
    ("kind", "op"),
    [
        ("int64", "Mul(x, zero)"),
        ("int32", "Mul(zero, x)"),
        ("uint8", "BitwiseAnd(x, zero)"),
        ("int64", "Sub(x, x)"),
        ("int32", "BitwiseXor(x, x)"),
        ("int64", "Equal(x, x)"),
        ("int64", "Greater(x, x)"),
        ("bool", "And(x, zero)"),
        ("bool", "Or(one, x)"),
        ("bool", "Xor(x, x)"),
    ],
)
def test_it_becomes_a_constant(kind: str, op: str) -> None:
    model, _ = run_passes(_text(kind, op), PASS)
    assert ops(model) == ["Identity"]


def test_a_graph_output_is_computed_by_a_node() -> None:
    model, _ = run_passes("g (int64[2] x) => (int64[2] y) { y = Sub(x, x) }", PASS)
    assert ops(model) == ["Constant"]


def test_a_graph_output_stays_where_constant_holds_floats_alone() -> None:
    text = "g (int64[2] x) => (int64[2] y) { y = Sub(x, x) }"
    model, records = run_passes(text, PASS, opset=8)
    assert ops(model) == ["Sub"]
    assert reasons(records) == ["Constant holds only floats before opset 9"]


def test_the_shape_is_that_of_both_operands() -> None:
    text = _text("int64", "Mul(x, zeros)").replace("[r0,r1] y", "[a,b,c] y")
    model, _ = run_passes(text, PASS)
    (node,) = model.graph
    assert node.inputs[0] is not None
    assert node.inputs[0].const_value is not None
    assert node.inputs[0].const_value.shape.numpy() == (4, 2, 3)


@pytest.mark.parametrize("op", ["Mul(x, zero)", "Sub(x, x)", "Equal(x, x)", "Less(x, x)"])
def test_floats_may_be_nan(op: str) -> None:
    model, records = run_passes(_text("float", op), PASS)
    assert len(ops(model)) == 2
    assert "NaN" in reasons(records)[0]


@pytest.mark.parametrize("op", ["Mul(x, one)", "Div(x, x)", "Add(x, x)"])
def test_what_is_no_absorption_deserves_no_remark(op: str) -> None:
    text = _text("int64", op)
    if "Div" in op:
        text = text.replace("t = Div(x, x)", "u = Abs(x) v = Add(u, one) t = Div(v, v)")
    model, records = run_passes(text, PASS)
    assert reasons(records) == []
    assert op.split("(")[0] in ops(model)


def test_a_shape_known_only_at_run_time() -> None:
    model, records = run_passes(_text("int64", "Sub(x, x)", "N,3"), PASS)
    assert ops(model) == ["Sub", "Identity"]
    assert "not known" in reasons(records)[0]


def test_a_large_result_is_not_stored() -> None:
    model, records = run_passes(_text("int64", "Sub(x, x)", "64,64"), PASS)
    assert ops(model) == ["Sub", "Identity"]
    assert "32768 bytes" in reasons(records)[0]
