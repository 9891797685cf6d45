"""Products with codes of 4 and 8 bits as one operator of ONNX Runtime's own."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from tests.passes.quantize.weights import (
    answers,
    distance,
    draw,
    model_of,
    remarks,
    run,
    runtime_answers,
)
from tests.support import ops

from burnish.driver import optimize
from burnish.errors import SpecError
from burnish.ir import attribute, constant
from burnish.passdef import Exactness
from burnish.pipeline import Pipeline

PRODUCT = "g (float[B,K] x) => (float[B,24] y) { y = MatMul (x, w) }"
FUSE = "fuse-matmul-nbits{slow=true}"
X = {"x": draw(5, 172, seed=1)}


def _source(options: str = "bits=4,head=4", rows: int = 172) -> onnx.ModelProto:
    from burnish.saving import to_proto

    done = run(model_of(PRODUCT, {"w": draw(rows, 24)}), f"quantize-weights{{{options}}}")
    return to_proto(done.model)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("symmetric", ["true", "false"])
@pytest.mark.parametrize("block", ["16", "32", "64", "128", "none"])
def test_the_same_numbers_from_one_operator(bits: int, symmetric: str, block: str) -> None:
    source = _source(f"bits={bits},head={bits},symmetric={symmetric},block={block}")
    done = run(source, FUSE)
    assert ops(done.model) == ["MatMulNBits"]
    assert attribute(done.model.graph[0], "accuracy_level") == 1
    assert distance(runtime_answers(done.model, X), answers(source, X)) < 1e-6


@pytest.mark.parametrize("rows", [3, 16, 20, 33, 64])
def test_any_number_of_rows(rows: int) -> None:
    source = _source("bits=4,head=4", rows)
    done = run(source, FUSE)
    x = {"x": draw(5, rows, seed=1)}
    assert ops(done.model) == ["MatMulNBits"]
    assert distance(runtime_answers(done.model, x), answers(source, x)) < 1e-6


def test_codes_in_the_middle_need_no_zero_points() -> None:
    signed = run(_source("bits=4,head=4"), FUSE)
    assert len(signed.model.graph[0].inputs) == 3
    unsigned = run(_source("bits=4,head=4,symmetric=false"), FUSE)
    held = constant(unsigned.model.graph[0].inputs[3])
    assert held is not None
    assert tuple(held.shape.numpy()) == (24, 3)  # six blocks, two in a byte


def test_accuracy_4_is_lossy_and_must_be_allowed() -> None:
    source = _source()
    assert Pipeline.parse("fuse-matmul-nbits").exactness == Exactness.FLOAT
    assert Pipeline.parse("fuse-matmul-nbits{accuracy=4}").exactness == Exactness.LOSSY
    with pytest.raises(Exception, match="lossy"):
        optimize(source, passes="fuse-matmul-nbits{accuracy=4}")
    done = run(source, "fuse-matmul-nbits{accuracy=4}")
    off = distance(runtime_answers(done.model, X), answers(source, X))
    assert 1e-3 < off < 0.02
    with pytest.raises(SpecError, match="accuracy"):
        run(source, "fuse-matmul-nbits{accuracy=3}")


def test_8_bits_need_accuracy_4_to_be_fast() -> None:
    source = _source("bits=8")
    done = run(source, "fuse-matmul-nbits")
    assert ops(done.model) == ["DequantizeLinear", "MatMul"]
    assert "no fast kernel for 8 bits" in remarks(done, "declined")[0]
    assert ops(run(source, "fuse-matmul-nbits{accuracy=4}").model) == ["MatMulNBits"]


def test_a_bias_goes_along() -> None:
    text = "g (float[B,172] x) => (float[B,24] y) { y = Gemm (x, w, b) }"
    source = model_of(text, {"w": draw(172, 24), "b": draw(24, seed=2)})
    done = run(source, "quantize-weights, " + FUSE)
    assert ops(done.model) == ["MatMulNBits"]
    quantized = run(source, "quantize-weights")
    assert distance(runtime_answers(done.model, X), answers(quantized.model, X)) < 1e-6


@pytest.mark.parametrize(
    ("gemm", "bias", "said"),
    [
        ("<alpha = 2.0>", (24,), "factors"),
        ("<beta = 2.0>", (24,), "factors"),
        ("", (1,), "one number for each column"),
        ("", (1, 24), "one number for each column"),
    ],
)
def test_a_gemm_that_does_more_stays(gemm: str, bias: tuple[int, ...], said: str) -> None:
    text = f"g (float[B,172] x) => (float[B,24] y) {{ y = Gemm {gemm} (x, w, b) }}"
    source = model_of(text, {"w": draw(172, 24), "b": draw(*bias, seed=2)})
    done = run(source, "quantize-weights, " + FUSE)
    assert ops(done.model) == ["DequantizeLinear", "Gemm"]
    assert any(said in why for why in remarks(done, "declined"))
    assert "com.microsoft" not in done.model.opset_imports


def test_a_weight_that_others_read_decoded_stays() -> None:
    source = _source()
    source.graph.output.append(
        onnx.helper.make_tensor_value_info("w_dequantized", TensorProto.FLOAT, [172, 24])
    )
    done = run(source, FUSE)
    assert ops(done.model) == ["DequantizeLinear", "MatMul"]


def test_codes_of_rows_stay() -> None:
    text = """g (float[B,32] x) => (float[B,24] y) {
        w = DequantizeLinear <axis = 0> (codes, scale)
        y = MatMul (x, w)
    }"""
    codes = np.random.default_rng(0).integers(-9, 9, (32, 24)).astype(np.int8)
    done = run(model_of(text, {"codes": codes, "scale": abs(draw(32))}), FUSE)
    assert ops(done.model) == ["DequantizeLinear", "MatMul"]
    assert remarks(done, "declined") == ["scales differ by row"]


def test_one_scale_for_all() -> None:
    text = """g (float[B,40] x) => (float[B,24] y) {
        w = DequantizeLinear (codes, scale, zero)
        y = MatMul (x, w)
    }"""
    codes = np.random.default_rng(0).integers(0, 255, (40, 24)).astype(np.uint8)
    weights = {"codes": codes, "scale": np.float32([0.1])[0], "zero": np.array(77, np.uint8)}
    source = model_of(text, {name: np.asarray(array) for name, array in weights.items()})
    done = run(source, FUSE)
    assert ops(done.model) == ["MatMulNBits"]
    x = {"x": draw(5, 40, seed=1)}
    assert distance(runtime_answers(done.model, x), answers(source, x)) < 1e-6


def test_float16() -> None:
    text = "g (float16[B,64] x) => (float16[B,24] y) { y = MatMul (x, w) }"
    source = model_of(text, {"w": draw(64, 24)}, dtype=TensorProto.FLOAT16)
    done = run(source, "quantize-weights, " + FUSE)
    assert ops(done.model) == ["MatMulNBits"]
    x = {"x": draw(5, 64, seed=1).astype(np.float16)}
    reference = answers(source, x).astype(np.float32)
    assert distance(runtime_answers(done.model, x).astype(np.float32), reference) < 0.012
