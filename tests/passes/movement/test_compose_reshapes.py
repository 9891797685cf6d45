"""Views in a row, and the zeros, negative axes and unknown sizes that make them hard."""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import constant_array, to_proto
from burnish.text import parse_model

PASS = "compose-reshapes"


def _reshapes(source: str, first: str, then: str, result: str) -> str:
    count = (first.count(",") + 1, then.count(",") + 1)
    return f"""agraph (float[{source}] x) => (float[{result}] y)
        <int64[{count[0]}] s = {{{first}}}, int64[{count[1]}] r = {{{then}}}> {{
            t = Reshape(x, s)
            y = Reshape(t, r)
        }}"""


@pytest.mark.parametrize(
    ("source", "first", "then", "target"),
    [
        ("2,3,4", "6, 4", "3, 8", [3, 8]),
        ("2,3,4", "6, 4", "-1", [-1]),
        ("2,3,4", "6, 4", "0, 2, 2", [6, 2, 2]),
        ("2,3,4", "2, 12", "0, 2, -1", [0, 2, -1]),
        ("N,3,4", "-1, 4", "0, 2, 2", [-1, 2, 2]),
        ("N,3,4", "0, 12", "0, 2, 6", [0, 2, 6]),
    ],
)
def test_a_zero_copies_from_the_inner_result(
    source: str, first: str, then: str, target: list[int]
) -> None:
    result = ",".join(f"d{i}" for i in range(len(target)))
    model, _ = run_passes(_reshapes(source, first, then, result), PASS)
    (node,) = model.graph
    shape = constant_array(node.inputs[1])
    assert shape is not None
    assert shape.tolist() == target


def test_a_zero_that_cannot_be_said_of_the_source_declines() -> None:
    model, records = run_passes(_reshapes("N,3,4", "-1, 4", "0, 2, -1", "a,b,c"), PASS)
    assert ops(model) == ["Reshape", "Reshape"]
    assert any("copies a size of t" in why for why in reasons(records))


def test_allowzero_means_zero() -> None:
    model, _ = run_passes(
        """agraph (float[0,3] x) => (float[a,b] y) <int64[2] s = {3, 0}, int64[2] r = {5, 0}> {
            t = Reshape <allowzero = 1> (x, s)
            y = Reshape <allowzero = 1> (t, r)
        }""",
        PASS,
    )
    (node,) = model.graph
    assert node.attributes["allowzero"].value == 1


def test_a_computed_shape_that_may_hold_zero_declines() -> None:
    text = """agraph (float[4,6] x, int64[2] r) => (float[a,b] y) <int64[2] s = {6, 4}> {
        t = Reshape(x, s)
        y = Reshape(t, r)
    }"""
    done = optimize(to_proto(parse_model(text)), passes=PASS)  # a random r is no shape
    assert ops(done.model) == ["Reshape", "Reshape"]
    assert any("may be 0" in why for why in reasons(done.records))


def test_a_computed_shape_without_zeros_is_reused() -> None:
    model, _ = run_passes(
        """agraph (float[4,N,6] x) => (float[a,b] y)
            <int64[1] m = {-1}, int64[1] six = {6}, int64[3] s = {6, -1, 4}> {
            r = Concat <axis = 0> (m, six)
            t = Reshape(x, s)
            y = Reshape(t, r)
        }""",
        PASS,
    )
    assert ops(model) == ["Concat", "Reshape"]
    assert model.graph[1].inputs[1] is model.graph[0].outputs[0]


@pytest.mark.parametrize("opset", [11, 13, 20])
def test_axes_are_merged_in_either_spelling(opset: int) -> None:
    def unsqueeze(result: str, source: str, axis: int) -> str:
        if opset < 13:
            return f"{result} = Unsqueeze <axes = [{axis}]> ({source})"
        return f"{result}a = Constant <value_ints = [{axis}]> ()\n{result} = Unsqueeze({source}, {result}a)"

    model, _ = run_passes(
        f"""agraph (float[3,4] x) => (float[a,b,c,d] y) {{
            {unsqueeze("t", "x", -2)}
            {unsqueeze("u", "t", -1)}
            y = Neg(u)
        }}""",
        PASS,
        opset=opset,
    )
    assert [op for op in ops(model) if op != "Constant"] == ["Unsqueeze", "Neg"]


def _squeeze_chain(rank: str, first: str, then: str) -> str:
    return f"""agraph (float[{rank}] x) => (float[...] y) {{
        a = Constant <value_ints = [{first}]> ()
        b = Constant <value_ints = [{then}]> ()
        t = FIRST(x, a)
        u = THEN(t, b)
        y = Neg(u)
    }}"""


@pytest.mark.parametrize(
    ("kinds", "dims", "first", "then", "left"),
    [
        (("Squeeze", "Squeeze"), "1,3,1,4", "0", "1", ["Squeeze", "Neg"]),
        (("Squeeze", "Squeeze"), "1,3,1,N", "-2", "-3", ["Squeeze", "Neg"]),
        (("Unsqueeze", "Squeeze"), "3,N", "0, 2", "0, 2", ["Neg"]),
        (("Unsqueeze", "Squeeze"), "3,N", "0, 2", "2", ["Unsqueeze", "Neg"]),
        (("Unsqueeze", "Squeeze"), "3,N", "-1", "-1", ["Neg"]),
        (("Squeeze", "Unsqueeze"), "1,N", "0", "0", ["Neg"]),
        (("Squeeze", "Unsqueeze"), "1,N", "0", "1", ["Reshape", "Neg"]),
        (("Unsqueeze", "Unsqueeze"), "3,N", "0, 3", "1", ["Unsqueeze", "Neg"]),
    ],
)
def test_chains_of_squeeze_and_unsqueeze(
    kinds: tuple[str, str], dims: str, first: str, then: str, left: list[str]
) -> None:
    text = _squeeze_chain(dims, first, then).replace("FIRST", kinds[0]).replace("THEN", kinds[1])
    rank = dims.count(",") + 1
    change = {"Squeeze": -1, "Unsqueeze": 1}
    rank += change[kinds[0]] * (first.count(",") + 1) + change[kinds[1]] * (then.count(",") + 1)
    model, _ = run_passes(text.replace("...", ",".join(f"d{i}" for i in range(rank))), PASS)
    assert [op for op in ops(model) if op != "Constant"] == left


def test_two_unknown_sizes_that_both_move_stay() -> None:
    model, records = run_passes(
        """agraph (float[N,2,M,3] x) => (float[a,b,c] y) <int64[3] s = {-1, 2, 3}, int64[1] k = {1}> {
            t = Flatten <axis = 2> (x)
            y = Unsqueeze(t, k)
        }""",
        PASS,
    )
    assert ops(model) == ["Flatten", "Unsqueeze"]
    assert any("known only when the model runs" in why for why in reasons(records))


def test_a_shared_inner_view_stays_and_a_flatten_of_it_too() -> None:
    model, _ = run_passes(
        """agraph (float[2,3,4] x) => (float[6,4] t2, float[1,24] y) <int64[2] s = {6, 4}> {
            t = Reshape(x, s)
            t2 = Relu(t)
            u = Flatten <axis = 0> (t)
            y = Relu(u)
        }""",
        PASS,
    )
    assert ops(model) == ["Reshape", "Relu", "Flatten", "Relu"]
