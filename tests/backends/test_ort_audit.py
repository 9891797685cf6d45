"""What ONNX Runtime executes, read back, and the reasons why layers stay on floats."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from tests.passes.quantize.networks import (
    X86,
    Network,
    attention_network,
    audited,
    conv_chain,
    last,
    quantized,
    residual_network,
)

from burnish.audit import Audit
from burnish.driver import compile
from burnish.errors import BurnishError, ExecutionError, InputError
from burnish.passdef import Exactness
from burnish.registry import backend
from burnish.saving import to_proto

ORT = backend("ort")


def audit_of(model: onnx.ModelProto, folder: Path) -> Audit:
    onnx.save(model, folder / "model.onnx")
    found = ORT.audit(folder / "model.onnx", X86)
    assert found is not None
    return found


def reason(model: onnx.ModelProto, folder: Path, place: str) -> str:
    found = audit_of(model, folder)
    (layer,) = (item for item in found.layers if item.node == place)
    assert layer.numbers == "floats"
    return layer.why


def nodes(model: onnx.ModelProto, op_type: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == op_type]


def bypass(model: onnx.ModelProto, op_type: str, value: str) -> None:
    """Let readers of what such a node makes of ``value`` read ``value`` itself."""
    (gone,) = (node for node in nodes(model, op_type) if node.input[0] == value)
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == gone.output[0]:
                node.input[index] = value
    model.graph.node.remove(gone)


@pytest.fixture
def chain() -> onnx.ModelProto:
    return to_proto(quantized(conv_chain()).model)


def test_every_layer_of_a_quantized_network_is_found_again(tmp_path: Path) -> None:
    found = audited(quantized(residual_network()), tmp_path)
    runs_as = [(layer.node, layer.runs_as) for layer in found.layers]
    assert runs_as == [
        ("conv0", "QLinearConv"),
        ("conv2", "QLinearConv"),
        ("conv4", "QLinearConv"),
        ("gemm9", "QGemm"),
    ]
    assert found.share == 1.0
    assert not any(layer.why for layer in found.layers)


def test_layers_without_names_are_found_again(tmp_path: Path) -> None:
    net = residual_network()
    for node in net.nodes:
        node.name = ""
    found = audited(quantized(net), tmp_path)
    assert [layer.runs_as for layer in found.layers] == ["QLinearConv"] * 3 + ["QGemm"]


@pytest.mark.parametrize("network", [conv_chain, residual_network, attention_network])
def test_a_float_model_is_told_apart(network: Any, tmp_path: Path) -> None:
    net = network()
    found = audit_of(net.model(last(net)), tmp_path)
    assert not found.quantized
    assert found.on_integers == 0
    assert {layer.numbers for layer in found.layers} == {"floats"}
    assert found.lines() == [
        f"no layer is quantized: the file holds {len(found.layers)} Conv/MatMul/Gemm on floats"
    ]


def test_fused_operators_show(tmp_path: Path) -> None:
    net = attention_network()
    found = audit_of(net.model(last(net)), tmp_path)
    assert any(line.startswith("Softmax") or "Fused" in line for line in found.changes())


def test_the_reason_is_a_result_without_codes(chain: onnx.ModelProto, tmp_path: Path) -> None:
    bypass(chain, "QuantizeLinear", "conv2")
    bypass(chain, "DequantizeLinear", "conv2")
    assert reason(chain, tmp_path, "conv2") == "its result is not quantized"


def test_the_reason_is_a_second_reader(chain: onnx.ModelProto, tmp_path: Path) -> None:
    chain.graph.node.append(helper.make_node("Abs", ["conv2"], ["more"]))
    chain.graph.output.append(helper.make_tensor_value_info("more", 1, None))
    why = "its result is read by others than a QuantizeLinear"
    assert reason(chain, tmp_path, "conv2") == why


def test_the_reason_is_an_operand_without_codes(chain: onnx.ModelProto, tmp_path: Path) -> None:
    bypass(chain, "QuantizeLinear", "x")
    bypass(chain, "DequantizeLinear", "x")
    assert reason(chain, tmp_path, "conv0") == "only its weight is quantized"


def test_the_reason_is_a_relu_within_the_codes(tmp_path: Path) -> None:
    model = to_proto(quantized(conv_chain(), passes="insert-qdq").model)
    (zero,) = (item for item in model.graph.initializer if item.name == "relu1_zero_point")
    zero.CopyFrom(onnx.numpy_helper.from_array(np.uint8(7), zero.name))
    why = "the codes after it do not bound as the Relu does"
    assert reason(model, tmp_path, "conv0") == why


def test_the_reason_is_sixteen_bits(tmp_path: Path) -> None:
    net = Network((1, 3, 6, 6), opset=21)
    net.conv("x", 3, 4)
    done = quantized(net, passes="insert-qdq{activations=uint16}")
    assert reason(to_proto(done.model), tmp_path, "conv0") == "its codes are not of 8 bits"


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError):
        ORT.audit(tmp_path / "bad.onnx", X86)


def test_a_model_the_runtime_refuses_is_refused(tmp_path: Path) -> None:
    net = Network((1, 4))
    net.add("Relu", "x")
    model = net.model(last(net))
    model.graph.node[0].domain = "nobody"
    model.opset_import.append(helper.make_opsetid("nobody", 1))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ExecutionError):
        ORT.audit(tmp_path / "model.onnx", X86)


def test_an_artifact_of_a_quantized_model_holds_its_audit(tmp_path: Path) -> None:
    done = quantized(residual_network())
    artifact = compile(
        to_proto(done.model), tmp_path / "out", passes="O0", target=X86, allow=Exactness.LOSSY
    )
    held = artifact.manifest.audit
    assert held is not None
    assert (held["on_integers"], held["of"], held["fallbacks"]) == (4, 4, [])
    assert held["text"] == ["4 of 4 Conv/MatMul/Gemm run on integers"]
    again = ORT.audit(artifact.model, X86)
    assert again is not None
    assert again.json() == held
    names = {item.name for item in (tmp_path / "out").iterdir()}
    assert not any("optimized" in name for name in names)


def test_an_artifact_of_a_float_model_holds_none(tmp_path: Path) -> None:
    net = conv_chain()
    artifact = compile(net.model(last(net)), tmp_path / "out", passes="O0")
    assert artifact.manifest.audit is None


def test_a_target_of_another_device_is_refused(tmp_path: Path) -> None:
    net = conv_chain()
    onnx.save(net.model(last(net)), tmp_path / "model.onnx")
    with pytest.raises(BurnishError, match="does not build for 'cuda'"):
        ORT.audit(tmp_path / "model.onnx", dataclasses.replace(X86, device="cuda"))
