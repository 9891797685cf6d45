"""float16 on whole models: valid after every step, half as large, and near in its answers."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import onnx
import pytest
from tests.corpus import corpus_inputs, corpus_model
from tests.support import ops

from burnish.calibration import Calibration
from burnish.driver import Optimized, optimize
from burnish.evaluate import run_model
from burnish.ir import DataType, all_nodes
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.text import model_text
from burnish_models import zoo


@pytest.mark.parametrize("name", zoo.names())
def test_every_prefix_is_a_valid_model(name: str) -> None:
    source = zoo.get(name).proto()
    full = optimize(source, passes="cast-float16", allow=Exactness.LOSSY)
    for count in range(full.records[-1].rewrites):
        part = optimize(source, passes="cast-float16", allow=Exactness.LOSSY, stop_after=count)
        onnx.checker.check_model(to_proto(part.model), full_check=True)
        assert part.records[-1].rewrites == count


def logits(passes: str) -> tuple[Optimized, Any, Any]:
    folder = files("burnish_models.digits")
    images = np.load(str(folder / "digits.npz"))["image"][:128]
    path = str(folder / "digits.onnx")
    samples = [{"image": images[start : start + 16]} for start in range(0, 128, 16)]
    made = optimize(path, passes=passes, allow=Exactness.LOSSY, calibration=Calibration.of(samples))
    feeds = {"image": images}
    return made, run_model(to_proto(made.model), feeds)["logits"], run_model(path, feeds)["logits"]


def decibels(exact: Any, found: Any) -> float:
    return float(10 * np.log10(np.square(exact).sum() / np.square(exact - found).sum()))


def test_a_trained_model_is_half_as_large_and_answers_alike() -> None:
    made, found, exact = logits("O2, cast-float16")
    assert decibels(exact, found) > 55
    entry = made.records[-1]
    assert entry.after.bytes <= 0.51 * entry.before.bytes
    assert ops(made.model).count("Cast") == 2


def test_operators_on_codes_stay_with_their_scales() -> None:
    whole, found, exact = logits("O2, insert-qdq")
    made, again, _ = logits("O2, insert-qdq, cast-float16")
    assert model_text(made.model) == model_text(whole.model)
    assert (found == again).all()
    reasons = {item.why for item in made.records[-1].remarks if item.kind == "declined"}
    assert "it is computed on codes, whose scales are float32" in reasons
    assert decibels(exact, found) > 30


def test_scales_become_float16_when_asked() -> None:
    _, plain, exact = logits("O2, insert-qdq")
    made, found, _ = logits("O2, insert-qdq, cast-float16{scales=true}")
    coders = [node for node in all_nodes(made.model) if node.op_type == "QuantizeLinear"]
    scales = {node.inputs[1].dtype for node in coders if node.inputs[1] is not None}
    assert scales == {DataType.FLOAT16}
    assert decibels(exact, found) > decibels(exact, plain) - 3


def test_weights_stored_as_codes_are_decoded_to_float16() -> None:
    made, found, exact = logits("O2, quantize-weights, cast-float16")
    decoders = [node for node in all_nodes(made.model) if node.op_type == "DequantizeLinear"]
    assert decoders
    assert all(node.outputs[0].dtype == DataType.FLOAT16 for node in decoders)
    assert decibels(exact, found) > 30


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("real/cifar_resnet20_dynamo", 60),
        ("arch/bert_tiny_dynamo", 55),
        ("real/stories260k_kv_dynamo", 50),
        ("arch/unet_dynamo", 60),
    ],
)
def test_real_models(name: str, least: float) -> None:
    path = corpus_model(name)
    feeds = corpus_inputs(path)
    made = optimize(path, passes="O2, cast-float16", allow=Exactness.LOSSY)
    entry = made.records[-1]
    assert entry.after.bytes <= 0.52 * entry.before.bytes
    exact, found = run_model(str(path), feeds), run_model(to_proto(made.model), feeds)
    assert min(decibels(exact[key], found[key]) for key in exact) > least
    again = optimize(to_proto(made.model), passes="cast-float16", allow=Exactness.LOSSY)
    assert not again.records[0].diff
