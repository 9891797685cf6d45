"""Derived shapes of the real models of the corpus hold when the models run."""

from __future__ import annotations

import onnx
import onnx.parser
import onnx.printer
import pytest
from tests.compiler.observed_shapes import check
from tests.corpus import corpus_inputs, corpus_model

from burnish.symbolic import has_unknown

TRANSFORMERS = (
    "arch/bert_tiny_legacy",
    "arch/bert_tiny_dynamo",
    "arch/llama_tiny_kv_legacy",
    "arch/llama_tiny_kv_dynamo",
    "arch/gpt2_tiny_kv_legacy",
    "arch/vit_micro_legacy",
    "arch/unet_legacy",
    "arch/unet_dynamo",
    "arch/deepspeech_gru_legacy",
    "arch/rnnt_predict_join_legacy",
    "arch/script_if_loop_legacy",
    "real/stories260k_kv_legacy",
    "real/g2p_gru_loop",
    "real/g2p_gru_unrolled_legacy",
    "real/basic_pitch_nmp",
    "real/ppocr_v2_cls",
    "real/cifar_resnet20_ortqdq",
    "real/magika_v3_3",
)


@pytest.mark.parametrize("use_alt", [False, True], ids=["dims", "dims_alt"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_real_model(name: str, use_alt: bool) -> None:
    path = corpus_model(name)
    proto = onnx.load(path)
    shapes, values = check(proto, corpus_inputs(path, use_alt=use_alt))
    for node in proto.graph.node:
        if node.op_type == "Reshape" and node.input[1] in values and "ppocr" not in name:
            contents = shapes.contents(values[node.input[1]])
            assert contents is not None
            assert not any(has_unknown(dim) for dim in contents.dims() or ()), node.name
