"""Comparisons of two models and of two runs as histories, which the page draws."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from burnish.figures import measure
from burnish.loading import load
from burnish.modeldiff import diff_models
from burnish.shapes import Shapes
from burnish.text import parse_model
from burnish.views.comparison import history_of_models, history_of_runs
from burnish.views.history import History
from burnish.views.runs import PassChange, RunDiff

BRANCHES = """
agraph (bool c, float[2] x) => (float[2] y, float[2] z) {
    y = If (c) <
        then_branch = t1 () => (float[2] a) { a = Elu<alpha = %s>(x) },
        else_branch = e1 () => (float[2] b) { b = Neg(x) }
    >
    z = If (c) <
        then_branch = t2 () => (float[2] d) { d = LeakyRelu<alpha = %s>(x) },
        else_branch = e2 () => (float[2] e) { e = Abs(x) }
    >
}
"""


def compared(before: onnx.ModelProto, after: onnx.ModelProto) -> History:
    models = load(before), load(after)
    one, other = (measure(model, Shapes(model)) for model in models)
    return history_of_models(diff_models(*models), ("before", "after"), (one, other))


def proto(text: str) -> onnx.ModelProto:
    from burnish.ir import to_proto

    return to_proto(parse_model(text))


def changed_texts(history: History, name: str) -> list[tuple[str, str]]:
    step = next(step for step in history.steps if step.name == name)
    return [
        (sign, history.text(number))
        for hunk in step.hunks
        for sign, number in hunk.lines
        if sign != " "
    ]


def test_branches_of_nodes_of_one_name_are_told_apart() -> None:
    sides = [proto(BRANCHES % pair) for pair in (("0.5", "0.25"), ("0.75", "0.125"))]
    for side in sides:
        for node in side.graph.node:
            node.name = "choose"
    history = compared(*sides)
    history.replay()
    names = [step.name for step in history.steps]
    assert len(set(names)) == len(names) == 2
    texts = [changed_texts(history, name)[0][1] for name in names]
    assert texts == ["a = Elu(x) {alpha=0.5}", "d = LeakyRelu(x) {alpha=0.25}"]


def test_a_changed_weight_alone_changes_the_figures() -> None:
    text = "agraph (float[2, 2] x) => (float[2, 2] y) <float[%s] w = {%s}> { y = Add(x, w) }"
    history = compared(proto(text % ("2", "1, 2")), proto(text % ("2, 2", "1, 2, 3, 4")))
    assert [step.name for step in history.steps] == ["weights"]
    facts = history.steps[0].facts
    assert (facts["before"]["bytes"], facts["after"]["bytes"]) == (8, 16)


@pytest.mark.parametrize(
    "name", ["a, b", "a = Relu(x)", "a) {k=1}", 'q"(,', "名 # 前", "two\nlines"]
)
def test_names_may_hold_anything(name: str) -> None:
    def model(operator: str) -> onnx.ModelProto:
        nodes = [
            helper.make_node("Relu", ["x"], [name]),
            helper.make_node(operator, [name, name], ["y"]),
        ]
        ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [2]) for end in "xy"]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    history = compared(model("Add"), model("Mul"))
    nodes = [line for line in history.lines if line["kind"] == "node"]
    assert [(line["op"], line["inputs"], line["outputs"]) for line in nodes] == [
        ("Relu", ["x"], [name]),
        ("Add", [name, name], ["y"]),
        ("Mul", [name, name], ["y"]),
    ]


def test_one_pass_may_differ_in_several_rounds() -> None:
    changes = (
        PassChange("fold-constants", 1, 1, ("-  - a = Relu(x)", "+  - b = Relu(x)")),
        PassChange("fold-constants", 9, 9, ("-  - c = Relu(x)",)),
    )
    history = history_of_runs(RunDiff((), changes, ()), ("one", "two"))
    assert [len(step.hunks) for step in history.steps] == [1, 1]
    assert set(history.replay()) == {"fold-constants (in the first run: 1, in the second run: 1)"}


def test_facts_of_one_name_stand_side_by_side() -> None:
    facts = (("pipeline", "a, b", "a, c"), ("target", "x", None))
    history = history_of_runs(RunDiff(facts, (), ()), ("one", "two"))
    assert [line["name"] for line in history.lines] == ["pipeline", "pipeline", "target"]
