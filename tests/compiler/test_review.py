"""Names that meet between scopes, found by review."""

from __future__ import annotations

import onnx
import pytest
from tests.support import ops, run_passes

from burnish.driver import optimize
from burnish.ir import Graph, Model, nested_graphs, scopes
from burnish.loading import load
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.verify import verify

SHADOWED = """g (float[2] x, bool c) => (float[2] y, float[2] z) {
    t = Relu(x)
    z = If (c) <
        then_branch = yes () => (float[2] y) { y = Add(t, t) },
        else_branch = no () => (float[2] e) { e = Neg(t) }>
    y = Identity(t)
}"""


def _hidden(graph: Graph, outer: frozenset[str] = frozenset()) -> set[str]:
    """Names of subgraphs that hide a name further out."""
    own = {value.name for value in graph.inputs} | set(graph.initializers)
    own |= {output.name for node in graph for output in node.outputs}
    names = frozenset(name for name in own if name)
    found = set(names & outer)
    for node in graph:
        for inner in nested_graphs(node):
            found |= _hidden(inner, outer | names)
    return found


def _parsed(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]>\n{text}')


def test_a_branch_may_call_its_result_like_a_later_output() -> None:
    model, _ = run_passes(SHADOWED, "eliminate-identity")
    assert "Identity" not in ops(model)
    assert [value.name for value in model.graph.outputs] == ["y", "z"]


def test_loading_leaves_no_name_that_hides_another() -> None:
    text = """g (float[2] x, int64 m, bool c) => (float[2] y, float[2] w) {
        z = Loop (m, c, x) <body = one (int64 i, bool k, float[2] w) => (bool ko, float[2] y)
            <float[2] u = {1, 2}> {
            ko = Identity(k)
            y = Loop (m, k, w) <body = two (int64 j, bool l, float[2] v) => (bool lo, float[2] t) {
                lo = Identity(l)
                y_1 = Add(v, u)
                t = Add(y_1, w)
            }>
        }>
        y = Relu(z)
        u = Neg(z)
        w = Add(u, z)
    }"""
    source = _parsed(text)
    model = load(source)
    assert not _hidden(model.graph)
    onnx.checker.check_model(to_proto(model), full_check=True)
    assert verify(source, model, exactness=Exactness.BITWISE).ok


def test_inlined_bodies_hide_no_name() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "local": 1]>
    g (float[2] x, int64 m) => (float[2] y, float[2] v) {
        t = Relu(x)
        v = local.f(t, m)
        y = Identity(t)
    }
    <domain: "local", opset_import: ["": 20]>
    f (x, m) => (y) {
        c = Constant <value = bool {1}> ()
        y = Loop (m, c, x) <body = b (int64 i, bool k, float[2] v) => (bool ko, float[2] o) {
            ko = Identity(k)
            t = Add(v, x)
            o = Neg(t)
        }>
    }"""
    model, _ = run_passes(text, "inline-functions, eliminate-identity")
    assert not _hidden(model.graph)


def _function_returning_an_outer_value() -> onnx.ModelProto:
    return onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 20, "local": 1]>
        g (float[2] x, bool c) => (float[2] y) { y = local.f(x, c) }
        <domain: "local", opset_import: ["": 20]>
        f (x, c) => (y) {
            t = Relu(x)
            y = If (c) <
                then_branch = yes () => (t) {},
                else_branch = no () => (e) { e = Neg(t) }>
        }"""
    )


@pytest.mark.parametrize("passes", ["O0", "inline-functions", "O1"])
def test_a_branch_in_a_function_may_return_an_outer_value(passes: str) -> None:
    source = _function_returning_an_outer_value()
    model: Model = optimize(source, passes=passes).model
    for scope in scopes(model):
        own = {output for node in scope.graph for output in node.outputs}
        assert all(output in own for output in scope.graph.outputs)
    assert verify(source, model, exactness=Exactness.BITWISE).ok
