"""Weights of a trained language model: what int8 and int4 cost it, in bytes and in perplexity."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from tests.corpus import CORPUS, corpus_model
from tests.passes.quantize.weights import remarks

from burnish.calibration import Calibration
from burnish.driver import Optimized, optimize
from burnish.evaluate import Evaluator
from burnish.ir import Array, Model, constant
from burnish.passdef import Exactness
from burnish.saving import to_proto

TEXTS = CORPUS / "data" / "text" / "stories260k_samples.npz"


def _feeds(ids: Array) -> dict[str, Any]:
    batch, length = ids.shape
    places = np.broadcast_to(np.arange(length), ids.shape)
    feeds: dict[str, Any] = {"input_ids": ids, "position_ids": places.copy()}
    feeds["attention_mask"] = np.ones(ids.shape, np.int64)
    for layer in range(5):
        for part in ("key", "value"):
            name = f"past_key_values.{layer}.{part}"
            feeds[name] = np.zeros((batch, 4, 0, 8), np.float32)
    return feeds


@functools.cache
def _texts() -> Array:
    if not TEXTS.exists():
        pytest.skip(f"{TEXTS} is not here")
    return np.asarray(np.load(TEXTS)["ids"].astype(np.int64))


def _calibration() -> Iterator[dict[str, Any]]:
    for row in _texts()[8:]:
        yield _feeds(row[None])


@functools.cache
def _float_model() -> onnx.ModelProto:
    return to_proto(optimize(corpus_model("real/stories260k_kv_dynamo")).model)


@functools.cache
def _done(passes: str) -> Optimized:
    return optimize(
        _float_model(),
        passes=passes,
        allow=Exactness.LOSSY,
        calibration=Calibration.of(_calibration),
    )


@functools.cache
def _logits(passes: str) -> Array:
    """On texts that were not calibrated on; products in float32."""
    model = to_proto(_done(passes).model) if passes else _float_model()
    evaluator = Evaluator(model)
    return np.asarray(evaluator.run(_feeds(_texts()[:8]))["logits"].astype(np.float64))


def _log_probabilities(logits: Array) -> Array:
    low = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(low - np.log(np.exp(low).sum(axis=-1, keepdims=True)))


def perplexity(passes: str) -> float:
    known = _log_probabilities(_logits(passes))[:, :-1]
    taken = np.take_along_axis(known, _texts()[:8, 1:, None], axis=2)
    return float(np.exp(-taken.mean()))


def divergence(passes: str) -> float:
    """The mean Kullback-Leibler divergence from what the float model says comes next."""
    reference, result = (_log_probabilities(_logits(item)) for item in ("", passes))
    return float((np.exp(reference) * (reference - result)).sum(axis=-1).mean())


def product_bytes(model: Model) -> int:
    """Bytes of what products read, scales and zero points included."""
    found: dict[str, int] = {}
    for node in model.graph:
        if node.op_type == "MatMul":
            maker = node.inputs[1].producer() if node.inputs[1] is not None else None
            decoded = maker is not None and maker.op_type in ("DequantizeLinear", "Transpose")
            for value in maker.inputs if decoded and maker is not None else node.inputs[1:]:
                held = constant(value)
                if value is not None and held is not None:
                    found[str(value.name)] = held.nbytes
    return sum(found.values())


NEAREST = "quantize-weights{bits=4,method=rtn}"


@pytest.mark.parametrize(("passes", "share"), [("quantize-weights", 0.30), (NEAREST, 0.20)])
def test_the_weights_of_products_shrink(passes: str, share: float) -> None:
    before = product_bytes(optimize(_float_model(), passes="O0").model)
    assert before > 1_000_000
    assert product_bytes(_done(passes).model) < share * before


@pytest.mark.parametrize("method", ["gptq", "adaptive"])
def test_looking_at_results_loses_much_less_than_nearest_codes(method: str) -> None:
    passes = f"quantize-weights{{bits=4,method={method}}}"
    gains = []
    for said in remarks(_done(passes), "note"):
        if said.startswith(method):
            after, before = (float(part.split()[0]) for part in said.split(": ")[1].split(", "))
            gains.append(after / before)
    assert len(gains) == 26
    assert np.mean(gains) < 0.7
    assert divergence(passes) < 0.7 * divergence(NEAREST)
    lost = perplexity(passes) - perplexity("")
    assert lost < 0.7 * (perplexity(NEAREST) - perplexity(""))


def test_int8_hardly_shows() -> None:
    assert perplexity("quantize-weights") < 1.005 * perplexity("")
    assert divergence("quantize-weights") < 0.002


def test_the_runtimes_own_operator_says_the_same() -> None:
    alone, fused = NEAREST, f"{NEAREST}, fuse-matmul-nbits{{slow=true}}"
    kinds = [node.op_type for node in _done(fused).model.graph]
    assert kinds.count("MatMulNBits") == 26
    np.testing.assert_allclose(_logits(fused), _logits(alone), rtol=1e-3, atol=1e-3)


def test_a_later_level_keeps_the_codes() -> None:
    assert product_bytes(_done(f"{NEAREST}, O2").model) == product_bytes(_done(NEAREST).model)


def test_a_codebook_stays_packed_through_a_level() -> None:
    held = [
        sum(
            item.nbytes
            for value in _done(passes).model.graph.initializers.values()
            if (item := constant(value)) is not None
        )
        for passes in ("compress-weights", "compress-weights, O2")
    ]
    assert held[1] <= held[0] < 350_000
