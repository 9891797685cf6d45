"""Every model of the zoo is valid, says what it is for, and runs on its engine."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from burnish.errors import InputError
from burnish_models import zoo

MODELS = zoo.all_models()
FIRST_ROWS = {
    *(f"D{i}" for i in (*range(1, 13), 14, 16)),
    *(f"C{i}" for i in (1, 5, 6, 7, 8, 10, 11, 17, 19)),
    "E1",
    "E6",
    "A1",
}


def every_model(models: tuple[zoo.ZooModel, ...] = MODELS) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("model", models, ids=lambda model: model.name)


def op_types(graph: Any) -> Counter[str]:
    """Count the op types of a graph or function body, subgraphs included."""
    found: Counter[str] = Counter()
    for node in graph.node:
        found[node.op_type] += 1
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                found += op_types(attribute.g)
    return found


def sample(model: zoo.ZooModel, seed: int = 0) -> dict[str, Any]:
    """Make inputs: the model's own feeds, and seeded numbers for the rest."""
    rng = np.random.default_rng(seed)
    proto = model.proto()
    defaults = {init.name for init in proto.graph.initializer}
    feeds = dict(model.feeds)
    for value in proto.graph.input:
        if value.name in feeds or value.name in defaults:
            continue
        tensor = value.type.tensor_type
        shape = [
            d.dim_value if not d.dim_param else model.dims[d.dim_param] for d in tensor.shape.dim
        ]
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype.kind in "iu":
            feeds[value.name] = rng.integers(0, 4, shape).astype(dtype)
        elif dtype.kind == "b":
            feeds[value.name] = rng.random(shape) < 0.5
        else:
            feeds[value.name] = rng.standard_normal(shape).astype(dtype)
    return feeds


def run(model: zoo.ZooModel, feeds: dict[str, Any]) -> list[Any]:
    """Run without any optimization, on the engine the model asks for."""
    proto = model.proto()
    if model.engine == "reference":
        return list(ReferenceEvaluator(proto).run(None, feeds))
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, feeds))


RUNNABLE = tuple(model for model in MODELS if model.runnable)


def test_names_are_unique_and_found() -> None:
    assert len(set(zoo.names())) == len(MODELS)
    assert all(zoo.get(name).name == name for name in zoo.names())


def test_unknown_name_suggests_a_near_one() -> None:
    with pytest.raises(InputError, match="did you mean conv_bn"):
        zoo.get("convbn")


def test_every_first_row_of_the_catalogue_has_a_model() -> None:
    covered = {row for model in MODELS for row in model.rows}
    assert covered >= FIRST_ROWS


@every_model()
def test_model_is_valid_and_small(model: zoo.ZooModel) -> None:
    proto = model.proto()  # checked by onnx.checker with shape inference
    assert proto.graph.name == model.name
    count = op_types(proto.graph) + sum((op_types(f) for f in proto.functions), Counter())
    assert count.total() <= 15
    assert Counter(model.keeps) <= count


@every_model()
def test_model_says_what_it_is_for(model: zoo.ZooModel) -> None:
    assert model.exercises.endswith(".")
    assert len(model.exercises.split()) >= 5
    assert not model.trap or model.trap.endswith(".")


@every_model()
def test_dims_and_feeds_name_something(model: zoo.ZooModel) -> None:
    graph = model.proto().graph
    assert set(model.feeds) <= {value.name for value in graph.input}
    for name in model.dims:
        assert name in model.source


@every_model(RUNNABLE)
def test_model_runs_and_matches_its_declared_outputs(model: zoo.ZooModel) -> None:
    outputs = run(model, sample(model))
    for value, result in zip(model.proto().graph.output, outputs, strict=True):
        if not value.type.HasField("tensor_type"):
            continue
        tensor = value.type.tensor_type
        shape = [
            d.dim_value if not d.dim_param else model.dims[d.dim_param] for d in tensor.shape.dim
        ]
        assert list(np.shape(result)) == shape
        if tensor.elem_type != onnx.TensorProto.STRING:
            assert np.asarray(result).dtype == helper.tensor_dtype_to_np_dtype(tensor.elem_type)


@every_model(tuple(model for model in RUNNABLE if not model.random))
def test_model_repeats_itself(model: zoo.ZooModel) -> None:
    feeds = sample(model, seed=1)
    for first, second in zip(run(model, feeds), run(model, feeds), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", [n for n in zoo.names() if n.startswith("two_")])
def test_two_draws_differ(name: str) -> None:
    model = zoo.get(name)
    assert run(model, sample(model))[0] == 0


def test_weights_that_text_cannot_be_trusted_with_keep_their_bits() -> None:
    initializers = {
        init.name: numpy_helper.to_array(init)
        for init in zoo.get("signed_zero_initializers").proto().graph.initializer
    }
    assert np.signbit(initializers["minus"]).all()
    assert not np.signbit(initializers["plus"]).any()


def test_signed_zero_trap_can_be_seen_from_outside() -> None:
    model = zoo.get("signed_zero_initializers")
    up, down = run(model, sample(model))
    assert (up == np.inf).all()
    assert (down == -np.inf).all()


def test_float8_trap_can_be_seen_from_outside() -> None:
    model = zoo.get("float8_saturate")
    sharp, soft = run(model, sample(model))
    assert np.isnan(sharp[1:]).all()
    assert np.isfinite(soft).all()
