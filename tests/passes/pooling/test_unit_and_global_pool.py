"""Poolings over one element, and means over all of space."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

UNIT = "eliminate-unit-pool"
GLOBAL = "raise-global-average-pool"


def _pool(op: str, outputs: str = "") -> str:
    return f"""agraph (float[N,2,5,6] x) => (float[a,b,c,d] y{outputs}) {{
        r = Relu (x)
        {op}
        y = Neg (t)
    }}"""


@pytest.mark.parametrize(
    "op",
    [
        "t = MaxPool <kernel_shape = [1, 1]> (r)",
        "t = MaxPool <kernel_shape = [1, 1], strides = [1, 1], dilations = [2, 2]> (r)",
        't = AveragePool <kernel_shape = [1, 1], auto_pad = "SAME_UPPER"> (r)',
        "t = AveragePool <kernel_shape = [1, 1], pads = [0, 0, 0, 0]> (r)",
    ],
)
def test_one_element_is_its_own_mean_and_maximum(op: str) -> None:
    model, _ = run_passes(_pool(op), UNIT)
    assert ops(model) == ["Relu", "Neg"]


@pytest.mark.parametrize(
    ("op", "why"),
    [
        ("MaxPool <kernel_shape = [1, 1], strides = [2, 1]> (r)", ["it leaves elements out"]),
        ("MaxPool <kernel_shape = [1, 2]> (r)", []),
        ("LpPool <kernel_shape = [1, 1]> (r)", []),
    ],
)
def test_other_windows_stay(op: str, why: list[str]) -> None:
    text = _pool(f"t = {op}")
    model, records = run_passes(text, UNIT)
    assert len(ops(model)) == 3
    assert reasons(records) == why


def test_positions_of_the_maxima_keep_the_pooling() -> None:
    text = _pool("t, i = MaxPool <kernel_shape = [1, 1]> (r)", ", int64[e,f,g,h] i")
    model, records = run_passes(text, UNIT)
    assert ops(model) == ["Relu", "MaxPool", "Neg"]
    assert reasons(records) == ["i is a graph output"]


def _mean(op: str, shape: str = "N,3,H,W", kind: str = "float") -> str:
    rank = 2 if "keepdims = 0" in op else len(shape.split(","))
    result = ",".join("abcde"[:rank])
    return f"""agraph ({kind}[{shape}] x) => ({kind}[{result}] y)
        <int64[2] space = {{2, 3}}, int64[2] ends = {{-1, -2}}, int64[1] last = {{-1}},
         int64[2] others = {{1, 2}}, int64[3] volume = {{2, 3, 4}}> {{
        y = {op}
    }}"""


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("space", "N,3,H,W"), ("ends", "N,3,5,5"), ("volume", "N,3,2,3,4")],
)
def test_a_mean_over_space(axes: str, shape: str) -> None:
    model, _ = run_passes(_mean(f"ReduceMean (x, {axes})", shape), GLOBAL)
    assert ops(model) == ["GlobalAveragePool"]


def test_axes_as_an_attribute() -> None:
    model, _ = run_passes(_mean("ReduceMean <axes = [3, 2]> (x)"), GLOBAL, opset=13)
    assert ops(model) == ["GlobalAveragePool"]


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        ("ReduceMean <keepdims = 0> (x, space)", "N,3,H,W"),
        ("ReduceMean (x, others)", "N,3,H,W"),
        ("ReduceMean (x, space)", "N,3,2,3,4"),
        ("ReduceMean (x)", "N,3,H,W"),
        ("ReduceMean (x, last)", "N,3,H"),
        ("ReduceMean (x, last)", "N,3,H,W"),
    ],
)
def test_a_mean_over_something_else_stays(op: str, shape: str) -> None:
    model, records = run_passes(_mean(op, shape), GLOBAL)
    assert ops(model) == ["ReduceMean"]
    assert not reasons(records)


def test_a_mean_of_integers_stays() -> None:
    model, records = run_passes(_mean("ReduceMean (x, space)", kind="int32"), GLOBAL)
    assert ops(model) == ["ReduceMean"]
    assert reasons(records) == ["GlobalAveragePool at opset 20 is not for int32"]


def test_a_mean_of_doubles_stays() -> None:
    model, records = run_passes(_mean("ReduceMean (x, space)", kind="double"), GLOBAL)
    assert ops(model) == ["ReduceMean"]
    assert reasons(records) == ["runtimes have no GlobalAveragePool for double"]


def test_a_mean_of_nothing_stays() -> None:
    text = _mean("ReduceMean (x, space)", "N,3,0,5")
    model, records = run_passes(text, GLOBAL)
    assert ops(model) == ["ReduceMean"]
    assert reasons(records) == ["the mean of nothing"]
