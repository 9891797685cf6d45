"""Stories of passes and nodes, and descriptions of models."""

from __future__ import annotations

import pytest

from burnish.driver import optimize
from burnish.errors import InputError
from burnish.ir import to_proto
from burnish.loading import load
from burnish.text import parse_model
from burnish.views.description import describe
from burnish.views.explain import NodeStory, explain_node, explain_pass, places_of

TEXT = """
agraph (float[1, 2, 4, 4] x) => (float[1, 3, 4, 4] y, float[1, 2, 4, 4] z) <
    float[3, 2, 1, 1] w = {1, 2, 3, 4, 5, 6}, float[3] s = {1, 2, 3},
    float[3] b = {1, 1, 1}, float[3] m = {0, 0, 0}, float[3] v = {1, 1, 1}
> {
    i = Identity(x)
    c = Conv(i, w)
    y = BatchNormalization(c, s, b, m, v)
    z = Abs(i)
}
"""
PASSES = "eliminate-identity, fuse-conv-batch-norm, remove-dead-code"


def story(name: str) -> NodeStory:
    source = load(to_proto(parse_model(TEXT)))
    before = places_of(source)
    done = optimize(source, passes=PASSES)
    return explain_node(name, before, places_of(done.model), done.records)


def test_a_removed_node_has_the_pass_that_removed_it() -> None:
    found = story("i")
    assert found.source == "i = Identity(x)"
    assert found.result is None
    assert [(event.what, event.spec) for event in found.events] == [
        ("applied", "eliminate-identity"),
        ("removed", "eliminate-identity"),
    ]


def test_fused_nodes_say_what_they_went_into() -> None:
    found = story("c")
    assert found.source is not None
    assert len(found.went_into) == 1
    made = story(found.went_into[0])
    assert made.source is None
    assert made.result is not None
    assert "Conv" in made.result
    assert set(made.came_from) == {"Conv(c)", "BatchNormalization(y)"}


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean eliminate-identity"):
        story("eliminate-identit")


def test_a_pass_says_where_it_declined_and_why() -> None:
    proto = to_proto(parse_model(TEXT.replace("z = Abs(i)", "z = Abs(i)\n k = Neg(c)")))
    proto.graph.output.add().CopyFrom(proto.graph.output[0])
    proto.graph.output[2].name = "k"
    done = optimize(proto, passes=PASSES)
    found = explain_pass("fuse-conv-batch-norm", done.records)
    assert "declined" in found.text()
    assert "another reader" in found.text()
    (run,) = found.json()["runs"]
    assert run["remarks"][0]["kind"] == "declined"
    assert run["diff"] == {"added": [], "removed": [], "changed": []}


def test_a_pass_that_was_not_run_has_an_empty_story() -> None:
    found = explain_pass("fold-constants", ())
    assert not found.records
    assert "not in this pipeline" in found.text()


def test_a_description_lists_interface_operators_and_weights() -> None:
    found = describe(load(to_proto(parse_model(TEXT))))
    assert found.inputs == ("x: float32[1, 2, 4, 4]",)
    assert found.opsets == {"ai.onnx": 20}
    assert found.operators == {"Abs": 1, "BatchNormalization": 1, "Conv": 1, "Identity": 1}
    assert (found.weights[0].name, found.weights[0].bytes) == ("w", 24)
    assert found.figures.macs == 3 * 16 * 2
    assert not found.warnings


def test_a_description_warns() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "own": 1]>
    agraph (float[2] x, float[2] idle) => (float[2] y) {
        r = RandomNormalLike(x)
        y = own.Op(r)
    }"""
    warnings = " | ".join(describe(load(to_proto(parse_model(text)))).warnings)
    assert "input idle is read by no node" in warnings
    assert "own.Op is not a standard operator" in warnings
    assert "not deterministic: RandomNormalLike(r)" in warnings
