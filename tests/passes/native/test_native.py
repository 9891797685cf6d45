"""Operators of ONNX Runtime's own: what is fused, what is not, and that the domain is imported."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons

from burnish.driver import optimize
from burnish.ir import Model, to_proto
from burnish.passdef import Exactness
from burnish.saving import to_proto as saved
from burnish.target import parse_target
from burnish.text import parse_model
from burnish.verify import verify


def _run(text: str, passes: str, opset: int = 23) -> tuple[Model, list[str]]:
    source = to_proto(parse_model(text, opset=opset))
    done = optimize(source, passes=passes)
    verdict = verify(source, saved(done.model), exactness=Exactness.FLOAT)
    assert verdict.ok, verdict.text()
    return done.model, reasons(done.records)


NORMALIZED = """agraph (float[B,3,4] a, float[{other}] b) => (float[B,3,4] y{more})
    <float[4] g = {{1, 2, 3, 4}}, float[4] c = {{0, 1, 0, 1}}> {{
        s = Add (a, b)
        n = LayerNormalization <axis = {axis}, epsilon = 0.001> (s, g, c)
        {end}
    }}"""


def _normalized(
    other: str = "B,3,4", end: str = "y = Relu (n)", more: str = "", axis: int = -1
) -> str:
    return NORMALIZED.format(other=other, end=end, more=more, axis=axis)


def test_a_sum_for_the_normalization_alone() -> None:
    model, _ = _run(_normalized(), "fuse-skip-layer-normalization")
    assert ops(model) == ["SkipLayerNormalization", "Relu"]
    assert model.opset_imports["com.microsoft"] == 1


def test_without_a_bias() -> None:
    text = _normalized().replace("(s, g, c)", "(s, g)")
    model, _ = _run(text, "fuse-skip-layer-normalization")
    assert ops(model) == ["SkipLayerNormalization", "Relu"]


def test_a_sum_that_others_read_stays() -> None:
    model, said = _run(_normalized(end="y = Add (n, s)"), "fuse-skip-layer-normalization")
    assert ops(model) == ["Add", "LayerNormalization", "Add"]
    assert said == ["s has another reader"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_normalized(other="3,4"), "may not have the shape"),
        (
            _normalized(axis=1)
            .replace("float[4] g", "float[3,4] g")
            .replace("{1, 2, 3, 4}", "{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4}")
            .replace("float[4] c", "float[3,4] c")
            .replace("{0, 1, 0, 1}", "{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4}"),
            "it is not the last axis",
        ),
    ],
)
def test_other_sums_stay_and_nothing_is_imported(text: str, why: str) -> None:
    model, said = _run(text, "fuse-skip-layer-normalization")
    assert "LayerNormalization" in ops(model)
    assert any(why in reason for reason in said)
    assert "com.microsoft" not in model.opset_imports


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_a_bias_before_gelu(approximate: str) -> None:
    text = f"""agraph (float[B,3] x) => (float[B,3] y) <float[3] b = {{1, 2, 3}}> {{
        s = Add (b, x)
        y = Gelu <approximate = "{approximate}"> (s)
    }}"""
    model, _ = _run(text, "fuse-bias-gelu")
    assert ops(model) == ["BiasGelu" if approximate == "none" else "FastGelu"]


def test_a_bias_of_a_matrix_stays() -> None:
    text = """agraph (float[2,3] x) => (float[2,3] y) <float[2,3] b = {1, 2, 3, 4, 5, 6}> {
        s = Add (b, x)
        y = Gelu (s)
    }"""
    model, said = _run(text, "fuse-bias-gelu")
    assert ops(model) == ["Add", "Gelu"]
    assert said == ["the bias is no vector"]


def test_a_gate_on_itself_with_a_factor() -> None:
    text = """agraph (float[N] x) => (float[N] y) <float a = {1.702}> {
        s = Mul (a, x)
        t = Sigmoid (s)
        y = Mul (t, x)
    }"""
    model, _ = _run(text, "fuse-quick-gelu")
    assert ops(model) == ["QuickGelu"]


def test_a_gate_on_another_value_stays() -> None:
    text = """agraph (float[N] x, float[N] z) => (float[N] y) {
        t = Sigmoid (x)
        y = Mul (t, z)
    }"""
    model, _ = _run(text, "fuse-quick-gelu")
    assert ops(model) == ["Sigmoid", "Mul"]


def _packed(mask: str = "", heads: str = "2, kv_num_heads = 2") -> str:
    numbers = ", ".join(str(number) for number in np.linspace(-1, 1, 48).round(2))
    return f"""agraph (float[B,S,4] x) => (float[B,S,4] y)
        <float[4,12] w = {{{numbers}}}, float[12] b = {{0,1,2,3,4,5,6,7,8,9,10,11}},
         float mask = {{0.0}}> {{
            p = MatMul (x, w)
            s = Add (p, b)
            q, k, v = Split <axis = -1, num_outputs = 3> (s)
            y = Attention <scale = 0.7, q_num_heads = {heads}> (q, k, v)
        }}"""


def test_a_packed_projection() -> None:
    model, _ = _run(_packed(), "fuse-packed-attention, remove-dead-code")
    assert ops(model) == ["Attention"]
    assert model.graph[0].domain == "com.microsoft"


def test_a_causal_attention_is_not_packed() -> None:
    text = _packed(heads="2, kv_num_heads = 2, is_causal = 1")
    model, said = _run(text, "fuse-packed-attention")
    assert "MatMul" in ops(model)
    assert said == ["ONNX Runtime's own operator has no is_causal"]


def test_the_option_of_the_target() -> None:
    source = to_proto(parse_model(_normalized(), opset=23))
    own = optimize(source, target=parse_target("ort-cpu:native=yes"))
    assert "SkipLayerNormalization" in ops(own.model)
    assert "SkipLayerNormalization" not in ops(optimize(source).model)


@pytest.mark.parametrize(("scale", "bias"), [("1", "4"), ("4", "1"), ("4", "1,4"), ("4", "3,4")])
def test_a_scale_or_bias_that_is_repeated_stays(scale: str, bias: str) -> None:
    text = f"""agraph (float[B,3,4] a, float[B,3,4] b, float[{scale}] g, float[{bias}] c)
        => (float[B,3,4] y) {{
        s = Add (a, b)
        y = LayerNormalization (s, g, c)
    }}"""
    # Not run: ONNX Runtime's own fusion makes the mistake that is avoided here.
    done = optimize(parse_model(text, opset=23), passes="fuse-skip-layer-normalization")
    assert ops(done.model) == ["Add", "LayerNormalization"]
    assert reasons(done.records) == ["scale or bias have not one number for each feature"]


def test_a_projection_with_one_number_for_a_bias_stays() -> None:
    text = _packed().replace("float[12] b = {0,1,2,3,4,5,6,7,8,9,10,11}", "float[1] b = {2}")
    model, said = _run(text, "fuse-packed-attention")
    assert "MatMul" in ops(model)
    assert said == ["it is no projection"]
