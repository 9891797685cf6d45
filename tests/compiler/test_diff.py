"""The recorder: what it says changed, by looking at the model before and after."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.diff import Diff, Recorder
from burnish.figures import Meter, measure
from burnish.ir import Attr, AttributeType, Model, Node, make_tensor, remove_node
from burnish.shapes import Shapes
from burnish.text import digest, parse_model

CHAIN = """g (float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[2] v = {3, 4}> {
    a = Neg(x)
    b = Add(a, w)
    c = LeakyRelu <alpha = 0.5> (b)
    d = Exp(c)
    y = Mul(d, v)
}"""
BRANCHES = """g (float[2] x, bool c) => (float[2] y) {
    t = Neg(x)
    y = If (c) <then_branch = yes () => (float[2] p) { p = Abs(t) },
                else_branch = no () => (float[2] q) { q = Exp(t) }>
}"""
FUNCTION = """<ir_version: 10, opset_import: ["" : 20, "d" : 1]>
g (float[2] x) => (float[2] y) { y = d.f(x) }
<domain: "d", opset_import: ["" : 20]> f (a) => (b) { b = Neg(a) }"""


@pytest.fixture
def chain() -> Model:
    return parse_model(CHAIN)


def node(model: Model, result: str) -> Node:
    return next(item for item in model.graph if item.outputs[0].name == result)


def insert_abs(model: Model, after: str) -> None:
    """Put ``Abs`` between the node of result ``after`` and its first reader."""
    maker = node(model, after)
    reader, slot = next(iter(maker.outputs[0].uses()))
    made = Node("", "Abs", [maker.outputs[0]])
    made.outputs[0].name = f"{after}_abs"
    model.graph.insert_after(maker, made)
    reader.replace_input_with(slot, made.outputs[0])


def test_no_change_is_an_empty_diff(chain: Model) -> None:
    diff = Recorder(chain).observe()
    assert not diff
    assert (diff.lines, diff.text(), diff.summary()) == ((), "", "unchanged")
    assert diff.counts == (0, 0, 0)
    assert not Diff()


def test_an_inserted_node_and_its_reader(chain: Model) -> None:
    recorder = Recorder(chain)
    insert_abs(chain, "c")
    diff = recorder.observe()
    assert diff
    assert diff.text() == (
        "@ model\n"
        "   c = LeakyRelu(b) {alpha=0.5}\n"
        "-  d = Exp(c)\n"
        "+  c_abs = Abs(c)\n"
        "+  d = Exp(c_abs)\n"
        "   y = Mul(d, v)\n"
    )
    assert diff.added == ("c_abs = Abs(c)",)
    assert diff.changed == (("d = Exp(c)", "d = Exp(c_abs)"),)
    assert diff.removed == ()
    assert diff.counts == (1, 0, 1)
    assert diff.summary() == "+1 ~1"


def test_a_removed_node(chain: Model) -> None:
    recorder = Recorder(chain)
    node(chain, "d").replace_input_with(0, node(chain, "b").outputs[0])
    remove_node(node(chain, "c"))
    diff = recorder.observe()
    assert diff.removed == ("c = LeakyRelu(b) {alpha=0.5}",)
    assert diff.lines == (
        "@ model",
        "   b = Add(a, w)",
        "-  c = LeakyRelu(b) {alpha=0.5}",
        "-  d = Exp(c)",
        "+  d = Exp(b)",
        "   y = Mul(d, v)",
    )
    assert diff.summary() == "-1 ~1"


def test_changes_apart_have_one_line_of_context_each(chain: Model) -> None:
    recorder = Recorder(chain)
    node(chain, "a").op_type = "Abs"
    node(chain, "y").op_type = "Div"
    assert recorder.observe().lines == (
        "@ model",
        "-  a = Neg(x)",
        "+  a = Abs(x)",
        "   b = Add(a, w)",
        "   d = Exp(c)",
        "-  y = Mul(d, v)",
        "+  y = Div(d, v)",
    )


def test_a_line_between_two_changes_is_shown_once(chain: Model) -> None:
    recorder = Recorder(chain)
    node(chain, "a").op_type = "Abs"
    node(chain, "c").op_type = "Elu"
    lines = recorder.observe().lines
    assert lines.count("   b = Add(a, w)") == 1


def test_a_renamed_value_shows_in_its_maker_and_its_readers(chain: Model) -> None:
    recorder = Recorder(chain)
    node(chain, "b").outputs[0].name = "sum"
    diff = recorder.observe()
    assert diff.added == ("sum = Add(a, w)",)
    assert diff.removed == ("b = Add(a, w)",)
    assert diff.changed == (("c = LeakyRelu(b) {alpha=0.5}", "c = LeakyRelu(sum) {alpha=0.5}"),)


def test_a_renamed_value_shows_in_a_subgraph_that_reads_it() -> None:
    model = parse_model(BRANCHES)
    recorder = Recorder(model)
    node(model, "t").outputs[0].name = "s"
    assert ("p = Abs(t)", "p = Abs(s)") in recorder.observe().changed


def test_an_attribute_set_changed_and_taken_away(chain: Model) -> None:
    recorder = Recorder(chain)
    leaky = node(chain, "c")
    leaky.attributes["alpha"] = Attr("alpha", AttributeType.FLOAT, 0.25)
    (pair,) = recorder.observe().changed
    assert pair == ("c = LeakyRelu(b) {alpha=0.5}", "c = LeakyRelu(b) {alpha=0.25}")
    del leaky.attributes["alpha"]
    (pair,) = recorder.observe().changed
    assert pair == ("c = LeakyRelu(b) {alpha=0.25}", "c = LeakyRelu(b)")


def test_each_observation_starts_from_the_last(chain: Model) -> None:
    recorder = Recorder(chain)
    node(chain, "a").op_type = "Abs"
    assert recorder.observe()
    assert not recorder.observe()


def test_a_replaced_initializer_is_one_change(chain: Model) -> None:
    recorder = Recorder(chain)
    weights = chain.graph.initializers["w"]
    was, now = weights.const_value, make_tensor(np.array([5, 6], np.float32))
    assert was is not None
    weights.const_value = now
    diff = recorder.observe()
    assert diff.changed == ((f"w = float32[2] #{digest(was)}", f"w = float32[2] #{digest(now)}"),)
    assert [line[0] for line in diff.lines] == ["@", "-", "+"]


def test_a_removed_initializer_is_a_removed_line(chain: Model) -> None:
    recorder = Recorder(chain)
    node(chain, "y").replace_input_with(1, chain.graph.initializers["w"])
    del chain.graph.initializers["v"]
    diff = recorder.observe()
    assert [line.partition(" ")[0] for line in diff.removed] == ["v"]
    assert diff.changed == (("y = Mul(d, v)", "y = Mul(d, w)"),)


def test_a_changed_interface_is_a_changed_line(chain: Model) -> None:
    recorder = Recorder(chain)
    chain.graph.inputs[0].shape = None
    diff = recorder.observe()
    assert diff.changed == (("input x: float32[2]", "input x: float32[...]"),)


def test_scopes_are_titled() -> None:
    model = parse_model(BRANCHES)
    recorder = Recorder(model)
    node(model, "t").op_type = "Relu"
    then = node(model, "y").attributes["then_branch"].as_graph()
    then[0].op_type = "Ceil"
    titles = [line for line in recorder.observe().lines if line.startswith("@")]
    assert titles == ["@ model", "@ subgraph 1 yes"]


def test_functions_are_titled_by_their_full_name() -> None:
    model = parse_model(FUNCTION)
    recorder = Recorder(model)
    next(iter(model.functions.values()))[0].op_type = "Abs"
    assert recorder.observe().lines == ("@ function d.f", "-  b = Neg(a)", "+  b = Abs(a)")


def test_a_removed_scope_is_listed_as_removed() -> None:
    model = parse_model(BRANCHES)
    recorder = Recorder(model)
    choice = node(model, "y")
    made = Node("", "Abs", [node(model, "t").outputs[0]])
    result = choice.outputs[0]
    replacement = made.outputs[0]
    replacement.type, replacement.shape = result.type, result.shape
    model.graph.outputs[0] = replacement
    result.name, replacement.name = None, "y"
    model.graph.append(made)
    remove_node(choice)
    lines = recorder.observe().lines
    assert "@ subgraph 1 yes (removed)" in lines
    place = lines.index("@ subgraph 2 no (removed)")
    assert lines[place + 1 : place + 3] == ("-  output q: float32[2]", "-  q = Exp(t)")
    assert "-  p = Abs(t)" in lines
    assert "+  y = Abs(t)" in lines


def test_a_new_scope_is_listed_in_full() -> None:
    model = parse_model(FUNCTION)
    body = model.functions.pop(("d", "f", ""))
    recorder = Recorder(model)
    model.functions[body.identifier()] = body
    diff = recorder.observe()
    assert diff.lines[0] == "@ function d.f"
    assert diff.added[-1] == "b = Neg(a)"
    assert diff.removed == ()


def test_text_stays_what_it_was_after_later_changes(chain: Model) -> None:
    recorder = Recorder(chain)
    leaky = node(chain, "c")
    leaky.attributes["alpha"] = Attr("alpha", AttributeType.FLOAT, 0.25)
    chain.graph.initializers["w"].const_value = make_tensor(np.array([9], np.int64))
    diff = recorder.observe()
    leaky.attributes["alpha"] = Attr("alpha", AttributeType.FLOAT, 0.125)
    leaky.op_type = "Elu"
    leaky.outputs[0].name = "later"
    chain.graph.initializers["w"].const_value = make_tensor(np.array([10], np.int64))
    recorder.observe()
    assert diff.changed[0][1] == "w = int64[1] [9]"
    assert diff.changed[1] == ("c = LeakyRelu(b) {alpha=0.5}", "c = LeakyRelu(b) {alpha=0.25}")


@pytest.mark.parametrize(("elements", "keeps"), [(16, True), (1 << 15, False)])
def test_only_small_constants_are_kept_for_later(chain: Model, elements: int, keeps: bool) -> None:
    """A large one is digested at once: changing its memory afterwards does not show."""
    recorder = Recorder(chain)
    array = np.zeros(elements, np.float32)
    held = make_tensor(array)
    chain.graph.initializers["w"].const_value = held
    at_once = digest(held)
    diff = recorder.observe()
    array[:] = 1
    assert (at_once in diff.changed[0][1]) is not keeps


def test_figures_of_the_observed_model_are_those_of_a_fresh_count() -> None:
    model = parse_model(BRANCHES)
    recorder = Recorder(model)
    node(model, "t").op_type = "Relu"
    insert_abs(model, "t")
    recorder.observe()
    shapes = Shapes(model)
    assert recorder.figures(Meter(model), shapes) == measure(model, shapes)


def test_outputs_that_change_places_are_a_change() -> None:
    model = parse_model("agraph (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Abs(x) }")
    recorder = Recorder(model)
    first, second = model.graph.outputs
    model.graph.outputs[:] = [second, first]
    assert recorder.observe()


def test_an_opset_that_is_raised(chain: Model) -> None:
    recorder = Recorder(chain)
    chain.opset_imports[""] = 21
    chain.opset_imports["com.microsoft"] = 1
    diff = recorder.observe()
    assert diff.changed == (("opset ai.onnx: 20", "opset ai.onnx: 21"),)
    assert diff.added == ("opset com.microsoft: 1",)


def test_an_opset_of_a_function() -> None:
    model = parse_model(FUNCTION)
    recorder = Recorder(model)
    next(iter(model.functions.values())).opset_imports[""] = 21
    diff = recorder.observe()
    assert diff.lines[0] == "@ function d.f"
    assert diff.changed == (("opset ai.onnx: 20", "opset ai.onnx: 21"),)
