"""Which layers become codes, which values between them, and what stays float and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.passes.quantize.networks import (
    ARM,
    X86,
    Network,
    attention_network,
    audited,
    conv_chain,
    executed,
    kinds,
    last,
    quantized,
    residual_network,
    why_declined,
)

from burnish.calibration import Calibration
from burnish.driver import Optimized, optimize
from burnish.errors import BurnishError, InputError
from burnish.evaluate import run_model
from burnish.graph import sources_of
from burnish.ir import Node, Value, constant_array
from burnish.passdef import Exactness
from burnish.pipeline import Pipeline
from burnish.saving import to_proto

PASS = "insert-qdq"


def closeness(net: Network, done: Optimized) -> float:
    """Root mean square error against the float network, relative to its result."""
    feeds = net.samples(1)[0]
    before, after = run_model(net.model(last(net)), feeds), run_model(to_proto(done.model), feeds)
    (was,), (becomes,) = before.values(), after.values()
    return float(np.sqrt(np.mean((was - becomes) ** 2) / np.mean(was**2)))


def array(value: Value | None) -> np.ndarray:
    held = constant_array(value)
    assert held is not None
    return held


def node_of(done: Optimized, name: str) -> Node:
    return next(node for node in done.model.graph if node.name == name)


@pytest.mark.parametrize("network", [conv_chain, residual_network, attention_network])
def test_the_answers_stay_close(network: object) -> None:
    net = network()  # type: ignore[operator]
    assert closeness(net, quantized(net)) < 0.06


def test_every_reader_has_a_dequantizer_of_its_own() -> None:
    done = quantized(residual_network(), passes=PASS)
    for node in done.model.graph:
        if node.op_type == "DequantizeLinear":
            assert len(node.outputs[0].uses()) == 1
    quantizers = [node for node in done.model.graph if node.op_type == "QuantizeLinear"]
    read = [node.inputs[0] for node in quantizers]
    assert len(read) == len(set(read))


def test_a_graph_output_is_dequantized_under_its_name() -> None:
    net = Network((1, 3, 6, 6))
    net.add("Abs", net.conv("x", 3, 4))
    done = quantized(net, "conv0", "abs1", passes=PASS)
    produced = [value.producer().op_type for value in done.model.graph.outputs]
    assert [value.name for value in done.model.graph.outputs] == ["conv0", "abs1"]
    assert produced == ["DequantizeLinear", "Abs"]


def test_without_data_it_says_what_it_needs() -> None:
    net = conv_chain()
    with pytest.raises(BurnishError, match="needs calibration data"):
        optimize(net.model(last(net)), passes=PASS, target=X86, allow=Exactness.LOSSY)


def test_it_must_be_allowed() -> None:
    net = conv_chain()
    with pytest.raises(InputError, match="only FLOAT is allowed"):
        optimize(net.model(last(net)), passes=PASS, target=X86)


def test_excluded_layers_stay_float_and_say_so() -> None:
    done = quantized(conv_chain(), passes=f"{PASS}{{exclude=conv2}}")
    assert why_declined(done) == {"conv2": "it was excluded"}
    assert node_of(done, "conv2").inputs[1].producer() is None
    assert node_of(done, "conv0").inputs[1].producer().op_type == "DequantizeLinear"
    assert not why_declined(quantized(conv_chain()))


def test_layers_are_excluded_by_type_and_by_names_with_slashes() -> None:
    net = residual_network()
    for node in net.nodes:
        node.name = f"/layer/{node.name}"
    spec = f"{PASS}{{exclude=%2Flayer%2Fconv0/Gemm}}"
    done = quantized(net, passes=spec)
    assert list(why_declined(done)) == ["/layer/conv0", "/layer/gemm9"]
    assert str(Pipeline.parse(spec)) == spec


def test_a_misspelt_exclusion_is_refused() -> None:
    with pytest.raises(BurnishError, match="exclude names no layer 'conv9'") as caught:
        quantized(conv_chain(), passes=f"{PASS}{{exclude=conv9}}")
    assert "did you mean" in str(caught.value)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(BurnishError, match="no range method 'best'"):
        quantized(conv_chain(), passes=f"{PASS}{{calibration=best}}")


def test_narrow_layers_have_weights_of_seven_bits() -> None:
    done = quantized(conv_chain(), passes=f"{PASS}{{narrow=conv0}}")
    sizes = [
        int(np.abs(array(node_of(done, name).inputs[1].producer().inputs[0]).astype(int)).max())
        for name in ("conv0", "conv2")
    ]
    assert sizes == [63, 127]


def test_arm_gets_signed_codes_that_still_absorb_relu(tmp_path: Path) -> None:
    done = quantized(conv_chain(), target=ARM)
    types = {array(node.inputs[2]).dtype for node in done.model.graph if "Q" in node.op_type[0]}
    assert types == {np.dtype("int8")}
    assert kinds(done)["Relu"] == 0
    assert audited(done, tmp_path, ARM).share == 1.0


def test_a_bias_has_the_scale_of_the_sums() -> None:
    done = quantized(conv_chain(), passes=PASS)
    for name in ("conv0", "conv2", "conv4"):
        data, weight, bias = (value.producer() for value in node_of(done, name).inputs)
        expected = array(data.inputs[1]) * array(weight.inputs[1])
        np.testing.assert_array_equal(array(bias.inputs[1]), expected)
        assert array(bias.inputs[0]).dtype == np.int32


def test_a_bias_too_large_for_its_scale_widens_that_of_the_weight() -> None:
    net = Network((1, 2, 4, 4))
    weights = np.array([[[[1e-9]], [[1e-9]]], [[[0.5]], [[-0.5]]]], np.float32)
    biases = np.array([3.0, 0.25], np.float32)
    net.add("Relu", net.add("Conv", "x", net.held(weights), net.held(biases)))
    done = quantized(net, passes=PASS)
    assert closeness(net, done) < 0.02
    notes = [item.why for entry in done.records for item in entry.remarks if item.kind == "note"]
    assert "1 of 2 weight scales are larger for a large bias" in notes


def test_a_channel_of_zeros_keeps_its_bias() -> None:
    net = Network((1, 2, 4, 4))
    weights = np.array([[[[0.0]], [[0.0]]], [[[0.5]], [[-0.5]]]], np.float32)
    biases = np.array([0.011, 0.25], np.float32)
    net.add("Conv", "x", net.held(weights), net.held(biases))
    done = quantized(net, passes=PASS)
    codes, scale, _ = node_of(done, "conv0").inputs[2].producer().inputs
    np.testing.assert_allclose((array(codes) * array(scale))[0], 0.011, rtol=1e-5)


def test_a_bias_of_two_layers_becomes_two() -> None:
    net = Network((1, 2, 4, 4))
    shared = net.weight(2, name="b")
    left = net.add("Conv", "x", net.weight(2, 2, 1, 1), shared)
    right = net.add("Conv", left, net.weight(2, 2, 1, 1, scale=3.0), shared)
    net.add("Relu", right)
    done = quantized(net, passes=PASS)
    biases = [node_of(done, name).inputs[2].producer() for name in ("conv0", "conv1")]
    assert array(biases[0].inputs[1])[0] != array(biases[1].inputs[1])[0]
    assert "b" not in done.model.graph.initializers


@pytest.mark.parametrize("alpha", [0.5, -2.0])
def test_factors_of_a_gemm_go_into_its_constants(alpha: float, tmp_path: Path) -> None:
    net = Network((4, 8))
    net.add("Gemm", "x", net.weight(8, 5), net.weight(5), alpha=alpha, beta=3.0)
    done = quantized(net, passes=PASS)
    assert closeness(net, done) < 0.03
    assert executed(done, tmp_path)["QGemm"] == 1


@pytest.mark.parametrize(("op_type", "axis"), [("MatMul", 1), ("Gemm", 1), ("GemmT", 0)])
def test_scales_lie_along_output_channels(op_type: str, axis: int) -> None:
    net = Network((4, 8))
    if op_type == "GemmT":
        net.add("Gemm", "x", net.weight(5, 8), transB=1)
    else:
        net.add(op_type, "x", net.weight(8, 5))
    done = quantized(net, passes=PASS)
    weight = node_of(done, last(net)).inputs[1].producer()
    assert weight.attributes["axis"].value == axis
    assert array(weight.inputs[1]).shape == (5,)


def test_old_opsets_get_one_scale_for_a_weight() -> None:
    net = Network((4, 8), opset=12)
    net.linear("x", 8, 5)
    done = quantized(net, passes=PASS)
    weight = node_of(done, "matmul0").inputs[1].producer()
    assert array(weight.inputs[1]).shape == ()
    assert "axis" not in weight.attributes


def test_sixteen_bits_need_opset_21() -> None:
    net = Network((4, 8), opset=20)
    net.linear("x", 8, 5)
    (why,) = why_declined(quantized(net, passes=f"{PASS}{{activations=uint16}}")).values()
    assert "raise-opset" in why
    net.opset = 21
    done = quantized(net, passes=f"{PASS}{{activations=uint16}}")
    assert closeness(net, done) < 0.01


def test_stop_after_quantizes_the_first_layers() -> None:
    done = quantized(conv_chain(), passes=PASS, stop_after=2)
    weights = [node_of(done, name).inputs[1].producer() for name in ("conv0", "conv2", "conv4")]
    assert [item is not None for item in weights] == [True, True, False]
    whole = quantized(conv_chain(), passes=PASS)
    assert [entry.rewrites for entry in whole.records] == [3]


def test_what_was_made_knows_its_source() -> None:
    done = quantized(conv_chain(), passes=PASS)
    made = [node for node in done.model.graph if "Linear" in node.op_type]
    known = {"conv0", "conv2", "conv4", "relu1", "relu3", "relu5"}
    assert made
    assert all(set(sources_of(node)) <= known for node in made)


def test_twice_is_once() -> None:
    once = quantized(conv_chain(), passes=PASS)
    twice = quantized(conv_chain(), passes=f"{PASS}, {PASS}")
    assert kinds(twice) == kinds(once)
    assert set(why_declined(twice).values()) == {"it is quantized already"}


def test_the_result_is_the_same_each_time() -> None:
    data = [
        to_proto(quantized(residual_network()).model).SerializeToString(deterministic=True)
        for _ in range(2)
    ]
    assert data[0] == data[1]


def test_each_layer_that_stays_says_why() -> None:
    net = Network((1, 4, 4))
    product = net.add("MatMul", "x", net.add("Transpose", "x", perm=[0, 2, 1]))
    bad = net.add("MatMul", product, net.held(np.full((4, 4), np.nan, np.float32)))
    left = net.add("MatMul", net.weight(4, 4), bad)
    empty = net.add("Einsum", left, net.weight(4, 4), equation="bij,jk->bik")
    done = quantized(net, empty, passes=PASS)
    assert why_declined(done) == {
        "matmul1": "its weight is computed when the model runs",
        "matmul2": "its weight holds NaN or infinity",
        "matmul3": "its constant is the left operand",
        "einsum4": "ort-x86 has no integer kernel for Einsum",
    }


def test_a_weight_that_callers_may_override_stays() -> None:
    net = Network((4, 8))
    net.linear("x", 8, 5)
    model = net.model("matmul0")
    model.graph.input.append(
        onnx.helper.make_tensor_value_info("w0", onnx.TensorProto.FLOAT, [8, 5])
    )
    done = optimize(
        model,
        passes=PASS,
        target=X86,
        allow=Exactness.LOSSY,
        calibration=None,
    )
    (why,) = why_declined(done).values()
    assert "freeze-initializers" in why


def test_a_value_with_infinite_numbers_keeps_its_layer_float() -> None:
    net = Network((1, 4))
    masked = net.add("Add", "x", net.held(np.array([[0, 0, -np.inf, 0]], np.float32)))
    net.linear(net.add("Exp", net.linear(masked, 4, 4)), 4, 4)
    net.nodes[1].input[0] = "x"
    net.linear(masked, 4, 4)
    done = quantized(net, "matmul3", "matmul4", passes=PASS)
    (place, why), *_ = why_declined(done).items()
    assert place == "matmul4"
    assert "infinite" in why


@pytest.mark.parametrize("op_type", ["Conv", "MatMul"])
def test_a_result_that_overflows_keeps_its_layer_float(op_type: str) -> None:
    net = Network((1, 4, 2, 2))
    if op_type == "Conv":
        made = net.add("Conv", "x", net.held(np.full((4, 4, 1, 1), 1e3, np.float32)))
    else:
        made = net.add("MatMul", "x", net.held(np.full((2, 2), 1e3, np.float32)))
    net.add("Exp", net.add("Relu", made))
    large = [{"x": np.full((1, 4, 2, 2), 1.2e30, np.float32)}]
    done = optimize(
        net.model(last(net)),
        passes=PASS,
        target=X86,
        allow=Exactness.LOSSY,
        calibration=Calibration.of(large),
    )
    (why,) = why_declined(done).values()
    assert why.startswith("its result has no range: it holds infinite numbers")
    assert "QuantizeLinear" not in kinds(done)
