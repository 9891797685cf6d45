"""Slices that divide an axis among them, and Slices that only look as if they did."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.support import ops, run_passes

from burnish.ir import Model

PASS = "merge-slices-into-split"
_END = 2**63 - 1


def _cut(
    *bounds: tuple[int, int],
    kind: str = "float[2,6]",
    axis: int = 1,
    step: int = 1,
    opset: int = 20,
) -> Model:
    """What becomes of ``x[:, start:end]``, each negated."""
    values = [
        f"int64[1] s{i} = {{{s}}}, int64[1] e{i} = {{{e}}}" for i, (s, e) in enumerate(bounds)
    ]
    body = "\n".join(
        f"t{i} = Slice(x, s{i}, e{i}, axis, step) y{i} = Neg(t{i})" for i in range(len(bounds))
    )
    rank = kind.count(",") + 1
    results = ", ".join(
        f"float[{','.join(f'd{i}_{j}' for j in range(rank))}] y{i}" for i in range(len(bounds))
    )
    model, _ = run_passes(
        f"""agraph ({kind} x) => ({results})
            <{", ".join(values)}, int64[1] axis = {{{axis}}}, int64[1] step = {{{step}}}> {{
            {body}
        }}""",
        PASS,
        opset=opset,
    )
    return model


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize(
    "bounds",
    [
        [(0, 3), (3, _END)],
        [(3, 6), (0, 3)],
        [(-6, -2), (-2, _END)],
        [(0, 2), (2, 3), (3, 100)],
        [(4, 6), (0, 2), (2, 4)],
    ],
)
def test_all_of_the_axis_is_one_split(bounds: Sequence[tuple[int, int]], opset: int) -> None:
    model = _cut(*bounds, opset=opset)
    assert ops(model) == ["Split"] + ["Neg"] * len(bounds)


@pytest.mark.parametrize(
    "bounds",
    [
        [(0, 3), (3, 5)],  # not the last
        [(0, 3), (4, 6)],  # a gap
        [(0, 4), (3, 6)],  # overlapping
        [(1, 3), (3, 6)],  # not the first
        [(0, 6), (6, 9)],  # the second takes nothing
        [(0, 3), (-9, 6)],  # clamped to the front
    ],
)
def test_what_leaves_a_gap_or_overlaps_stays(bounds: Sequence[tuple[int, int]]) -> None:
    assert "Split" not in ops(_cut(*bounds))


def test_steps_and_reversal_stay() -> None:
    assert ops(_cut((0, 6), (1, 6), step=2)).count("Slice") == 2
    assert ops(_cut((5, 2), (2, -_END), step=-1)).count("Slice") == 2


def test_a_further_slice_of_the_same_value_stays() -> None:
    model = _cut((0, 3), (1, 2), (3, 6))
    assert sorted(ops(model)) == ["Neg", "Neg", "Neg", "Slice", "Split"]


def test_slices_of_different_axes_stay() -> None:
    model, _ = run_passes(
        """agraph (float[4,4] x) => (float[2,4] y, float[4,2] z)
            <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] four = {4}> {
            y = Slice(x, zero, two, zero)
            z = Slice(x, two, four, one)
        }""",
        PASS,
    )
    assert ops(model) == ["Slice", "Slice"]


_HALVES = """agraph (float[{size}] x, float[D] like) => (float[a] y, float[b] z)
    <int64[1] zero = {{0}}, int64 two = {{2}}, int64[1] end = {{9223372036854775807}}> {{
    s = Shape(x)
    i = Constant <value = int64 {{0}}> ()
    n = Gather(s, i)
    h = Div(n, two)
    k = Unsqueeze(h, zero)
    p = Slice(x, zero, k, zero)
    q = Slice(x, k, end, zero)
    y = Neg(p)
    z = Relu(q)
}}"""


def test_halves_of_a_size_not_known_join_only_if_it_is_even() -> None:
    model, _ = run_passes(_HALVES.format(size="N"), PASS)
    assert ops(model).count("Slice") == 2
    doubled = _HALVES.format(size="N").replace(
        "s = Shape(x)", "x2 = Concat <axis = 0> (x, x) s = Shape(x2)"
    )
    doubled = doubled.replace("Slice(x,", "Slice(x2,")
    model, _ = run_passes(doubled, PASS)
    assert ops(model).count("Split") == 1
    assert "Slice" not in ops(model)


def test_slices_before_their_split_could_stand_are_graph_outputs() -> None:
    model, _ = run_passes(
        """agraph (float[4] x) => (float[2] y, float[2] z)
            <int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}> {
            z = Slice(x, two, four)
            y = Slice(x, zero, two)
        }""",
        PASS,
    )
    assert ops(model) == ["Split"]
    assert [value.name for value in model.graph.outputs] == ["y", "z"]


def test_slices_in_a_branch_and_outside_do_not_meet() -> None:
    model, _ = run_passes(
        """agraph (bool c, float[4] x) => (float[2] y, float[2] z)
            <int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}> {
            y = Slice(x, two, four)
            z = If (c) <
                then_branch = g () => (float[2] p) { p = Slice(x, zero, two) },
                else_branch = h () => (float[2] q) { q = Slice(x, two, four) }
            >
        }""",
        PASS,
    )
    assert ops(model).count("Slice") == 3
