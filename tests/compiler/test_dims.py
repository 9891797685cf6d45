"""Dimension names and expressions, read without executing anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.serial.dims import evaluate_dim, is_name, names_in

SIZES = {"a": 2, "b": 3, "c": 7}


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from([*SIZES, "1", "4", "10"]))
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    kind = draw(st.sampled_from(["+", "-", "*", "//", "%", "max", "min"]))
    if kind in ("max", "min"):
        return f"{kind}({left}, {right})"
    return f"({left} {kind} {right})"


@given(expressions())
def test_expressions_mean_what_python_means(text: str) -> None:
    if not any(name in text.replace("max", "") for name in SIZES):
        text = f"({text} + a)"
    scope = {"__builtins__": {}, "max": max, "min": min, **SIZES}
    try:
        expected = eval(text, scope)  # the oracle, on text made above
    except ZeroDivisionError:
        expected = None
    wanted = expected if expected is not None and expected >= 0 else None
    assert evaluate_dim(text, SIZES) == wanted


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("past+seq", 11),
        ("2*batch", 4),
        ("past/2", 3),
        ("past/4", None),
        ("floor(past/4)", 1),
        ("ceil(past/4)", 2),
        ("Max(1, seq)", 5),
        ("seq - past", None),
        ("past + other", None),
        ("unknown", None),
        ("seq/0", None),
        ("__import__('os').getpid()", None),
        ("seq.__class__", None),
        ("seq**9999999", None),
        ("[seq]", None),
        ("(" * 600 + "seq" + ")" * 600, None),
        ("seq" + "+1" * 5000, None),
    ],
)
def test_values(text: str, size: int | None) -> None:
    assert evaluate_dim(text, {"past": 6, "seq": 5, "batch": 2}) == size


def test_a_whole_text_may_be_a_name() -> None:
    assert evaluate_dim("Slice_12 dim 0", {"Slice_12 dim 0": 4}) == 4
    assert evaluate_dim("past+seq", {"past+seq": 4}) == 4


def test_names() -> None:
    assert names_in("past+2*seq") == ("past", "seq")
    assert names_in("unk__12") == ("unk__12",)
    assert names_in("a b") == ("a b",)
    assert names_in("?") == names_in("-1") == names_in("") == ()
    assert [is_name(text) for text in ("N", "2*n", "?", "-1", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]
