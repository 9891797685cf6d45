"""What equalizing layers changes, what it leaves, and that int8 gains by it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import onnx
import pytest
from tests.corpus import corpus_inputs, corpus_model
from tests.support import reasons, run_passes

from burnish.calibration import Calibration
from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import Model, constant_array
from burnish.passdef import Exactness
from burnish.quantization import CODE_TYPES, Scheme, parameters_of, round_trip
from burnish.saving import to_proto
from burnish.text import model_text
from burnish.verify import verify
from burnish_passes.quantize.channels import Layer, layer_of

SPREAD = np.geomspace(1.0, 1000.0, 4)
"""Output channels of the first layer differ by this."""


def constant(name: str, array: np.ndarray) -> str:
    sizes = ",".join(map(str, array.shape))
    numbers = ",".join(f"{number:.8f}" for number in array.reshape(-1))
    return f"float[{sizes}] {name} = {{{numbers}}}"


def uneven(*shape: int, axis: int = 0, seed: int = 0) -> np.ndarray:
    """Random weights whose channels along ``axis`` differ a thousandfold."""
    form = [-1 if index == axis else 1 for index in range(len(shape))]
    numbers = np.random.default_rng(seed).uniform(-1, 1, shape)
    return numbers * np.resize(SPREAD, shape[axis]).reshape(form)


def even(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def sizes(model: Model, name: str) -> Layer:
    node = next(item for item in model.graph if item.op_type != "Relu" and item.name == name)
    layer = layer_of(node)
    assert layer is not None
    return layer


def chain(between: str, *, first: str = "", second: str = "") -> str:
    """Two convolutions of four channels with ``between`` from ``a`` to ``b``."""
    held = ", ".join(
        filter(
            None,
            (
                constant("v", uneven(4, 2, 3, 3)),
                constant("c", even(4) * SPREAD),
                constant("w", even(3, 4, 1, 1)),
                first,
                second,
            ),
        )
    )
    return f"""agraph (float[1,2,6,6] x) => (float[1,3,H,W] y) <{held}> {{
        [one] a = Conv(x, v, c)
        {between}
        [two] y = Conv(b, w)
    }}"""


def spans(model: Model) -> tuple[float, float]:
    """The largest over the smallest channel on both sides."""
    one, two = sizes(model, "one"), sizes(model, "two")
    made, read = one.by_output(one.table), two.by_input(two.table)
    return float(made.max() / made.min()), float(read.max() / read.min())


@pytest.mark.parametrize(
    "between",
    [
        "b = Relu(a)",
        "b = LeakyRelu<alpha = 0.1>(a)",
        "s = Constant<value = float[4,1,1] {0.5, 0.1, 0.2, 2.0}>() b = PRelu(a, s)",
        "b = MaxPool<kernel_shape = [2, 2]>(a)",
        "r = Relu(a) b = AveragePool<kernel_shape = [2, 2], pads = [1, 1, 1, 1]>(r)",
        "zero = Constant<value = float {0.0}>() b = Clip(a, zero)",
        "k = Constant<value = float {3.0}>() m = Mul(a, k) b = Div(m, k)",
        "k = Constant<value = float[1,4,1,1] {1.0, 2.0, 3.0, 4.0}>() b = Add(a, k)",
        "k = Constant<value = float {2.5}>() s = Sub(k, a) b = Relu(s)",
    ],
)
def test_what_a_factor_passes_through(between: str) -> None:
    model, records = run_passes(chain(between), "equalize-layers")
    assert [item.where for item in records[0].remarks if item.kind == "applied"] == ["one"]
    made, read = spans(model)
    assert made == pytest.approx(read, rel=0.05)
    assert made < 100  # of a thousand


ROW = "float[1,1,1,4] {1.0, 2.0, 3.0, 4.0}"


@pytest.mark.parametrize(
    ("between", "why"),
    [
        (
            "k = Constant<value = float {6.0}>() z = Constant<value = float {0.0}>() b = Clip(a, z, k)",
            "(Clip) reads it",
        ),
        ("b = Sigmoid(a)", "(Sigmoid) reads it"),
        ("b = Add(a, a)", "(Add) reads it"),
        ("r = Relu(a) q = Sqrt(r) s = Add(r, q) b = Relu(s)", "reads it"),
        (f"k = Constant<value = {ROW}>() b = Add(a, k)", "not per channel"),
        ("b = Softmax<axis = 1>(a)", "(Softmax) reads it"),
    ],
)
def test_what_stops_a_factor(between: str, why: str) -> None:
    source = chain(between)
    model, records = run_passes(source, "equalize-layers")
    assert not records[0].diff
    assert any(why in reason for reason in reasons(records))
    assert spans(model)[0] > 500


def test_a_graph_output_between_stops_it() -> None:
    source = chain("b = Relu(a)").replace(
        "(float[1,3,H,W] y)", "(float[1,3,H,W] y, float[1,4,H,W] a)"
    )
    _, records = run_passes(source, "equalize-layers")
    assert not records[0].diff
    assert "a is a graph output" in reasons(records)


def test_weights_that_two_layers_read_stay() -> None:
    held = ", ".join([constant("v", uneven(4, 4, 1, 1)), constant("w", even(3, 4, 1, 1))])
    source = f"""agraph (float[1,4,6,6] x) => (float[1,3,6,6] y) <{held}> {{
        [one] a = Conv(x, v)
        [again] b = Conv(a, v)
        [two] y = Conv(b, w)
    }}"""
    _, records = run_passes(source, "equalize-layers")
    assert not records[0].diff
    assert "its weights have another reader" in reasons(records)


def test_all_readers_are_scaled_alike() -> None:
    text = chain("b = Relu(a)", second=constant("u", even(2, 4, 1, 1, seed=7)))
    text = text.replace("[two]", "[other] z = Conv(b, u)\n[two]").replace(
        "(float[1,3,H,W] y)", "(float[1,3,H,W] y, float[1,2,H,W] z)"
    )
    model, records = run_passes(text, "equalize-layers")
    assert records[0].diff
    made, _ = spans(model)
    assert made < 100


def test_one_reader_that_cannot_be_scaled_stops_it() -> None:
    text = chain("b = Relu(a) z = Tanh(b)").replace(
        "(float[1,3,H,W] y)", "(float[1,3,H,W] y, float[1,4,H,W] z)"
    )
    _, records = run_passes(text, "equalize-layers")
    assert not records[0].diff


DEPTHWISE = ", ".join(
    [
        constant("v", uneven(4, 2, 1, 1)),
        constant("d", uneven(4, 1, 3, 3, seed=3)[::-1]),
        constant("c", even(4)),
        constant("w", even(3, 4, 1, 1)),
    ]
)


def test_depthwise_layers_in_the_middle() -> None:
    source = f"""agraph (float[1,2,6,6] x) => (float[1,3,4,4] y) <{DEPTHWISE}> {{
        [one] a = Conv(x, v)
        b = Relu(a)
        [middle] e = Conv<group = 4>(b, d, c)
        f = Relu(e)
        [two] y = Conv(f, w)
    }}"""
    model, records = run_passes(source, "equalize-layers")
    applied = [item.where for item in records[0].remarks if item.kind == "applied"]
    assert applied == ["one", "middle"]
    one, middle = sizes(model, "one"), sizes(model, "middle")
    np.testing.assert_allclose(one.by_output(one.table), middle.by_input(middle.table), rtol=0.05)


GROUPED = ", ".join([constant("v", uneven(4, 2, 3, 3, axis=0)), constant("w", even(4, 3, 3, 3))])


@pytest.mark.parametrize("first", ["Conv<group = 2>(x, v)", "ConvTranspose<group = 2>(x, v)"])
@pytest.mark.parametrize("second", ["ConvTranspose<group = 2>(b, w)", "ConvTranspose(b, w)"])
def test_groups_and_transposed_convolutions(first: str, second: str) -> None:
    source = f"""agraph (float[1,4,6,6] x) => (float[1,C,H,W] y) <{GROUPED}> {{
        [one] a = {first}
        b = Relu(a)
        [two] y = {second}
    }}"""
    model, records = run_passes(source, "equalize-layers")
    assert records[0].diff
    one, two = sizes(model, "one"), sizes(model, "two")
    np.testing.assert_allclose(one.by_output(one.table), two.by_input(two.table), rtol=0.05)


def test_a_channel_that_is_flattened_is_a_block_of_inputs() -> None:
    held = ", ".join(
        [
            constant("v", uneven(4, 2, 3, 3)),
            constant("w", even(3, 4 * 16)),
            constant("c", even(3)),
        ]
    )
    source = f"""agraph (float[2,2,6,6] x) => (float[2,3] y) <{held}> {{
        [one] a = Conv(x, v)
        b = Relu(a)
        f = Flatten(b)
        [two] y = Gemm<transB = 1>(f, w, c)
    }}"""
    model, records = run_passes(source, "equalize-layers")
    assert records[0].diff
    one, two = sizes(model, "one"), sizes(model, "two")
    blocks = two.by_input(two.table).reshape(4, 16).max(axis=1)
    np.testing.assert_allclose(one.by_output(one.table), blocks, rtol=0.05)


@pytest.mark.parametrize("bias", ["", ", c", ", row", ", one"])
def test_products_with_biases_of_every_shape(bias: str) -> None:
    held = ", ".join(
        [
            constant("v", uneven(3, 4, axis=1)),
            constant("w", even(4, 2)),
            constant("c", even(4)),
            constant("row", even(5, 4)),
            constant("one", even(1)),
        ]
    )
    source = f"""agraph (float[5,3] x) => (float[5,2] y) <{held}> {{
        [one] a = Gemm<alpha = 0.5, beta = 2.0>(x, v{bias})
        b = Relu(a)
        [two] y = MatMul(b, w)
    }}"""
    _, records = run_passes(source, "equalize-layers")
    assert records[0].diff


def test_dead_channels_stay_dead_and_quiet() -> None:
    dead = uneven(4, 2, 3, 3)
    dead[1] = 0.0
    text = chain("b = Relu(a)").replace(constant("v", uneven(4, 2, 3, 3)), constant("v", dead))
    model, records = run_passes(text, "equalize-layers")
    assert records[0].diff
    layer = sizes(model, "one")
    assert layer.by_output(layer.table)[1] == 0.0
    assert np.isfinite(layer.table).all()


def test_a_bias_on_tiny_weights_does_not_become_the_largest_number() -> None:
    """Batch norms that died leave weights of 1e-10 and a bias; dividing by 1e-5 ruins the range."""
    weights, bias = even(4, 2, 3, 3), np.array([0.5, 0.4, 0.3, 0.6])
    weights[0] *= 1e-6
    held = ", ".join([constant("v", weights), constant("c", bias), constant("w", even(3, 4, 1, 1))])
    source = f"""agraph (float[1,2,6,6] x) => (float[1,3,4,4] y) <{held}> {{
        [one] a = Conv(x, v, c)
        b = Relu(a)
        [two] y = Conv(b, w)
    }}"""
    model, _ = run_passes(source, "equalize-layers")
    node = next(item for item in model.graph if item.name == "one")
    found = constant_array(node.inputs[2])
    assert found is not None
    assert np.abs(found).max() <= 0.61


def read_by_second(model: Model) -> str:
    value = next(node.inputs[0] for node in model.graph if node.name == "two")
    assert value is not None
    return str(value.name)


def test_data_says_how_large_channels_may_become() -> None:
    """A small weight that reads large numbers: as large as the others, it would make the range."""
    weights = np.array([[1e-3, 0], [0, 1], [0, -1], [0, 0.5]]).reshape(4, 2, 1, 1)
    held = ", ".join([constant("v", weights), constant("w", even(3, 4, 1, 1))])
    text = f"""agraph (float[1,2,6,6] x) => (float[1,3,6,6] y) <{held}> {{
        a = Conv(x, v)
        b = Relu(a)
        [two] y = Conv(b, w)
    }}"""
    source = to_proto(run_passes(text, "remove-dead-code")[0])
    large = np.array([1000.0, 1.0]).reshape(1, 2, 1, 1)
    rows = [{"x": (even(1, 2, 6, 6, seed=seed) * large).astype(np.float32)} for seed in range(8)]
    reach = []
    for data in (None, Calibration.of(rows)):
        done = optimize(source, passes="equalize-layers", calibration=data)
        assert done.records[0].diff
        name = read_by_second(done.model)
        proto = to_proto(done.model)
        reach.append(max(run_model(proto, row, outputs=[name])[name].max() for row in rows))
    assert reach[0] > 10
    assert reach[1] < 1.5


def test_values_that_hold_other_numbers_get_other_names() -> None:
    model, _ = run_passes(chain("b = Relu(a)"), "equalize-layers")
    assert {str(node.outputs[0].name) for node in model.graph} == {"a_scaled", "b_scaled", "y"}


def test_twice_is_once_and_every_prefix_answers_alike() -> None:
    source = f"""agraph (float[1,2,6,6] x) => (float[1,3,4,4] y) <{DEPTHWISE}> {{
        a = Conv(x, v)
        e = Conv<group = 4>(a, d, c)
        y = Conv(e, w)
    }}"""
    model, _ = run_passes(source, "equalize-layers")
    again, records = run_passes(source, "equalize-layers, equalize-layers")
    assert model_text(again) == model_text(model)
    assert not records[1].diff
    proto = to_proto(run_passes(source, "remove-dead-code")[0])
    done = optimize(proto, passes="equalize-layers", stop_after=1)
    assert done.records[0].diff
    verdict = verify(proto, to_proto(done.model), exactness=Exactness.FLOAT)
    assert verdict.ok, verdict.text()


def quantized_by_tensor(model: Model) -> onnx.ModelProto:
    """Every weight rounded to int8 with one scale."""
    proto = to_proto(model)
    scheme = Scheme(CODE_TYPES["int8"], symmetric=True)
    for held in proto.graph.initializer:
        array = onnx.numpy_helper.to_array(held)
        if array.ndim > 1 and array.dtype == np.float32:
            rounded = round_trip(array, parameters_of(array, scheme))
            held.CopyFrom(onnx.numpy_helper.from_array(rounded, held.name))
    return proto


def decibels(reference: np.ndarray, result: np.ndarray) -> float:
    noise = np.square(reference - result).sum()
    return float(10 * np.log10(np.square(reference).sum() / noise))


def make_bad(model: onnx.ModelProto, first: str, second: str) -> None:
    """Scale channels between two layers a thousandfold, and back: the answers stay."""
    held = {item.name: item for item in model.graph.initializer}
    nodes = {node.output[0]: node for node in model.graph.node}
    one, two = nodes[first], nodes[second]
    factor = np.geomspace(1, 3000, 16).astype(np.float32)
    for name, scale in ((one.input[1], factor), (one.input[2], factor), (two.input[1], 1 / factor)):
        array = onnx.numpy_helper.to_array(held[name])
        axis = 1 if name == two.input[1] else 0
        form = [-1 if index == axis else 1 for index in range(array.ndim)]
        held[name].CopyFrom(onnx.numpy_helper.from_array(array * scale.reshape(form), name))


def test_int8_recovers_on_channels_that_differ_a_thousandfold(digits: tuple[str, Any]) -> None:
    path, images = digits
    bad = to_proto(optimize(path, passes="O2").model)
    make_bad(bad, "inner_norm", "block_norm")
    feeds = {"image": images}
    reference = run_model(bad, feeds)["logits"]
    mended = optimize(bad, passes="equalize-layers")
    before = run_model(quantized_by_tensor(optimize(bad, passes="O0").model), feeds)["logits"]
    after = run_model(quantized_by_tensor(mended.model), feeds)["logits"]
    assert decibels(reference, before) < 10
    assert decibels(reference, after) > decibels(reference, before) + 20


@pytest.fixture
def digits() -> tuple[str, Any]:
    folder = files("burnish_models.digits")
    return str(folder / "digits.onnx"), np.load(str(folder / "digits.npz"))["image"][:64]


@pytest.mark.parametrize(
    "name",
    ["real/cifar_resnet20_dynamo", "real/mlperf_vww96", "arch/mobilenetv3_small_050_dynamo"],
)
def test_convolutional_nets_answer_as_before(name: str) -> None:
    path = corpus_model(name)
    folded = to_proto(optimize(path, passes="O2").model)
    done = optimize(folded, passes="equalize-layers")
    assert done.records[0].diff
    verdict = verify(
        folded,
        to_proto(done.model),
        exactness=Exactness.FLOAT,
        samples=lambda: [corpus_inputs(path)],
    )
    assert verdict.ok, verdict.text()
