"""The digits, with a channel that makes two layers break in 8 bits; and what layers cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from tests.compiler.budget.damage import Damaged, additive

from burnish.budget import (
    Drop,
    Plan,
    answering,
    keep_within,
    macs_cost,
    measure,
    metric_named,
    shared_samples_note,
    time_cost,
)
from burnish.calibration import Calibration, read_data
from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import Array, Model, label
from burnish.loading import load
from burnish.passdef import Exactness
from burnish.pipeline import Pipeline
from burnish.registry import presets
from burnish_models import path

DIGITS = path("digits")
DATA = DIGITS.with_name("digits.npz")
LAYERS = ("stem_conv", "inner_conv", "block_conv", "logits")


def arrays() -> tuple[Array, Array]:
    with np.load(DATA) as file:
        return file["image"], file["label"]


def planted() -> onnx.ModelProto:
    """One channel between two convolutions 1000 times as large, and 1000 times less read.

    A Relu passes factors on, so the answers are the same. In 8 bits for the whole tensor, the other
    channels are less than a step.
    """
    proto = onnx.load(DIGITS)
    for tensor in proto.graph.initializer:
        held = numpy_helper.to_array(tensor).copy()
        if tensor.name in ("inner_scale", "inner_shift"):
            held[busiest()] *= 1000
        elif tensor.name == "block_w":
            held[:, busiest()] /= 1000
        tensor.CopyFrom(numpy_helper.from_array(held, tensor.name))
    return proto


def busiest() -> int:
    """The channel that is largest on the first images."""
    images, _ = arrays()
    found = run_model(DIGITS, {"image": images[:64]}, outputs=["inner_out"])["inner_out"]
    return int(found.max(axis=(0, 2, 3)).argmax())


@dataclass
class Quantizer:
    """Builds the planted model through insert-qdq, calibrated on the first 100 images."""

    model: onnx.ModelProto
    calibration: Calibration
    builds: int = 0

    def build(self, kept: frozenset[str]) -> Model:
        self.builds += 1
        exclude = "{exclude=" + "/".join(sorted(kept)) + "}" if kept else ""
        pipeline = Pipeline.parse(f"O2, insert-qdq{exclude}", presets())
        return optimize(
            self.model, passes=pipeline, allow=Exactness.LOSSY, calibration=self.calibration
        ).model


@pytest.fixture(scope="module")
def quantizer() -> Quantizer:
    images, _ = arrays()
    samples = [{"image": image[None]} for image in images[:100]]
    return Quantizer(planted(), Calibration.of(samples))


def judged() -> tuple[list[dict[str, Array]], list[Array]]:
    """The images after those of calibration, in batches, and their labels."""
    images, labels = arrays()
    rows = [slice(start, start + 50) for start in range(100, 450, 50)]
    return [{"image": images[row]} for row in rows], [labels[row] for row in rows]


def plan_for(quantizer: Quantizer, metric: str, budget: str, state: Path | None = None) -> Plan:
    feeds, labels = judged()
    evaluate = answering(feeds)
    return keep_within(
        quantizer.build,
        LAYERS,
        metric_named(metric, labels),
        evaluate,
        Drop.parse(budget),
        state=state,
        reference=list(evaluate(load(planted()))),
    )


def test_the_plant_changes_no_answer() -> None:
    feeds, _ = judged()
    pairs = [list(answering(feeds)(load(source))) for source in (DIGITS, planted())]
    found = measure(metric_named("agreement"), *pairs)
    assert found.value == 1.0
    assert found.noise < 1e-9


def test_the_whole_model_breaks(quantizer: Quantizer) -> None:
    feeds, labels = judged()
    evaluate = answering(feeds)
    reference = list(evaluate(load(planted())))
    accuracy = metric_named("accuracy", labels)
    whole = measure(accuracy, reference, evaluate(quantizer.build(frozenset())))
    alone = measure(accuracy, reference, reference)
    assert accuracy.drop(alone.value, whole.value) > 0.05


@pytest.mark.parametrize(
    ("metric", "budget"), [("agreement", "1%"), ("accuracy", "0.5%"), ("sqnr", "20dB")]
)
def test_both_layers_at_the_planted_channel_stay_float(
    quantizer: Quantizer, metric: str, budget: str
) -> None:
    """Either alone breaks the model, so freeing one of them would not show anything."""
    plan = plan_for(quantizer, metric, budget)
    assert plan.within
    assert plan.kept == {"inner_conv", "block_conv"}
    reasons = {item.layer: item.why for item in plan.layers}
    assert "more than the budget" in reasons["inner_conv"]
    assert "more than the budget" in reasons["block_conv"]


def test_the_plan_is_what_is_built(quantizer: Quantizer) -> None:
    plan = plan_for(quantizer, "agreement", "1%")
    model = quantizer.build(plan.kept)
    feeds, labels = judged()
    evaluate = answering(feeds)
    reference = list(evaluate(load(planted())))
    found = measure(metric_named("agreement", labels), reference, evaluate(model))
    assert found.value == plan.value
    (inner,) = (node for node in model.graph if label(node) == "inner_conv")
    producer = inner.inputs[1].producer() if inner.inputs[1] is not None else None
    assert producer is None or producer.op_type != "DequantizeLinear"


def test_a_state_serves_the_next_run(quantizer: Quantizer, tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    first = plan_for(quantizer, "agreement", "1%", path)
    before = quantizer.builds
    second = plan_for(quantizer, "agreement", "1%", path)
    assert quantizer.builds == before
    assert second.resumed == second.builds == first.builds
    assert second.layers == first.layers


def test_the_same_samples_are_noted(tmp_path: Path) -> None:
    model = load(DIGITS)
    images, _ = arrays()
    for folder, rows in (("one", slice(0, 8)), ("copy", slice(0, 8)), ("other", slice(8, 16))):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "images.npz", image=images[rows])
    one, copy, other = (
        read_data(tmp_path / folder / "images.npz", model) for folder in ("one", "copy", "other")
    )
    assert "that it was calibrated on" in shared_samples_note(one, one)[0]
    assert shared_samples_note(one, copy) == shared_samples_note(one, one)
    assert shared_samples_note(one, other) == ()


# --- costs


def test_multiply_accumulates_of_layers() -> None:
    cost = macs_cost(load(DIGITS))
    found = {layer: cost.of(layer) for layer in LAYERS}
    assert found == {
        "stem_conv": 8 * 8 * 16 * 9,
        "inner_conv": 8 * 8 * 16 * 16 * 9,
        "block_conv": 8 * 8 * 16 * 16 * 9,
        "logits": 10 * 256,
    }
    assert macs_cost(load(DIGITS), {"batch": 3}).of("logits") == 3 * 10 * 256
    assert cost.of("nobody") == 0
    assert cost.text(found["inner_conv"]) == "147 kMACs"


def test_without_shapes_constants_stand_for_products() -> None:
    weight = numpy_helper.from_array(np.zeros((4, 5), np.float32), "w")
    nodes = [
        helper.make_node("Gather", ["x", "i"], ["g"], name="pick"),
        helper.make_node("Mystery", ["g"], ["m"], name="own", domain="own"),
        helper.make_node("MatMul", ["m", "w"], ["y"], name="product"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 4]),
            helper.make_tensor_value_info("i", onnx.TensorProto.INT64, ["k"]),
        ],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [weight],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model = load(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    assert macs_cost(model).of("product") == 20


def test_milliseconds_are_of_one_layer_in_float_over_none() -> None:
    model = Damaged(("a", "b"), additive({"a": 0.0, "b": 0.0}))
    seconds: Iterator[float] = iter([0.010, 0.012, 0.009])
    cost = time_cost(model.build, lambda _: next(seconds))
    assert cost.unit == "ms"
    assert cost.of("a") == pytest.approx(2.0)
    assert cost.of("b") == pytest.approx(-1.0)
    assert model.built == [frozenset(), {"a"}, {"b"}]
