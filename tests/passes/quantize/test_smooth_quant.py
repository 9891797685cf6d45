"""Where SmoothQuant divides, where it does not, and that activations are easier afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from tests.corpus import corpus_inputs, corpus_model
from tests.support import ops, reasons

from burnish.calibration import Calibration
from burnish.driver import Optimized, optimize
from burnish.errors import InputError
from burnish.evaluate import run_model
from burnish.passdef import Exactness
from burnish.quantization import CODE_TYPES, Scheme, parameters_for_range, round_trip
from burnish.saving import to_proto
from burnish.text import model_text, parse_model
from burnish.verify import verify

CHANNELS = 8
OUTLIER = 60.0


def constant(name: str, array: Any) -> str:
    sizes = ",".join(map(str, array.shape))
    numbers = ",".join(f"{number:.8f}" for number in np.asarray(array).reshape(-1))
    return f"float[{sizes}] {name} = {{{numbers}}}"


def even(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def outlying() -> Any:
    """A scale of a normalization in which one channel stands out."""
    scale = np.ones(CHANNELS)
    scale[3] = OUTLIER
    return scale


HELD = ", ".join(
    [
        constant("g", outlying()),
        constant("h", even(CHANNELS, seed=2)),
        constant("q", even(CHANNELS, 6, seed=3)),
        constant("k", even(5, CHANNELS, seed=4)),
        constant("wide", even(4, CHANNELS, seed=5)),
    ]
)


def after(norm: str, *, readers: str = "y = MatMul(n, q)", outputs: str = "float[4,6] y") -> str:
    return f"""agraph (float[4,{CHANNELS}] x) => ({outputs}) <{HELD}> {{
        [norm] n = {norm}
        {readers}
    }}"""


def rows(count: int = 8) -> list[dict[str, Any]]:
    return [{"x": even(4, CHANNELS, seed=seed).astype(np.float32)} for seed in range(count)]


def smoothed(text: str, passes: str = "smooth-quant", opset: int = 23) -> Optimized:
    """The model after the pass, valid and with the answers it had."""
    source = to_proto(parse_model(text, opset=opset))
    done = optimize(source, passes=passes, calibration=Calibration.of(rows()))
    result = to_proto(done.model)
    onnx.checker.check_model(result, full_check=True)
    verdict = verify(source, result, exactness=Exactness.FLOAT)
    assert verdict.ok, verdict.text()
    return done


def largest(model: onnx.ModelProto, name: str) -> Any:
    seen = [run_model(model, row, outputs=[name])[name] for row in rows()]
    return np.abs(np.concatenate(seen)).max(axis=0)


NORMS: Sequence[str] = (
    "LayerNormalization(x, g)",
    "LayerNormalization<axis = 1>(x, g, h)",
    "RMSNormalization(x, g)",
    "Mul(g, x)",
)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("alpha", [0.25, 0.5, 1.0])
def test_factors_go_into_what_comes_before(norm: str, alpha: float) -> None:
    readers = "y = MatMul(n, q) z = Gemm<transB = 1>(n, k)"
    text = after(norm, readers=readers, outputs="float[4,6] y, float[4,5] z")
    spec = f"smooth-quant{{alpha={alpha}}}"
    done = smoothed(text, spec)
    assert [item.where for item in done.records[0].remarks if item.kind == "applied"] == ["norm"]
    assert ops(done.model) == [norm.split("<")[0].split("(")[0], "MatMul", "Gemm"]
    before = largest(to_proto(parse_model(text, opset=23)), "n")
    now = largest(to_proto(done.model), "n_scaled")
    weights = np.maximum(
        np.abs(even(CHANNELS, 6, seed=3)).max(axis=1), np.abs(even(5, CHANNELS, seed=4)).max(axis=0)
    )
    # Equation 4 of the paper.
    np.testing.assert_allclose(now, before ** (1 - alpha) * weights ** (1 - alpha), rtol=1e-4)


def test_the_activation_keeps_more_of_itself_in_int8() -> None:
    text = after("LayerNormalization(x, g)")
    done = smoothed(text)
    scheme = Scheme(CODE_TYPES["int8"], symmetric=True)

    def kept(model: onnx.ModelProto, name: str) -> float:
        weight = onnx.numpy_helper.to_array(
            next(item for item in model.graph.initializer if item.name.startswith("q"))
        )
        array = np.concatenate([run_model(model, row, outputs=[name])[name] for row in rows()])
        reach = float(np.abs(array).max())
        rounded = round_trip(array, parameters_for_range(-reach, reach, scheme))
        exact = array @ weight
        return float(np.square(exact).sum() / np.square(exact - rounded @ weight).sum())

    source = to_proto(parse_model(text, opset=23))
    assert kept(to_proto(done.model), "n_scaled") > 4 * kept(source, "n")


@pytest.mark.parametrize(
    ("norm", "readers", "outputs", "why"),
    [
        (
            "LayerNormalization(x, g)",
            "r = MatMul(n, q) t = Tanh(n)",
            "float[4,6] r, float[4,8] t",
            "(Tanh) reads it",
        ),
        (
            "LayerNormalization(x, g)",
            "y = MatMul(n, q)",
            "float[4,6] y, float[4,8] n",
            "n is a graph output",
        ),
        ("LayerNormalization(x, u)", "y = MatMul(n, q)", "float[4,6] y", "no constant"),
        (
            "LayerNormalization<axis = 0>(x, wide)",
            "y = MatMul(n, q)",
            "float[4,6] y",
            "several axes",
        ),
    ],
)
def test_what_cannot_be_divided(norm: str, readers: str, outputs: str, why: str) -> None:
    text = after(norm, readers=readers, outputs=outputs).replace("[norm]", "u = Tanh(g)\n[norm]")
    source = to_proto(parse_model(text, opset=23))
    done = optimize(source, passes="smooth-quant", calibration=Calibration.of(rows()))
    assert not done.records[0].diff
    assert any(why in reason for reason in reasons(done.records))


def test_a_mul_is_put_in_when_asked_and_only_before_the_layers() -> None:
    text = after(
        "LayerNormalization(x, g)",
        readers="t = Tanh(n) y = MatMul(n, q)",
        outputs="float[4,6] y, float[4,8] t",
    )
    assert not smoothed(text).records[0].diff
    done = smoothed(text, "smooth-quant{insert=true}")
    assert ops(done.model) == ["LayerNormalization", "Tanh", "Mul", "MatMul"]
    tanh = next(node for node in done.model.graph if node.op_type == "Tanh")
    assert tanh.inputs[0] is not None
    assert tanh.inputs[0].name == "n"
    again = optimize(
        to_proto(done.model), passes="smooth-quant{insert=true}", calibration=Calibration.of(rows())
    )
    assert model_text(again.model) == model_text(done.model)


def test_channels_that_are_always_zero_stay() -> None:
    scale = outlying()
    scale[5] = 0.0
    text = after("LayerNormalization(x, g)").replace(
        constant("g", outlying()), constant("g", scale)
    )
    done = smoothed(text)
    assert done.records[0].diff


def test_twice_is_once() -> None:
    done = smoothed(after("LayerNormalization(x, g, h)"), "smooth-quant, smooth-quant")
    assert done.records[0].diff
    assert not done.records[1].diff


def test_twice_is_once_where_a_layer_is_divided_and_multiplied() -> None:
    held = ", ".join(
        [
            constant("a", even(CHANNELS, CHANNELS, seed=6) * outlying()),
            constant("b", even(CHANNELS, CHANNELS, seed=7) * outlying()[::-1]),
            constant("c", even(CHANNELS, 6, seed=8)),
        ]
    )
    text = f"""agraph (float[4,{CHANNELS}] x) => (float[4,6] y) <{held}> {{
        p = MatMul(x, a)
        q = Relu(p)
        r = MatMul(q, b)
        s = Relu(r)
        y = MatMul(s, c)
    }}"""
    done = smoothed(text, "smooth-quant, smooth-quant")
    assert len([item for item in done.records[0].remarks if item.kind == "applied"]) == 2
    assert not done.records[1].diff


def test_without_data_it_says_what_is_missing() -> None:
    source = to_proto(parse_model(after("LayerNormalization(x, g)"), opset=23))
    with pytest.raises(InputError, match="smooth-quant needs calibration data"):
        optimize(source, passes="smooth-quant")


@pytest.mark.parametrize("alpha", ["-0.1", "1.5"])
def test_alpha_is_a_share(alpha: str) -> None:
    source = to_proto(parse_model(after("LayerNormalization(x, g)"), opset=23))
    with pytest.raises(InputError, match="alpha lies between 0 and 1"):
        optimize(source, passes=f"smooth-quant{{alpha={alpha}}}")


@pytest.mark.parametrize("name", ["real/stories260k_kv_dynamo", "arch/vit_micro_dynamo"])
def test_transformers_answer_as_before(name: str) -> None:
    path = corpus_model(name)
    feeds = corpus_inputs(path)
    folded = to_proto(optimize(path, passes="O2").model)
    done = optimize(folded, passes="smooth-quant", calibration=Calibration.of([feeds]))
    norms = [item for item in done.records[0].remarks if item.kind == "applied"]
    assert len(norms) >= 6
    verdict = verify(
        folded, to_proto(done.model), exactness=Exactness.FLOAT, samples=lambda: [feeds]
    )
    assert verdict.ok, verdict.text()
