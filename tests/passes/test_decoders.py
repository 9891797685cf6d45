"""Language models that are fed their past: Attention is raised, and no size becomes fixed."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.corpus import corpus_inputs, corpus_model
from tests.support import ops

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.saving import to_proto

DECODERS = {
    "arch/gpt2_tiny_kv_dynamo": 2,
    "arch/gpt2_tiny_kv_legacy": 2,
    "arch/llama_tiny_kv_dynamo": 2,
    "arch/llama_tiny_kv_legacy": 2,
    "real/stories260k_kv_dynamo": 5,
    "real/stories260k_kv_legacy": 5,
}
"""Models of the corpus with past keys and values, and their layers."""


def _interface(model: onnx.ModelProto) -> dict[str, list[int | str]]:
    return {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }


@pytest.mark.parametrize(("name", "layers"), DECODERS.items(), ids=DECODERS)
def test_a_decoder_keeps_its_dynamic_axes_and_has_one_attention_a_layer(
    name: str, layers: int
) -> None:
    path = corpus_model(name)
    source = onnx.load(path)
    done = optimize(source, passes="O2")
    result = to_proto(done.model)
    before, after = _interface(source), _interface(result)
    assert len([key for key in before if key.endswith((".key", ".value"))]) == 4 * layers
    assert before["past_key_values.0.key"][2] == "past"
    assert all(isinstance(before[f"present.{layer}.key"][2], str) for layer in range(layers))
    assert after == before
    assert ops(done.model).count("Attention") == layers
    assert "Softmax" not in ops(done.model)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_answers_alike_at_two_lengths(name: str) -> None:
    path = corpus_model(name)
    source = onnx.load(path)
    result = to_proto(optimize(source, passes="O2").model)
    lengths = set()
    for use_alt in (False, True):
        feeds = corpus_inputs(path, use_alt=use_alt)
        old, new = run_model(source, feeds), run_model(result, feeds)
        lengths.add((old["logits"].shape[1], old["present.0.key"].shape[2]))
        for output, expected in old.items():
            np.testing.assert_allclose(new[output], expected, rtol=1e-3, atol=1e-4, err_msg=output)
    assert len(lengths) == 2
