"""Visiting inner values: every sample, every value, whatever the chunks."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.calibration import Calibration, read_data
from burnish.calibration.visiting import visit
from burnish.errors import ExecutionError, InputError
from burnish.ir import Array, Model
from burnish.text import parse_model

TEXT = """agraph (float[B,3] x) => (float[B,3] y) <float[3] c = {1, 2, 3}> {
    a = Add (x, c)
    b = Mul (a, a)
    y = Relu (b)
}"""


def _model() -> Model:
    return parse_model(TEXT, opset=21)


SAMPLES = [
    {"x": np.full((rows, 3), rows, np.float32)} for rows in (1, 2, 4)
]  # of different sizes on purpose


@pytest.mark.parametrize("chunk_bytes", [1, 40, 1 << 20])
def test_the_values_of_every_sample_whatever_the_chunks(chunk_bytes: int) -> None:
    model = _model()
    seen: dict[str, list[Array]] = {}
    count = visit(
        model,
        ["x", "a", "b", "a"],
        read_data(SAMPLES, model),
        lambda name, array: seen.setdefault(name, []).append(array),
        chunk_bytes=chunk_bytes,
    )
    assert count == 3
    assert set(seen) == {"x", "a", "b"}
    for sample, a, b in zip(SAMPLES, seen["a"], seen["b"], strict=True):
        np.testing.assert_array_equal(a, sample["x"] + np.array([1, 2, 3], np.float32))
        np.testing.assert_array_equal(b, a * a)


def test_every_chunk_goes_through_the_data() -> None:
    model = _model()
    order: list[str] = []
    data = read_data(SAMPLES, model)
    visit(model, ["a", "b"], data, lambda name, array: order.append(name), chunk_bytes=1)
    assert order == ["a", "a", "a", "b", "b", "b"]
    order.clear()
    visit(model, ["a", "b"], data, lambda name, array: order.append(name))
    assert order == ["a", "b", "a", "b", "a", "b"]


def test_what_the_function_does_to_an_array_changes_nothing_else() -> None:
    model = _model()

    def spoil(name: str, array: Array) -> None:
        array += 1

    visit(model, ["x"], read_data(SAMPLES, model), spoil)
    assert SAMPLES[0]["x"].max() == 1


def test_nothing_asked_for_is_nothing_run() -> None:
    model = _model()
    assert visit(model, [], read_data(SAMPLES, model), lambda name, array: None) == 0


def test_an_unknown_value_is_named() -> None:
    model = _model()
    with pytest.raises(InputError, match="no value 'nothing'"):
        visit(model, ["nothing"], read_data(SAMPLES, model), lambda name, array: None)


def test_a_sample_on_which_the_model_fails_is_named() -> None:
    text = (
        """agraph (float[B,3] x, int64[1] i) => (float[1,3] y) { y = Gather <axis = 0> (x, i) }"""
    )
    model = parse_model(text, opset=21)
    samples = [{"x": np.zeros((2, 3), np.float32), "i": np.array([index])} for index in (1, 7)]
    with pytest.raises(ExecutionError, match="sample 1"):
        visit(model, ["y"], read_data(samples, model), lambda name, array: None)


def test_through_the_object_that_passes_ask() -> None:
    model = _model()
    sums = []
    Calibration.of(SAMPLES).visit(model, ["a"], lambda name, array: sums.append(array.sum()))
    assert len(sums) == 3
