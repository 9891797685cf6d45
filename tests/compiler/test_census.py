"""The census: what stands in a model, and what is found to have changed."""

from __future__ import annotations

import numpy as np

from burnish.census import Census, downstream
from burnish.ir import Attr, AttributeType, Model, Node, make_tensor, remove_node
from burnish.text import parse_model

TEXT = """g (float[2] x, bool c) => (float[2] y) <float[2] w = {1, 2}> {
    a = Neg(x)
    b = Add(a, w)
    d = LeakyRelu <alpha = 0.5> (b)
    y = If (c) <then_branch = yes () => (float[2] p) { p = Abs(d) },
                else_branch = no () => (float[2] q) { q = Exp(b) }>
}"""


def node(model: Model, result: str) -> Node:
    return next(item for item in model.graph if item.outputs[0].name == result)


def changed(census: Census) -> list[str | None]:
    """The results of the nodes found changed by one more look."""
    moment = len(census.changed)
    census.take()
    return [item.outputs[0].name for item in census.changed[moment:]]


def test_what_stood_there_at_first_is_no_change() -> None:
    census = Census(parse_model(TEXT))
    assert census.changed == []
    assert changed(census) == []
    assert [scope.depth for scope in census.scopes()] == [0, 1, 1]


def test_a_new_node_and_its_reader_have_changed() -> None:
    model = parse_model(TEXT)
    census = Census(model)
    made = Node("", "Exp", [node(model, "b").outputs[0]])
    made.outputs[0].name = "e"
    model.graph.insert_after(node(model, "b"), made)
    node(model, "d").replace_input_with(0, made.outputs[0])
    found = changed(census)
    assert {"e", "d"} <= set(found)
    assert changed(census) == []


def test_an_attribute_an_operator_and_a_name_are_seen_where_they_stand() -> None:
    model = parse_model(TEXT)
    census = Census(model)
    node(model, "d").attributes["alpha"] = Attr("alpha", AttributeType.FLOAT, 0.25)
    assert changed(census) == ["d"]
    node(model, "a").op_type = "Abs"
    assert changed(census) == ["a"]
    node(model, "a").outputs[0].name = "renamed"
    assert changed(census) == ["renamed", "b"]


def test_a_node_that_keeps_only_its_first_result_has_changed() -> None:
    model = parse_model("g (float[4] x) => (float[2] a) { a, b = Split <num_outputs = 2> (x) }")
    census = Census(model)
    node(model, "a").resize_outputs(1)
    assert changed(census) == ["a"]


def test_a_reader_of_a_node_that_moved_out_under_another_name_has_changed() -> None:
    model = parse_model(
        """g (float[2] x, bool c) => (float[2] y) {
            y = If (c) <then_branch = yes () => (float[2] p) { e = Exp(x)  p = Abs(e) },
                        else_branch = no () => (float[2] q) { q = Neg(x) }>
        }"""
    )
    census = Census(model)
    choice = node(model, "y")
    inner = choice.attributes["then_branch"].as_graph()
    moved = inner[0]
    inner.remove(moved)
    moved.outputs[0].name = "e_1"
    model.graph.insert_before(choice, moved)
    assert "p" in changed(census)


def test_what_else_reads_a_value_that_lost_a_reader_is_told() -> None:
    model = parse_model(
        "g (float[2] x) => (float[2] y) { a = Neg(x) b = Abs(a) c = Exp(a) y = Relu(c) }"
    )
    census = Census(model)
    remove_node(node(model, "b"))
    assert changed(census) == ["a", "c"]


def test_readers_of_a_constant_with_other_contents_have_changed() -> None:
    model = parse_model(TEXT)
    census = Census(model)
    held = make_tensor(np.zeros(2, np.float32))
    model.graph.initializers["w"].const_value = held
    assert changed(census) == ["b"]


def test_an_input_that_is_none_any_more_changes_everything() -> None:
    model = parse_model(TEXT)
    census = Census(model)
    model.graph.inputs.pop(1)
    assert set(changed(census)) == {"a", "b", "d", "y", "p", "q"}


def test_a_removed_subgraph_no_longer_reads() -> None:
    model = parse_model(TEXT.replace("p = Abs(d)", "p = Abs(b)"))
    census = Census(model)
    remove_node(node(model, "y"))
    found = set(changed(census))
    assert {"b", "d"} <= found
    assert len(census.states) == 1


def test_near_is_what_changed_and_what_reads_it_by_kind() -> None:
    model = parse_model(TEXT)
    census = Census(model)
    node(model, "a").op_type = "Abs"
    census.take()
    assert {kind: len(nodes) for kind, nodes in census.near(0, 2).items()} == {
        ("", "Abs"): 1,
        ("", "Add"): 1,
    }
    assert set(census.near(0, 3)) == {("", "Abs"), ("", "Add"), ("", "LeakyRelu"), ("", "Exp")}
    assert census.near(len(census.changed), 3) == {}


def test_downstream_names_each_node_once() -> None:
    model = parse_model("g (float[2] x) => (float[2] y) { a = Neg(x) b = Add(a, a) y = Mul(b, a) }")
    found = downstream([node(model, "a")], 5)
    assert [item.op_type for item in found] == ["Neg", "Add", "Mul"]
