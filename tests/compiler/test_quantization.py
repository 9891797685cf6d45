"""Code types, scales and zero points; encoding as ONNX's own operators do it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from burnish.errors import InputError
from burnish.evaluate import run_model
from burnish.quantization import (
    CODE_TYPES,
    Scheme,
    code_type,
    decode,
    encode,
    parameters_for_range,
    parameters_of,
    round_trip,
)

EIGHT = ("int8", "uint8")
SMALL = ("int4", "uint4", "int8", "uint8", "int16", "uint16")
numbers = st.floats(-1e4, 1e4, width=32)


@pytest.mark.parametrize("name", SMALL)
def test_a_code_type_has_all_its_codes(name: str) -> None:
    found = code_type(name)
    assert found.maximum - found.minimum == 2**found.bits - 1
    assert found.signed == (not name.startswith("u"))


def test_an_unknown_code_type_is_refused_with_the_known() -> None:
    with pytest.raises(InputError, match="int3") as caught:
        code_type("int3")
    assert "uint4" in str(caught.value)


@given(st.sampled_from(SMALL), st.booleans(), numbers, numbers)
def test_zero_has_a_code_and_the_range_is_covered(
    name: str, symmetric: bool, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    found = parameters_for_range(low, high, Scheme(code_type(name), symmetric))
    assert found.scale > 0
    assert round_trip(np.zeros(1, np.float32), found)[0] == 0.0
    held = round_trip(np.array([low, high], np.float32), found)
    # Half a step for rounding, half for the zero point, and float32's own.
    step = float(found.scale)
    assert np.abs(held - [low, high]).max() <= step * 1.001 + 1e-6 * max(abs(low), abs(high))


@given(st.lists(numbers, min_size=1, max_size=20), st.sampled_from(SMALL), st.booleans())
def test_no_number_in_range_moves_more_than_half_a_step(
    values: list[float], name: str, symmetric: bool
) -> None:
    array = np.array(values, np.float32)
    found = parameters_of(array, Scheme(code_type(name), symmetric))
    inside = (array >= found.low) & (array <= found.high)
    moved = np.abs(round_trip(array, found) - array)
    slack = 1e-6 * np.abs(array) + 1e-4 * found.scale
    assert (moved <= found.scale / 2 + slack)[inside].all()


def test_symmetric_signed_codes_leave_out_the_smallest() -> None:
    found = parameters_of(np.array([-2.0, 1.0], np.float32), Scheme(code_type("int8"), True))
    assert encode(np.array([-2.0, -5.0, 2.0]), found).tolist() == [-127, -127, 127]


def test_symmetric_unsigned_codes_are_centred() -> None:
    found = parameters_of(np.array([-1.0, 1.0], np.float32), Scheme(code_type("uint8"), True))
    assert found.zero_point == 128
    assert encode(np.array([-1.0, 0.0, 1.0]), found).tolist() == [1, 128, 255]


def test_seven_bits_of_eight() -> None:
    scheme = Scheme(code_type("int8"), True, axis=0, largest=63)
    found = parameters_of(np.array([[-3.0, 1.0], [0.5, 0.25]], np.float32), scheme)
    codes = encode(np.array([[-3.0, 1.0], [0.5, 0.25]]), found)
    assert np.abs(codes).max(axis=1).tolist() == [63, 63]


def test_a_range_of_nothing_has_scale_one() -> None:
    for array in (np.zeros(3, np.float32), np.zeros(0, np.float32), np.full(2, 1e-45, np.float32)):
        assert parameters_of(array, Scheme(code_type("uint8"))).scale == 1
    assert parameters_of(
        np.zeros((2, 0), np.float32), Scheme(code_type("int8"), True, 0)
    ).scale.shape == (2,)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(InputError, match="not finite"):
        parameters_of(np.array([0.0, wrong], np.float32), Scheme(code_type("int8")))


def test_schemes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="axis"):
        Scheme(code_type("int4"), block=32)
    with pytest.raises(InputError, match="symmetric"):
        Scheme(code_type("int8"), largest=63)
    with pytest.raises(InputError, match="no axis 2"):
        parameters_of(np.ones((2, 2)), Scheme(code_type("int8"), axis=2))
    with pytest.raises(InputError, match="ends before"):
        parameters_for_range(1.0, -1.0, Scheme(code_type("int8")))


def quantized_by_onnx(array: np.ndarray, held: object, name: str, **attributes: int) -> np.ndarray:
    """Codes by ONNX's own QuantizeLinear, on the reference evaluator."""
    scale, zero_point = held.scale, held.zero_point  # type: ignore[attr-defined]
    dtype = int(CODE_TYPES[name].dtype)
    zero = helper.make_tensor("z", dtype, zero_point.shape, zero_point.flatten().tolist())
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **attributes),
            helper.make_node("Cast", ["q"], ["y"], to=TensorProto.INT32),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, array.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32, array.shape)],
        [numpy_helper.from_array(scale, "s"), zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return np.asarray(run_model(model, {"x": array}, engine="reference")["y"])


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("axis", "block"), [(None, None), (0, None), (1, None), (1, 4), (0, 2)])
def test_codes_are_those_of_onnx(
    name: str, symmetric: bool, axis: int | None, block: int | None
) -> None:
    array = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    found = parameters_of(array, Scheme(code_type(name), symmetric, axis, block))
    attributes = {
        key: value for key, value in (("axis", axis), ("block_size", block)) if value is not None
    }
    assert np.array_equal(encode(array, found), quantized_by_onnx(array, found, name, **attributes))


def test_a_last_block_may_be_short() -> None:
    array = np.array([[1.0, 2.0, 3.0, 4.0, 10.0]], np.float32)
    found = parameters_of(array, Scheme(code_type("int8"), True, axis=1, block=2))
    assert found.scale.shape == (1, 3)
    assert np.allclose(found.scale * 127, [[2, 4, 10]])
    assert np.allclose(decode(encode(array, found), found), array, atol=0.05)
