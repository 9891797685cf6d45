"""Sequences whose elements are known, and those that only look so."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

PASS = "resolve-sequences"
_NUMBERS = """int64 zero = {0}, int64 one = {1}, int64 two = {2}, int64 minus = {-1}, int64 four = {4},
    int64[2] sizes = {1, 5}, int32 small = {4}"""

_JOIN = "t = ConcatFromSequence <axis = -1> (r)"
_STACK = "t = ConcatFromSequence <axis = 0, new_axis = 1> (r)"


def _of(body: str, rank: int = 1, opset: int = 17) -> list[str]:
    result = ",".join("defg"[:rank])
    model, _ = run_passes(
        f"""agraph (float[6] x, float[6] a, float[6] b) => (float[{result}] y) <{_NUMBERS}> {{
            {body}
            y = Neg(t)
        }}""",
        PASS,
        opset=opset,
    )
    return ops(model)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("s = SequenceConstruct(a, b) t = SequenceAt(s, one)", ["Neg"]),
        ("s = SequenceConstruct(a, b) t = SequenceAt(s, minus)", ["Neg"]),
        ("s = SequenceConstruct(a) r = SequenceInsert(s, b, zero) t = SequenceAt(r, one)", ["Neg"]),
        ("s = SequenceConstruct(a, b, x) r = SequenceErase(s) t = SequenceAt(r, minus)", ["Neg"]),
        ("e = SequenceEmpty() s = SequenceInsert(e, b) t = SequenceAt(s, zero)", ["Neg"]),
        ("s = SequenceConstruct(a, b) r = SequenceInsert(s, x, minus) " + _JOIN, ["Concat", "Neg"]),
        # Without the first, and with the rest.
        ("s = SequenceConstruct(a, b, x) r = SequenceErase(s, zero) " + _JOIN, ["Concat", "Neg"]),
        ("s = SplitToSequence(x, two) t = SequenceAt(s, one)", ["Slice", "Neg"]),
        ("s = SplitToSequence(x, small) t = SequenceAt(s, minus)", ["Slice", "Neg"]),
        ("s = SplitToSequence(x, sizes) t = SequenceAt(s, minus)", ["Slice", "Neg"]),
        ("s = SplitToSequence(x) t = SequenceAt(s, minus)", ["Slice", "Neg"]),
        ("s = SplitToSequence(x, four) t = ConcatFromSequence <axis = 0> (s)", ["Neg"]),
        ("r = SplitToSequence <keepdims = 0> (x) " + _STACK, ["Neg"]),
    ],
)
@pytest.mark.parametrize("opset", [11, 17])
def test_known_elements(body: str, left: list[str], opset: int) -> None:
    assert _of(body, opset=opset) == left


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("opset", [11, 13])
def test_a_new_axis_is_one_unsqueeze_for_each(axis: int, opset: int) -> None:
    body = (
        f"s = SequenceConstruct(a, b, a) t = ConcatFromSequence <axis = {axis}, new_axis = 1> (s)"
    )
    assert _of(body, 2, opset) == ["Unsqueeze", "Unsqueeze", "Concat", "Neg"]


def test_an_element_without_its_axis_is_gathered() -> None:
    model, _ = run_passes(
        f"""agraph (float[2,N] x) => (float[2] y) <{_NUMBERS}> {{
            s = SplitToSequence <axis = -1, keepdims = 0> (x)
            t = SequenceAt(s, minus)
            y = Neg(t)
        }}""",
        PASS,
    )
    assert ops(model) == ["Gather", "Neg"]


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("s = SequenceConstruct(a, b, a)", 3),
        ("s = SequenceEmpty()", 0),
        ("s = SplitToSequence(x, four)", 2),
        ("s = SplitToSequence(x, sizes)", 2),
        ("s = SplitToSequence(x)", 6),
    ],
)
def test_lengths_are_numbers(body: str, count: int) -> None:
    model, _ = run_passes(
        f"""agraph (float[6] x, float[6] a, float[6] b) => (int64 y) <{_NUMBERS}> {{
            {body}
            t = SequenceLength(s)
            y = Neg(t)
        }}""",
        PASS,
    )
    assert ops(model) == ["Neg"]
    held = next(iter(model.graph)).inputs[0].const_value
    assert held.numpy() == count
    assert held.dtype.name == "INT64"


def test_how_many_parts_of_an_unknown_size_is_not_known() -> None:
    model, records = run_passes(
        f"""agraph (float[N] x) => (float[M] y, int64 n) <{_NUMBERS}> {{
            s = SplitToSequence(x, two)
            t = SequenceAt(s, zero)
            y = Neg(t)
            n = SequenceLength(s)
        }}""",
        PASS,
    )
    assert ops(model) == ["SplitToSequence", "SequenceAt", "Neg", "SequenceLength"]
    assert "how many elements there are is not known" in reasons(records)


def test_a_place_that_is_computed_stays() -> None:
    model, _ = run_passes(
        """agraph (float[6] a, float[6] b, bool c) => (float[6] y) {
            s = SequenceConstruct(a, b)
            i = Cast <to = 7> (c)
            y = SequenceAt(s, i)
        }""",
        PASS,
    )
    assert ops(model) == ["SequenceConstruct", "Cast", "SequenceAt"]


@pytest.mark.parametrize(
    "body",
    [
        # Along another axis, and with another number of axes.
        "s = SplitToSequence <axis = 1> (x, two) t = ConcatFromSequence <axis = 0> (s)",
        "s = SplitToSequence <axis = 1> (x) t = ConcatFromSequence <axis = 0> (s)",
    ],
)
def test_parts_joined_otherwise_stay(body: str) -> None:
    model, _ = run_passes(
        f"""agraph (float[4,4] x) => (float[p,q] y) <{_NUMBERS}> {{
            {body}
            y = Neg(t)
        }}""",
        PASS,
    )
    assert ops(model) == ["SplitToSequence", "ConcatFromSequence", "Neg"]


def test_all_elements_of_a_split_become_one_split() -> None:
    body = " ".join(
        f"t{i} = SequenceAt(s, {name})" for i, name in enumerate(("zero", "one", "two"))
    )
    model, _ = run_passes(
        f"""agraph (float[6] x) => (float[2] y) <{_NUMBERS}> {{
            s = SplitToSequence(x, two)
            {body}
            y = Sum(t2, t0, t1)
        }}""",
        f"{PASS}, merge-slices-into-split",
    )
    assert ops(model) == ["Split", "Sum"]


def test_an_input_that_becomes_a_graph_output_is_named_by_identity() -> None:
    model, _ = run_passes(
        f"""agraph (float[6] a, float[6] b) => (float[6] y, int64 n) <{_NUMBERS}> {{
            s = SequenceConstruct(a, b)
            y = SequenceAt(s, one)
            n = SequenceLength(s)
        }}""",
        PASS,
    )
    assert ops(model) == ["Identity", "Identity"]
    assert [value.name for value in model.graph.outputs] == ["y", "n"]
