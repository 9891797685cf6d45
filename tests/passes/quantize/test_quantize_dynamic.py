"""Products on codes whose range is measured when the model runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.passes.quantize.weights import (
    answers,
    distance,
    draw,
    held_bytes,
    model_of,
    remarks,
    run,
    runtime_answers,
    runtime_operators,
)
from tests.support import ops

from burnish.ir import DataType
from burnish_passes.quantize.pair_sums import may_overflow

PRODUCT = "g (float[B,64] x) => (float[B,24] y) { y = MatMul (x, w) }"
STEPS = ["DynamicQuantizeLinear", "MatMulInteger", "Cast", "Mul", "Mul"]


def test_a_product_and_what_the_runtime_makes_of_it(tmp_path: Path) -> None:
    weight = draw(64, 24)
    source = model_of(PRODUCT, {"w": weight}, opset=13)
    done = run(source, "quantize-dynamic")
    assert ops(done.model) == STEPS
    assert runtime_operators(done.model, tmp_path) == {"DynamicQuantizeMatMul": 1}
    x = {"x": draw(5, 64, seed=1)}
    reference = answers(source, x)
    assert distance(answers(done.model, x), reference) < 0.015
    assert distance(runtime_answers(done.model, x), reference) < 0.015
    assert held_bytes(done.model) < 0.3 * weight.nbytes


@pytest.mark.parametrize("turned", [0, 1])
def test_a_gemm_adds_its_bias_in_float(turned: int, tmp_path: Path) -> None:
    attributes = f"<transB = {turned}, alpha = 0.5>"
    text = f"g (float[B,64] x) => (float[B,24] y) {{ y = Gemm {attributes} (x, w, b) }}"
    weight = draw(24, 64) if turned else draw(64, 24)
    source = model_of(text, {"w": weight, "b": draw(24, seed=2)})
    done = run(source, "quantize-dynamic")
    assert ops(done.model) == [*STEPS, "Add"]
    assert runtime_operators(done.model, tmp_path) == {"DynamicQuantizeMatMul": 1}
    x = {"x": draw(5, 64, seed=1)}
    assert distance(answers(done.model, x), answers(source, x)) < 0.015


def test_products_of_one_value_quantize_it_once(tmp_path: Path) -> None:
    text = """g (float[B,64] x) => (float[B,24] y, float[B,32] z) {
        y = MatMul (x, w)
        z = MatMul (x, v)
    }"""
    source = model_of(text, {"w": draw(64, 24), "v": draw(64, 32, seed=2)})
    done = run(source, "quantize-dynamic")
    assert ops(done.model).count("DynamicQuantizeLinear") == 1
    found = runtime_operators(done.model, tmp_path)
    assert found == {"DynamicQuantizeLinear": 1, "MatMulIntegerToFloat": 2}


def test_weights_that_could_overflow_pairs_have_no_sign_on_such_targets(tmp_path: Path) -> None:
    source = model_of(PRODUCT, {"w": draw(64, 24)})
    plain = run(source, "quantize-dynamic", target="onnx")
    careful = run(source, "quantize-dynamic", target="ort-x86")
    kinds = []
    for done in (plain, careful):
        (node,) = (node for node in done.model.graph if node.op_type == "MatMulInteger")
        assert node.inputs[1] is not None
        kinds.append(node.inputs[1].dtype)
    assert kinds == [DataType.INT8, DataType.UINT8]
    x = {"x": draw(5, 64, seed=1)}
    np.testing.assert_allclose(
        answers(careful.model, x), answers(plain.model, x), rtol=1e-5, atol=1e-5
    )
    assert runtime_operators(careful.model, tmp_path) == {"DynamicQuantizeMatMul": 1}
    assert "unsigned weights" in remarks(careful, "applied")[0]


@given(st.lists(st.integers(-127, 127), min_size=1, max_size=9))
def test_pair_sums_are_those_of_the_worst_activations(codes: list[int]) -> None:
    column = np.array(codes)[:, None]
    padded = [*codes, 0] if len(codes) % 2 else codes
    worst = max(
        abs(a * one + b * other)
        for one, other in zip(padded[::2], padded[1::2], strict=True)
        for a in (0, 255)
        for b in (0, 255)
    )
    assert may_overflow(column, 1) == (worst > 32767)


CONV = "g (float[1,8,6,6] x) => (float[1,16,4,4] y) { y = Conv (x, w, b) }"


def test_a_convolution_stays_unless_forced() -> None:
    source = model_of(CONV, {"w": draw(16, 8, 3, 3), "b": draw(16, seed=2)})
    done = run(source, "quantize-dynamic")
    assert ops(done.model) == ["Conv"]
    assert "slower" in remarks(done, "declined")[0]
    forced = run(source, "quantize-dynamic{force=true}")
    assert "ConvInteger" in ops(forced.model)
    x = {"x": draw(1, 8, 6, 6, seed=1)}
    assert distance(answers(forced.model, x), answers(source, x)) < 0.015


def test_a_padded_strided_grouped_convolution() -> None:
    text = """g (float[1,8,6,6] x) => (float[1,16,3,3] y) {
        y = Conv <group = 2, pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
    }"""
    source = model_of(text, {"w": draw(16, 4, 3, 3)})
    x = {"x": draw(1, 8, 6, 6, seed=1) + 3}  # zero is far from the middle of the codes
    done = run(source, "quantize-dynamic{force=true}")
    assert distance(answers(done.model, x), answers(source, x)) < 0.015


@pytest.mark.parametrize(
    ("text", "opset", "said"),
    [
        (PRODUCT, 10, "raise-opset"),
        (PRODUCT.replace("float[", "float16["), 21, "float32 only"),
        (PRODUCT.replace("MatMul (x, w)", "Gemm <transA = 1> (x, w)"), 21, "turns its first"),
        (PRODUCT.replace("MatMul (x, w)", "Gemm <beta = 2.0> (x, w, b)"), 21, "fold-gemm-factors"),
    ],
)
def test_what_stays_and_why(text: str, opset: int, said: str) -> None:
    weights = {"w": draw(64, 24)}
    if "float16" in text:
        weights["w"] = weights["w"].astype(np.float16)
    if ", b)" in text:
        weights["b"] = draw(24, seed=2)
    source = model_of(text, weights, opset=opset, dtype=10 if "float16" in text else 1)
    if "transA" in text:
        source.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 64
        source.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "B"
    if opset < 13:
        source.ir_version = 5
    done = run(source, "quantize-dynamic")
    assert "DynamicQuantizeLinear" not in ops(done.model)
    assert any(said in why for why in remarks(done, "declined"))


def test_a_weight_that_others_read_stays() -> None:
    text = """g (float[64,64] x) => (float[64,64] y) { a = MatMul (x, w) y = Add (a, w) }"""
    done = run(model_of(text, {"w": draw(64, 64)}), "quantize-dynamic")
    assert ops(done.model) == ["MatMul", "Add"]
    assert "another reader" in remarks(done, "declined")[0]


LSTM = """g (float[S,B,12] x) => (float[S,D,B,16] y) {
    y, h, c = LSTM <hidden_size = 16, direction = "DIRECTION"> (x, w, r, b)
}"""


@pytest.mark.parametrize(("direction", "count"), [("forward", 1), ("bidirectional", 2)])
@pytest.mark.parametrize("target", ["ort-arm", "ort-x86"])
def test_an_lstm_for_one_runtime(direction: str, count: int, target: str) -> None:
    weights = {"w": draw(count, 64, 12), "r": draw(count, 64, 16, seed=2)}
    weights["b"] = draw(count, 128, seed=3)
    source = model_of(LSTM.replace("DIRECTION", direction), weights)
    stays = run(source, "quantize-dynamic", target=target)
    assert ops(stays.model) == ["LSTM"]
    assert "native=yes" in remarks(stays, "declined")[0]
    done = run(source, "quantize-dynamic", target=f"{target}:native=yes")
    assert ops(done.model) == ["DynamicQuantizeLSTM"]
    x = {"x": draw(7, 2, 12, seed=4)}
    assert distance(runtime_answers(done.model, x), answers(source, x)) < 0.03
    assert held_bytes(done.model) < 0.4 * sum(array.nbytes for array in weights.values())


def test_an_lstm_without_its_first_result() -> None:
    text = """g (float[S,B,12] x) => (float[1,B,16] h) {
        y, h = LSTM <hidden_size = 16> (x, w, r)
    }"""
    weights = {"w": 0.3 * draw(1, 64, 12), "r": 0.3 * draw(1, 64, 16, seed=2)}
    source = model_of(text, weights)
    source.graph.node[0].output[0] = ""
    done = run(source, "quantize-dynamic", target="ort-cpu:native=yes")
    x = {"x": draw(7, 2, 12, seed=4)}
    assert distance(runtime_answers(done.model, x), answers(source, x)) < 0.03


def test_an_lstm_left_out_stays() -> None:
    weights = {"w": draw(1, 64, 12), "r": draw(1, 64, 16, seed=2), "b": draw(1, 128, seed=3)}
    source = model_of(LSTM.replace("DIRECTION", "forward"), weights)
    done = run(source, "quantize-dynamic{exclude=r}", target="ort-cpu:native=yes")
    assert ops(done.model) == ["LSTM"]
    assert remarks(done, "declined") == ["the user left it out: r"]
