"""Constant factors and offsets after convolutions: where they act decides."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import to_proto
from burnish.text import parse_model

PASS = "fold-affine-into-conv"


def _model(operator: str, constant: str, conv: str = "Conv (x, w, b)", size: str = "4,4") -> str:
    kernel = "float[2,2,1,1] w = {1.5, -2.0, 0.25, 3.0}"
    return f"""agraph (float[1,2,{size}] x, float[2] r) => (float[p,q,s,t] y)
        <{kernel}, float[2] b = {{0.5, -1.0}}, {constant}> {{
            t = {conv}
            u = {operator}
            y = Identity(u)
        }}"""


_CHANNELS = "float[2,1,1] c = {3.0, -5.0}"


@pytest.mark.parametrize("conv", ["Conv (x, w, b)", "Conv (x, w)", "ConvTranspose (x, w, b)"])
@pytest.mark.parametrize(
    "operator",
    [
        "Mul (t, c)",
        "Mul (c, t)",
        "Add (t, c)",
        "Add (c, t)",
        "Sub (t, c)",
        "Sub (c, t)",
        "Div (t, c)",
    ],
)
@pytest.mark.parametrize(
    "constant", [_CHANNELS, "float[1,2,1,1] c = {3.0, -5.0}", "float c = {4.0}"]
)
def test_it_folds(conv: str, operator: str, constant: str) -> None:
    model, _ = run_passes(_model(operator, constant, conv), PASS)
    assert ops(model) == [conv.split()[0], "Identity"]


@pytest.mark.parametrize("operator", ["Mul (t, c)", "Add (c, t)"])
@pytest.mark.parametrize(
    ("constant", "size"),
    [
        ("float[2] c = {3.0, 5.0}", "2,2"),  # the last axis, however many channels there are
        ("float[2,1] c = {3.0, 5.0}", "2,2"),
        ("float[2,1,1,1] c = {3.0, 5.0}", "2,2"),  # enlarges the batch
        ("float[2,1,1] c = {3.0, 5.0}", "2"),  # rank 3: enlarges it too
        ("float[1,1,1,1,1] c = {3.0}", "2,2"),  # one more axis
        ("float[2,2,2] c = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0}", "2,2"),
    ],
)
def test_what_does_not_act_per_channel_stays(operator: str, constant: str, size: str) -> None:
    text = _model(operator, constant, size=size)
    if size == "2":
        text = text.replace("float[2,2,1,1] w", "float[2,2,1] w")
    if constant.startswith("float[1,1,1,1,1]"):
        text = text.replace("float[p,q,s,t]", "float[p,q,s,t,v]")
    if size == "2":
        text = text.replace("float[p,q,s,t]", "float[p,q,s]")
    model, records = run_passes(text, PASS)
    if size == "2":  # [2,1,1] on [N,C,L] has 2 on the batch
        assert reasons(records) == ["the constant does not act per channel"]
    assert len(ops(model)) == 3


def test_one_channel_may_not_become_two() -> None:
    model, records = run_passes(
        """agraph (float[1,1,2,2] x) => (float[p,q,s,t] y)
            <float[1,1,1,1] w = {2.0}, float[2,1,1] c = {3.0, 5.0}> {
            t = Conv (x, w)
            y = Mul (t, c)
        }""",
        PASS,
    )
    assert ops(model) == ["Conv", "Mul"]
    assert reasons(records) == ["the constant would enlarge the channels"]


def test_division_by_zero_and_into_a_constant_stay() -> None:
    for operator, constant in (
        ("Div (t, c)", "float c = {0.0}"),
        ("Div (c, t)", "float c = {2.0}"),
    ):
        done = optimize(to_proto(parse_model(_model(operator, constant))), passes=PASS)
        assert ops(done.model) == ["Conv", "Div", "Identity"]


def test_a_computed_bias_stays() -> None:
    model, records = run_passes(_model("Mul (t, c)", _CHANNELS, "Conv (x, w, r)"), PASS)
    assert ops(model) == ["Conv", "Mul", "Identity"]
    assert reasons(records) == ["b is not a constant"]


def test_a_second_reader_declines() -> None:
    text = _model("Mul (t, c)", _CHANNELS).replace("Identity(u)", "Add(u, t)")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Conv", "Mul", "Add"]
    assert "t has another reader" in reasons(records)


def test_before_opset_7_axis_says_where_the_constant_acts() -> None:
    operator, constant = "Add <broadcast = 1, axis = 1> (t, c)", "float[2] c = {3.0, 5.0}"
    done = optimize(to_proto(parse_model(_model(operator, constant), opset=6)), passes=PASS)
    assert ops(done.model) == ["Conv", "Identity"]
    operator = "Add <broadcast = 1> (t, c)"
    text = _model(operator, constant, size="2,2")
    done = optimize(to_proto(parse_model(text, opset=6)), passes=PASS)
    assert ops(done.model) == ["Conv", "Add", "Identity"]
