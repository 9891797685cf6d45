"""Concats read twice and casts to bool, found by review."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import all_nodes


def test_a_chain_of_doublings_stays_small() -> None:
    lines = [f"t{number + 1} = Concat <axis = 0> (t{number}, t{number})" for number in range(18)]
    text = f"""g (float[1] x) => (float[262144] y) {{
        t0 = Relu(x)
        {chr(10).join(lines)}
        y = Neg(t18)
    }}"""
    model, records = run_passes(text, "compose-concats")
    assert max(len(node.inputs) for node in all_nodes(model)) <= 128
    assert "its operands would be repeated too often" in reasons(records)


def test_an_operand_read_often_is_still_flattened() -> None:
    text = """g (float[1] a, float[2] b) => (float[15] y) {
        t = Concat <axis = 0> (a, b)
        y = Concat <axis = 0> (t, t, t, t, t)
    }"""
    model, _ = run_passes(text, "compose-concats")
    assert ops(model) == ["Concat"]


@pytest.mark.parametrize("narrow", [17, 19])  # float8e4m3fn, float8e5m2
def test_casts_from_float8_to_bool_keep_the_detour(narrow: int) -> None:
    """ONNX Runtime takes -0.0 of float8 for true, and of float for false."""
    text = f"""g (float[2] x) => (bool[2] y) <float[1] zero = {{-0.0}}> {{
        z = Mul(x, zero)
        a = Cast <to = {narrow}> (z)
        b = Cast <to = 1> (a)
        y = Cast <to = 9> (b)
    }}"""
    model, _ = run_passes(text, "compose-casts")
    assert ops(model).count("Cast") == 3
