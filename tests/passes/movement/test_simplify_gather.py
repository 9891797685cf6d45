"""Gathers of constant places: runs, single places, and places nobody may assume."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import constant_array, to_proto
from burnish.text import parse_model

PASS = "simplify-gather"


def _gather(
    places: str, kind: str = "float[2,6]", axis: int = 1, opset: int = 20
) -> tuple[list[str], list[str]]:
    rank = kind.count(",") + 1
    scalar = not places.startswith("[")
    count = "" if scalar else f"[{places.count(',') + 1}]"
    value = f"int64{count} i = {{{places.strip('[]')}}}"
    result = ",".join(f"d{place}" for place in range(rank - scalar))
    model, records = run_passes(
        f"""agraph ({kind} x) => ({kind.split("[")[0]}[{result}] y) <{value}> {{
            t = Gather <axis = {axis}> (x, i)
            y = Neg(t)
        }}""",
        PASS,
        opset=opset,
    )
    return ops(model), reasons(records)


@pytest.mark.parametrize(
    ("places", "left"),
    [
        ("[1, 2, 3]", ["Slice", "Neg"]),
        ("[-2, -1]", ["Slice", "Neg"]),
        ("[1, -4, 3]", ["Slice", "Neg"]),
        ("[5]", ["Slice", "Neg"]),
        ("[0, 2, 4]", ["Slice", "Neg"]),
        ("[2, 1, 0]", ["Slice", "Neg"]),
        ("[5, 3, 1]", ["Slice", "Neg"]),
        ("[0, 1, 2, 3, 4, 5]", ["Neg"]),
        ("[0, 1, -4, 3, 4, -1]", ["Neg"]),
        ("[5, 4, 3, 2, 1, 0]", ["Slice", "Neg"]),
        ("[0, 1, 3]", ["Gather", "Neg"]),
        ("[1, 1]", ["Gather", "Neg"]),
        ("[5, 0]", ["Slice", "Neg"]),  # backwards by five
        ("[4, 5, 0]", ["Gather", "Neg"]),  # it does not wrap around
        ("2", ["Gather", "Neg"]),
        ("0", ["Gather", "Neg"]),
    ],
)
def test_places_in_a_row_are_a_slice(places: str, left: list[str]) -> None:
    assert _gather(places)[0] == left


def test_old_opsets() -> None:
    assert _gather("[1, 2]", opset=9)[0] == ["Slice", "Neg"]
    assert _gather("[0, 2]", opset=9)[0] == ["Gather", "Neg"]
    assert _gather("0", "float[2,1]", opset=11)[0] == ["Squeeze", "Neg"]


def test_a_size_that_is_not_known_may_be_too_small() -> None:
    left, why = _gather("[0, 1]", "float[2,N]")
    assert left == ["Gather", "Neg"]
    assert any("the size is known only when it runs" in reason for reason in why)


def test_an_axis_of_one_is_squeezed() -> None:
    assert _gather("0", "float[2,1]")[0] == ["Squeeze", "Neg"]
    assert _gather("-1", "float[1,3]", axis=0)[0] == ["Squeeze", "Neg"]
    assert _gather("[0]", "float[2,1]")[0] == ["Neg"]


def test_shapes_are_left_to_shape_arithmetic() -> None:
    assert _gather("[0, 1]", "int64[4]", axis=0)[0] == ["Gather", "Neg"]


def _pair(body: str, kind: str = "float[4,6]") -> list[str]:
    model, _ = run_passes(
        f"""agraph ({kind} x) => (float[P,Q] y)
            <int64 one = {{1}}, int64[1] first = {{1}}, int64[1] second = {{2}}, int64[1] zero = {{0}},
             int64[1] minus = {{-1}}, int64[1] end = {{9223372036854775807}}> {{
            {body}
            y = Neg(u)
        }}""",
        PASS,
    )
    return ops(model)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("t = Gather(x, one) u = Unsqueeze(t, zero)", ["Slice", "Neg"]),
        ("t = Gather <axis = 1> (x, one) u = Unsqueeze(t, minus)", ["Slice", "Neg"]),
        ("t = Gather(x, one) u = Unsqueeze(t, first)", ["Gather", "Unsqueeze", "Neg"]),
    ],
)
def test_an_axis_that_comes_back(body: str, left: list[str]) -> None:
    assert _pair(body) == left


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("t = Slice(x, first, second, zero) u = Squeeze(t, zero)", "Gather"),
        ("t = Slice(x, minus, end, zero) u = Squeeze(t, zero)", "Gather"),
        # An open end, a step back, or another axis.
        ("t = Slice(x, first, end, zero) u = Squeeze(t, zero)", "Slice"),
        ("t = Slice(x, first, zero, zero, minus) u = Squeeze(t, zero)", "Slice"),
        ("t = Slice(x, first, second, zero) u = Squeeze(t, first)", "Slice"),
    ],
)
def test_one_place_without_its_axis(body: str, left: str) -> None:
    assert _pair(body, "float[2,1,3]")[0] == left


def test_two_slices_at_once_stay() -> None:
    model, _ = run_passes(
        """agraph (float[3,4] x) => (float[P] y)
            <int64[2] s = {0, 1}, int64[2] e = {1, 3}, int64[1] zero = {0}> {
            t = Slice(x, s, e)
            u = Squeeze(t, zero)
            y = Neg(u)
        }""",
        PASS,
    )
    assert ops(model) == ["Slice", "Squeeze", "Neg"]


_UNBIND = """agraph (float[2,4] x) => (float[p] y{more})
    <int64[1] zero = {{0}}, int64[2] k = {{1, 1}}, int64[1] two = {{2}}, int64[2] whole = {{2, 2}}> {{
    a, b = Split <axis = 0> (x, k)
    c = Squeeze(a, zero)
    d = Squeeze(b, zero)
    {body}
}}"""


_Z = ", float[q] z"


def _unbind(body: str, more: str) -> list[str]:
    model, _ = run_passes(_UNBIND.format(body=body, more=more), PASS)
    return ops(model)


def test_single_parts_without_their_axis_are_gathered() -> None:
    assert _unbind("y = Neg(c) z = Relu(d)", _Z) == ["Gather", "Gather", "Neg", "Relu"]
    model, _ = run_passes(_UNBIND.format(body="y = Neg(c) z = Relu(d)", more=_Z), PASS)
    places = [constant_array(node.inputs[1]) for node in model.graph if node.op_type == "Gather"]
    assert [int(place) for place in places if place is not None] == [0, 1]


def test_a_part_that_is_read_as_it_is_keeps_the_split() -> None:
    left = _unbind("y = Neg(c) z = Relu(d) w = Abs(a)", ", float[q] z, float[e,f] w")
    assert left == ["Split", "Squeeze", "Squeeze", "Neg", "Relu", "Abs"]


def test_a_view_would_take_over_the_squeeze() -> None:
    left = _unbind("y = Neg(c) v = Reshape(d, whole) w = Neg(v)", ", float[e,f] w")
    assert left == ["Split", "Squeeze", "Squeeze", "Neg", "Reshape", "Neg"]


def test_parts_of_unknown_size_stay() -> None:
    text = """agraph (float[N,4] x) => (float[p] y, float[q] z)
        <int64[1] zero = {0}> {
        a, b = Split <axis = 0, num_outputs = 2> (x)
        c = Squeeze(a, zero)
        d = Squeeze(b, zero)
        y = Neg(c)
        z = Relu(d)
    }"""
    # Not run: the source takes a batch of two alone.
    source = to_proto(parse_model(text, opset=18))
    done = optimize(source, passes=PASS)
    assert ops(done.model) == ["Split", "Squeeze", "Squeeze", "Neg", "Relu"]
    assert "a part may have several elements" in reasons(done.records)
