"""Multiply-accumulates, parameters and bytes, against counts made by hand."""

from __future__ import annotations

import pytest

from burnish.figures import Figures, Meter, counts, measure, node_macs
from burnish.shapes import Shapes
from burnish.symbolic import Dim
from burnish.text import parse_model


def figures(text: str) -> Figures:
    model = parse_model(text)
    return measure(model, Shapes(model))


def macs(text: str) -> Dim | None:
    return figures(text).macs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "g (float[2,4,8,8] x, float[6,4,3,3] w) => (float[2,6,6,6] y) { y = Conv(x, w) }",
            2 * 6 * 6 * 6 * 4 * 3 * 3,
        ),
        (
            (
                "g (float[1,4,8,8] x, float[6,2,3,3] w) => (float[1,6,3,3] y)"
                "{ y = Conv <group = 2, strides = [2, 2]> (x, w) }"
            ),
            6 * 3 * 3 * 2 * 3 * 3,
        ),
        (
            (
                "g (float[1,4,5,5] x, float[4,3,2,2] w) => (float[1,6,6,6] y)"
                "{ y = ConvTranspose <group = 2> (x, w) }"
            ),
            4 * 5 * 5 * 3 * 2 * 2,
        ),
        ("g (float[3,4] x, float[4,5] w) => (float[3,5] y) { y = MatMul(x, w) }", 3 * 4 * 5),
        (
            "g (float[7,1,3,4] x, float[2,4,5] w) => (float[7,2,3,5] y) { y = MatMul(x, w) }",
            7 * 2 * 3 * 4 * 5,
        ),
        ("g (float[4] x, float[4] w) => (float y) { y = MatMul(x, w) }", 4),
        ("g (float[3,4] x, float[4,5] w) => (float[3,5] y) { y = Gemm(x, w) }", 3 * 4 * 5),
        (
            (
                "g (float[4,3] x, float[5,4] w) => (float[3,5] y)"
                "{ y = Gemm <transA = 1, transB = 1> (x, w) }"
            ),
            3 * 4 * 5,
        ),
        (
            (
                "g (float[10,2,3] x, float[1,20,3] w, float[1,20,5] r) => (float[10,1,2,5] y)"
                "{ y = LSTM <hidden_size = 5> (x, w, r) }"
            ),
            10 * 2 * (20 * 3 + 20 * 5),
        ),
        (
            (
                "g (float[10,2,3] x, float[2,15,3] w, float[2,15,5] r) => (float[10,2,2,5] y)"
                '{ y = GRU <hidden_size = 5, direction = "bidirectional"> (x, w, r) }'
            ),
            10 * 2 * 2 * (15 * 3 + 15 * 5),
        ),
        ("g (float[3,4] x, float[3,4] w) => (float[3,4] y) { y = Mul(x, w) }", 0),
    ],
    ids=[
        "Conv",
        "Conv in groups",
        "ConvTranspose",
        "MatMul",
        "MatMul broadcast",
        "dot product",
        "Gemm",
        "Gemm transposed",
        "LSTM",
        "GRU in both directions",
        "elementwise",
    ],
)
def test_products_are_counted(text: str, expected: int) -> None:
    assert macs(text) == expected


def test_products_add_up() -> None:
    text = """g (float[2,3] x, float[3,4] v, float[4,5] w) => (float[2,5] y) {
        t = MatMul(x, v)
        y = MatMul(t, w)
    }"""
    assert macs(text) == 2 * 3 * 4 + 2 * 4 * 5


def test_symbolic_sizes_give_a_polynomial() -> None:
    found = macs("g (float[N,S,4] x, float[4,5] w) => (float[N,S,5] y) { y = MatMul(x, w) }")
    assert str(found) == "20*N*S"
    self_product = """g (float[N,S,4] x) => (float[N,S,S] y) {
        t = Transpose <perm = [0, 2, 1]> (x)
        y = MatMul(x, t)
    }"""
    assert str(macs(self_product)) == "4*N*S*S"


def test_symbolic_counts_are_text_in_json() -> None:
    text = "g (float[N,4] x, float[4,5] w) => (float[N,5] y) { y = MatMul(x, w) }"
    assert figures(text).json() == {"nodes": 1, "parameters": 0, "bytes": 0, "macs": "20*N"}
    assert Figures(0, 0, 0, None).json()["macs"] is None
    assert Figures(0, 0, 0, 12).json()["macs"] == 12


def test_one_product_of_unknown_size_makes_the_sum_unknown() -> None:
    model = parse_model(
        """g (float[2,3] x, float[3,4] v, float[4,5] w) => (float[2,5] y) {
        t = MatMul(x, v)
        y = MatMul(t, w)
    }"""
    )
    model.graph.inputs[2].shape = None
    model.graph.outputs[0].shape = None
    found = measure(model, Shapes(model))
    assert (found.nodes, found.macs) == (2, None)
    assert node_macs(model.graph[0], Shapes(model)) == 24


def test_an_operator_of_another_domain_multiplies_nothing() -> None:
    model = parse_model(
        """<ir_version: 10, opset_import: ["" : 20, "other" : 1]>
        g (float[3,4] x, float[4,5] w) => (float[3,5] y) { y = other.MatMul(x, w) }"""
    )
    assert node_macs(model.graph[0], Shapes(model)) == 0


def test_parameters_and_bytes_of_every_initializer() -> None:
    found = figures(
        """g (float[2] x) => (float[2] y)
            <float[2] w = {1, 2}, int64[3] i = {1, 2, 3}, double d = {1.0}> { y = Add(x, w) }"""
    )
    assert (found.nodes, found.parameters, found.bytes) == (1, 2 + 3 + 1, 8 + 24 + 8)


def test_nodes_of_subgraphs_and_functions_count() -> None:
    found = figures(
        """<ir_version: 10, opset_import: ["" : 20, "d" : 1]>
        g (float[2,3] x, float[3,4] w, bool c) => (float[2,4] z) {
            y = If (c) <then_branch = yes () => (float[2,4] p) { p = MatMul(x, w) },
                        else_branch = no () => (float[2,4] q) { a = MatMul(x, w) q = Abs(a) }>
            z = d.f(y)
        }
        <domain: "d", opset_import: ["" : 20]> f (a) => (b) { b = Neg(a) }"""
    )
    assert found.nodes == 2 + 1 + 2 + 1
    assert found.macs == 2 * 24


def test_a_meter_counts_the_model_as_it_stands() -> None:
    model = parse_model(
        """g (float[2,3] x, float[3,4] w) => (float[2,4] y) {
        y = MatMul(x, w)
        dead = MatMul(x, w)
    }"""
    )
    meter, shapes = Meter(model), Shapes(model)
    assert meter.measure(shapes).macs == 48
    model.graph.remove(model.graph[1], safe=True)
    assert meter.measure(shapes) == Figures(1, 0, 0, 24)


def test_what_counts_is_known_by_operator() -> None:
    assert counts("Conv")
    assert counts("LSTM")
    assert not counts("Add")
