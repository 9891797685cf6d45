"""Division by powers of two becomes multiplication; all other divisions stay."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "multiply-by-reciprocal"


def _model(divisor: str, kind: str = "float", division: str = "Div (x, c)") -> str:
    shape = divisor.partition("=")[0]
    return f"""agraph ({kind}[N,3] x, {kind}[3] r) => ({kind}[N,3] y) <{kind}{shape} = {divisor[len(shape) + 1 :]}> {{
            y = {division}
        }}"""


@pytest.mark.parametrize(
    "divisor", [" c = {8.0}", "[3] c = {8.0, -0.25, 1.0}", "[1,3] c = {-2.0, 4.0, 0.5}"]
)
@pytest.mark.parametrize("kind", ["float", "double"])
def test_powers_of_two(divisor: str, kind: str) -> None:
    model, _ = run_passes(_model(divisor, kind), PASS)
    assert ops(model) == ["Mul"]


def test_some_powers_of_two_are_not_enough() -> None:
    model, records = run_passes(_model("[3] c = {8.0, 3.0, 1.0}"), PASS)
    assert ops(model) == ["Div"]
    assert reasons(records) == ["not all divisors are powers of two"]


@pytest.mark.parametrize(
    "divisor", [" c = {3.0}", " c = {0.0}", " c = {1.1754944e-38}", " c = {1.7014118e38}"]
)
def test_other_divisors_stay(divisor: str) -> None:
    # The reciprocals of the largest power of two are too small to be normal numbers.
    model, records = run_passes(_model(divisor), PASS)
    kept = divisor != " c = {1.1754944e-38}"
    assert ops(model) == (["Div"] if kept else ["Mul"])
    assert not reasons(records)


def test_half_precision_has_a_narrower_range() -> None:
    for bits, expected in ((0x7800, ["Div"]), (0x7400, ["Mul"]), (0x0001, ["Div"])):
        model, _ = run_passes(_model(f" c = {{{bits}}}", "float16"), PASS)
        assert ops(model) == expected


def test_integers_and_computed_divisors_stay() -> None:
    model, _ = run_passes(_model(" c = {2}", "int32"), PASS)
    assert ops(model) == ["Div"]
    for division in ("Div (x, r)", "Div (c, x)"):
        model, _ = run_passes(_model(" c = {2.0}", division=division), PASS)
        assert ops(model) == ["Div"]
