"""Divisions that would end the process, found by review."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

from burnish.driver import optimize
from burnish.text import parse_model


@pytest.mark.parametrize("op_type", ["Div", "Mod"])
@pytest.mark.parametrize("divisor", [0, -1])
def test_integer_divisions_that_trap_are_not_evaluated(op_type: str, divisor: int) -> None:
    """The smallest integer divided by -1 is a floating point exception, which ends Python."""
    text = f"""g (int32[200] x, bool c) => (int32[200] z) <int64[1] s = {{200}}> {{
        z = If (c) <
            then_branch = yes () => (int32[200] a) {{ a = Neg(x) }},
            else_branch = no () => (int32[200] b) {{
                k = ConstantOfShape <value = int32[1] {{-2147483648}}> (s)
                n = Constant <value = int32[1] {{{divisor}}}> ()
                d = {op_type}(k, n)
                b = Add(x, d)
            }}>
    }}"""
    model = optimize(parse_model(text), passes="O2").model
    assert op_type in ops(model)


def test_other_integer_divisions_are_evaluated() -> None:
    text = """g (int32[200] x) => (int32[200] z) <int64[1] s = {200}, int32[1] n = {7}> {
        k = ConstantOfShape <value = int32[1] {100}> (s)
        d = Div(k, n)
        z = Add(x, d)
    }"""
    assert ops(optimize(parse_model(text), passes="O2").model) == ["Add"]


def test_before_opset_9_a_constant_holds_only_floats() -> None:
    text = """agraph (float[2] x) => (float[2] y, int64[2] z, float[2] f)
        <float[2] c = {1.5, 2.5}> {
            y = Relu (x)
            z = Cast <to = 7> (c)
            f = Neg (c)
        }"""
    model, _ = run_passes(text, "fold-constants", opset=8)
    assert sorted(ops(model)) == ["Cast", "Constant", "Relu"]
