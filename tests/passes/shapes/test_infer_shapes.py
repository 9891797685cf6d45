"""Annotations: better ones are added, interfaces are left alone."""

from __future__ import annotations

from tests.support import run_passes

from burnish.ir import DataType, Model, Value, scopes

PASS = "infer-shapes"


def value(model: Model, name: str) -> Value:
    """The value of that name, in any scope."""
    return next(
        out
        for scope in scopes(model)
        for node in scope.graph
        for out in node.outputs
        if out.name == name
    )


def dims(found: Value) -> list[str] | None:
    return None if found.shape is None else [str(dim) for dim in found.shape]


def test_symbolic_sizes_reach_inner_values() -> None:
    text = """g (float[N, 3, 4] x) => (float[?, ?] y) <int64[2] t = {0, 12}> {
        a = Relu (x)
        b = Reshape (a, t)
        y = Exp (b)
    }"""
    model, _ = run_passes(text, PASS)
    assert dims(value(model, "a")) == ["N", "3", "4"]
    assert dims(value(model, "b")) == ["N", "12"]
    assert value(model, "b").dtype == DataType.FLOAT


def test_inputs_and_outputs_keep_what_they_declare() -> None:
    text = "g (float[N, 3] x) => (float[rows, cols] y) { y = Relu (x) }"
    model, _ = run_passes(text, PASS)
    assert dims(model.graph.outputs[0]) == ["rows", "cols"]
    assert dims(model.graph.inputs[0]) == ["N", "3"]


def test_shapes_of_exported_reshapes() -> None:
    text = """g (float[N, M, 8] x) => (float[?, ?, ?, ?] y)
    <int64[1] zero = {0}, int64[1] one = {1}, int64[2] heads = {2, 4}> {
        s = Shape (x)
        n = Gather (s, zero)
        m = Gather (s, one)
        t = Concat <axis = 0> (n, m, heads)
        r = Reshape (x, t)
        p = Transpose <perm = [0, 2, 1, 3]> (r)
        y = Relu (p)
    }"""
    model, _ = run_passes(text, PASS)
    assert dims(value(model, "p")) == ["N", "2", "M", "4"]


def test_values_in_branches() -> None:
    text = """g (bool c, float[N, 3] x) => (float[?, ?] y) {
        y = If (c) <
            then_branch = yes () => (float[?, ?] p) { a = Exp (x) p = Neg (a) },
            else_branch = no () => (float[?, ?] q) { q = Abs (x) }>
    }"""
    model, _ = run_passes(text, PASS)
    assert dims(value(model, "a")) == ["N", "3"]


def test_what_is_known_already_is_not_found_again() -> None:
    text = "g (float[N, 3] x) => (float[N, 3] y) { a = Relu (x) y = Exp (a) }"
    _, records = run_passes(text, f"{PASS}, {PASS}")
    assert [len(entry.remarks) for entry in records] == [1, 0]
    assert not any(entry.diff for entry in records)
