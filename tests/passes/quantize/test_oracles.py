"""What ONNX Runtime makes of quantized networks: exactly the integer kernels that were meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.corpus import corpus_inputs, corpus_model
from tests.passes.quantize.networks import (
    ARM,
    X86,
    attention_network,
    audited,
    conv_chain,
    executed,
    quantized,
    residual_network,
)

from burnish.audit import Audit
from burnish.calibration import Calibration
from burnish.driver import optimize
from burnish.evaluate import Evaluator
from burnish.passdef import Exactness
from burnish.registry import backend
from burnish.saving import to_proto
from burnish_models.catalog import catalog

WHOLE_CHAIN = {"QuantizeLinear": 1, "QLinearConv": 3, "DequantizeLinear": 1}
WHOLE_BLOCK = {
    "DequantizeLinear": 1,
    "Flatten": 1,
    "QGemm": 1,
    "QLinearAdd": 1,
    "QLinearConv": 3,
    "QLinearGlobalAveragePool": 1,
    "QuantizeLinear": 1,
}
FOR_TARGETS = pytest.mark.parametrize("target", [X86, ARM], ids=str)


@FOR_TARGETS
@pytest.mark.parametrize("passes", ["insert-qdq", "insert-qdq, settle-codes", "quantize"])
def test_a_chain_of_convolutions_is_integers_from_end_to_end(
    passes: str, target: Any, tmp_path: Path
) -> None:
    done = quantized(conv_chain(), passes=passes, target=target)
    assert executed(done, tmp_path, target) == WHOLE_CHAIN


@FOR_TARGETS
def test_a_residual_block_is_integers_from_end_to_end(target: Any, tmp_path: Path) -> None:
    # The Gemm may write numbers by itself: then the DequantizeLinear at the end is not needed.
    found = executed(quantized(residual_network(), target=target), tmp_path, target)
    assert found["DequantizeLinear"] <= 1
    found["DequantizeLinear"] = 1
    assert found == WHOLE_BLOCK


def test_symmetric_int8_is_not_for_x86(tmp_path: Path) -> None:
    # Why uint8 is chosen there: of int8 the runtime makes one integer convolution of three.
    from tests.passes.quantize.networks import target_of

    from burnish.quantized_target import Quantization

    signed = target_of(Quantization(activations="int8", symmetric=True))
    done = quantized(residual_network(), passes="insert-qdq", target=signed)
    assert executed(done, tmp_path)["QLinearConv"] < 3


def test_linear_layers_of_a_transformer_write_numbers(tmp_path: Path) -> None:
    found = executed(quantized(attention_network()), tmp_path)
    assert found["MatMulIntegerToFloat"] + found["QGemm"] == 6
    assert found["DequantizeLinear"] == 0
    # One for x, which three read, and one before each of the other three.
    assert found["QuantizeLinear"] == 4
    assert found["MatMul"] + found["FusedMatMul"] == 2


@pytest.mark.parametrize("network", [conv_chain, residual_network, attention_network])
def test_later_passes_keep_integer_kernels(network: Any, tmp_path: Path) -> None:
    once = audited(quantized(network(), passes="O2, insert-qdq"), tmp_path)
    again = audited(quantized(network(), passes="O2, insert-qdq, O2"), tmp_path)
    assert again.on_integers == once.on_integers
    assert again.executed.get("QuantizeLinear") == once.executed.get("QuantizeLinear")


@pytest.mark.parametrize(
    "method", ["auto", "minmax", "moving-average", "percentile-99.99", "mse", "entropy"]
)
def test_the_digits_are_read_as_well_on_integers(method: str, tmp_path: Path) -> None:
    (shipped,) = (item for item in catalog() if item.name == "digits")
    held = np.load(shipped.data)
    images, labels = held["image"], held["label"]
    samples = [{"image": image[None]} for image in images[:100]]
    done = optimize(
        str(shipped.model),
        passes=f"O2, add-for-sum, insert-qdq{{calibration={method}}}, settle-codes",
        target=X86,
        allow=Exactness.LOSSY,
        calibration=Calibration.of(samples),
    )
    found = audited(done, tmp_path)
    assert found.share == 1.0
    logits = Evaluator(tmp_path / "quantized.onnx", optimize=True, engine="ort").run(
        {"image": images}
    )
    correct = float((next(iter(logits.values())).argmax(axis=1) == labels).mean())
    assert correct >= shipped.accuracy - 0.005


CONVOLUTIONAL = (
    "real/cifar_resnet20_dynamo",
    "real/cifar_resnet20_legacy",
    "real/cntk_mnist",
    "real/mlperf_kws_dscnn",
    "real/mlperf_resnet8",
    "real/mlperf_vww96",
    "real/ppocr_v2_cls",
    "real/superres_core",
    "arch/caffe2_shufflenet",
    "arch/caffe2_squeezenet",
    "arch/hifigan_vocoder_dynamo",
    "arch/mobilenetv3_small_050_dynamo",
    "arch/unet_dynamo",
)
TRANSFORMERS = (
    "arch/bert_tiny_dynamo",
    "arch/bert_tiny_legacy",
    "arch/gpt2_tiny_kv_dynamo",
    "arch/llama_tiny_kv_dynamo",
    "arch/vit_micro_dynamo",
    "real/stories260k_kv_dynamo",
)


@pytest.mark.parametrize("name", [*CONVOLUTIONAL, *TRANSFORMERS])
def test_real_networks_run_on_integers(name: str, tmp_path: Path) -> None:
    path = corpus_model(name)
    done = optimize(
        str(path),
        passes="quantize",
        target=X86,
        allow=Exactness.LOSSY,
        calibration=Calibration.of([corpus_inputs(path)]),
    )
    onnx.save(to_proto(done.model), tmp_path / "model.onnx")
    found = backend("ort").audit(tmp_path / "model.onnx", X86)
    assert isinstance(found, Audit)
    assert found.layers
    assert found.share >= 0.95, found.lines()
