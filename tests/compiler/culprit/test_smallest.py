"""What is left of the model: little, and of the numbers of the real run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.compiler.culprit.plants import PLANTS, Plant

from burnish.culprit import bisect
from burnish.culprit.course import Course
from burnish.driver import pipeline_of
from burnish.evaluate import Evaluator
from burnish.ir import Model, outputs_of
from burnish.loading import load
from burnish.target import Target


def plant(rule: str) -> Plant:
    return next(item for item in PLANTS if item.rule == rule)


def held_in_run(model: Model, rewrites: int, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every value of the main graph right before rewrite ``rewrites``."""
    course = Course(model, pipeline_of(None, Target()), Target())
    before = course.at(course.moment(rewrites - 1)).model
    names = [str(value.name) for value in outputs_of(before.graph)]
    found = {**feed, **Evaluator(before, outputs=names).run(feed)}
    for name, value in before.graph.initializers.items():
        assert value.const_value is not None
        found[name] = value.const_value.numpy()
    return found


@pytest.mark.parametrize("rule", ["unroll-loop", "fuse-matmul-add", "fuse-layer-normalization"])
def test_constants_and_inputs_hold_what_they_held(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among made-up numbers a rewrite without a fault may look like one with it."""
    model, folder = plant(rule).model(), tmp_path / "repro"
    shape = [int(size) for size in model.graph.inputs[0].shape or ()]
    feed = {"x": np.random.default_rng(7).standard_normal(shape).astype(np.float32)}
    plant(rule).plant(monkeypatch)
    found = bisect(model, samples=[feed], out=folder)
    assert found.culprit is not None
    real = held_in_run(model, found.culprit.rewrite or 0, feed)
    small = load(folder / "model.onnx")
    given = dict(np.load(folder / "inputs.npz"))
    for name, value in small.graph.initializers.items():
        assert value.const_value is not None
        given[name] = value.const_value.numpy()
    for name, array in given.items():
        np.testing.assert_array_equal(array, real[name])
        assert array.dtype == real[name].dtype


def test_a_chain_around_the_culprit_is_cut_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = plant("simplify-power")
    item.plant(monkeypatch)
    found = bisect(item.model(), out=tmp_path / "repro")
    assert found.reproducer is not None
    assert found.reproducer.nodes < found.reproducer.whole
    kinds = [node.op_type for node in load(tmp_path / "repro/model.onnx").graph]
    assert kinds == ["Pow"]
