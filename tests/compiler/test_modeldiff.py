"""Differences of two models by structure."""

from __future__ import annotations

import onnx
import pytest

from burnish.ir import Model, to_proto
from burnish.loading import load
from burnish.modeldiff import diff_models
from burnish.text import parse_model

BASE = """
agraph (float[2, 3] x) => (float[2, 3] y) <float[3] w = {1.0, 2.0, 3.0}> {
    t = Add(x, w)
    u = Relu(t)
    v = Sigmoid(u)
    y = Mul(v, w)
}
"""


def parse(text: str) -> Model:
    return load(to_proto(parse_model(text)))


def test_a_model_equals_itself() -> None:
    found = diff_models(parse(BASE), parse(BASE))
    assert not found
    assert (found.same, found.moved, found.lines) == (4, 0, ())


def test_other_names_are_no_difference() -> None:
    text = BASE.replace("t = ", "t9 = ").replace("(t)", "(t9)").replace("w", "weight")
    assert not diff_models(parse(BASE), parse(text))


def test_another_order_of_nodes_is_no_difference() -> None:
    head = "agraph (float[2] x) => (float[2] y) {"
    one = parse(head + " a = Relu(x) b = Abs(x) y = Add(a, b) }")
    two = parse(head + " b = Abs(x) a = Relu(x) y = Add(a, b) }")
    assert not diff_models(one, two)


def test_swapped_operands_are_a_difference() -> None:
    head = "agraph (float[2] x) => (float[2] y) {"
    one = parse(head + " a = Relu(x) b = Abs(x) y = Sub(a, b) }")
    two = parse(head + " a = Relu(x) b = Abs(x) y = Sub(b, a) }")
    found = diff_models(one, two)
    assert found.changed == (("y = Sub(a, b)", "y = Sub(b, a)"),)


def test_an_inserted_node_is_the_only_addition() -> None:
    text = BASE.replace("u = Relu(t)", "k = Neg(t)\n u = Relu(k)")
    found = diff_models(parse(BASE), parse(text))
    assert found.added == ("k = Neg(t)",)
    assert not found.removed
    assert found.changed == (("u = Relu(t)", "u = Relu(k)"),)
    assert (found.same, found.moved) == (1, 2)


def test_a_changed_attribute_is_one_change() -> None:
    head = "agraph (float[2, 3] x) => (float[?, ?] y) { t = Relu(x)"
    one = parse(head + " u = Softmax<axis = 0>(t) y = Abs(u) }")
    two = parse(head + " u = Softmax<axis = 1>(t) y = Abs(u) }")
    found = diff_models(one, two)
    assert len(found.changed) == 1
    assert "axis=0" in found.changed[0][0]
    assert "axis=1" in found.changed[0][1]
    assert not found.added
    assert not found.removed


def test_a_changed_weight_is_told_once() -> None:
    found = diff_models(parse(BASE), parse(BASE.replace("3.0}", "4.0}")))
    assert [before.partition(" ")[0] for before, _ in found.changed] == ["w"]
    assert not found.added
    assert not found.removed


def test_negative_zero_is_another_weight() -> None:
    text = "agraph (float[1] x) => (float[1] y) <float[1] w = {%s}> { y = Add(x, w) }"
    one, two = to_proto(parse_model(text % "0.0")), to_proto(parse_model(text % "0.0"))
    two.graph.initializer[0].CopyFrom(
        onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [-0.0])
    )
    assert diff_models(load(one), load(two))


def test_inputs_outputs_and_opsets_count() -> None:
    text = "agraph (float[2] %s) => (float[%s] y) { y = Relu(%s) }"
    one = parse(text % ("x", 2, "x"))
    assert diff_models(one, parse(text % ("z", 2, "z"))).changed == (
        ("input x: float32[2]", "input z: float32[2]"),
    )
    assert diff_models(one, parse(text % ("x", "N", "x")))
    older = load(to_proto(parse_model(text % ("x", 2, "x"), opset=18)))
    assert diff_models(older, one).changed == (("opset ai.onnx 18", "opset ai.onnx 20"),)


BRANCH = """
agraph (bool c, float[2] x) => (float[2] y) {
    o = Abs(x)
    y = If (c) <
        then_branch = th () => (float[2] a) { a = Relu(o) },
        else_branch = el () => (float[2] b) { b = %s }
    >
}
"""


@pytest.mark.parametrize("other", ["Neg(x)", "Relu(o)"])
def test_subgraphs_are_compared_with_what_they_capture(other: str) -> None:
    one = parse(BRANCH % "Neg(o)")
    assert not diff_models(one, parse(BRANCH % "Neg(o)"))
    assert diff_models(one, parse(BRANCH % other))


def test_functions_are_compared() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "own": 1]>
    agraph (float[2] x) => (float[2] y) { y = own.twice(x) }
    <domain: "own", opset_import: ["": 20]>
    twice (a) => (b) { b = %s(a, a) }
    """
    found = diff_models(parse(text % "Add"), parse(text % "Mul"))
    assert [before.partition(":")[0] for before, _ in found.changed] == ["function own.twice"]
    assert not diff_models(parse(text % "Add"), parse(text % "Add"))
