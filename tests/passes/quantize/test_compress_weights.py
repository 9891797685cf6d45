"""Weights stored as codes into a table: standard operators, small files, nothing unpacks them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.passes.quantize.weights import (
    answers,
    distance,
    draw,
    held_bytes,
    model_of,
    remarks,
    run,
    runtime_answers,
    runtime_operators,
)
from tests.support import ops

from burnish.errors import SpecError

PRODUCT = "g (float[B,64] x) => (float[B,48] y) { y = MatMul (x, w) }"
X = {"x": draw(5, 64, seed=1)}


@pytest.mark.parametrize(
    ("options", "far", "small"),
    [
        ("", 0.14, 0.3),
        ("{levels=256}", 0.02, 0.35),
        ("{levels=4}", 0.5, 0.42),
        ("{levels=16,method=logarithmic}", 0.2, 0.3),
    ],
)
def test_smaller_and_nearly_as_before(
    options: str, far: float, small: float, tmp_path: Path
) -> None:
    weight = draw(64, 48)
    source = model_of(PRODUCT, {"w": weight})
    done = run(source, f"compress-weights{options}")
    assert ops(done.model)[-1] == "MatMul"
    assert "Cast" in ops(done.model)
    assert "w" not in done.model.graph.initializers
    reference = answers(source, X)
    assert distance(answers(done.model, X), reference) < far
    np.testing.assert_allclose(
        runtime_answers(done.model, X), answers(done.model, X), rtol=1e-4, atol=1e-4
    )
    assert held_bytes(done.model) < small * weight.nbytes
    # It is unpacked once, when the model is loaded.
    assert runtime_operators(done.model, tmp_path) == {"MatMul": 1}


def test_a_second_time_nothing_is_left_to_do() -> None:
    source = model_of(PRODUCT, {"w": draw(64, 48)})
    done = run(source, "compress-weights, compress-weights")
    assert [bool(entry.diff) for entry in done.records] == [True, False]


@pytest.mark.parametrize(
    "passes", ["O1", "O2", "fold-constants{growth=0}", "fold-constants{growth=1000000000}"]
)
@pytest.mark.parametrize("levels", [16, 256])
def test_nothing_unpacks_it(passes: str, levels: int) -> None:
    source = model_of(PRODUCT, {"w": draw(64, 48)})
    packed = run(source, f"compress-weights{{levels={levels}}}")
    done = run(source, f"compress-weights{{levels={levels}}}, {passes}")
    assert held_bytes(done.model) <= held_bytes(packed.model)
    assert ops(done.model).count("Cast") == 1


def test_indices_into_a_table_of_integers_are_folded_as_ever() -> None:
    text = """g (float[B,3] x) => (float[B,3] y) {
        i = Cast <to = 7> (c)
        s = Gather (t, i)
        y = Reshape (x, s)
    }"""
    source = model_of(text, {"c": np.uint8([1, 0]), "t": np.int64([3, -1])})
    assert ops(run(source, "fold-constants").model) == ["Reshape"]


def test_a_table_and_recurrent_weights() -> None:
    text = """g (int64[4,1] i) => (float[4,1,1,16] y) {
        e = Gather (t, i)
        y, h, c = LSTM <hidden_size = 16> (e, w, r)
    }"""
    weights = {"t": draw(100, 24), "w": draw(1, 64, 24, seed=2), "r": draw(1, 64, 16, seed=3)}
    source = model_of(text, weights)
    done = run(source, "compress-weights{levels=256}")
    assert ops(done.model).count("Cast") == 3
    feeds = {"i": np.array([[1], [99], [0], [5]])}
    assert distance(answers(done.model, feeds), answers(source, feeds)) < 0.05


def test_a_weight_with_two_readers_is_decoded_once() -> None:
    text = """g (float[B,64] x) => (float[B,64] y) {
        a = MatMul (x, w)
        b = Relu (a)
        y = MatMul (b, w)
    }"""
    done = run(model_of(text, {"w": draw(64, 64)}), "compress-weights")
    assert ops(done.model).count("Cast") == 1
    assert ops(done.model).count("MatMul") == 2


def test_a_divisor_is_no_weight() -> None:
    # A level of zero would make infinity of it.
    text = "g (float[64,64] x) => (float[64,64] y) { a = MatMul (x, w) y = Div (a, w) }"
    done = run(model_of(text, {"w": draw(64, 64)}), "compress-weights")
    assert ops(done.model) == ["MatMul", "Div"]
    assert "not as one" in remarks(done, "declined")[0]


def test_left_out_by_name() -> None:
    done = run(model_of(PRODUCT, {"w": draw(64, 48)}), "compress-weights{exclude=w}")
    assert remarks(done, "declined") == ["the user left it out: w"]


@pytest.mark.parametrize("options", ["levels=1", "levels=257", "levels=2,method=logarithmic"])
def test_options_that_make_no_sense(options: str) -> None:
    with pytest.raises(SpecError, match="levels"):
        run(model_of(PRODUCT, {"w": draw(64, 48)}), f"compress-weights{{{options}}}")


def test_after_quantization_codes_are_left_alone() -> None:
    source = model_of(PRODUCT, {"w": draw(64, 48)})
    once = run(source, "quantize-weights")
    both = run(source, "quantize-weights, compress-weights")
    assert ops(both.model) == ops(once.model)
