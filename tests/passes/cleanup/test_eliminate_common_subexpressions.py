"""Common subexpressions: what is equal, what only looks it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import scopes

PASS = "eliminate-common-subexpressions"


@pytest.mark.parametrize("op", ["Add", "Mul", "Equal", "Max", "Sum", "Mean", "Min"])
def test_exchanged_operands(op: str) -> None:
    result = "bool" if op == "Equal" else "float"
    text = f"""g (float[2] a, float[2] b) => ({result}[2] y) {{
        u = {op}(a, b)
        v = {op}(b, a)
        y = {"And" if op == "Equal" else "Sub"}(u, v)
    }}"""
    model, _ = run_passes(text, PASS)
    # Which of -0.0 and 0.0 Max returns may depend on the order.
    assert ops(model).count(op) == (2 if op in ("Max", "Min") else 1)


@pytest.mark.parametrize(
    ("left", "right", "merged"),
    [
        ("Max(a, six)", "Max(six, a)", True),
        ("Max(a, zero)", "Max(zero, a)", False),  # which zero, for -0.0, depends on the order
        ("Max(a, minus)", "Max(minus, a)", False),
        ("Min(a, b, six)", "Min(b, a, six)", False),
        ("Sum(a, b, six)", "Sum(b, six, a)", False),  # rounded in another order
        ("Sum(b, a)", "Sum(a, b)", True),
    ],
)
def test_exchanged_operands_of_extrema_and_sums(left: str, right: str, merged: bool) -> None:
    text = f"""g (float[2] a, float[2] b) => (float[2] y)
        <float six = {{6.0}}, float zero = {{0.0}}, float[2] minus = {{1.0, -0.0}}> {{
        u = {left} v = {right} y = Sub(u, v) }}"""
    model, _ = run_passes(text, PASS)
    assert len(ops(model)) == (2 if merged else 3)


def test_extrema_of_integers_commute() -> None:
    text = """g (int64[2] a, int64[2] b) => (int64[2] y) {
        u = Max(a, b) v = Max(b, a) y = Add(u, v) }"""
    assert ops(run_passes(text, PASS)[0]) == ["Max", "Add"]


@pytest.mark.parametrize(
    ("left", "right", "merged"),
    [
        ("Greater(a, b)", "Less(b, a)", True),
        ("LessOrEqual(a, b)", "GreaterOrEqual(b, a)", True),
        ("Greater(a, b)", "Less(a, b)", False),
        ("Greater(a, b)", "LessOrEqual(b, a)", False),
    ],
)
def test_mirrored_comparisons(left: str, right: str, merged: bool) -> None:
    text = f"""g (float[2] a, float[2] b) => (bool[2] y) {{
        u = {left} v = {right} y = Or(u, v) }}"""
    assert len(ops(run_passes(text, PASS)[0])) == (2 if merged else 3)


@pytest.mark.parametrize(
    ("left", "right", "opset", "merged"),
    [
        ("Softmax <axis = -1> (a)", "Softmax(a)", 13, True),
        ("Softmax <axis = 1> (a)", "Softmax(a)", 13, False),
        ("Softmax <axis = 1> (a)", "Softmax(a)", 11, True),
        ("Softmax <axis = -1> (a)", "Softmax(a)", 11, False),
        ("LeakyRelu <alpha = 0.01> (a)", "LeakyRelu(a)", 20, True),
        ('Gelu <approximate = "none"> (a)', "Gelu(a)", 20, True),
        ('Gelu <approximate = "tanh"> (a)', "Gelu(a)", 20, False),
    ],
)
def test_an_attribute_that_says_the_default(
    left: str, right: str, opset: int, merged: bool
) -> None:
    text = f"""g (float[2,3,4] a) => (float[2,3,4] y) {{
        u = {left} v = {right} y = Sub(u, v) }}"""
    assert len(ops(run_passes(text, PASS, opset=opset)[0])) == (2 if merged else 3)


@pytest.mark.parametrize("op", ["Sub", "Div", "Pow"])
def test_operands_that_may_not_be_exchanged(op: str) -> None:
    text = f"""g (float[2] a, float[2] b) => (float[2] y) {{
        u = {op}(a, b)
        v = {op}(b, a)
        y = Mul(u, v)
    }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count(op) == 2


def test_chains_collapse_in_one_run() -> None:
    text = """g (float[2] x) => (float[2] y) {
        a = Exp(x) b = Neg(a) c = Abs(b)
        d = Exp(x) e = Neg(d) f = Abs(e)
        y = Sub(c, f)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Exp", "Neg", "Abs", "Sub"]


@pytest.mark.parametrize(
    "draw",
    [
        "RandomNormalLike(x)",
        "RandomUniform <shape = [2]> ()",
        "Bernoulli(p)",
        "Dropout(x, half, yes)",
        "Multinomial <sample_size = 2> (p2)",
    ],
)
def test_two_draws_are_two_draws(draw: str) -> None:
    text = f"""g (float[2] x) => (float[2] y)
    <float half = {{0.5}}, bool yes = {{1}}, float[2] p = {{0.5, 0.5}}, float[1, 2] p2 = {{0.5, 0.5}}> {{
        a = {draw}
        b = {draw}
        c = Cast <to = 1> (a)
        d = Cast <to = 1> (b)
        e = Sub(c, d)
        f = ReduceSum <keepdims = 0> (e)
        y = Add(x, f)
    }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count(draw.split("(")[0].split(" ")[0]) == 2


def test_custom_operators_may_be_random() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "acme": 1]>
    g (float[2] x) => (float[2] y) { a = acme.Noise(x) b = acme.Noise(x) y = Sub(a, b) }"""
    model = optimize(onnx.parser.parse_model(text), passes=PASS).model
    assert ops(model) == ["Noise", "Noise", "Sub"]


def test_two_graph_outputs_stay_two() -> None:
    text = "g (float[2] x) => (float[2] y, float[2] z) { y = Relu(x) z = Relu(x) }"
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Relu", "Relu"]
    assert reasons(records) == ["z and y are both graph outputs"]


def test_an_output_and_an_inner_value_become_one_output() -> None:
    text = "g (float[2] x) => (float[2] y, float[2] z) { a = Relu(x) y = Relu(x) z = Neg(a) }"
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["Relu", "Neg"]
    assert [value.name for value in model.graph.outputs] == ["y", "z"]


def test_attributes_decide() -> None:
    text = """g (float[2, 2] x) => (float[2, 2] y) {
        a = Softmax <axis = 0> (x)
        b = Softmax <axis = 1> (x)
        y = Sub(a, b)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count("Softmax") == 2


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [
        (np.float32(0.0), np.float32(-0.0), 2),
        (np.float32("nan"), np.float32("nan"), 1),
        (np.float32(1.0), np.float32(1.0), 1),
    ],
)
def test_float_attributes_are_compared_by_bits(left: float, right: float, count: int) -> None:
    nodes = [
        helper.make_node("Elu", ["x"], [name], alpha=float(alpha))
        for name, alpha in (("a", left), ("b", right))
    ]
    nodes.append(helper.make_node("Sub", ["a", "b"], ["y"]))
    assert _merged(nodes).count("Elu") == count


def test_tensor_attributes_are_compared_by_bytes() -> None:
    def fill(name: str, number: float) -> onnx.NodeProto:
        value = helper.make_tensor("v", TensorProto.FLOAT, [1], [number])
        return helper.make_node("ConstantOfShape", ["s"], [name], value=value)

    shape = helper.make_node("Shape", ["x"], ["s"])
    end = helper.make_node("Div", ["a", "b"], ["y"])
    assert _merged([shape, fill("a", 0.0), fill("b", -0.0), end]).count("ConstantOfShape") == 2
    assert _merged([shape, fill("a", -0.0), fill("b", -0.0), end]).count("ConstantOfShape") == 1


def _merged(nodes: list[onnx.NodeProto]) -> list[str]:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y])
    opset = helper.make_opsetid("", 17)
    source = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return ops(optimize(source, passes=PASS).model)


