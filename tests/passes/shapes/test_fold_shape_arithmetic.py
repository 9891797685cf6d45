"""Arithmetic on shapes: what is known, what was computed before."""

from __future__ import annotations

import pytest
from tests.support import ops, run_passes

from burnish.ir import constant_array

PASS = "fold-shape-arithmetic"
CLEAN = f"{PASS}, remove-dead-code"


@pytest.mark.parametrize(
    ("attributes", "count", "expected"),
    [
        ("", 4, None),
        ("<start = 1>", 3, None),
        ("<start = 2>", 2, [3, 4]),
        ("<start = -2>", 2, [3, 4]),
        ("<start = 2, end = 3>", 1, [3]),
        ("<start = -2, end = -1>", 1, [3]),
        ("<start = -9, end = 9>", 4, None),
        ("<start = 3, end = 2>", 0, []),
        ("<start = 9>", 0, []),
    ],
)
def test_start_and_end_of_shape(attributes: str, count: int, expected: list[int] | None) -> None:
    text = f"""g (float[N, M, 3, 4] x) => (int64[{count}] y) {{
        s = Shape {attributes} (x)
        y = Neg (s)
    }}"""
    model, _ = run_passes(text, CLEAN)
    held = constant_array(model.graph[-1].inputs[0])
    assert (None if held is None else held.tolist()) == expected


def test_static_shape_and_size() -> None:
    text = """g (float[2, 3] x) => (int64[2] y, int64 z) {
        s = Shape (x) n = Size (x)
        y = Neg (s) z = Neg (n)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == ["Neg", "Neg"]


@pytest.mark.parametrize(
    ("pick", "left"),
    [
        ("Gather (s, zero)", ["Shape", "Gather", "Neg"]),
        ("Gather (s, two)", ["Neg"]),
        ("Slice (s, one, three)", ["Shape", "Slice", "Neg"]),
        ("Slice (s, two, three)", ["Neg"]),
    ],
)
def test_the_known_part_of_a_shape(pick: str, left: list[str]) -> None:
    text = f"""g (float[N, M, 3] x) => (int64[K] y)
    <int64[1] zero = {{0}}, int64[1] one = {{1}}, int64[1] two = {{2}}, int64[1] three = {{3}}> {{
        s = Shape (x)
        p = {pick}
        y = Neg (p)
    }}"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == left


