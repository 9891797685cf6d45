"""Reductions of reductions: where the second one's axes lie, what is kept."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "compose-reductions"


def _text(inner: str, outer: str, rank: int, op: str = "ReduceSum", kind: str = "float") -> str:
    names = ",".join(f"d{i}" for i in range(rank))
    return f"""g ({kind}[2,3,4,5] x) => ({kind}[{names}] y)
        <int64[1] one = {{1}}, int64[1] last = {{-1}}, int64[2] both = {{0, 1}}> {{
        t = {op} <keepdims = {inner[0]}> (x, {inner[2:]})
        y = {op} <keepdims = {outer[0]}> (t, {outer[2:]})
    }}"""


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"])
@pytest.mark.parametrize(
    ("inner", "outer", "rank"),
    [
        ("0 one", "0 one", 2),  # the second one is axis 2 of x
        ("0 last", "0 both", 1),
        ("1 one", "1 last", 4),
        ("1 one", "1 both", 4),
        ("1 one", "0 both", 2),
        ("0 both", "0 last", 1),
    ],
)
def test_they_become_one(op: str, inner: str, outer: str, rank: int) -> None:
    model, _ = run_passes(_text(inner, outer, rank, op), PASS)
    assert ops(model) == [op]


@pytest.mark.parametrize(
    ("inner", "outer", "rank"), [("0 one", "1 one", 3), ("1 one", "0 last", 3)]
)
def test_axes_of_which_some_stay(inner: str, outer: str, rank: int) -> None:
    model, records = run_passes(_text(inner, outer, rank), PASS)
    assert len(ops(model)) == 2
    assert "keeps its axes" in reasons(records)[0]


def test_a_mean_of_rounded_means() -> None:
    model, records = run_passes(_text("0 one", "0 one", 2, "ReduceMean", "int32"), PASS)
    assert len(ops(model)) == 2
    assert "rounded" in reasons(records)[0]


def test_sums_of_integers_wrap_alike() -> None:
    model, _ = run_passes(_text("0 one", "0 one", 2, "ReduceSum", "int32"), PASS)
    assert len(ops(model)) == 1


def test_different_reductions_deserve_no_remark() -> None:
    text = _text("0 one", "0 one", 2).replace("y = ReduceSum", "y = ReduceMax")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["ReduceSum", "ReduceMax"]
    assert reasons(records) == []


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_each_opset_spells_the_axes_its_own_way(opset: int) -> None:
    spelled = "<axes = [1], keepdims = 0> (%s)" if opset < 18 else "<keepdims = 0> (%s, one)"
    text = f"""g (float[2,3,4] x) => (float[2] y) <int64[1] one = {{1}}> {{
        t = ReduceMax {spelled % "x"} y = ReduceMax {spelled % "t"} }}"""
    assert ops(run_passes(text, PASS, opset=opset)[0]) == ["ReduceMax"]


def test_a_reduction_over_nothing_is_left_to_others() -> None:
    text = """g (float[2,3] x) => (float[2,1] y) <int64[0] none = {}, int64[1] one = {1}> {
        t = ReduceSum <noop_with_empty_axes = 1> (x, none) y = ReduceSum(t, one) }"""
    assert ops(run_passes(text, PASS)[0]) == ["ReduceSum", "ReduceSum"]
