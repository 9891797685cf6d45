"""Convs of the parts of a Split."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "merge-split-convs"
_KERNELS = """float[2,2,1,1] u = {1.0, 2.0, 3.0, -4.0}, float[2,2,1,1] v = {0.5, 1.0, -1.0, 2.0},
    float[2,2,1,2] big = {1.0, 2.0, 3.0, -4.0, 0.5, 1.0, -1.0, 2.0},
    float[2] p = {1.0, 2.0}, float[2] q = {3.0, 4.0}"""
_SPLIT = "a, b = Split <axis = 1, num_outputs = 2> (x)"
_JOIN = "y = Concat <axis = 1> (s, t)"


def _model(*steps: str, x: str = "N,4,3,3", y: str = "N,m,k,l") -> str:
    return f"""agraph (float[{x}] x, float[2,2,1,1] r) => (float[{y}] y) <{_KERNELS}> {{
            {" ".join(steps)}
        }}"""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Conv (a, u)", "Conv (b, v)"),
        ("Conv (a, u, p)", "Conv (b, v, q)"),
        ("Conv (a, u, p)", "Conv (b, v)"),
        ("Conv <strides = [2, 1]> (a, u)", "Conv <strides = [2, 1]> (b, u)"),
    ],
)
@pytest.mark.parametrize("axes", ["1", "-3"])
def test_they_become_one(first: str, second: str, axes: str) -> None:
    steps = (_SPLIT, f"s = {first}", f"t = {second}", _JOIN)
    model, _ = run_passes(_model(*(step.replace("= 1>", f"= {axes}>") for step in steps)), PASS)
    assert ops(model) == ["Conv"]
    assert model.graph[0].attributes["group"].as_int() == 2


def test_groups_multiply() -> None:
    steps = [_SPLIT, "s = Conv <group = 2> (a, g)", "t = Conv <group = 2> (b, g)", _JOIN]
    text = _model(*steps).replace("float[2] p", "float[2,1,1,1] g = {1.0, 2.0}, float[2] p")
    model, _ = run_passes(text, PASS)
    assert model.graph[0].attributes["group"].as_int() == 4


_S, _T = "s = Conv (a, u)", "t = Conv (b, v)"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((_SPLIT, _S, _T, "y = Concat <axis = 1> (t, s)"), "the Convs do not read the parts in"),
        ((_SPLIT, _S, "t = Conv (b, r)", _JOIN), "a kernel is not a constant"),
        (
            (_SPLIT, "s = Conv <pads = [0, 0, 0, 1]> (a, big)", _T, _JOIN),
            "the kernels differ in shape",
        ),
        (
            (_SPLIT, _S, "t = Conv <dilations = [1, 2]> (b, v)", _JOIN),
            "the Convs differ in attributes",
        ),
        ((_SPLIT, _S, _T, "y = Concat <axis = 2> (s, t)"), "it is not the channels that are cut"),
        (
            (_SPLIT, _S, _T, "c = Concat <axis = 1> (s, t)", "y = Concat <axis = 1> (c, s)"),
            "s has another reader or is a graph output",
        ),
        (
            (_SPLIT, _S, _T, "c = Concat <axis = 1> (s, t)", "y = Concat <axis = 1> (c, a)"),
            "a has another reader or is a graph output",
        ),
    ],
)
def test_what_is_not_one_conv_stays(steps: tuple[str, ...], why: str) -> None:
    model, records = run_passes(_model(*steps), PASS)
    assert ops(model)[0] == "Split"
    assert ops(model).count("Conv") == 2
    assert any(reason.startswith(why) for reason in reasons(records))


def test_one_part_too_few_stays() -> None:
    split = "a, b, c = Split <axis = 1, num_outputs = 3> (x)"
    model, _ = run_passes(_model(split, _S, _T, _JOIN, x="N,6,3,3"), PASS)
    assert ops(model) == ["Split", "Conv", "Conv", "Concat"]
