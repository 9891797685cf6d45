"""Models with subgraphs and functions: opened where the fault allows it, pruned where not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from tests.support import ops

import burnish
from burnish.evaluate import run_model
from burnish.ir import Model, all_nodes
from burnish.reduction import Reduction, reduce_case, seeded_feeds
from burnish.reduction.case import Feeds
from burnish.saving import to_proto
from burnish.text import parse_model
from burnish_models import zoo


def reduced_to(model: Model, wanted: set[str]) -> Reduction:
    """Reduce to the operators wanted; the result must be valid, and run on its inputs."""

    def fails(candidate: Model, _: Sequence[Feeds]) -> bool:
        onnx.checker.check_model(to_proto(candidate), full_check=True)
        return wanted <= {node.op_type for node in all_nodes(candidate)}

    done = reduce_case(model, fails, feeds=seeded_feeds(model, (0,)))
    run_model(done.model, done.feeds[0])
    return done


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("if_runtime", "Transpose"),
        ("if_runtime", "Mul"),
        ("if_constant_clash", "Mul"),
        ("if_captures_inner", "Neg"),
        ("loop_captures", "Add"),
        ("scan_cumulative", "Add"),
        ("function_nested", "LeakyRelu"),
    ],
)
def test_what_is_inside_comes_out_where_only_that_matters(name: str, inside: str) -> None:
    model = burnish.load(zoo.get(name).proto())
    assert inside not in {node.op_type for node in model.graph}
    done = reduced_to(model, {inside})
    assert ops(done.model) == [inside]
    assert not done.model.functions


@pytest.mark.parametrize("holder", ["If", "Loop"])
def test_a_body_within_a_body_is_opened_to_any_depth(holder: str) -> None:
    model = burnish.load(zoo.get("nested_capture").proto())
    done = reduced_to(model, {holder})
    # Their bodies must return something, which is all that is left in them.
    assert set(ops(done.model)) == {holder, "Identity"}
    assert len(done.model.graph) == 1


LOOP = """agraph (float[3] x, float[3] b) => (float[3] y) <int64 trips = {2}, bool go = {1}> {
    first = Exp (x)
    last = Loop (trips, go, first) <body = round (int64 i, bool c, float[3] state)
        => (bool c_out, float[3] state_out) {
            c_out = Identity (c)
            s = Add (state, b)
            t = Abs (s)
            u = Erf (t)
            state_out = Neg (u)
        }>
    y = Relu (last)
}"""


def test_a_fault_of_the_loop_and_a_node_in_it_keeps_both() -> None:
    done = reduced_to(parse_model(LOOP, opset=17), {"Loop", "Erf"})
    assert [node.op_type for node in done.model.graph] == ["Loop"]
    assert ops(done.model).count("Erf") == 1
    assert set(ops(done.model)) == {"Loop", "Erf", "Identity"}


def test_values_that_a_body_captures_are_read() -> None:
    model = parse_model(LOOP, opset=17)
    feeds = {"x": np.zeros(3, np.float32), "b": np.array([1, 2, 3], np.float32)}

    def uses_bias(candidate: Model, given: Sequence[Feeds]) -> bool:
        """Whether a Loop still adds what it captures."""
        loops = [node for node in candidate.graph if node.op_type == "Loop"]
        if not loops or "Add" not in ops(candidate):
            return False
        run_model(candidate, given[0])
        return True

    done = reduce_case(model, uses_bias, feeds=[feeds])
    assert [node.op_type for node in done.model.graph] == ["Loop"]
    assert uses_bias(done.model, done.feeds)


FUNCTION = """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
agraph (float[3] x) => (float[3] y) {
    a = Exp (x)
    b = local.body (a)
    y = Neg (b)
}
<domain: "local", opset_import: ["" : 17]>
body (v) => (r) {
    p = Abs (v)
    q = Relu (p)
    s = Erf (q)
    r = Sqrt (s)
}"""


def test_a_function_that_must_stay_is_pruned() -> None:
    model = burnish.load(onnx.parser.parse_model(FUNCTION))
    done = reduced_to(model, {"body", "Erf"})
    assert sorted(ops(done.model)) == ["Erf", "body"]


def test_a_function_that_nobody_needs_goes() -> None:
    model = burnish.load(onnx.parser.parse_model(FUNCTION))
    done = reduced_to(model, {"Exp"})
    assert ops(done.model) == ["Exp"]
    assert not done.model.functions
    assert set(done.model.opset_imports) == {""}


def test_a_fault_in_a_function_that_nobody_calls() -> None:
    model = burnish.load(zoo.get("function_unused").proto())
    assert "Exp" not in {node.op_type for node in model.graph}
    done = reduced_to(model, {"Exp"})
    assert ops(done.model) == ["Exp"]
