"""Initial states and nested Ifs, found by review."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper
from tests.support import ops, run_passes

from burnish.driver import optimize
from burnish.ir import all_nodes
from burnish.passdef import Exactness
from burnish.verify import verify


def _info(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _filled_by_the_caller() -> onnx.ModelProto:
    """A function whose initial state is filled with an attribute of the call."""
    fill = helper.make_node("ConstantOfShape", ["s"], ["z"])
    fill.attribute.append(
        onnx.AttributeProto(name="value", ref_attr_name="v", type=onnx.AttributeProto.TENSOR)
    )
    body = [
        helper.make_node("Constant", [], ["s"], value_ints=[1, 1, 3]),
        fill,
        helper.make_node("RNN", ["x", "w", "r", "", "", "z"], ["", "h"], hidden_size=3),
    ]
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    function = helper.make_function(
        "local", "f", ["x", "w", "r"], ["h"], body, imports[:1], attributes=["v"]
    )
    one = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    call = helper.make_node("f", ["x", "w", "r"], ["h"], domain="local", v=one)
    inputs = [_info("x", [3, 1, 2]), _info("w", [1, 3, 2]), _info("r", [1, 3, 3])]
    graph = helper.make_graph([call], "g", inputs, [_info("h", [1, 1, 3])])
    return helper.make_model(graph, functions=[function], opset_imports=imports, ir_version=10)


def test_a_state_filled_by_an_attribute_of_the_function_stays() -> None:
    source = _filled_by_the_caller()
    model = optimize(source, passes="remove-zero-initial-state").model
    rnn = next(node for node in all_nodes(model) if node.op_type == "RNN")
    assert len(rnn.inputs) == 6
    assert verify(source, model, exactness=Exactness.BITWISE).ok


@pytest.mark.parametrize(("op_type", "length"), [("Identity", 3000), ("Concat", 40)])
def test_a_state_at_the_end_of_a_long_chain_is_found(op_type: str, length: int) -> None:
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["t0"])]
    for number in range(length):
        times, attributes = (2, {"axis": 0}) if op_type == "Concat" else (1, {})
        nodes.append(
            helper.make_node(op_type, [f"t{number}"] * times, [f"t{number + 1}"], **attributes)
        )
    state = f"t{length}"
    nodes.append(helper.make_node("RNN", ["x", "w", "r", "", "", state], ["", "h"], hidden_size=3))
    inputs = [_info("x", [3, 1, 2]), _info("w", [1, 3, 2]), _info("r", [1, 3, 3])]
    inputs.append(helper.make_tensor_value_info("s", TensorProto.INT64, [3]))
    graph = helper.make_graph(nodes, "g", inputs, [_info("h", [1, 1, 3])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    done = optimize(model, passes="remove-zero-initial-state").model
    rnn = next(node for node in all_nodes(done) if node.op_type == "RNN")
    assert len(rnn.inputs) == 3


def test_ifs_in_the_branch_taken_and_after_it_are_inlined_too() -> None:
    text = """g (float[2] x) => (float[2] y) <bool yes = {1}, bool no = {0}> {
        a = If (yes) <
            then_branch = one () => (float[2] b) {
                b = If (no) <
                    then_branch = two () => (float[2] d) { d = Neg(x) },
                    else_branch = three () => (float[2] d) {
                        d = If (yes) <
                            then_branch = four () => (float[2] f) { f = Exp(x) },
                            else_branch = five () => (float[2] f) { f = Neg(x) }>
                    }>
            },
            else_branch = six () => (float[2] c) {
                c = If (yes) <
                    then_branch = seven () => (float[2] d) { d = Neg(x) },
                    else_branch = eight () => (float[2] d) { d = Abs(x) }>
            }>
        y = If (no) <
            then_branch = nine () => (float[2] b) { b = Neg(a) },
            else_branch = ten () => (float[2] b) { b = Relu(a) }>
    }"""
    model, _ = run_passes(text, "inline-if")
    assert ops(model) == ["Exp", "Relu"]
