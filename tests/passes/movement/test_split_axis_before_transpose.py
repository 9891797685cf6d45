"""Splitting an axis on the other side of a Transpose: split-axis-before-transpose."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

from burnish.ir import attribute

PASS = "split-axis-before-transpose"


def _model(
    joined: str, perm: str, apart: str, x: str = "3,2,8", y: str = "2,4,3,2", extra: str = ""
) -> str:
    axes = len(perm.split(","))
    return f"""agraph (float[{x}] x) => (float[{y}] y{extra})
        <int64[{len(joined.split(","))}] joined = {{{joined}}},
         int64[{len(apart.split(","))}] apart = {{{apart}}}> {{
        a = Reshape (x, joined)
        b = Transpose <perm = [{perm if axes else ""}]> (a)
        y = Reshape (b, apart)
    }}"""


@pytest.mark.parametrize(
    ("text", "perm"),
    [
        (_model("3, 8, 2", "1, 0, 2", "2, 4, 3, 2"), (1, 2, 0, 3)),
        (_model("3, 2, 8", "2, 0, 1", "2, 4, 3, 2"), (2, 3, 0, 1)),
        (_model("3, 4, 4", "2, 1, 0", "4, 4, 3, 1", y="4,4,3,1"), (3, 2, 0, 1)),
        (_model("0, -1, 2", "1, 0, 2", "2, 4, -1, 2", x="N,2,8", y="2,4,N,2"), (1, 2, 0, 3)),
    ],
    ids=["the first axis", "the last axis", "of one element", "unknown length"],
)
def test_the_axis_is_split_first(text: str, perm: tuple[int, ...]) -> None:
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Reshape", "Transpose"]
    assert attribute(model.graph[1], "perm") == perm


@pytest.mark.parametrize(
    "text",
    [
        _model("3, 8, 2", "1, 0, 2", "4, 2, 6, 1", y="4,2,6,1"),
        _model("3, 8, 2", "1, 0, 2", "8, 6", y="8,6"),
        _model("3, 8, 2", "1, 0, 2", "2, 2, 2, 3, 2", y="2,2,2,3,2"),
        _model("3, 8, 2", "1, 0, 2", "2, 4, 3, 2", extra=", float[3,8,2] a"),
    ],
    ids=["across axes", "joining", "two splits", "another reader"],
)
def test_what_must_stay(text: str) -> None:
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Reshape", "Transpose", "Reshape"]
