"""Chains of arithmetic with constants, and those that must stay."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "merge-constant-steps"
_CONSTANTS = "float a = {2.0}, float[3] b = {1.5, -3.0, 4.0}, float[1,3] c = {0.5, 2.0, 8.0}"

_CANCELLED = "the constants nearly cancel, so that the first may be there to round"


def _model(steps: str, constants: str = _CONSTANTS, x: str = "N,3", kind: str = "float") -> str:
    return f"""agraph ({kind}[{x}] x, {kind}[3] r) => ({kind}[p,q] y) <{constants}> {{
            {steps}
        }}"""


def _chain(*steps: str) -> str:
    names = [*"stuvw"[: len(steps) - 1], "y"]
    return " ".join(f"{name} = {step}" for name, step in zip(names, steps, strict=True))


_SUMS = ["Add ({x}, {k})", "Add ({k}, {x})", "Sub ({x}, {k})", "Sub ({k}, {x})"]
_PRODUCTS = ["Mul ({x}, {k})", "Mul ({k}, {x})", "Div ({x}, {k})", "Div ({k}, {x})"]


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("b", "a"), ("c", "b"), ("a", "a")])
@pytest.mark.parametrize("family", [_SUMS, _PRODUCTS])
@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("second", range(4))
def test_two_become_one(family: list[str], first: int, second: int, one: str, other: str) -> None:
    text = _chain(family[first].format(x="x", k=one), family[second].format(x="s", k=other))
    constants = _CONSTANTS.replace("1.5, -3.0, 4.0", "5.0, 3.5, 6.0")
    model, records = run_passes(_model(text, constants), PASS)
    if reasons(records):  # x - a + a
        assert one == other
        assert reasons(records) == [_CANCELLED]
    else:
        assert ops(model) in (["Add"], ["Sub"], ["Mul"], ["Div"])


@pytest.mark.parametrize("third", ["Mul (t, c)", "Div (t, c)", "Mul (c, t)"])
@pytest.mark.parametrize("second", ["Add (s, b)", "Sub (s, b)", "Add (b, s)"])
@pytest.mark.parametrize("first", ["Mul (x, a)", "Div (x, a)"])
def test_a_factor_is_distributed(first: str, second: str, third: str) -> None:
    model, _ = run_passes(_model(_chain(first, second, third)), PASS)
    assert ops(model) == ["Mul", "Add"]


@pytest.mark.parametrize("third", ["Add (t, c)", "Sub (t, c)", "Add (c, t)"])
@pytest.mark.parametrize("second", ["Mul (s, b)", "Div (s, b)", "Mul (b, s)"])
@pytest.mark.parametrize("first", ["Add (x, a)", "Sub (x, a)", "Sub (a, x)"])
def test_an_offset_is_distributed(first: str, second: str, third: str) -> None:
    model, _ = run_passes(_model(_chain(first, second, third)), PASS)
    assert ops(model) == ["Mul", "Add"]


def test_the_image_chain_is_one_factor_and_one_offset() -> None:
    text = _chain("Div (x, k)", "Sub (s, m)", "Div (t, d)")
    constants = (
        "float k = {255.0}, float[3] m = {0.485, 0.456, 0.406}, float[3] d = {0.2, 0.3, 1.0}"
    )
    model, _ = run_passes(_model(text, constants), PASS)
    assert ops(model) == ["Mul", "Add"]


def test_integers_wrap_as_before() -> None:
    for kind, big in (("int32", 2147483647), ("int64", 9223372036854775807)):
        constants = f"{kind} a = {{{big}}}, {kind} b = {{3}}"
        for steps in (_chain("Add (x, a)", "Add (s, b)"), _chain("Mul (x, a)", "Mul (s, b)")):
            model, _ = run_passes(_model(steps, constants, kind=kind), PASS)
            assert len(ops(model)) == 1
        model, _ = run_passes(
            _model(_chain("Sub (a, x)", "Sub (b, s)"), constants, kind=kind), PASS
        )
        assert ops(model) == ["Add"]


def test_quotients_of_integers_stay() -> None:
    constants = "int32 a = {3}, int32 b = {2}"
    for steps in (
        _chain("Div (x, a)", "Mul (s, b)"),
        _chain("Mul (x, a)", "Div (s, b)"),
        _chain("Div (x, a)", "Div (s, b)"),
    ):
        model, records = run_passes(_model(steps, constants, kind="int32"), PASS)
        assert len(ops(model)) == 2
        assert reasons(records) == ["a quotient of integers is rounded"]


def test_rounding_with_a_large_constant_stays() -> None:
    steps = _chain("Add (x, a)", "Sub (s, a)")
    model, records = run_passes(_model(steps, "float a = {12582912.0}"), PASS)
    assert ops(model) == ["Add", "Sub"]
    assert reasons(records) == [_CANCELLED]
    steps = _chain("Sub (x, a)", "Mul (s, b)", "Add (t, c)")
    constants = "float a = {1.0e6}, float b = {10.0}, float c = {1.0}"
    model, records = run_passes(_model(steps, constants), PASS)
    assert ops(model) == ["Sub", "Mul", "Add"]
    assert reasons(records) == [_CANCELLED]


@pytest.mark.parametrize(
    ("constants", "why"),
    [
        ("float a = {1.0e-30}, float b = {1.0e-30}", "the new factor is too small for its type"),
        (
            "float a = {1.0e30}, float b = {1.0e30}",
            "the new constant has values that are not finite",
        ),
        (
            "float[2,1] a = {1.5, 2.0}, float[3] b = {1.5, 2.0, 3.0}",
            "the new constant would be lar",
        ),
    ],
)
def test_what_does_not_fit_one_constant_stays(constants: str, why: str) -> None:
    steps = _chain("Mul (x, a)", "Mul (s, b)")
    model, records = run_passes(_model(steps, constants, x="2,3"), PASS)
    assert ops(model) == ["Mul", "Mul"]
    assert reasons(records)[0].startswith(why)


def test_computed_operands_and_other_readers_stay() -> None:
    model, records = run_passes(_model(_chain("Mul (x, r)", "Mul (s, a)")), PASS)
    assert ops(model) == ["Mul", "Mul"]
    assert not reasons(records)
    model, records = run_passes(_model("s = Mul (x, a) t = Mul (s, b) y = Add (s, t)"), PASS)
    assert ops(model) == ["Mul", "Mul", "Add"]
    assert reasons(records) == ["s has another reader"]


def test_sums_and_products_do_not_mix() -> None:
    for steps in (_chain("Add (x, a)", "Mul (s, b)"), _chain("Mul (x, a)", "Add (s, b)")):
        model, records = run_passes(_model(steps), PASS)
        assert len(ops(model)) == 2
        assert not reasons(records)
