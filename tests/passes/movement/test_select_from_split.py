"""Taking whole operands: joints that fit, cuts that do not, sizes that are not known."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

PASS = "select-from-split"


@pytest.mark.parametrize(
    ("join", "left"),
    [
        ("axis = 1> (a, b, c)", ["Neg"]),
        ("axis = -1> (a, b, c)", ["Neg"]),
        ("axis = 1> (a, b, c, x)", ["Concat", "Neg"]),
        ("axis = 1> (a, a, b, c)", ["Concat", "Neg"]),
        ("axis = 1> (a, c, b)", ["Split", "Concat", "Neg"]),
        ("axis = 1> (a, b)", ["Split", "Concat", "Neg"]),
        ("axis = 0> (a, b, c)", ["Split", "Concat", "Neg"]),
    ],
)
def test_joining_the_parts_of_a_split(join: str, left: list[str]) -> None:
    model, _ = run_passes(
        f"""agraph (float[2,6] x) => (float[p,q] y) {{
            a, b, c = Split <axis = 1, num_outputs = 3> (x)
            t = Concat <{join}
            y = Neg(t)
        }}""",
        PASS,
    )
    # a, a, b, c: the run starts at the second a, so the Split stays for the first.
    expected = ["Split", *left] if "(a, a" in join else left
    assert ops(model) == expected


def _slice(start: int, end: int, axis: int = 1, step: int = 1, middle: str = "4") -> str:
    return f"""agraph (float[2,3] a, float[2,{middle}] b, float[2,5] c) => (float[p,q] y)
        <int64[1] s = {{{start}}}, int64[1] e = {{{end}}}, int64[1] ax = {{{axis}}},
         int64[1] st = {{{step}}}> {{
            t = Concat <axis = 1> (a, b, c)
            u = Slice(t, s, e, ax, st)
            y = Neg(u)
        }}"""


_INT_MAX = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (_slice(0, 3), ["Neg"]),
        (_slice(3, 7), ["Neg"]),
        (_slice(-5, _INT_MAX), ["Neg"]),
        (_slice(7, 100, axis=-1), ["Neg"]),
        (_slice(3, 12), ["Concat", "Neg"]),
        (_slice(0, 3, middle="N"), ["Neg"]),
        (_slice(3, _INT_MAX, middle="N"), ["Concat", "Neg"]),
        (_slice(0, 12), ["Concat", "Neg"]),
        # Inside one operand.
        (_slice(1, 3), ["Slice", "Neg"]),
        (_slice(3, 6), ["Slice", "Neg"]),
        (_slice(0, 3, step=2), ["Slice", "Neg"]),
        (_slice(-1, -4, step=-1), ["Slice", "Neg"]),
        (_slice(2, -(2**63), step=-1), ["Slice", "Neg"]),
        (_slice(1, 3, middle="N"), ["Slice", "Neg"]),
        # Parts of two, another axis, a place that is not known, or nothing at all.
        (_slice(2, 4), ["Concat", "Slice", "Neg"]),
        (_slice(3, 0, step=-1), ["Concat", "Slice", "Neg"]),
        (_slice(0, 7, step=6), ["Concat", "Slice", "Neg"]),
        (_slice(0, 1, axis=0), ["Concat", "Slice", "Neg"]),
        (_slice(-5, _INT_MAX, middle="N"), ["Concat", "Slice", "Neg"]),
        (_slice(1, 4, middle="N"), ["Concat", "Slice", "Neg"]),
        (_slice(1, -1, middle="N"), ["Concat", "Slice", "Neg"]),
        (_slice(5, 4), ["Concat", "Slice", "Neg"]),
    ],
)
def test_slices_of_a_concat(text: str, left: list[str]) -> None:
    model, _ = run_passes(text, PASS)
    assert ops(model) == left


@pytest.mark.parametrize(
    ("sizes", "left"),
    [
        ("3, 4, 5", ["Neg", "Relu", "Abs"]),
        ("0, 7, 5", ["Concat", "Split", "Neg", "Relu", "Abs"]),
        ("3, 3, 6", ["Concat", "Split", "Neg", "Relu", "Abs"]),
        # One operand is divided, the others come whole.
        ("1, 2, 9", ["Concat", "Split", "Neg", "Relu", "Abs"]),
        ("7, 1, 4", ["Concat", "Split", "Neg", "Relu", "Abs"]),
    ],
)
def test_a_split_of_a_concat(sizes: str, left: list[str]) -> None:
    model, _ = run_passes(
        f"""agraph (float[2,3] a, float[2,4] b, float[2,5] c)
            => (float[p,q] y, float[r,s] z, float[v,w] u) <int64[3] k = {{{sizes}}}> {{
            t = Concat <axis = 1> (a, b, c)
            i, j, l = Split <axis = 1> (t, k)
            y = Neg(i)
            z = Relu(j)
            u = Abs(l)
        }}""",
        PASS,
    )
    assert ops(model) == left


def test_a_part_of_several_operands_is_joined_again() -> None:
    model, _ = run_passes(
        """agraph (float[3] a, float[4] b, float[7] c) => (float[7] y, float[7] z) {
            t = Concat <axis = 0> (a, b, c)
            i, j = Split <axis = 0, num_outputs = 2> (t)
            y = Neg(i)
            z = Relu(j)
        }""",
        PASS,
    )
    assert ops(model) == ["Concat", "Neg", "Relu"]


def test_parts_that_are_graph_outputs_of_graph_inputs_stay() -> None:
    model, _ = run_passes(
        """agraph (float[3] a, float[3] b) => (float[3] i, float[3] j) {
            t = Concat <axis = 0> (a, b)
            i, j = Split <axis = 0, num_outputs = 2> (t)
        }""",
        PASS,
    )
    assert [value.name for value in model.graph.outputs] == ["i", "j"]
    assert ops(model) == ["Concat", "Split"]


def test_one_operand_cannot_become_two_graph_outputs() -> None:
    model, _ = run_passes(
        """agraph (float[3] x) => (float[3] i, float[3] j) {
            a = Relu(x)
            t = Concat <axis = 0> (a, a)
            i, j = Split <axis = 0, num_outputs = 2> (t)
        }""",
        PASS,
    )
    assert [value.name for value in model.graph.outputs] == ["i", "j"]


def test_opset_11_sizes_are_an_attribute() -> None:
    model, _ = run_passes(
        """agraph (float[3] a, float[4] b) => (float[3] y, float[4] z) {
            t = Concat <axis = 0> (a, b)
            i, j = Split <axis = 0, split = [3, 4]> (t)
            y = Neg(i)
            z = Relu(j)
        }""",
        PASS,
        opset=11,
    )
    assert ops(model) == ["Neg", "Relu"]


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("sizes", ["1, 1, 1", "1, 2"])
def test_only_the_operand_that_is_divided_is_split(opset: int, sizes: str) -> None:
    count = len(sizes.split(",")) + 1
    parts = [f"p{index}" for index in range(count)]
    given = f", split = [{sizes}, 4]> (t)" if opset < 13 else "> (t, k)"
    negated = " ".join(f"y{index} = Neg({part})" for index, part in enumerate(parts))
    results = ", ".join(f"float[d{index}] y{index}" for index in range(count))
    model, _ = run_passes(
        f"""agraph (float[3] a, float[4] b) => ({results})
            <int64[{count}] k = {{{sizes}, 4}}> {{
            t = Concat <axis = 0> (a, b)
            {", ".join(parts)} = Split <axis = 0{given}
            {negated}
        }}""",
        PASS,
        opset=opset,
    )
    assert ops(model) == ["Split"] + ["Neg"] * count
    split = next(iter(model.graph))
    assert split.inputs[0] is model.graph.inputs[0]
    assert len(split.outputs) == count - 1


def test_a_slice_of_an_operand_can_be_a_graph_output() -> None:
    model, _ = run_passes(
        """agraph (float[3] a, float[4] b) => (float[2] y) <int64[1] s = {1}, int64[1] e = {3}> {
            t = Concat <axis = 0> (a, b)
            y = Slice(t, s, e)
        }""",
        PASS,
    )
    assert ops(model) == ["Slice"]