def test_a_result_that_is_left_out_makes_a_difference() -> None:
    text = """g (float[4] x) => (float[2] y, int64[2] z) <int64[1] k = {2}> {
        a, i = TopK(x, k)
        y, _ = TopK(x, k)
        b = Identity(a)
        z = Identity(i)
    }"""
    model, _ = run_passes(text, PASS)
    assert [value.name for value in model.graph.outputs] == ["y", "z"]


def test_branches_are_numbered_apart() -> None:
    text = """g (bool c, float[2] x) => (float[2] y) {
        o = Exp(x)
        y = If (c) <
            then_branch = yes () => (float[2] p) { a = Exp(x) b = Exp(x) p = Sub(a, b) },
            else_branch = no () => (float[2] q) { d = Exp(x) q = Add(d, o) }>
    }"""
    model, _ = run_passes(text, PASS)
    inner = [[node.op_type for node in scope.graph] for scope in scopes(model) if scope.depth]
    assert sorted(inner) == [["Exp", "Add"], ["Exp", "Sub"]]


def test_loops_with_equal_bodies_stay() -> None:
    text = """g (float[2] x) => (float[2] y) <int64 n = {2}, bool go = {1}> {
        a = Loop (n, go, x) <body = s (int64 i, bool m, float[2] t) => (bool o, float[2] u) {
            o = Identity(m) u = Neg(t) }>
        b = Loop (n, go, x) <body = s2 (int64 i2, bool m2, float[2] t2) => (bool o2, float[2] u2) {
            o2 = Identity(m2) u2 = Abs(t2) }>
        y = Sub(a, b)
    }"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count("Loop") == 2
