"""Stories of passes and nodes, and descriptions of models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import onnx
import pytest

from burnish.driver import optimize
from burnish.errors import InputError
from burnish.ir import to_proto
from burnish.loading import load
from burnish.passdef import Exactness
from burnish.text import parse_model
from burnish.views.description import describe
from burnish.views.explain import Inquiry, NodeStory, PassStory

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
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs/schema/explain.schema.json").read_text(encoding="utf-8")
)
PASSES = "eliminate-identity, fuse-conv-batch-norm, remove-dead-code"


def inquiry(text: str = TEXT, passes: str = PASSES, **options: Any) -> Inquiry:
    """A run over ``text`` that can be asked about."""
    source = load(to_proto(parse_model(text, opset=options.pop("opset", 20))))
    done = optimize(source, passes=passes, opening=True, **options)
    assert done.opening is not None
    return Inquiry(done.model, done.records, done.pipeline, done.opening)


def story(name: str, text: str = TEXT, passes: str = PASSES) -> NodeStory:
    found = inquiry(text, passes).explain(name)
    assert isinstance(found, NodeStory)
    jsonschema.validate(found.json(), SCHEMA)
    return found


def pass_story(name: str, text: str = TEXT, passes: str = PASSES, **options: Any) -> PassStory:
    found = inquiry(text, passes, **options).explain(name)
    assert isinstance(found, PassStory)
    jsonschema.validate(found.json(), SCHEMA)
    return found


def told(found: NodeStory) -> list[tuple[str, str, str]]:
    return [(event.spec, event.what, event.into) for event in found.events]


# --- nodes


def test_a_removed_node_has_the_pass_that_removed_it() -> None:
    found = story("i")
    assert found.source == "i = Identity(x)"
    assert found.result is None
    assert told(found) == [("eliminate-identity", "removed", "")]
    assert found.events[0].text == "i = Identity(x): its readers read x"


def test_fused_nodes_say_what_they_went_into() -> None:
    found = story("c")
    assert found.source is not None
    assert len(found.went_into) == 1
    assert found.events[-1].others == ("BatchNormalization(y)",)
    made = story(found.went_into[0])
    assert made.source is None
    assert made.result is not None
    assert "Conv" in made.result
    assert set(made.came_from) >= {"Conv(c)", "BatchNormalization(y)"}
    assert ("fuse-conv-batch-norm", "made") in [(each.spec, each.what) for each in made.events]


def test_a_node_is_found_by_its_result_too() -> None:
    assert story("Conv(c)") == story("c")


CHAIN = """agraph (float[N,4,8] x) => (float[N,4,8] y) <float two = {2}> {
    s = Shape(x)
    i = Constant <value = int64 {2}> ()
    n = Gather(s, i)
    f = Cast <to = 1> (n)
    g = Mul(f, two)
    y = Mul(x, g)
}"""


def test_a_story_goes_through_several_passes() -> None:
    found = story("n", CHAIN, "lift-constants, fold-shape-arithmetic, fold-constants")
    assert found.source == "n = Gather(s, i)"
    assert found.result == "n = int64[] 8"
    assert ("fold-shape-arithmetic", "folded", "n") in told(found)
    assert set(found.came_from) == {"Shape(s)", "Constant(i)"}
    assert told(found)[-1] == ("fold-constants", "folded", "g")
    assert found.went_into == ("g",)


def test_what_led_to_a_folded_node_is_folded_with_it() -> None:
    text = """agraph (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float[2] b = {3, 4}> {
        c = Add(a, b)
        d = Neg(c)
        y = Mul(x, d)
    }"""
    for name in ("a", "b", "c", "d"):
        found = story(name, text, "fold-constants, remove-dead-code")
        assert ("fold-constants", "folded", "d") in told(found), name
        assert found.result == ("d = float32[2] #71ef42789db6c7e5" if name == "d" else None)
    made = story("d", text, "fold-constants, remove-dead-code")
    assert set(made.came_from) == {"a", "b", "Add(c)"}


def test_a_dead_node_says_that_nothing_reads_it() -> None:
    text = "agraph (float[2] x) => (float[2] y) { dead = Exp(x)  deader = Neg(dead)  y = Abs(x) }"
    assert [event.text for event in story("deader", text, "remove-dead-code").events] == [
        "deader = Neg(dead): nothing reads it"
    ]
    (event,) = story("dead", text, "remove-dead-code").events
    assert event.text == "dead = Exp(x): its reader Neg(deader) was removed"


def test_twins_are_merged() -> None:
    text = "agraph (float[2] x) => (float[2] y) { a = Exp(x)  b = Exp(x)  y = Add(a, b) }"
    found = story("b", text, "eliminate-common-subexpressions")
    assert told(found) == [("eliminate-common-subexpressions", "merged", "Exp(a)")]
    # The one that stays is not said to come from the one that went.
    assert told(story("a", text, "eliminate-common-subexpressions")) == []


def test_a_node_whose_inputs_change_says_which() -> None:
    text = "agraph (float[2] x) => (float[2] y) { a = Identity(x)  y = Exp(a) }"
    found = story("y", text, "eliminate-identity")
    assert "changed: reads x, not a" in found.text()
    assert found.result == "y = Exp(x)"


def test_a_node_in_a_subgraph_is_followed_out_of_it() -> None:
    text = """agraph (float[2] x) => (float[2] y) <bool when = {1}> {
        y = If (when) <
            then_branch = yes () => (float[2] u) { t = Exp(x)  u = Neg(t) },
            else_branch = no () => (float[2] w) { w = Abs(x) }
        >
    }"""
    found = story("t", text, "inline-if, eliminate-identity")
    assert found.source == "t = Exp(x)"
    assert found.result is None
    assert ("inline-if", "went into", "Exp(t_1)") in told(found)
    assert found.went_into == ("Exp(t_1)",)
    assert set(story("t_1", text, "inline-if").came_from) == {"Exp(t)", "If(y)"}


def test_a_node_without_a_name_is_known_when_its_result_is_renamed() -> None:
    text = "agraph (float[2] x) => (float[2] y) { t = Exp(x)  y = Identity(t) }"
    found = story("t", text, "eliminate-identity")
    assert told(found) == [("eliminate-identity", "went into", "Exp(y)")]
    assert "Exp(t)" in story("y", text, "eliminate-identity").came_from


def test_remarks_about_a_node_belong_to_its_story() -> None:
    proto = with_output(TEXT.replace("z = Abs(i)", "z = Abs(i)\n k = Neg(c)"), "k")
    done = optimize(proto, passes=PASSES, opening=True)
    assert done.opening is not None
    asked = Inquiry(done.model, done.records, done.pipeline, done.opening)
    found = asked.node("BatchNormalization(y)")
    assert [(event.what, event.text) for event in found.events] == [
        ("declined", "c has another reader")
    ]
    assert found.near[0].miss.conditions == ("c has another reader",)
    assert "recognized Conv, BatchNormalization, and declined" in found.text()


# --- weights, inputs, outputs


def test_a_weight_says_what_it_was_folded_into() -> None:
    found = story("s")
    assert found.kind == "constant"
    assert found.source == "s = float32[3] #" + str(found.source)[-16:]
    assert found.result is None
    assert {what for _, what, _ in told(found)} >= {"went into"}
    assert set(found.went_into) == {"c_weight", "c_bias"} or len(found.went_into) == 2
    made = story(found.went_into[0])
    assert made.kind == "constant"
    assert "s" in made.came_from


def test_equal_weights_are_merged() -> None:
    text = """agraph (float[2] x) => (float[2] y) <float[2] a = {1, 2}, float[2] b = {1, 2}> {
        c = Add(x, a)
        y = Mul(c, b)
    }"""
    found = story("b", text, "merge-initializers")
    assert told(found) == [("merge-initializers", "merged", "a")]


def test_inputs_and_outputs_have_stories() -> None:
    found = story("x")
    assert (found.kind, found.source) == ("input", "input x: float32[1, 2, 4, 4]")
    assert "Abs(z)" in found.readers
    assert story("y").kind == "node"  # the node that makes it tells more


def test_an_input_with_a_default_says_what_is_in_the_way() -> None:
    text = TEXT.replace("float[1, 2, 4, 4] x)", "float[1, 2, 4, 4] x, float[3] s)")
    found = story("s", text, PASSES)
    assert found.kind == "default"
    assert "callers may override" in found.text().splitlines()[0]
    assert "freeze-initializers" in found.text()
    mended = pass_story("fuse-conv-batch-norm", text, f"freeze-initializers, {PASSES}")
    assert mended.applied  # the remedy is one


# --- passes


def test_a_pass_says_where_it_declined_and_why() -> None:
    proto = with_output(TEXT.replace("z = Abs(i)", "z = Abs(i)\n k = Neg(c)"), "k")
    done = optimize(proto, passes=PASSES, opening=True)
    assert done.opening is not None
    found = Inquiry(done.model, done.records, done.pipeline, done.opening).explain(
        "fuse-conv-batch-norm"
    )
    assert isinstance(found, PassStory)
    assert "declined in the result: c has another reader" in found.text()
    (run,) = found.json()["runs"]
    assert run["remarks"][0]["kind"] == "declined"
    assert run["diff"] == {"added": [], "removed": [], "changed": []}
    assert found.declined[0].where == ("BatchNormalization(y)",)
    assert found.declined[0].remedy is None  # nothing helps against another reader


def test_reasons_that_no_longer_stand_are_told_apart() -> None:
    text = TEXT.replace("z = Abs(i)", "z = Abs(i)\n dead = Neg(c)")
    passes = "fuse-conv-batch-norm, remove-dead-code, fuse-conv-batch-norm"
    found = pass_story("fuse-conv-batch-norm", text, passes)
    (declined,) = found.declined
    assert (declined.where, declined.earlier) == ((), ("BatchNormalization(y)",))
    assert "declined earlier: c has another reader" in found.text()
    assert "applied at 1 place" in found.text()


GELU = """agraph (float[2,8] x) => (float[2,8] y)
    <float root = {1.41421354}, float one = {1.0}, float half = {0.5}> {
        a = Div(x, root)
        b = Erf(a)
        c = Add(b, one)
        d = Mul(x, c)
        y = Mul(d, half)
    }"""


def test_a_pass_that_is_not_in_the_pipeline_is_tried() -> None:
    found = pass_story("fuse-gelu", GELU, "eliminate-identity")
    assert not found.planned
    assert [remark.where for remark in found.would] == ["Mul(y)"]
    assert {"idioms", "O2", "O3"} <= set(found.levels)
    text = found.text()
    assert text.startswith("fuse-gelu is not in this pipeline; ")
    assert "added at the end it would apply to the result at 1 place" in text


def test_a_pass_that_announces_nothing_is_tried_on_a_copy() -> None:
    found = pass_story("infer-shapes", GELU, "eliminate-identity")
    assert "run on a copy of the result it gives:" in found.text()


def test_a_pass_may_be_asked_for_with_options() -> None:
    asked = inquiry(GELU, "fold-constants{growth=0}")
    assert isinstance(found := asked.explain("fold-constants{growth=0}"), PassStory)
    assert found.planned
    assert isinstance(other := asked.explain("fold-constants{growth=9}"), PassStory)
    assert not other.planned
    with pytest.raises(InputError, match="has no option 'grow'"):
        asked.explain("fold-constants{grow=9}")


def test_an_old_opset_comes_with_its_remedy() -> None:
    found = pass_story("fuse-gelu", GELU, "fuse-gelu", opset=13)
    (declined,) = found.declined
    assert declined.why == "Gelu needs opset 20"
    assert declined.remedy is not None
    assert "raise-opset" in declined.remedy
    assert pass_story("fuse-gelu", GELU, "raise-opset, fuse-gelu", opset=13).applied


def test_the_closest_places_and_the_condition_that_failed() -> None:
    found = pass_story("fuse-gelu", GELU.replace("Mul(d", "Sub(d"), "fuse-gelu")
    (close,) = found.near
    assert close.miss.conditions == ("expected Mul after Mul(d), found Sub(y) with 0.5",)
    text = found.text()
    assert "closest places in the result" in text
    assert "Mul(d): documented example 1: 4 of 5 operators (Div, Erf, Add, Mul)" in text


def test_a_promise_that_is_too_weak_comes_with_what_allows_it() -> None:
    asked = replace(inquiry(GELU, "eliminate-identity"), allow=Exactness.BITWISE)
    assert (
        "it is FLOAT: a pipeline may run it with --allow float" in asked.explain("fuse-gelu").text()
    )
    assert "--allow" not in asked.explain("eliminate-identity").text()


def test_a_pass_for_which_nothing_is_there_says_so() -> None:
    assert "no place in the result looks like what it replaces" in pass_story("fuse-gelu").text()


def test_long_lists_are_cut_and_equal_reasons_told_once() -> None:
    norms = "\n".join(
        f"c{n} = Conv(x, w)\n k{n} = Neg(c{n})\n y{n} = BatchNormalization(c{n}, s, b, m, v)"
        for n in range(9)
    )
    outputs = ", ".join(f"float[1,3,4,4] {letter}{n}" for letter in "ky" for n in range(9))
    head, _, weights = TEXT.partition("(float[1, 3, 4, 4] y, float[1, 2, 4, 4] z)")
    text = f"{head}({outputs}){weights[: weights.index('{', weights.index('>'))]}{{{norms}}}"
    found = pass_story("fuse-conv-batch-norm", text, "fuse-conv-batch-norm")
    shown = found.text()
    assert shown.count("declined in the result: … has another reader") == 1
    assert "and 4 more; --all" in shown
    whole = found.text(None)
    assert "--all" not in whole
    assert whole.count("BatchNormalization(y") == 9


# --- names


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean eliminate-identity"):
        story("eliminate-identit")


def test_the_end_of_a_path_finds_it() -> None:
    text = 'agraph (float[2] x) => (float[2] y) { "/deep/down" = Exp(x)  y = Neg("/deep/down") }'
    with pytest.raises(InputError, match="did you mean /deep/down"):
        story("down", text)


def test_a_preset_is_no_pass() -> None:
    with pytest.raises(InputError, match="it is a pipeline of passes"):
        story("idioms")


def with_output(text: str, name: str) -> onnx.ModelProto:
    """The model of ``text`` with one more output, of the type of the first."""
    proto = to_proto(parse_model(text))
    proto.graph.output.add().CopyFrom(proto.graph.output[0])
    proto.graph.output[-1].name = name
    return proto


# --- descriptions


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
