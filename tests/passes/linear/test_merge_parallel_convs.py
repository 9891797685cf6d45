"""Convolutions of one input merged into one."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.ir import constant_array

PASS = "merge-parallel-convs"


def _model(body: str, more: str = "") -> str:
    return f"""agraph (float[N,1,5,5] x, float m{more})
        => (float[N,a,b,c] p, float[N,d,e,f] q, float[N,g,h,i] r)
        <float[1,1,2,2] w1 = {{1.0, 2.0, 3.0, 4.0}}, float[1] b1 = {{7.0}},
         float[2,1,2,2] w2 = {{1.0, -2.0, 3.0, -4.0, 5.0, 6.0, 7.0, 8.0}}, float[2] b2 = {{1.0, 2.0}},
         float[1,1,2,2] w3 = {{0.5, 1.5, 2.5, -3.5}}, float[1,1,1,1] w4 = {{2.0}},
         float zero = {{0.0}}, float six = {{6.0}}> {{
            {body}
        }}"""


THREE = "p = Conv (x, w1, b1) q = Conv <kernel_shape = [2, 2]> (x, w2, b2) r = Conv (x, w3)"


def test_three_become_one() -> None:
    model, _ = run_passes(_model(THREE), PASS)
    assert ops(model) == ["Conv", "Split"]
    bias, sizes = (
        constant_array(node.inputs[place]) for node, place in zip(model.graph, (2, 1), strict=True)
    )
    assert bias is not None
    assert bias.tolist() == [7.0, 1.0, 2.0, 0.0]
    assert sizes is not None
    assert sizes.tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    "act", ["Relu ({})", "LeakyRelu <alpha = 0.3> ({})", "Clip ({}, zero, six)"]
)
def test_the_activation_after_each_becomes_one_too(act: str) -> None:
    body = "s = Conv (x, w1) t = Conv (x, w2) "
    body += f"p = {act.format('s')} q = {act.format('t')} r = Conv <strides = [2, 2]> (x, w3)"
    model, _ = run_passes(_model(body), PASS)
    assert ops(model) == ["Conv", act.split()[0], "Split", "Conv"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Relu (s)", "Sigmoid (t)"),
        ("LeakyRelu <alpha = 0.3> (s)", "LeakyRelu <alpha = 0.2> (t)"),
        ("Clip (s, zero, m)", "Clip (t, zero, m)"),
        ("Clip (s, zero)", "Clip (t, zero, six)"),
        ("Add (s, zero)", "Add (t, zero)"),
    ],
)
def test_two_with_other_things_behind_them_are_no_gain(first: str, second: str) -> None:
    body = f"s = Conv (x, w1) t = Conv (x, w2) p = {first} q = {second} r = Relu (x)"
    model, records = run_passes(_model(body), PASS)
    assert ops(model).count("Conv") == 2
    assert reasons(records) == ["2 nodes would become 2"]


@pytest.mark.parametrize(
    "third",
    [
        "Conv <pads = [1, 1, 1, 1]> (x, w3)",
        "Conv <dilations = [2, 2]> (x, w3)",
        "Conv <strides = [2, 1]> (x, w3)",
        'Conv <auto_pad = "SAME_UPPER"> (x, w3)',
        "Conv (x, w4)",
        "Conv (x, v)",
    ],
)
def test_windows_of_another_kind_stay_apart(third: str) -> None:
    body = f"p = Conv (x, w1) q = Conv (x, w2) r = {third}"
    model, _ = run_passes(_model(body, ", float[1,1,2,2] v"), PASS)
    assert ops(model) == ["Conv", "Conv", "Conv"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "p = Conv (x, w1) q = Conv (x, w2) r = Conv <pads = [1, 1, 1, 1]> (x, w1)",
            "w1 has other readers, and would be there twice",
        ),
        ("p = Conv (x, w1, v) q = Conv (x, w2) r = Conv (x, w3)", "v is not a constant"),
    ],
)
def test_it_declines(body: str, why: str) -> None:
    model, records = run_passes(_model(body, ", float[1] v"), PASS)
    assert ops(model) == ["Conv", "Conv", "Conv"]
    assert why in reasons(records)


def test_groups_stay() -> None:
    text = """agraph (float[N,2,5,5] x) => (float[N,2,4,4] p, float[N,2,4,4] q, float[N,2,4,4] r)
        <float[2,1,2,2] v = {1, 2, 3, 4, 5, 6, 7, 8}, float[2,1,2,2] w = {1, 2, 3, 4, 5, 6, 7, 9},
         float[2,1,2,2] u = {1, 2, 3, 4, 5, 6, 7, 0}> {
            p = Conv <group = 2> (x, u)
            q = Conv <group = 2> (x, v)
            r = Conv <group = 2> (x, w)
        }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Conv", "Conv", "Conv"]
