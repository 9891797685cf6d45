"""Differences of two models by structure."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from burnish.driver import optimize
from burnish.ir import Model, to_proto
from burnish.loading import load
from burnish.modeldiff import ModelDiff, diff_models
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
    assert (found.same, found.moved) == (3, 0)


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
    assert found.lines == (
        "@ nodes of function own.twice",
        "-  b = Add(a, a)",
        "+  b = Mul(a, a)",
    )
    assert not diff_models(parse(text % "Add"), parse(text % "Add"))


# --- pairs below and between changes

DIGITS = Path(__file__).parents[3] / "models/burnish_models/digits/digits.onnx"


def listed(found: ModelDiff) -> tuple[int, int, int]:
    """Lines added, removed and changed; none may stand on both sides."""
    gone = {line[1:] for line in found.lines if line.startswith("-")}
    came = {line[1:] for line in found.lines if line.startswith("+")}
    assert not gone & came
    return len(found.added), len(found.removed), len(found.changed)


def operators(lines: list[str]) -> list[str]:
    return sorted(line.partition(" = ")[2].partition("(")[0] for line in lines if "(" in line)


def test_only_what_o2_changes_in_digits_is_listed() -> None:
    before = load(DIGITS)
    after, _ = optimize(DIGITS, passes="O2")
    found = diff_models(before, after)
    listed(found)
    assert operators(list(found.removed)) == ["BatchNormalization"] * 3
    assert operators([line for line, _ in found.changed]) == ["Conv"] * 3
    assert operators(list(found.added)) == []
    assert found.same + found.moved == len(before.graph) - 6


def renamed(model: Model) -> Model:
    """The same model with other names for all nodes and inner values."""
    copy = to_proto(model)
    kept = {value.name for value in (*copy.graph.input, *copy.graph.output)}
    names: dict[str, str] = {name: name for name in kept}
    for tensor in copy.graph.initializer:
        tensor.name = names.setdefault(tensor.name, f"n{len(names)}")
    del copy.graph.value_info[:]
    for node in copy.graph.node:
        node.name = f"node_{len(names)}"
        for field in (node.input, node.output):
            field[:] = [names.setdefault(name, f"n{len(names)}") if name else "" for name in field]
    return load(copy)


def test_renaming_everything_is_no_difference() -> None:
    found = diff_models(load(DIGITS), renamed(load(DIGITS)))
    assert not found
    assert found.same == len(load(DIGITS).graph)


def test_renaming_everything_hides_no_pair_between_changes() -> None:
    after, _ = optimize(DIGITS, passes="O2")
    found = diff_models(load(DIGITS), renamed(after))
    listed(found)
    assert operators(list(found.removed)) == ["BatchNormalization"] * 3
    assert operators(list(found.added)) == []


def chain(length: int, *, middle: str = "", first: str = "Abs") -> Model:
    lines = [f"t0 = {first}(x)"]
    for index in range(1, length):
        source = f"t{index - 1}"
        if middle and index == length // 2:
            lines.append(f"k = {middle}({source})")
            source = "k"
        lines.append(f"t{index} = Relu({source})")
    body = " ".join([*lines, f"y = Neg(t{length - 1})"])
    return parse(f"agraph (float[2] x) => (float[2] y) {{ {body} }}")


@pytest.mark.parametrize("first", ["Abs", "Exp"])
def test_a_node_in_the_middle_of_a_chain_is_one_addition(first: str) -> None:
    found = diff_models(chain(300), chain(300, middle="Sin", first=first))
    replaced = first != "Abs"
    assert listed(found) == (1 + replaced, replaced, 1)
    assert "k = Sin(t149)" in found.added
    assert found.changed == (("t150 = Relu(t149)", "t150 = Relu(k)"),)
    assert found.same + found.moved == 300 - replaced


def test_one_more_equal_node_below_a_change_is_one_addition() -> None:
    """Pairs that stand one node apart all the way are told as one node more."""
    found = diff_models(chain(3000), chain(3000, middle="Relu", first="Exp"))
    added, removed, _ = listed(found)
    assert added - removed == 1
    assert found.same > 2900


def test_a_weight_changed_under_other_names_is_one_change() -> None:
    text = BASE.replace("3.0}", "4.0}")
    assert listed(diff_models(parse(BASE), parse(text))) == (0, 0, 1)
    found = diff_models(parse(BASE), renamed(parse(text)))
    assert listed(found) == (0, 0, 1)
    assert (found.same, found.moved) == (2, 2)


BLOCKS = """
agraph (float[2] x) => (float[2] y) {
    s = %s(x)
    a1 = Relu(s) a2 = Exp(a1)
    b1 = Relu(s) b2 = Exp(b1)
    c1 = Relu(s) c2 = Exp(c1)
    ab = Add(a2, b2)
    y = Sub(ab, c2)
}
"""


def test_duplicated_subgraphs_below_a_change_stay_pairs() -> None:
    found = diff_models(parse(BLOCKS % "Abs"), renamed(parse(BLOCKS % "Neg")))
    assert listed(found) == (1, 1, 0)
    assert operators(list(found.removed) + list(found.added)) == ["Abs", "Neg"]
    assert (found.same, found.moved) == (5, 3)


def test_a_deleted_branch_is_what_goes() -> None:
    one = parse(BLOCKS % "Abs")
    text = BLOCKS.replace("c1 = Relu(s) c2 = Exp(c1)", "").replace(
        "y = Sub(ab, c2)", "y = Sqrt(ab)"
    )
    found = diff_models(one, renamed(parse(text % "Neg")))
    listed(found)
    assert operators(list(found.removed)) == ["Abs", "Exp", "Relu", "Sub"]
    assert operators(list(found.added)) == ["Neg", "Sqrt"]


def test_names_that_changed_places_are_told() -> None:
    head = "agraph (float[2] x) => (float[2] y) {"
    one = parse(head + " a = Relu(x) b = Abs(x) y = Sub(a, b) }")
    two = parse(head + " b = Relu(x) a = Abs(x) y = Sub(a, b) }")
    found = diff_models(one, two)
    assert listed(found) == (0, 0, 1)
    assert found.changed == (("y = Sub(a, b)", "y = Sub(b, a)"),)
