"""The shipped digits model is what the catalogue says it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import burnish_models
from burnish.errors import InputError
from burnish_models.digits import train

(DIGITS,) = (shipped for shipped in burnish_models.catalog() if shipped.name == "digits")


def read_data() -> tuple[Any, Any]:
    with np.load(DIGITS.data) as data:
        return data["image"], data["label"]


def test_accuracy_is_what_the_catalogue_says() -> None:
    ort = pytest.importorskip("onnxruntime")
    images, labels = read_data()
    session = ort.InferenceSession(DIGITS.model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": images})
    accuracy = float((logits.argmax(1) == labels).mean())
    assert accuracy == pytest.approx(DIGITS.accuracy, abs=0.001)
    assert accuracy > 0.97


def test_model_is_small_and_keeps_its_batch_norms() -> None:
    assert DIGITS.model.stat().st_size < 200_000
    model = onnx.load(DIGITS.model)
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Conv") == kinds.count("BatchNormalization") == 3
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_data_is_the_test_split_of_the_training_script() -> None:
    pytest.importorskip("sklearn")
    _, test_images, _, test_labels = train.data()
    images, labels = read_data()
    np.testing.assert_array_equal(images, test_images)
    np.testing.assert_array_equal(labels, test_labels)
    assert images.dtype == np.float32
    assert labels.dtype == np.int64


def test_gradients_agree_with_finite_differences() -> None:
    rng = np.random.default_rng(3)
    images = rng.random((4, 1, 8, 8))
    labels = np.array([1, 7, 3, 0])

    def as_double(network: train.Network) -> None:
        network.assign({name: a.astype(np.float64) for name, a in network.parameters().items()})

    def loss(network: train.Network) -> float:
        logits = network.forward(images, training=True)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        chosen = (odds / odds.sum(1, keepdims=True))[np.arange(len(labels)), labels]
        return float(-np.log(chosen).mean())

    network = train.Network(rng)
    as_double(network)
    logits = network.forward(images, training=True)
    gradients = network.backward(train.loss_slope(logits, labels))
    for name, value in network.parameters().items():
        index = tuple(size // 2 for size in value.shape)
        losses = []
        for step in (1e-6, -1e-6):
            moved = {key: a.copy() for key, a in network.parameters().items()}
            moved[name][index] += step
            network.assign(moved)
            losses.append(loss(network))
            moved[name][index] -= step
            network.assign(moved)
        slope = (losses[0] - losses[1]) / 2e-6
        assert gradients[name][index] == pytest.approx(slope, rel=1e-3, abs=1e-6), name


def test_exported_model_computes_what_the_network_computes() -> None:
    network = train.Network(np.random.default_rng(5))
    images, _ = read_data()
    network.forward(images[:64], training=True)  # moves the running statistics
    model = train.build(network.export())
    (logits,) = ReferenceEvaluator(model).run(None, {"image": images[64:80]})
    expected = network.forward(images[64:80], training=False)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_unknown_name_is_refused_with_a_suggestion() -> None:
    assert burnish_models.path("digits") == DIGITS.model
    with pytest.raises(InputError, match="try digits"):
        burnish_models.path("digit")
