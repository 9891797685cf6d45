"""What does nothing, and what only looks as if it did nothing."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "eliminate-no-op-movement"
_END = 2**63 - 1

_CONSTANTS = f"""<int64[1] zero = {{0}}, int64[1] one = {{1}}, int64[1] four = {{4}},
    int64[1] end = {{{_END}}}, int64[1] far = {{-{_END}}}, int64[1] minus = {{-1}},
    int64[2] same = {{0, 4}}, int64[2] ones = {{1, 1}}, int64[2] twos = {{1, 2}},
    int64[2] other = {{4, -1}}, int64[4] pads = {{0, 0, 0, 0}}, int64[4] shift = {{0, 1, 0, -1}},
    float[4] unit = {{1.0, 1.0, 1.0, 1.0}}, float[4] almost = {{1.0, 1.0, 1.01, 1.01}},
    int64[4] sizes = {{1, 1, 4, 4}}, float like = {{0.0}}, int64[0] none = {{}}>"""


def _left(operator: str, kind: str = "float[N,4]", opset: int = 20) -> bool:
    """Whether ``operator`` applied to ``x`` is still there after the pass."""
    rank = kind.count(",") + 1
    result = f"{kind.split('[')[0]}[{','.join(f'd{i}' for i in range(rank))}]"
    model, _ = run_passes(
        f"agraph ({kind} x) => ({result} y) {_CONSTANTS} {{ t = {operator}\n y = Neg(t) }}",
        PASS,
        opset=opset,
    )
    assert ops(model)[-1] == "Neg"
    return len(ops(model)) == 2


@pytest.mark.parametrize(
    "operator",
    [
        "Cast <to = 1> (x)",
        "CastLike (x, like)",
        "Concat <axis = 0> (x)",
        "Expand (x, ones)",
        "Flatten <axis = 1> (x)",
        "Pad (x, pads)",
        "ReduceSum <noop_with_empty_axes = 1> (x)",
        "ReduceMax <noop_with_empty_axes = 1> (x, none)",
        "Reshape (x, same)",
        "Slice (x, zero, end)",
        "Slice (x, zero, four, one)",
        "Split <num_outputs = 1> (x)",
        "Tile (x, ones)",
        "Transpose <perm = [0, 1]> (x)",
    ],
)
def test_it_vanishes(operator: str) -> None:
    assert not _left(operator)


@pytest.mark.parametrize(
    "operator",
    [
        "Slice (x, zero, four)",  # four of N rows
        "Slice (x, minus, far, one, minus)",  # the same shape, reversed
        "Slice (x, one, end)",
        "Pad (x, shift)",  # the same shape, moved
        "Transpose <perm = [1, 0]> (x)",
        "Tile (x, twos)",
        "ReduceSum <keepdims = 1> (x, one)",
    ],
)
def test_it_stays(operator: str) -> None:
    assert _left(operator)


def test_a_square_transpose_stays() -> None:
    assert _left("Transpose <perm = [1, 0]> (x)", "float[3,3]")


@pytest.mark.parametrize(
    ("kind", "perm", "left"),
    [
        ("float[1,1,4]", [1, 0, 2], False),
        ("float[1,4,1]", [2, 1, 0], False),
        ("float[N,1,1]", [0, 2, 1], False),
        ("float[1,4,1]", [1, 0, 2], True),
        ("float[N,N,1]", [1, 0, 2], True),
    ],
)
def test_a_transpose_of_axes_of_size_one(kind: str, perm: list[int], left: bool) -> None:
    assert _left(f"Transpose <perm = {perm}> (x)", kind) == left


def test_a_reshape_of_a_square_of_unknown_size_stays() -> None:
    assert _left("Reshape (x, other)", "float[N,M]")


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize(
    "coordinates",
    ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"],
)
@pytest.mark.parametrize("how", [", , unit", ", , , sizes"])
def test_resize_by_one(mode: str, coordinates: str, how: str) -> None:
    attributes = f'mode = "{mode}", coordinate_transformation_mode = "{coordinates}"'
    assert not _left(f"Resize <{attributes}> (x{how})", "float[1,1,4,4]")


def test_resize_by_one_with_antialias() -> None:
    assert not _left('Resize <mode = "linear", antialias = 1> (x, , unit)', "float[1,1,4,4]")


def test_resize_by_almost_one_keeps_the_shape_but_moves_the_samples() -> None:
    assert _left('Resize <mode = "linear"> (x, , almost)', "float[1,1,4,4]")


def test_resize_with_a_region_stays() -> None:
    text = 'Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize">'
    region = "float[8] roi = {0.0, 0.0, 0.2, 0.2, 1.0, 1.0, 0.8, 0.8}, float[4] unit"
    model, _ = run_passes(
        f"""agraph (float[1,1,4,4] x) => (float[1,1,4,4] y)
            <{region} = {{1.0, 1.0, 1.0, 1.0}}> {{ t = {text} (x, roi, unit)\n y = Neg(t) }}""",
        PASS,
    )
    assert ops(model) == ["Resize", "Neg"]


@pytest.mark.parametrize(
    ("operator", "opset"),
    [
        ("Slice <starts = [0], ends = [9223372036854775807]> (x)", 9),
        ("Pad <pads = [0, 0, 0, 0]> (x)", 10),
        ("Upsample <scales = [1.0, 1.0]> (x)", 8),
        ("Split <axis = 0> (x)", 11),
    ],
)
def test_attribute_spellings_of_old_opsets(operator: str, opset: int) -> None:
    model, _ = run_passes(
        f"agraph (float[2,4] x) => (float[2,4] y) {{ t = {operator}\n y = Neg(t) }}",
        PASS,
        opset=opset,
    )
    assert ops(model) == ["Neg"]


def test_between_graph_input_and_output_it_stays() -> None:
    model, _ = run_passes("agraph (float[4] x) => (float[4] y) { y = Cast <to = 1> (x) }", PASS)
    assert ops(model) == ["Cast"]


def test_a_split_into_several_is_not_worth_a_remark() -> None:
    model, records = run_passes(
        """agraph (float[4] x) => (float[2] y, float[2] z) {
            a, b = Split <num_outputs = 2> (x)
            y = Neg(a)
            z = Neg(b)
        }""",
        PASS,
    )
    assert ops(model) == ["Split", "Neg", "Neg"]
    assert reasons(records) == []
