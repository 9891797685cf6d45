"""Range gets scalars, and only where it did not."""

from __future__ import annotations

from tests.support import ops, run_passes

from burnish.ir import Model

PASS = "scalarize-range"


def operands(model: Model) -> list[str]:
    (node,) = (node for node in model.graph if node.op_type == "Range")
    return [value.producer().op_type if value.producer() else "" for value in node.inputs if value]


def test_vectors_of_one_element_become_scalars() -> None:
    # The rank of the limit is hidden from ONNX Runtime until the branch is inlined.
    text = """agraph (int64[2] n) => (int64[K] y)
        <int64 zero = {0}, int64 one = {1}, int64[1] first = {0}, bool yes = {1}> {
        limit = If (yes) <
            then_branch = t () => (int64[1] a) { a = Gather(n, first) },
            else_branch = e () => (int64[1] b) { b = Gather(n, first) }
        >
        y = Range(zero, limit, one)
    }"""
    model, _ = run_passes(text, f"inline-if, {PASS}")
    assert ops(model) == ["Gather", "Reshape", "Range"]
    assert operands(model) == ["", "Reshape", ""]


def test_scalars_stay() -> None:
    text = """agraph (int64 n) => (int64[K] y) <int64 zero = {0}, int64 one = {1}> {
        y = Range(zero, n, one)
    }"""
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Range"]
    assert not records[0].diff
