"""Transposes in a row: what composes, what cancels, and what must stay."""

from __future__ import annotations

import itertools

import pytest
from tests.support import ops, run_passes

from burnish.ir import attribute

PASS = "compose-transposes"


@pytest.mark.parametrize("first", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("then", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_any_two_permutations(first: tuple[int, ...], then: tuple[int, ...]) -> None:
    model, _ = run_passes(
        f"""agraph (float[2,3,5] x) => (float[a,b,c] y) {{
            t = Transpose <perm = {list(first)}> (x)
            u = Transpose <perm = {list(then)}> (t)
            y = Neg(u)
        }}""",
        PASS,
    )
    cancels = [first[axis] for axis in then] == [0, 1, 2]
    assert ops(model) == (["Neg"] if cancels else ["Transpose", "Neg"])


def test_absent_perm_reverses_the_axes() -> None:
    model, _ = run_passes(
        """agraph (float[2,3,5] x) => (float[a,b,c] y) {
            t = Transpose(x)
            y = Transpose <perm = [1, 0, 2]> (t)
        }""",
        PASS,
    )
    (node,) = model.graph
    assert attribute(node, "perm") == (1, 2, 0)


def test_the_inner_one_stays_for_its_other_reader() -> None:
    model, _ = run_passes(
        """agraph (float[2,3] x) => (float[3,2] y, float[2,3] z) {
            t = Transpose <perm = [1, 0]> (x)
            y = Relu(t)
            u = Transpose <perm = [1, 0]> (t)
            z = Neg(u)
        }""",
        PASS,
    )
    assert ops(model) == ["Transpose", "Relu", "Neg"]


def test_an_inner_graph_output_keeps_its_name() -> None:
    model, _ = run_passes(
        """agraph (float[2,3] x) => (float[3,2] t, float[2,3] y) {
            t = Transpose <perm = [1, 0]> (x)
            u = Transpose <perm = [1, 0]> (t)
            y = Relu(u)
        }""",
        PASS,
    )
    assert [value.name for value in model.graph.outputs] == ["t", "y"]
    assert ops(model) == ["Transpose", "Relu"]


def test_cancelling_between_graph_input_and_output_leaves_one_identity() -> None:
    model, _ = run_passes(
        """agraph (float[2,3] x) => (float[2,3] y) {
            t = Transpose <perm = [1, 0]> (x)
            y = Transpose <perm = [1, 0]> (t)
        }""",
        PASS,
    )
    assert ops(model) == ["Identity"]


def test_a_capture_by_a_subgraph_keeps_the_inner_one() -> None:
    model, _ = run_passes(
        """agraph (float[2,3] x, bool c) => (float[2,3] y, float[3,2] z) {
            t = Transpose <perm = [1, 0]> (x)
            u = Transpose <perm = [1, 0]> (t)
            y = Relu(u)
            z = If (c) <
                then_branch = g1 () => (float[3,2] p) { p = Relu(t) },
                else_branch = g2 () => (float[3,2] q) { q = Neg(t) }
            >
        }""",
        PASS,
    )
    assert ops(model).count("Transpose") == 1


def test_a_long_chain_becomes_one() -> None:
    lines = "\n".join(f"t{i} = Transpose <perm = [1, 2, 0]> (t{i - 1})" for i in range(1, 9))
    model, _ = run_passes(
        f"agraph (float[2,3,5] t0) => (float[a,b,c] y) {{ {lines}\n y = Relu(t8) }}", PASS
    )
    assert ops(model) == ["Transpose", "Relu"]
