"""Neutral elements, to the bit: the sign of zero, NaN, broadcasting and types."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import to_proto
from burnish.passdef import Exactness
from burnish.text import parse_model

BITWISE, FLOAT = "eliminate-neutral-element", "eliminate-zero-addition"
_SPECIAL = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -3.5, 3e38], dtype=np.float32)


def _left(operator: str, passes: str = BITWISE) -> list[str]:
    """What remains of ``operator``; the answers on special numbers are the same bits."""
    proto = to_proto(
        parse_model(
            f"""agraph (float[8] x) => (float[8] y)
            <float zero = {{0.0}}, float nought = {{-0.0}}, float one = {{1.0}}, float two = {{2.0}},
             int32 i = {{1}}, float[1] zeros = {{0.0}}> {{ t = {operator}\n y = Identity(t) }}"""
        )
    )
    done = optimize(proto, passes=passes, allow=Exactness.FLOAT)
    before = run_model(proto, {"x": _SPECIAL})["y"]
    after = run_model(to_proto(done.model), {"x": _SPECIAL})["y"]
    if passes == BITWISE:
        numbers = ~np.isnan(before)
        assert before[numbers].tobytes() == after[numbers].tobytes()
        assert np.isnan(after).tolist() == np.isnan(before).tolist()
    else:
        np.testing.assert_array_equal(before, after)
    return ops(done.model)[:-1]


@pytest.mark.parametrize(
    "operator",
    [
        "Add (x, nought)",
        "Add (nought, x)",
        "Sub (x, zero)",
        "Mul (one, x)",
        "Div (x, one)",
        "Pow (x, one)",
        "Pow (x, i)",
        "Sum (x)",
        "Mean (x)",
        "Max (x)",
        "Min (x)",
    ],
)
def test_it_vanishes_and_every_bit_stays(operator: str) -> None:
    assert _left(operator) == []


@pytest.mark.parametrize(
    "operator",
    [
        "Add (x, zero)",
        "Add (x, zeros)",
        "Sub (x, nought)",
        "Sub (zero, x)",
        "Div (one, x)",
        "Pow (one, x)",
        "Mul (x, two)",
        "Add (x, one)",
    ],
)
def test_it_stays(operator: str) -> None:
    assert len(_left(operator)) == 1


@pytest.mark.parametrize("operator", ["Add (x, zero)", "Add (zeros, x)", "Sub (x, nought)"])
def test_zero_of_either_sign_goes_when_rounding_is_allowed(operator: str) -> None:
    assert _left(operator, FLOAT) == []


@pytest.mark.parametrize("operator", ["Sub (zero, x)", "Add (x, one)"])
def test_what_is_no_addition_of_zero_stays(operator: str) -> None:
    assert len(_left(operator, FLOAT)) == 1


def test_the_reason_names_the_other_pass() -> None:
    _, records = run_passes(
        "agraph (float[2] x) => (float[2] y) <float z = {0.0}> { t = Add(x, z) y = Relu(t) }",
        BITWISE,
    )
    assert any("eliminate-zero-addition" in why for why in reasons(records))


def test_a_bias_is_not_worth_a_remark() -> None:
    _, records = run_passes(
        "agraph (float[2] x) => (float[2] y) <float z = {3.0}> { t = Add(x, z) y = Relu(t) }",
        f"{BITWISE}, {FLOAT}",
    )
    assert reasons(records) == []


@pytest.mark.parametrize("passes", [BITWISE, FLOAT])
@pytest.mark.parametrize(
    ("source", "constant", "left"),
    [
        ("1,3", "float[2,3] c = {%s}", True),
        ("3", "float[1,3] c = {%s}", True),
        ("N,3", "float[2,1] c = {%s}", True),
        ("N,3", "float[1,3] c = {%s}", False),
        ("N,3", "float[3] c = {%s}", False),
        ("2,3", "float[2,3] c = {%s}", False),
        ("N,M", "float[1,1] c = {%s}", False),
    ],
)
def test_a_constant_that_enlarges_the_result_stays(
    passes: str, source: str, constant: str, left: bool
) -> None:
    sizes = constant[constant.index("[") + 1 : constant.index("]")].split(",")
    element = "1.0" if passes == BITWISE else "0.0"
    filled = ", ".join([element] * int(np.prod([int(size) for size in sizes])))
    operator = "Mul" if passes == BITWISE else "Add"
    rank = max(len(sizes), source.count(",") + 1)
    result = ",".join(f"d{i}" for i in range(rank))
    text = f"""agraph (float[{source}] x) => (float[{result}] y) <{constant % filled}> {{
        t = {operator}(x, c)
        y = Neg(t)
    }}"""
    done = optimize(to_proto(parse_model(text)), passes=passes, allow=Exactness.FLOAT)
    assert len(ops(done.model)) == (2 if left else 1)


@pytest.mark.parametrize(
    ("kind", "operator", "constant"),
    [
        ("int32", "Add", "int32 c = {0}"),
        ("int64", "Sub", "int64 c = {0}"),
        ("int32", "Mul", "int32 c = {1}"),
        ("int64", "Div", "int64 c = {1}"),
        ("int32", "BitwiseOr", "int32 c = {0}"),
        ("int32", "BitwiseXor", "int32 c = {0}"),
        ("bool", "And", "bool c = {1}"),
        ("bool", "Or", "bool c = {0}"),
        ("bool", "Xor", "bool c = {0}"),
    ],
)
def test_integers_and_booleans(kind: str, operator: str, constant: str) -> None:
    model, _ = run_passes(
        f"agraph ({kind}[4] x) => ({kind}[4] y) <{constant}> {{ t = {operator}(x, c) y = Identity(t) }}",
        BITWISE,
    )
    assert ops(model) == ["Identity"]


def test_an_initializer_that_callers_may_override_is_no_constant() -> None:
    model, _ = run_passes(
        """agraph (float[2] x, float c) => (float[2] y) <float c = {1.0}> {
            t = Mul(x, c)
            y = Relu(t)
        }""",
        BITWISE,
    )
    assert ops(model) == ["Mul", "Relu"]


def test_before_opset_7_the_left_operand_gives_the_shape() -> None:
    text = """<ir_version: 8, opset_import: ["": 6]>
        agraph (float[2,3] x, float[2,3] z) => (float[2,3] y)
        <float[1] one = {1.0}, float[2,3] ones = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0}> {
            t = Mul <broadcast = 1> (x, one)
            u = Mul(ones, t)
            y = Relu(u)
        }"""
    done = optimize(to_proto(parse_model(text)), passes=BITWISE)
    assert ops(done.model) == ["Mul", "Relu"]