def test_sizes_cancel_as_expressions() -> None:
    text = """g (float[N, M] x) => (int64[1] y) <int64[1] zero = {0}, int64[1] one = {1}> {
        s = Shape (x)
        n = Gather (s, zero)
        m = Gather (s, one)
        a = Mul (n, m)
        b = Mul (m, n)
        c = Sub (a, b)
        d = Add (c, one)
        y = Neg (d)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == ["Neg"]


def test_equal_expressions_are_computed_once() -> None:
    text = """g (float[N, M] x) => (int64[1] y, int64[1] z)
    <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}> {
        s = Shape (x)
        n = Gather (s, zero)
        a = Add (n, n)
        b = Mul (n, two)
        y = Neg (a)
        z = Abs (b)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == ["Shape", "Gather", "Add", "Neg", "Abs"]


def test_same_numbers_in_another_type_or_shape_stay_apart() -> None:
    text = """g (float[N, M] x) => (int64[1] y, int64 z, int32[1] w)
    <int64[1] zeros = {0}, int64 zero = {0}> {
        s = Shape (x)
        a = Gather (s, zeros)
        b = Gather (s, zero)
        c = Cast <to = 6> (a)
        y = Neg (a) z = Neg (b) w = Neg (c)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model).count("Gather") == 2
    assert ops(model).count("Cast") == 1


def test_parts_put_together_again_are_the_shape() -> None:
    text = """g (float[N, M] x, float[K] v) => (float[N, M, K] y)
    <int64[1] zero = {0}, int64[1] one = {1}, int64[1] k = {1}> {
        s = Shape (x)
        a = Gather (s, zero)
        b = Gather (s, one)
        t = Concat <axis = 0> (a, b, k)
        y = Expand (v, t)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model)[-1] == "Expand"
    whole = text.replace("(a, b, k)", "(a, b)").replace("float[N, M, K] y", "float[N, M] y")
    model, _ = run_passes(whole.replace("float[K] v", "float[1] v"), CLEAN)
    assert ops(model) == ["Shape", "Expand"]


def test_shape_of_what_keeps_the_shape_frees_it() -> None:
    text = """g (float[N, M] x) => (int64[2] y) {
        a = Relu (x) b = Exp (a) c = Cast <to = 10> (b)
        y = Shape (c)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == ["Shape"]


def test_shape_of_what_keeps_the_shape_of_a_later_operand() -> None:
    text = """g (float[N, M] x, float[M] v, float s) => (int64[2] y) {
        a = Relu (x) b = Mul (s, a) c = Sub (v, b)
        y = Shape (c)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model) == ["Shape"]


@pytest.mark.parametrize("op", ["Transpose (x)", "Add (x, v)", "Concat <axis = 0> (x, x)"])
def test_shape_of_what_changes_the_shape_stays(op: str) -> None:
    text = f"""g (float[N, M] x, float[K, M] v) => (int64[2] y) {{
        a = {op}
        y = Shape (a)
    }}"""
    if "v" in op:
        text = text.replace("K, M", "1, M").replace("float[N, M] x", "float[?, M] x")
    model, _ = run_passes(text, CLEAN)
    assert len(ops(model)) == (1 if "v" in op else 2)


def test_values_that_are_outputs_keep_their_names() -> None:
    text = """g (float[2, 3] x) => (int64[2] y, int64[2] z) {
        y = Shape (x)
        z = Shape (x)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert [value.name for value in model.graph.outputs] == ["y", "z"]
    assert ops(model) == ["Shape", "Shape"]


def test_inside_branches_and_function_bodies() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "local": 1]>
    g (bool c, float[N, 3] x) => (int64[1] y) <int64[1] one = {1}> {
        z = If (c) <
            then_branch = yes () => (int64[1] p) { s = Shape (x) d = Gather (s, one) p = Neg (d) },
            else_branch = no () => (int64[1] q) { q = Abs (one) }>
        y = local.f (z)
    }
    <domain: "local", opset_import: ["": 20]>
    f (a) => (b) {
        two = Constant <value = int64[1] {2}> ()
        three = Mul (two, two)
        b = Add (a, three)
    }"""
    model, _ = run_passes(text, CLEAN)
    assert "Gather" not in ops(model)
    assert "Mul" not in ops(model)
    assert ops(model).count("Constant") == 1


def test_a_branch_does_not_serve_its_neighbour() -> None:
    text = """g (bool c, float[N, 3] x) => (int64[1] y) <int64[1] zero = {0}> {
        y = If (c) <
            then_branch = yes () => (int64[1] p) { s = Shape (x) d = Gather (s, zero) p = Neg (d) },
            else_branch = no () => (int64[1] q) { t = Shape (x) e = Gather (t, zero) q = Abs (e) }>
    }"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model).count("Gather") == 2


def test_64_bit_integers_wrap_and_are_not_folded_wrongly() -> None:
    text = """g (float[2, 3] x) => (int64[1] y) <int64[1] one = {1}, int64[1] big = {4611686018427387904}> {
        s = Shape (x)
        d = Gather (s, one)
        a = Mul (d, big)
        y = Neg (a)
    }"""
    run_passes(text, CLEAN)


@pytest.mark.parametrize("divisor", [2, -2])
def test_division_rounds_as_onnx_says(divisor: int) -> None:
    text = f"""g (float[3, 5] x) => (int64[2] y) <int64[1] k = {{{divisor}}}, int64[2] off = {{-7, 0}}> {{
        s = Shape (x)
        a = Add (s, off)
        b = Div (a, k)
        y = Neg (b)
    }}"""
    model, _ = run_passes(text, CLEAN)
    assert ops(model)[-1] == "Neg"


def test_no_reader_comes_between_a_calculation_and_its_codes() -> None:
    # A runtime makes one integer operator of DequantizeLinear, Conv and QuantizeLinear only when
    # nothing else reads what is between them.
    text = """g (float[N, 2, 4, 4] x) => (int64[4] y, float[N, 2, 4, 4] z)
        <float s = {0.5}, uint8 o = {3}, int8[2, 2, 1, 1] w = {1, 2, 3, 4}, float t = {0.1}> {
        q = QuantizeLinear (x, s, o)
        d = DequantizeLinear (q, s, o)
        v = DequantizeLinear (w, t)
        c = Conv (d, v)
        p = QuantizeLinear (c, s, o)
        e = DequantizeLinear (p, s, o)
        a = Abs (e)
        n = Shape (a)
        y = Neg (n)
        z = Abs (a)
    }"""
    model, _ = run_passes(text, PASS)
    conv = next(node for node in model.graph if node.op_type == "Conv")
    assert [node.op_type for node in conv.outputs[0].consumers()] == ["QuantizeLinear"]
    (shape,) = [node for node in model.graph if node.op_type == "Shape"]
    assert shape.inputs[0].name == "x"
