"""Axes joined for a Transpose and parted after it."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

from burnish.ir import attribute

PASS = "drop-reshapes-around-transpose"


def _model(x: str, join: str, perm: str, apart: str, y: str) -> str:
    joined, parted = len(join.split(",")), len(apart.split(","))
    return f"""agraph (float[{x}] x) => (float[{y}] y)
        <int64[{joined}] join = {{{join}}}, int64[{parted}] apart = {{{apart}}}> {{
            j = Reshape (x, join)
            t = Transpose <perm = [{perm}]> (j)
            y = Reshape (t, apart)
        }}"""


@pytest.mark.parametrize(
    ("x", "join", "perm", "apart", "y", "result"),
    [
        ("B,2,6,4", "-1, 6, 4", "0, 2, 1", "-1, 2, 4, 6", "B,2,4,6", (0, 1, 3, 2)),
        ("2,3,4", "6, 4", "1, 0", "4, 2, 3", "4,2,3", (2, 0, 1)),
        ("2,3,4,5", "6, 20", "1, 0", "4, 5, 2, 3", "4,5,2,3", (2, 3, 0, 1)),
    ],
)
def test_each_axis_is_moved(
    x: str, join: str, perm: str, apart: str, y: str, result: tuple[int, ...]
) -> None:
    model, _ = run_passes(_model(x, join, perm, apart, y), PASS)
    assert ops(model) == ["Transpose"]
    assert attribute(model.graph[0], "perm") == result


@pytest.mark.parametrize("x", ["1,B,2,6,4", "1,1,2,6,4"])
def test_axes_of_one_that_go_on_the_way_are_squeezed(x: str) -> None:
    batch = x.split(",")[1]
    model, _ = run_passes(_model(x, "-1, 6, 4", "0, 2, 1", "-1, 2, 4, 6", f"{batch},2,4,6"), PASS)
    assert ops(model) == ["Squeeze", "Transpose"]


@pytest.mark.parametrize(
    ("x", "join", "perm", "apart", "y"),
    [
        ("2,6,4", "4, 3, 4", "0, 2, 1", "4, 4, 3", "4,4,3"),
        ("2,3,4", "6, 4", "1, 0", "4, 3, 2", "4,3,2"),
        ("2,2,3", "4, 3", "1, 0", "3, 4, 1", "3,4,1"),
    ],
    ids=["axes are mixed", "parted in another order", "parted otherwise"],
)
def test_other_reshapes_stay(x: str, join: str, perm: str, apart: str, y: str) -> None:
    model, _ = run_passes(_model(x, join, perm, apart, y), PASS)
    assert ops(model) == ["Reshape", "Transpose", "Reshape"]
