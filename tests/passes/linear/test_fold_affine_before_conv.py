"""Constants before convolutions: the factor always folds, the offset where nothing is padded."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import to_proto
from burnish.text import parse_model

PASS = "fold-affine-before-conv"
_KERNELS = {
    "Conv": "float[4,1,2,2] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5, -1.0, 2.0, "
    "1.0, 0.5, -0.5, 2.0, 1.0, 1.25, 0.75, -3.0}",
    "ConvTranspose": "float[2,2,1,1] w = {1.0, -2.0, 0.5, 3.0}",
}
_PER_CHANNEL = "float[2,1,1] c = {3.0, -5.0}"


def _model(inner: str, constant: str, conv: str, kernel: str = "", x: str = "1,2,4,4") -> str:
    kernel = kernel or _KERNELS[conv.split()[0]]
    return f"""agraph (float[{x}] x, float[4] r) => (float[p,q,s,t] y)
        <{kernel}, float[4] b = {{0.5, -1.0, 2.0, 0.25}}, {constant}> {{
            u = {inner}
            t = {conv}
            y = Identity (t)
        }}"""


@pytest.mark.parametrize("conv", ["Conv <group = 2> (u, w, b)", "ConvTranspose <group = 2> (u, w)"])
@pytest.mark.parametrize(
    "inner",
    [
        "Mul (x, c)",
        "Mul (c, x)",
        "Div (x, c)",
        "Add (x, c)",
        "Add (c, x)",
        "Sub (x, c)",
        "Sub (c, x)",
    ],
)
@pytest.mark.parametrize(
    "constant", [_PER_CHANNEL, "float[1,2,1,1] c = {3.0, -5.0}", "float c = {4.0}"]
)
def test_it_folds(conv: str, inner: str, constant: str) -> None:
    model, _ = run_passes(_model(inner, constant, conv), PASS)
    assert ops(model) == [conv.split()[0], "Identity"]


@pytest.mark.parametrize("attributes", ["pads = [1, 0, 1, 0]", 'auto_pad = "SAME_UPPER"'])
def test_padding_keeps_the_offset_but_not_the_factor(attributes: str) -> None:
    conv = f"Conv <group = 2, {attributes}> (u, w, b)"
    model, _ = run_passes(_model("Mul (x, c)", _PER_CHANNEL, conv), PASS)
    assert ops(model) == ["Conv", "Identity"]
    model, records = run_passes(_model("Add (x, c)", _PER_CHANNEL, conv), PASS)
    assert ops(model) == ["Add", "Conv", "Identity"]
    assert reasons(records) == ["the offset is not there where the Conv pads"]


def test_same_padding_of_one_tap_adds_nothing() -> None:
    kernel = "float[4,2,1,1] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5, -1.0, 2.0}"
    for padding in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        conv = f'Conv <auto_pad = "{padding}", strides = [2, 3]> (u, w)'
        model, _ = run_passes(_model("Add (x, c)", _PER_CHANNEL, conv, kernel, "1,2,5,7"), PASS)
        assert ops(model) == ["Conv", "Identity"]


@pytest.mark.parametrize(
    ("attributes", "kernel"),
    [
        ("", "float[2,1,2,2] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5, -1.0, 2.0}"),
        ("<strides = [2, 2]>", "float[2,2,1,1] w = {1.0, -2.0, 0.5, 3.0}"),
        ("<strides = [1, 1], pads = [1, 1, 1, 1]>", "float[2,2,1,1] w = {1.0, -2.0, 0.5, 3.0}"),
        ("<output_shape = [4, 4]>", "float[2,2,1,1] w = {1.0, -2.0, 0.5, 3.0}"),
    ],
)
def test_a_transposed_conv_spreads_the_offset_unevenly(attributes: str, kernel: str) -> None:
    conv = f"ConvTranspose {attributes} (u, w)"
    model, _ = run_passes(_model("Mul (x, c)", _PER_CHANNEL, conv, kernel), PASS)
    assert ops(model) == ["ConvTranspose", "Identity"]
    model, records = run_passes(_model("Add (x, c)", _PER_CHANNEL, conv, kernel), PASS)
    assert ops(model) == ["Add", "ConvTranspose", "Identity"]
    assert reasons(records) == ["the offset is not there where the Conv pads"]


@pytest.mark.parametrize(
    ("constant", "x", "why"),
    [
        ("float[4] c = {1.0, 2.0, 3.0, 4.0}", "1,2,4,4", "the constant acts along another axis"),
        ("float[2,1,1,1] c = {3.0, 5.0}", "1,2,4,4", "the constant acts along another axis"),
        (_PER_CHANNEL, "1,1,4,4", "the constant may enlarge the other operand"),
        ("float[1,1,1,1] c = {3.0}", "2,4,4", "the constant has more axes than the other operand"),
    ],
)
def test_what_does_not_act_per_channel_stays(constant: str, x: str, why: str) -> None:
    kernel = _KERNELS["Conv"]
    if x == "2,4,4":
        kernel = "float[1,2,2,2] w = {1.0, -2.0, 0.5, 3.0, 0.25, 1.5, -1.0, 2.0}"
    conv = "Conv (u, w)" if x == "2,4,4" else "Conv <group = 2> (u, w)"
    model, records = run_passes(_model("Mul (x, c)", constant, conv, kernel, x), PASS)
    assert ops(model) == ["Mul", "Conv", "Identity"]
    assert reasons(records) == [why]


def test_one_channel_that_may_become_two_stays() -> None:
    text = _model("Mul (x, c)", _PER_CHANNEL, "Conv <group = 2> (u, w)", x="1,C,4,4")
    done = optimize(to_proto(parse_model(text)), passes=PASS)
    assert ops(done.model) == ["Mul", "Conv", "Identity"]
    assert reasons(done.records) == ["the constant may enlarge the other operand"]


def test_division_of_a_constant_and_by_zero_stay() -> None:
    conv = "Conv <group = 2> (u, w, b)"
    model, records = run_passes(_model("Div (c, x)", _PER_CHANNEL, conv), PASS)
    assert ops(model) == ["Div", "Conv", "Identity"]
    assert not reasons(records)


def test_a_computed_bias_may_stay_beside_a_factor_only() -> None:
    conv = "Conv <group = 2> (u, w, r)"
    model, _ = run_passes(_model("Mul (x, c)", _PER_CHANNEL, conv), PASS)
    assert ops(model) == ["Conv", "Identity"]
    model, records = run_passes(_model("Add (x, c)", _PER_CHANNEL, conv), PASS)
    assert ops(model) == ["Add", "Conv", "Identity"]
    assert reasons(records) == ["b is not a constant"]


def test_another_reader_of_the_sum_declines() -> None:
    text = _model("Mul (x, c)", _PER_CHANNEL, "Conv <group = 2> (u, w)")
    text = text.replace("[p,q,s,t] y)", "[p,q,s,t] y, float[1,2,4,4] z)")
    model, records = run_passes(text.replace("y = Id", "z = Neg (u) y = Id"), PASS)
    assert ops(model)[0] == "Mul"
    assert reasons(records) == ["u has another reader"]


_STATISTICS = """float[2] scale = {2.0, -0.5}, float[2] bias = {1.0, 0.25},
    float[2] mean = {0.5, -1.0}, float[2] var = {4.0, 0.3}"""


def test_batch_norm_before_conv() -> None:
    norm = "BatchNormalization (x, scale, bias, mean, var)"
    model, _ = run_passes(_model(norm, _STATISTICS, "Conv <group = 2> (u, w, b)"), PASS)
    assert ops(model) == ["Conv", "Identity"]
    padded = "Conv <group = 2, pads = [0, 0, 1, 0]> (u, w, b)"
    model, records = run_passes(_model(norm, _STATISTICS, padded), PASS)
    assert ops(model) == ["BatchNormalization", "Conv", "Identity"]
    assert reasons(records) == ["the offset is not there where the Conv pads"]


def test_half_precision_that_would_underflow_stays() -> None:
    text = """agraph (float16[1,1,4,4] x) => (float16[1,1,4,4] y)
        <float16[1,1,1,1] w = {5145}, float16 c = {5145}> {
            u = Mul (x, c)
            y = Conv (u, w)
        }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Mul", "Conv"]
    assert reasons(records) == ["the new weight is too small for its type"]
