"""Batch normalization into convolutions: groups, transposes, opsets, types, sharing."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import constant_array, make_tensor, to_proto
from burnish.passdef import Context
from burnish.registry import pass_types
from burnish.target import Target
from burnish.text import parse_model

PASS = "fuse-conv-batch-norm"


def _floats(seed: int, count: int, *, positive: bool = False) -> str:
    values = np.random.default_rng(seed).normal(size=count)
    values = abs(values) + 0.1 if positive else values
    return ", ".join(f"{value:.5f}" for value in values)


def _statistics(channels: int, kind: str = "float") -> str:
    return ", ".join(
        f"{kind}[{channels}] {name} = {{{_floats(seed, channels, positive=name == 'var')}}}"
        for seed, name in enumerate(("scale", "bias", "mean", "var"))
    )


_NORM = "BatchNormalization (t, scale, bias, mean, var)"


def _model(
    conv: str = "Conv (x, w)",
    kernel: str = "4,2,3,3",
    channels: int = 4,
    norm: str = _NORM,
    more: str = "",
    outputs: str = "",
    body: str = "",
) -> str:
    count = int(np.prod([int(size) for size in kernel.split(",")]))
    return f"""agraph (float[1,{2 if "Transpose" not in conv else kernel[0]},6,6] x{more})
        => (float[a,b,c,d] y{outputs})
        <float[{kernel}] w = {{{_floats(9, count)}}}, float[{channels}] b = {{{_floats(8, channels)}}},
         {_statistics(channels)}> {{
            t = {conv}
            {body}
            y = {norm}
        }}"""


@pytest.mark.parametrize(
    ("conv", "kernel", "channels"),
    [
        ("Conv (x, w)", "4,2,3,3", 4),
        ("Conv (x, w, b)", "4,2,3,3", 4),
        ("Conv <group = 2> (x, w, b)", "4,1,3,3", 4),
        ("ConvTranspose (x, w, b)", "4,3,2,2", 3),
        ("ConvTranspose <group = 2, strides = [2, 2]> (x, w, b)", "4,3,2,2", 6),
        ('Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w)', "4,2,3,3", 4),
    ],
)
@pytest.mark.parametrize("opset", [9, 14, 15, 20])
def test_it_folds(conv: str, kernel: str, channels: int, opset: int) -> None:
    model, _ = run_passes(_model(conv, kernel, channels), PASS, opset=opset)
    assert ops(model) == [conv.split()[0]]
    (node,) = model.graph
    assert node.outputs[0].name == "y"
    assert node.meta["burnish.sources"] == ("BatchNormalization(y)", f"{node.op_type}(t)")


def test_old_opset_needs_is_test() -> None:
    norm = "BatchNormalization <is_test = %d> (t, scale, bias, mean, var)"
    for is_test, left in ((1, ["Conv"]), (0, ["Conv", "BatchNormalization"])):
        proto = to_proto(parse_model(_model(norm=norm % is_test), opset=6))
        assert ops(optimize(proto, passes=PASS).model) == left


def test_opset_7_to_13_trains_when_it_has_more_results() -> None:
    text = _model().replace("y = Batch", "y, m1, v1, m2, v2 = Batch")
    proto = to_proto(parse_model(text, opset=9))
    done = optimize(proto, passes=PASS)
    assert ops(done.model) == ["Conv", "BatchNormalization"]
    assert reasons(done.records) == ["BatchNormalization is in training mode"]


def test_training_stays() -> None:
    norm = "BatchNormalization <training_mode = 1> (t, scale, bias, mean, var)"
    text = _model(norm=norm).replace("y = Batch", "y, m1, v1 = Batch")
    done = optimize(to_proto(parse_model(text)), passes=PASS)
    assert ops(done.model) == ["Conv", "BatchNormalization"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_model(body="z = Relu(t)", outputs=", float[e,f,g,h] z"), "t has another reader"),
        (_model(outputs=", float[e,f,g,h] t"), "t is a graph output"),
        (_model(conv="Conv (x, w, r)", more=", float[4] r"), "b is not a constant"),
    ],
    ids=["a reader", "an output", "a bias given by the caller"],
)
def test_it_declines(text: str, why: str) -> None:
    model, records = run_passes(text, PASS)
    assert ops(model).count("BatchNormalization") == 1
    assert reasons(records) == [why]


def test_a_capture_by_a_subgraph_declines() -> None:
    text = _model(
        more=", bool c",
        outputs=", float[e,f,g,h] z",
        body="""z = If (c) <
            then_branch = g1 () => (float[i,j,k,l] p) { p = Relu(t) },
            else_branch = g2 () => (float[i,j,k,l] q) { q = Neg(t) }
        >""",
    )
    model, records = run_passes(text, PASS)
    assert "BatchNormalization" in ops(model)
    assert reasons(records) == ["t has another reader"]


def test_a_shared_weight_is_copied() -> None:
    model, _ = run_passes(_model(body="z = Conv (x, w)", outputs=", float[e,f,g,h] z"), PASS)
    assert ops(model) == ["Conv", "Conv"]
    first, second = (node.inputs[1] for node in model.graph)
    assert first is not None
    assert second is not None
    assert first is not second
    assert "w" in (first.name, second.name)


def test_a_factor_that_is_not_finite_stays() -> None:
    text = _model().replace(
        "float[4] var = {", "float[4] var = {-5.0, 1.0, 1.0, 1.0}, float[4] v = {"
    )
    done = optimize(to_proto(parse_model(text)), passes=PASS)
    assert ops(done.model) == ["Conv", "BatchNormalization"]
    assert "not finite" in reasons(done.records)[0]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_types_are_rounded_once(dtype: type) -> None:
    kind = "float16" if dtype is np.float16 else "bfloat16"
    text = f"""agraph ({kind}[1,1,2,2] x, {kind}[3,1,1,1] w, {kind}[3] s, {kind}[3] o, {kind}[3] m,
        {kind}[3] v) => ({kind}[1,3,2,2] y) {{
        t = Conv (x, w)
        y = BatchNormalization <epsilon = 0.0> (t, s, o, m, v)
    }}"""
    held = {
        "w": np.array([1.1, -0.3, 700.0]).reshape(3, 1, 1, 1),
        "s": np.array([3.0, 0.7, 1.3]),
        "o": np.array([0.1, 0.2, 0.3]),
        "m": np.array([0.5, 0.25, -3.0]),
        "v": np.array([7.0, 0.9, 2.1]),
    }
    arrays = {name: array.astype(dtype) for name, array in held.items()}
    model = parse_model(text)
    for value in list(model.graph.inputs):
        if value.name in arrays:
            model.graph.inputs.remove(value)
            value.const_value = make_tensor(arrays[value.name])
            model.graph.register_initializer(value)
    pass_types()[PASS]().run(model, Context.of(model, Target()))
    (node,) = model.graph
    weights, bias = (constant_array(value) for value in node.inputs[1:])
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    factor = wide["s"] / np.sqrt(wide["v"])
    assert weights is not None
    assert bias is not None
    assert weights.dtype == bias.dtype == dtype
    assert weights.tobytes() == (wide["w"] * factor.reshape(3, 1, 1, 1)).astype(dtype).tobytes()
    assert bias.tobytes() == (wide["o"] - wide["m"] * factor).astype(dtype).tobytes()


def test_overflow_of_half_stays() -> None:
    bits = {value: int(np.float16(value).view(np.uint16)) for value in (60000.0, 2.0, 0.0, 1.0)}
    text = f"""agraph (float16[1,1,1,1] x) => (float16[1,1,1,1] y)
        <float16[1,1,1,1] w = {{{bits[60000.0]}}}, float16[1] s = {{{bits[2.0]}}},
         float16[1] o = {{{bits[0.0]}}}, float16[1] m = {{{bits[0.0]}}},
         float16[1] v = {{{bits[1.0]}}}> {{
            t = Conv (x, w)
            y = BatchNormalization <epsilon = 0.0> (t, s, o, m, v)
    }}"""
    done = optimize(to_proto(parse_model(text)), passes=PASS)
    assert ops(done.model) == ["Conv", "BatchNormalization"]
    assert reasons(done.records) == ["the new weight has values that are not finite"]


def test_many_channels_are_close_in_float32() -> None:
    text = _model(conv="Conv (x, w, b)")
    model, _ = run_passes(text, PASS)
    x = np.random.default_rng(3).normal(size=(1, 2, 6, 6)).astype(np.float32)
    before = run_model(to_proto(parse_model(text)), {"x": x})["y"]
    after = run_model(to_proto(model), {"x": x})["y"]
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=1e-5)
