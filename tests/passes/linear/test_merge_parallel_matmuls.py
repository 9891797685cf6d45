"""Products of one input merged into one."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import Model, attribute, constant_array, to_proto
from burnish.text import parse_model

PASS = "merge-parallel-matmuls"

_CONSTANTS = """float[2,2] w1 = {1.0, 2.0, 3.0, 4.0}, float[2,1] w2 = {5.0, -6.0},
    float[2,3] w3 = {0.5, 1.5, 2.5, 3.5, 4.5, 5.5}, float[3,2] w4 = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0},
    float[2] b1 = {7.0, 8.0}, float[1] b2 = {-9.0}, float[1,1,3] b3 = {1.0, 2.0, 3.0},
    float b0 = {0.5}, float[3,2] rows = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}"""


def _model(body: str, x: str = "N,3,2", outputs: str = "p,q,r", more: str = "") -> str:
    rank = len(x.split(","))
    shapes = {name: ",".join(f"{name}{axis}" for axis in range(rank)) for name in outputs[::2]}
    results = ", ".join(f"float[{shape}] {name}" for name, shape in shapes.items())
    return f"agraph (float[{x}] x{more}) => ({results}) <{_CONSTANTS}> {{ {body} }}"


def _split(model: Model) -> tuple[int, list[int]]:
    node = model.graph[len(model.graph) - 1]
    assert node.op_type == "Split"
    sizes = constant_array(node.inputs[1])
    assert sizes is not None
    return attribute(node, "axis"), sizes.tolist()


@pytest.mark.parametrize(("x", "axis"), [("N,3,2", 2), ("5,2", 1), ("2", 0), ("A,B,3,2", 3)])
def test_three_products_become_one(x: str, axis: int) -> None:
    body = "p = MatMul (x, w1) q = MatMul (x, w2) r = MatMul (x, w3)"
    model, _ = run_passes(_model(body, x), PASS)
    assert ops(model) == ["MatMul", "Split"]
    assert _split(model) == (axis, [2, 1, 3])
    assert [value.name for value in model.graph.outputs] == ["p", "q", "r"]


def test_two_products_and_their_biases_become_one() -> None:
    body = "s = MatMul (x, w1) t = MatMul (x, w3) p = Add (b1, s) q = Add (t, b3)"
    model, _ = run_passes(_model(body, outputs="p,q"), PASS)
    assert ops(model) == ["MatMul", "Add", "Split"]


def test_a_branch_without_bias_gets_one_that_changes_nothing() -> None:
    body = """s = MatMul (x, w1) q = MatMul (x, w2) t = MatMul (x, w3)
        p = Add (s, b0) r = Add (t, b3)"""
    model, _ = run_passes(_model(body), PASS)
    assert ops(model) == ["MatMul", "Add", "Split"]
    bias = constant_array(model.graph[1].inputs[1])
    assert bias is not None
    assert bias.tolist() == [0.5, 0.5, 0.0, 1.0, 2.0, 3.0]
    assert np.signbit(bias).tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize("c", [(", b1", ", b2", ", b0"), ("", ", b2", ""), ("", "", "")])
def test_gemms(c: tuple[str, str, str]) -> None:
    settings = "<alpha = 0.5, beta = 2.0>"
    body = f"""p = Gemm {settings} (x, w1{c[0]}) q = Gemm {settings} (x, w2{c[1]})
        r = Gemm {settings} (x, w3{c[2]})"""
    model, _ = run_passes(_model(body, "4,2"), PASS)
    assert ops(model) == ["Gemm", "Split"]
    assert attribute(model.graph[0], "alpha") == 0.5


def test_gemms_that_transpose() -> None:
    body = "p = Gemm <transB = 1> (x, w1, b1) q = Gemm <transB = 1> (x, w4, b3)"
    text = _model(body, "4,2", "p,q").replace("float[1,1,3] b3", "float[1,3] b3")
    model, _ = run_passes(text, f"{PASS}{{even=true}}")
    assert ops(model) == ["Gemm", "Split"]
    assert _split(model) == (1, [2, 3])


def test_as_many_nodes_are_no_gain_unless_asked_for() -> None:
    text = _model("p = MatMul (x, w1) q = MatMul (x, w2)", outputs="p,q")
    model, records = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "MatMul"]
    assert reasons(records) == ["2 nodes would become 2"]
    model, _ = run_passes(text, f"{PASS}{{even=true}}")
    assert ops(model) == ["MatMul", "Split"]


def test_one_product_has_nothing_to_merge_with() -> None:
    model, records = run_passes(_model("p = MatMul (x, w1)", outputs="p"), PASS)
    assert ops(model) == ["MatMul"]
    assert not reasons(records)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            "p = MatMul (x, w1) q = MatMul (x, w2) s = MatMul (x, w3) r = Add (s, w3)",
            "w3 has other readers, and would be there twice",
        ),
        (
            "p = MatMul (x, w1) q = MatMul (x, w2) r = MatMul (x, w2)",
            "w2 has other readers, and would be there twice",
        ),
    ],
)
def test_a_weight_with_other_readers_stays(body: str, why: str) -> None:
    model, records = run_passes(_model(body, "2,2"), PASS)
    assert ops(model).count("MatMul") == 3
    assert why in reasons(records)


@pytest.mark.parametrize(
    "body",
    [
        "p = MatMul (x, w1) q = MatMul (x, v) u = Neg (x) r = MatMul (u, w3)",
        "p = MatMul (x, w1) q = MatMul (x, w2) s = Sigmoid (x) r = MatMul (s, w3)",
    ],
)
def test_computed_weights_and_other_inputs_stay(body: str) -> None:
    model, _ = run_passes(_model(body, more=", float[2,2] v"), PASS)
    assert ops(model).count("MatMul") == 3


def test_a_weight_that_a_caller_may_override_stays() -> None:
    body = "p = MatMul (x, w1) q = MatMul (x, w2) r = MatMul (x, w3)"
    model, _ = run_passes(_model(body, more=", float[2,3] w3"), PASS)
    assert ops(model).count("MatMul") == 3


def test_an_addend_that_differs_between_rows_stays_behind() -> None:
    body = """s = MatMul (x, w1) p = Add (s, rows) q = MatMul (x, w2) r = MatMul (x, w3)"""
    model, _ = run_passes(_model(body), PASS)
    assert ops(model) == ["MatMul", "Split", "Add"]


def test_a_product_with_a_second_reader_keeps_its_bias_apart() -> None:
    body = """s = MatMul (x, w1) p = Add (s, b1) q = Relu (s) t = MatMul (x, w2) r = Add (t, b2)"""
    model, records = run_passes(_model(body), PASS)
    assert ops(model) == ["MatMul", "Add", "Relu", "MatMul", "Add"]
    assert reasons(records) == ["3 nodes would become 3"]


def test_other_settings_of_gemm_stay_apart() -> None:
    body = """p = Gemm <alpha = 2.0> (x, w1) q = Gemm (x, w2) r = Gemm <transA = 1> (x, w3)"""
    model, records = run_passes(_model(body, "2,2"), PASS)
    assert ops(model) == ["Gemm", "Gemm", "Gemm"]
    assert not reasons(records)


def test_a_gemm_with_rows_of_addends_stays() -> None:
    body = """p = Gemm (x, w1, rows) q = Gemm (x, w2) r = Gemm (x, w3)"""
    model, records = run_passes(_model(body, "3,2"), PASS)
    assert ops(model) == ["Gemm", "Gemm", "Gemm"]
    assert "the addend of the Gemm is not one constant row" in reasons(records)


def test_dequantized_weights_stay_quantized() -> None:
    text = """agraph (float[N,2] x) => (float[N,2] p, float[N,1] q, float[N,2] r)
        <int8[2,2] w1 = {1, 2, 3, 4}, int8[2,1] w2 = {5, 6}, int8[2,2] w3 = {7, 8, 9, 1},
         float s = {0.5}> {
            d1 = DequantizeLinear (w1, s)
            d2 = DequantizeLinear (w2, s)
            d3 = DequantizeLinear (w3, s)
            p = MatMul (x, d1)
            q = MatMul (x, d2)
            r = MatMul (x, d3)
        }"""
    model, _ = run_passes(text, PASS)
    assert ops(model).count("MatMul") == 3


def test_inside_a_branch_and_not_across_it() -> None:
    text = f"""agraph (float[N,2] x, bool c) => (float[N,k] y, float[N,2] p)
        <{_CONSTANTS}> {{
            p = MatMul (x, w4)
            y = If (c) <then_branch = yes () => (float[N,m] u) {{
                a = MatMul (x, w1) b = MatMul (x, w2) d = MatMul (x, w3)
                u = Concat <axis = 1> (a, b, d) }},
              else_branch = no () => (float[N,m] v) {{ v = Concat <axis = 1> (x, x, x) }}>
        }}""".replace(
        "float[3,2] w4 = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}", "float[2,2] w4 = {1, 2, 3, 4}"
    )
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "If", "MatMul", "Split", "Concat", "Concat"]


def test_inside_a_function_where_constants_are_nodes() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "f": 1]>
        agraph (float[N,2] x) => (float[N,4] y) { y = f.three (x) }
        <domain: "f", opset_import: ["": 20]>
        three (x) => (y) {
            w1 = Constant <value = float[2,1] {1.0, 2.0}> ()
            z = Sigmoid (x)
            a = MatMul (z, w1)
            w2 = Constant <value = float[2,1] {3.0, 4.0}> ()
            b = MatMul (z, w2)
            w3 = Constant <value = float[2,2] {5.0, 6.0, 7.0, 8.0}> ()
            d = MatMul (z, w3)
            y = Concat <axis = 1> (a, b, d)
        }"""
    model, _ = run_passes(text, PASS)
    kinds = [node.op_type for function in model.functions.values() for node in function.graph]
    made = [kind for kind in kinds if kind != "Constant"]
    assert made == ["Sigmoid", "MatMul", "Split", "Concat"]


def test_sizes_are_an_attribute_before_opset_13() -> None:
    body = "p = MatMul (x, w1) q = MatMul (x, w2) r = MatMul (x, w3)"
    done = optimize(to_proto(parse_model(_model(body), opset=12)), passes=PASS)
    assert ops(done.model) == ["MatMul", "Split"]
    assert attribute(done.model.graph[1], "split") == (2, 1, 3)


def test_double_precision() -> None:
    body = "s = MatMul (x, w1) t = MatMul (x, w3) p = Add (b1, s) q = Add (t, b3)"
    text = _model(body, outputs="p,q").replace("float", "double")
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["MatMul", "Add", "Split"]
