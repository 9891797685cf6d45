"""Safe edits: what may be replaced, what replacing does, and what goes when nobody reads it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.support import ops

from burnish.graph import (
    Placement,
    detach,
    invalid_at_opset,
    is_computed_from,
    is_unread,
    remove_unread,
    replace_value,
    sources_of,
    why_not_emitted,
    why_not_replaceable,
)
from burnish.ir import Model, Node, Value, make_tensor, outputs_of, scopes, to_proto
from burnish.passdef import Names
from burnish.shapes import Shapes
from burnish.target import Limits, Target
from burnish.text import parse_model

SIDES = """g (float[2] x, float[N] s, bool c) => (float[2] y, float[2] z) <float[2] w = {1, 2}> {
    a = Neg(x)
    b = Abs(x)
    y = Exp(a)
    z = Sin(b)
    wide = Concat <axis = 0> (x, x)
    whole = Cast <to = 7> (x)
    axis = Constant <value_ints = [0]> ()
    column = Unsqueeze(x, axis)
    square = Mul(s, s)
}"""
BRANCHES = """g (float[2] x, bool c) => (float[2] y) {
    dead = Sin(x)
    t = Neg(dead)
    u = Cos(x)
    y = Abs(x)
    z = If (c) <then_branch = yes () => (float[2] p) { p = Add(t, u) },
                else_branch = no () => (float[2] q) { q = Exp(x) }>
}"""


def values(model: Model) -> dict[str, Value]:
    """Every value of the model by name."""
    found: dict[str, Value] = {}
    for scope in scopes(model):
        graph = scope.graph
        for value in (*graph.inputs, *graph.initializers.values(), *outputs_of(graph)):
            found[value.name or ""] = value
    return found


def why(was: str, becomes: str) -> str | None:
    model = parse_model(SIDES)
    named = values(model)
    return why_not_replaceable(named[was], named[becomes], Shapes(model))


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        ("a", "b", None),
        ("a", "x", None),
        ("a", "w", None),
        ("y", "b", None),
        ("square", "a", None),
        ("a", "a", "a would replace itself"),
        ("a", "whole", "the type would change from float to int64"),
        ("a", "column", "the rank would change from 1 to 2"),
        ("a", "wide", "the shape would change from [2] to [4]"),
        ("y", "z", "y and z are both graph outputs"),
        ("y", "x", "y is a graph output and x is not computed here"),
        ("y", "w", "y is a graph output and w is not computed here"),
    ],
)
def test_what_may_replace_what(was: str, becomes: str, reason: str | None) -> None:
    assert why(was, becomes) == reason


def test_a_subgraph_output_cannot_become_an_outer_value() -> None:
    model = parse_model(BRANCHES)
    named = values(model)
    reason = why_not_replaceable(named["p"], named["u"], Shapes(model))
    assert reason == "p is a graph output and u belongs to an outer graph"


def test_readers_in_subgraphs_follow() -> None:
    model = parse_model(BRANCHES)
    named = values(model)
    replace_value(named["t"], named["u"], fresh=False)
    reader = named["p"].producer()
    assert reader is not None
    assert [value.name for value in reader.inputs if value is not None] == ["u", "u"]
    assert is_unread(model.graph[1])
    assert named["u"].name == "u"


def test_a_graph_output_keeps_its_name_type_and_place() -> None:
    model = parse_model(SIDES)
    named = values(model)
    old = named["y"]
    replace_value(old, named["b"], fresh=False)
    assert [value.name for value in model.graph.outputs] == ["y", "z"]
    assert model.graph.outputs[0] is named["b"]
    assert not old.is_graph_output()
    remove_unread([node for node in model.graph if is_unread(node)])
    onnx.checker.check_model(to_proto(model), full_check=True)
    assert ops(model) == ["Abs", "Sin"]


def test_an_output_that_others_read_too_is_replaced_for_all() -> None:
    model = parse_model(
        "g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) b = Abs(x) z = Exp(y) }"
    )
    named = values(model)
    replace_value(named["y"], named["b"], fresh=False)
    (exponent,) = [node for node in model.graph if node.op_type == "Exp"]
    assert exponent.inputs[0] is named["b"]
    assert exponent.inputs[0].name == "y"


def test_only_a_fresh_value_takes_over_an_inner_name() -> None:
    model = parse_model(SIDES)
    named = values(model)
    maker = named["a"].producer()
    assert maker is not None
    made = Node("", "Floor", [named["x"]])
    model.graph.insert_after(maker, made)
    replace_value(named["a"], made.outputs[0], fresh=True)
    assert made.outputs[0].name == "a"
    named = values(parse_model(SIDES))
    replace_value(named["a"], named["b"], fresh=False)
    assert named["b"].name == "b"


def test_what_was_known_of_the_shape_is_kept() -> None:
    model = parse_model("g (float[2,N] x) => (float[2,N] y) { a = Neg(x) b = Abs(x) y = Exp(a) }")
    named = values(model)
    was, becomes = named["a"], named["b"]
    was.shape, was.type = named["x"].shape, named["x"].type
    assert becomes.shape is None
    replace_value(was, becomes, fresh=False)
    assert becomes.shape == named["x"].shape
    assert becomes.dtype == named["x"].dtype


def test_what_only_removed_nodes_read_is_removed() -> None:
    model = parse_model(
        "g (float[2] x) => (float[2] y) { a = Neg(x) b = Abs(a) d = Exp(b) y = Sin(a) }"
    )
    released = remove_unread([values(model)["d"].producer() or model.graph[0]])
    assert ops(model) == ["Neg", "Sin"]
    assert [value.name for value in released] == ["a"]


def test_removing_a_branching_node_frees_what_its_branches_read() -> None:
    model = parse_model(BRANCHES)
    choice = model.graph[4]
    released = remove_unread([choice])
    assert ops(model) == ["Abs"]
    assert {value.name for value in released} == {"c", "x"}


def test_a_node_that_is_read_stays() -> None:
    model = parse_model(BRANCHES)
    before = ops(model)
    assert remove_unread([model.graph[0], model.graph[1], model.graph[3]]) == []
    assert ops(model) == before


def test_a_node_given_twice_or_removed_already_is_no_error() -> None:
    model = parse_model("g (float[2] x) => (float[2] y) { a = Neg(x) y = Sin(x) }")
    dead = model.graph[0]
    remove_unread([dead, dead])
    assert remove_unread([dead]) == []
    assert ops(model) == ["Sin"]


@pytest.mark.parametrize(
    ("node", "opsets", "reason"),
    [
        (Node("", "Gelu", [None]), {"": 20}, None),
        (Node("", "Gelu", [None]), {"": 19}, "opset 19 has no Gelu"),
        (Node("", "Upsample", [None, None]), {"": 10}, "Upsample is deprecated at opset 10"),
        (Node("", "Abs", [None, None]), {"": 20}, "Abs at opset 20 does not take 2 inputs"),
        (Node("", "Squeeze", [None, None]), {"": 12}, "Squeeze at opset 12 does not take 2 inputs"),
        (Node("", "Squeeze", [None, None]), {"": 13}, None),
        (Node("d", "Own", [None] * 9), {"": 20, "d": 1}, None),
        (Node("d", "Own", []), {"": 20}, "domain 'd' of Own is not imported"),
    ],
)
def test_what_an_opset_does_not_know(
    node: Node, opsets: dict[str, int], reason: str | None
) -> None:
    assert invalid_at_opset(node, opsets) == reason


def test_an_attribute_the_opset_does_not_know() -> None:
    model = parse_model("g (float[2] x) => (float[2] y) { y = Softmax <axis = 0> (x) }", opset=13)
    node = model.graph[0]
    assert invalid_at_opset(node, {"": 13}) is None
    node.attributes["wrong"] = node.attributes["axis"]
    assert invalid_at_opset(node, {"": 13}) == "Softmax at opset 13 has no attribute wrong"


def test_what_no_pass_may_emit() -> None:
    limits = Limits(
        20, avoided_ops=frozenset({"Gelu"}), missing_parts=frozenset({("Elu", "alpha")})
    )
    target = Target(name="plain", limits=limits)
    model = parse_model("g (float[2] x) => (float[2] y) { y = Elu <alpha = 2.0> (x) }")
    emitted = ((Node("", "Gelu", [None]), 20), (Node("", "Gelu", [None]), 19), (model.graph[0], 20))
    assert [why_not_emitted(node, {"": opset}, target) for node, opset in emitted] == [
        "plain has no good kernel for Gelu",
        "opset 19 has no Gelu",
        "plain has no Elu with alpha",
    ]
    assert why_not_emitted(Node("", "Abs", [None]), {"": 20}, target) is None


@pytest.mark.parametrize(
    ("name", "result", "expected"),
    [("y", "x", True), ("y", "y", True), ("u", "t", False), ("z", "t", True), ("t", "z", False)],
)
def test_what_is_computed_from_what(name: str, result: str, expected: bool) -> None:
    """Also what a subgraph reads: ``z`` is made by an If whose branch reads ``t``."""
    named = values(parse_model(BRANCHES))
    assert is_computed_from([None, named[name]], [named[result]]) == expected


def test_a_node_that_was_not_used_reads_nothing() -> None:
    x = values(parse_model(BRANCHES))["x"]
    readers = len(x.uses())
    made = Node("", "Add", [x, x])
    assert len(x.uses()) == readers + 2
    detach([made])
    assert len(x.uses()) == readers


def test_a_constant_is_an_initializer_but_a_node_in_a_function() -> None:
    model = parse_model(
        """<ir_version: 10, opset_import: ["" : 20, "d" : 1]>
        g (float[2] x) => (float[2] y) { y = d.f(x) }
        <domain: "d", opset_import: ["" : 20]> f (a) => (b) { b = Neg(a) }"""
    )
    main, body = scopes(model)
    held = make_tensor(np.array([1, 2], np.float32))
    placed = Placement(main).add_constant(held, "k")
    assert main.graph.initializers["k"] is placed
    assert placed.producer() is None
    Placement(body).add_constant(held, "k")
    assert [node.op_type for node in body.graph] == ["Constant", "Neg"]
    assert body.graph[0].outputs[0].name == "k"


def test_new_results_are_named_for_what_they_do() -> None:
    model = parse_model("g (float[2] x) => (float[2] y) { y_Abs = Neg(x) y = Sin(y_Abs) }")
    made = Node("", "Abs", [model.graph.inputs[0]])
    (scope,) = scopes(model)
    Placement(scope).name_outputs(made, model.graph.outputs[0], Names(["y_Abs", "y", "x"]))
    assert made.outputs[0].name == "y_Abs_1"


def test_a_node_no_pass_made_is_its_own_source() -> None:
    node = parse_model(BRANCHES).graph[0]
    assert sources_of(node) == ("Sin(dead)",)
