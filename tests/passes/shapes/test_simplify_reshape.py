"""Target shapes that are computed: which numbers, zeros and -1 replace them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.ir import Model, constant_array
from burnish.saving import to_proto

PASS = "simplify-reshape"
CLEAN = f"{PASS}, remove-dead-code"


def reshape(shape: str, target: str, more: str = "", attributes: str = "") -> str:
    """``x`` of ``shape`` reshaped to the Concat of ``target``; d0, d1, d2 are its sizes."""
    rank = shape.count(",") + 1
    picks = "\n".join(f"d{axis} = Gather (s, i{axis})" for axis in range(rank))
    indices = ", ".join(f"int64[1] i{axis} = {{{axis}}}" for axis in range(3))
    count = target.count(",") + 1
    out = ",".join("?" * count)
    return f"""g (float[{shape}] x) => (float[{out}] y)
    <{indices}, int64[1] one = {{1}}, int64[1] four = {{4}}, int64[1] twelve = {{12}}, int64[1] rest = {{-1}}> {{
        s = Shape (x)
        {picks}
        {more}
        t = Concat <axis = 0> ({target})
        y = Reshape {attributes} (x, t)
    }}"""


def targets(model: Model) -> list[list[int]]:
    """The constant shapes of every Reshape."""
    arrays = [constant_array(n.inputs[1]) for n in model.graph if n.op_type == "Reshape"]
    return [array.tolist() for array in arrays if array is not None]


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ("N, 3, 4", "d0, twelve", [0, 12]),
        ("N, 3, 4", "twelve, d0", [12, -1]),
        ("N, M, 4", "d0, d1, one, four", [0, 0, 1, 4]),
        ("N, M, 4", "d1, d0, four", None),
        ("N, M, 4", "d0, d1, d2", [0, 0, 4]),
        ("N, 3, 4", "d0, rest", [0, -1]),
        ("2, 3, 4", "d0, d1, d2", [2, 3, 4]),
        ("N, N, 4", "d1, d0, d2", [0, 0, 4]),
        ("N, M, 4", "p, four", [-1, 4]),
        ("N, M, 4", "p, d2", [-1, 4]),
    ],
)
def test_targets(shape: str, target: str, expected: list[int] | None) -> None:
    model, records = run_passes(reshape(shape, target, "p = Mul (d0, d1)"), CLEAN)
    if expected is None:
        assert "more than one dimension is known only at run time" in reasons(records)
        assert not targets(model)
    else:
        assert targets(model) == [expected]
        assert ops(model) == ["Reshape"]


def test_zero_is_not_copied_where_allowzero_says_zero() -> None:
    model, records = run_passes(reshape("N, 3, 4", "d0, twelve", "", "<allowzero = 1>"), CLEAN)
    assert not targets(model)
    assert any("allowzero" in why for why in reasons(records))


def test_allowzero_does_not_matter_for_plain_sizes() -> None:
    model, _ = run_passes(reshape("2, 3, 4", "d0, twelve", "", "<allowzero = 1>"), CLEAN)
    assert targets(model) == [[2, 12]]


def test_a_constant_target_stays_as_it_is() -> None:
    text = "g (float[N, 4] x) => (float[M, 2] y) <int64[2] t = {-1, 2}> { y = Reshape (x, t) }"
    model, records = run_passes(text, PASS)
    assert targets(model) == [[-1, 2]]
    assert records[0].rewrites == 0


def test_a_target_from_an_input_stays() -> None:
    text = "g (float[4] x, int64[2] t) => (float[A, B] y) { y = Reshape (x, t) }"
    source = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}')
    model, records = optimize(source, passes=PASS)
    assert not targets(model)
    assert "more than one dimension is known only at run time" in reasons(records)


def test_an_input_and_its_reshape_without_elements() -> None:
    source = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]> {reshape("N, 3, 4", "d0, twelve")}'
    )
    result = to_proto(optimize(source, passes=CLEAN).model)
    empty = {"x": np.zeros((0, 3, 4), np.float32)}
    assert run_model(result, empty)["y"].shape == run_model(source, empty)["y"].shape == (0, 12)


def test_a_dimension_to_infer_beside_one_that_is_copied() -> None:
    # [N, M*4]: N is copied and M*4 is left to -1. That it cannot be told when N is 0 is the limit
    # the pass declares.
    text = reshape("N, M, 4", "d0, p", "p = Mul (d1, four)")
    source = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> {text}')
    result = to_proto(optimize(source, passes=CLEAN).model)
    for shape in ((2, 0, 4), (1, 1, 4), (2, 3, 4)):
        feeds = {"x": np.zeros(shape, np.float32)}
        assert run_model(result, feeds)["y"].shape == run_model(source, feeds)["y"].shape
