"""Codes spread between products where they pay, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.passes.quantize.networks import (
    Network,
    audited,
    executed,
    kinds,
    last,
    quantized,
    target_of,
    why_declined,
)

from burnish.driver import Optimized
from burnish.ir import constant_array
from burnish.quantized_target import TENSORRT, TVM

PLAIN = "insert-qdq"


def codes_of(done: Optimized) -> list[str]:
    """The values that became codes, in order."""
    return [
        str(node.inputs[0].name)
        for node in done.model.graph
        if node.op_type == "QuantizeLinear" and node.inputs[0] is not None
    ]


def test_moves_between_layers_share_one_scale(tmp_path: Path) -> None:
    net = Network((1, 4, 8, 8))
    pooled = net.add(
        "MaxPool", net.add("Relu", net.conv("x", 4, 4)), kernel_shape=[2, 2], strides=[2, 2]
    )
    net.conv(net.add("Transpose", pooled, perm=[0, 1, 3, 2]), 4, 4)
    done = quantized(net, passes=PLAIN)
    scales = [node.inputs[1] for node in done.model.graph if node.op_type == "QuantizeLinear"]
    assert len(scales) == 5
    assert len({id(scale) for scale in scales[1:4]}) == 1
    settled = executed(quantized(net), tmp_path)
    assert settled["QuantizeLinear"] == settled["DequantizeLinear"] == 1


def test_a_move_before_the_first_layer_moves_codes() -> None:
    net = Network((1, 8, 8, 4))
    net.conv(net.add("Transpose", "x", perm=[0, 3, 1, 2]), 4, 4)
    done = quantized(net)
    assert [node.op_type for node in done.model.graph][:2] == ["QuantizeLinear", "Transpose"]


def test_a_move_that_others_read_too_stays_on_numbers() -> None:
    net = Network((1, 8, 8, 4))
    moved = net.add("Transpose", "x", perm=[0, 3, 1, 2])
    net.add("Mul", net.conv(moved, 4, 4), net.add("Tanh", moved))
    assert codes_of(quantized(net, passes=PLAIN)) == [moved, "conv1"]


def test_operands_of_a_concat_share_codes(tmp_path: Path) -> None:
    net = Network((1, 4, 8, 8))
    left, right = (net.add("Relu", net.conv("x", 4, 4)) for _ in range(2))
    net.conv(net.add("Concat", left, right, axis=1), 8, 4)
    done = quantized(net)
    concat = next(node for node in done.model.graph if node.op_type == "Concat")
    assert {value.producer().op_type for value in concat.inputs} == {"QuantizeLinear"}
    assert audited(done, tmp_path).share == 1.0


def test_a_concat_never_breaks_a_relu_that_went_into_codes(tmp_path: Path) -> None:
    # The operand without a Relu has negative numbers: with its codes the Relu would be needed.
    net = Network((1, 4, 8, 8))
    left, right = net.add("Relu", net.conv("x", 4, 4)), net.conv("x", 4, 4)
    net.conv(net.add("Concat", left, right, axis=1), 8, 4)
    done = quantized(net)
    assert kinds(done)["Relu"] == 0
    found = executed(done, tmp_path)
    assert (found["QLinearConv"], found["QLinearConcat"]) == (3, 1)


def test_a_clip_goes_into_the_codes(tmp_path: Path) -> None:
    net = Network((1, 4, 8, 8))
    bounds = net.held(np.float32(0)), net.held(np.float32(0.7))
    net.conv(net.add("Clip", net.conv("x", 4, 4), *bounds), 4, 4)
    for passes in (PLAIN, "insert-qdq, settle-codes"):
        found = executed(quantized(net, passes=passes), tmp_path)
        assert found["QLinearConv"] == 2
        assert found["Clip"] == 0


def test_a_clip_that_codes_cannot_stand_for_stays(tmp_path: Path) -> None:
    net = Network((1, 4, 8, 8))
    bounds = net.held(np.float32(-0.5)), net.held(np.float32(0.7))
    net.conv(net.add("Clip", net.conv("x", 4, 4), *bounds), 4, 4)
    for passes in (PLAIN, "insert-qdq, settle-codes"):
        assert executed(quantized(net, passes=passes), tmp_path)["QLinearConv"] == 2


def test_a_product_before_a_relu_that_numbers_follow_is_on_integers(tmp_path: Path) -> None:
    # Found on dlrm: the runtime looks for codes after the Relu, and gives up without them.
    net = Network((4, 8))
    hidden = net.add("Gemm", "x", net.weight(8, 8), net.weight(8))
    net.add("Exp", net.add("Relu", hidden))
    assert executed(quantized(net), tmp_path)["QGemm"] == 1


def test_a_bias_of_known_sizes_makes_no_float_gemm(tmp_path: Path) -> None:
    net = Network((1, 6, 16))
    net.add("Exp", net.add("Add", net.linear("x", 16, 8), net.weight(8)))
    assert executed(quantized(net), tmp_path)["MatMulIntegerToFloat"] == 1


def test_no_codes_around_operators_without_integer_kernels() -> None:
    net = Network((1, 6, 16))
    up = net.add("Gelu", net.linear("x", 16, 16))
    normal = net.add("LayerNormalization", up, net.held(np.ones(16, np.float32)), axis=-1)
    net.add("Softmax", net.linear(normal, 16, 16), axis=-1)
    assert codes_of(quantized(net, passes=PLAIN)) == ["x", normal]


def test_a_gated_product_of_linear_layers_stays_on_numbers() -> None:
    # As in language models: outliers there do not survive eight bits.
    net = Network((1, 6, 16))
    gate, up = net.linear("x", 16, 16), net.linear("x", 16, 16)
    mixed = net.add("Mul", net.add("Mul", gate, net.add("Sigmoid", gate)), up)
    net.linear(mixed, 16, 16)
    assert codes_of(quantized(net, passes=PLAIN)) == ["x", mixed]


def test_a_gate_between_convolutions_is_on_codes(tmp_path: Path) -> None:
    net = Network((1, 4, 8, 8))
    gate = net.conv("x", 4, 4)
    net.conv(net.add("Mul", gate, net.add("Sigmoid", gate)), 4, 4)
    found = executed(quantized(net), tmp_path)
    assert (found["QLinearSigmoid"], found["QLinearMul"], found["QuantizeLinear"]) == (1, 1, 1)


def test_a_constant_operand_becomes_codes(tmp_path: Path) -> None:
    net = Network((1, 4, 8, 8))
    shifted = net.add("Add", net.conv("x", 4, 4), net.weight(4, 1, 1))
    net.conv(shifted, 4, 4)
    assert executed(quantized(net), tmp_path)["QLinearAdd"] == 1


def test_padding_between_layers_is_on_codes(tmp_path: Path) -> None:
    net = Network((1, 4, 8, 8))
    pads = net.held(np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    padded = net.add("Pad", net.add("Relu", net.conv("x", 4, 4)), pads)
    net.conv(padded, 4, 4)
    found = executed(quantized(net), tmp_path)
    assert (found["Pad"], found["QuantizeLinear"], found["DequantizeLinear"]) == (1, 1, 1)


def test_a_sum_of_two_is_on_codes(tmp_path: Path) -> None:
    net = Network((1, 4, 8, 8))
    stem = net.add("Relu", net.conv("x", 4, 4))
    net.conv(net.add("Relu", net.add("Sum", net.conv(stem, 4, 4), stem)), 4, 4)
    done = quantized(net, passes="add-for-sum, insert-qdq, settle-codes")
    assert executed(done, tmp_path)["QLinearAdd"] == 1


def test_a_subgraph_that_reads_a_quantized_value_still_can() -> None:
    from tests.support import ops

    from burnish.calibration import Calibration
    from burnish.driver import optimize
    from burnish.passdef import Exactness
    from burnish.saving import to_proto
    from burnish.text import parse_model

    text = """g (float[1, 2, 4, 4] x, bool b) => (float[1, 2, 4, 4] y)
        <float[2, 2, 1, 1] w = {1.0, 2.0, 3.0, 4.0}> {
        c = Conv (x, w)
        y = If (b) <then_branch = t () => (float[1, 2, 4, 4] p) { p = Neg (c) },
                    else_branch = e () => (float[1, 2, 4, 4] q) { q = Abs (c) }>
    }"""
    feeds = [{"x": np.ones((1, 2, 4, 4), np.float32), "b": np.array(True)}]
    done = optimize(
        to_proto(parse_model(text, opset=20)),
        passes=PLAIN,
        target=target_of(TENSORRT.__class__()),
        allow=Exactness.LOSSY,
        calibration=Calibration.of(feeds),
    )
    conv = next(node for node in done.model.graph if node.op_type == "Conv")
    assert [node.op_type for node in conv.outputs[0].consumers()] == ["QuantizeLinear"]
    assert ops(done.model).count("DequantizeLinear") == 3


def tensorrt_network() -> Network:
    """A residual block wide enough for TensorRT, and layers too small for it."""
    net = Network((1, 3, 8, 8))
    stem = net.add("Relu", net.conv("x", 3, 16))
    inner = net.add("Relu", net.conv(stem, 16, 16))
    total = net.add("Relu", net.add("Add", net.conv(inner, 16, 16), stem))
    flat = net.add("Flatten", net.add("GlobalAveragePool", total))
    net.add("Gemm", flat, net.weight(16, 5))
    return net


def test_tensorrt_gets_inputs_and_the_skip_branch() -> None:
    done = quantized(tensorrt_network(), passes=PLAIN, target=target_of(TENSORRT))
    assert why_declined(done) == {
        "conv0": "a convolution of 3 to 16 channels is faster on numbers",
        "gemm9": "a weight of 16 x 5 is faster on numbers",
    }
    assert codes_of(done) == ["relu1", "relu3"]
    add = next(node for node in done.model.graph if node.op_type == "Add")
    assert [value.producer().op_type for value in add.inputs] == ["Conv", "DequantizeLinear"]
    zeros = [node.inputs[2] for node in done.model.graph if node.op_type == "QuantizeLinear"]
    assert all(not constant_array(zero).any() for zero in zeros)
    conv = next(node for node in done.model.graph if node.name == "conv4")
    assert conv.inputs[2].producer() is None, "the bias stays float"


def test_tvm_gets_nothing_that_it_would_run_slower() -> None:
    done = quantized(tensorrt_network(), passes=PLAIN, target=target_of(TVM))
    assert not codes_of(done)


@pytest.mark.parametrize("seed", range(6))
def test_random_networks_stay_valid_and_close(seed: int, tmp_path: Path) -> None:
    net = random_network(seed)
    done = quantized(net)
    assert audited(done, tmp_path).share == 1.0
    from tests.passes.quantize.test_insert_qdq import closeness

    assert closeness(net, done) < 0.25


def random_network(seed: int) -> Network:
    """Convolutions and what may stand between them, in random order."""
    net = Network((1, 4, 8, 8), seed=seed)
    values = [net.conv("x", 4, 4)]
    for _ in range(10):
        x = values[int(net.random.integers(max(0, len(values) - 3), len(values)))]
        kind = str(net.random.choice(["Add", "Conv", "Gate", "Concat", "Relu", "Clip", "Move"]))
        if kind == "Add":
            values.append(net.add("Add", x, values[-1]))
        elif kind == "Conv":
            values.append(net.conv(x, 4, 4))
        elif kind == "Gate":
            values.append(net.add("Mul", x, net.add("HardSigmoid", x)))
        elif kind == "Concat":
            values.append(net.conv(net.add("Concat", x, values[-1], axis=1), 8, 4, kernel=1))
        elif kind == "Relu":
            values.append(net.add("Relu", x))
        elif kind == "Clip":
            bounds = net.held(np.float32(0)), net.held(np.float32(1))
            values.append(net.add("Clip", x, *bounds))
        else:
            values.append(net.add("Transpose", x, perm=[0, 1, 3, 2]))
    net.conv(values[-1], 4, 4)
    assert last(net)
    return net
