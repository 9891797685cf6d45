"""Weights on the grid of codes to come: found again by whoever quantizes, and better than nearest."""

from __future__ import annotations

import numpy as np
import pytest
from tests.passes.quantize.weights import (
    answers,
    correlated,
    distance,
    draw,
    model_of,
    remarks,
    run,
    samples,
)
from tests.support import ops

from burnish.errors import InputError
from burnish.ir import Array, Model, constant_array
from burnish.quantization import CODE_TYPES, Scheme, parameters_of, round_trip

PRODUCT = "g (float[B,64] x) => (float[B,24] y) { y = MatMul (x, w) }"
DATA = samples(list(correlated(512, 64).reshape(8, 64, 64)))


def _weight(model: Model, index: int = 1) -> Array:
    (node,) = (node for node in model.graph if node.op_type in ("Gemm", "MatMul"))
    array = constant_array(node.inputs[index])
    assert array is not None
    return array


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("by_column", ["true", "false"])
def test_the_grid_is_found_again_and_serves_better(bits: int, by_column: str) -> None:
    source = model_of(PRODUCT, {"w": draw(64, 24)})
    done = run(source, f"round-adaptively{{bits={bits},by_column={by_column}}}", data=DATA[:6])
    assert ops(done.model) == ["MatMul"]
    axis = 1 if by_column == "true" else None
    scheme = Scheme(CODE_TYPES[f"int{bits}"], True, axis)
    before, after = draw(64, 24), _weight(done.model)
    again = round_trip(after, parameters_of(after, scheme))
    np.testing.assert_allclose(again, after, rtol=1e-5, atol=1e-7)
    simple = round_trip(before, parameters_of(before, scheme))
    assert (after != simple).any()
    x = np.concatenate([sample["x"] for sample in DATA[6:]])  # not calibrated on
    reference = x @ before
    assert distance(x @ after, reference) < 0.8 * distance(x @ simple, reference)


def test_the_codes_of_a_later_pass_are_those_found() -> None:
    source = model_of(PRODUCT, {"w": draw(64, 24)})
    later = "quantize-weights{bits=4,head=4,block=none,method=rtn}"
    both = run(source, f"round-adaptively{{bits=4}}, {later}", data=DATA)
    alone = run(source, later)
    x = {"x": DATA[0]["x"]}
    reference = answers(source, x)
    assert distance(answers(both.model, x), reference) < 0.8 * distance(
        answers(alone.model, x), reference
    )
    rounded = run(source, "round-adaptively{bits=4}", data=DATA)
    np.testing.assert_allclose(
        answers(both.model, x), answers(rounded.model, x), rtol=1e-4, atol=1e-4
    )


def test_a_second_time_nothing_is_left_to_do() -> None:
    source = model_of(PRODUCT, {"w": draw(64, 24)})
    done = run(source, "round-adaptively, round-adaptively", data=DATA)
    assert [entry.diff.__bool__() for entry in done.records] == [True, False]


def test_a_turned_gemm() -> None:
    text = "g (float[B,64] x) => (float[B,24] y) { y = Gemm <transB = 1> (x, w) }"
    source = model_of(text, {"w": draw(24, 64)})
    done = run(source, "round-adaptively", data=DATA)
    after = _weight(done.model)
    assert after.shape == (24, 64)
    again = round_trip(after, parameters_of(after, Scheme(CODE_TYPES["int8"], True, 0)))
    np.testing.assert_allclose(again, after, rtol=1e-5, atol=1e-7)


def test_it_needs_data() -> None:
    with pytest.raises(InputError, match="round-adaptively needs calibration data"):
        run(model_of(PRODUCT, {"w": draw(64, 24)}), "round-adaptively")


def test_data_with_infinity_is_refused() -> None:
    spoiled = DATA[0]["x"].copy()
    spoiled[0, 0] = np.inf
    with pytest.raises(InputError, match="not finite"):
        run(model_of(PRODUCT, {"w": draw(64, 24)}), "round-adaptively", data=[{"x": spoiled}])


def test_a_weight_that_others_read_stays() -> None:
    text = "g (float[64,64] x) => (float[64,64] y) { a = MatMul (x, w) y = Add (a, w) }"
    done = run(model_of(text, {"w": draw(64, 64)}), "round-adaptively", data=DATA)
    assert remarks(done, "declined") == ["w has another reader"]


def test_each_layer_tells_its_gain() -> None:
    done = run(model_of(PRODUCT, {"w": draw(64, 24)}), "round-adaptively{bits=4}", data=DATA)
    (said,) = remarks(done, "applied")
    after, before = (float(part.split()[0]) for part in said.split(", "))
    assert after < 0.7 * before
