"""What a target lacks is written in what it has, and what cannot be says why."""

from __future__ import annotations

import onnx
import pytest
from tests.support import ops, run_passes

from burnish.driver import optimize
from burnish.ir import Model, constant_array
from burnish.passdef import Context, Remark
from burnish.saving import to_proto
from burnish.target import Limits, Target
from burnish.text import model_text, parse_model
from burnish.verify import verify
from burnish_passes.legalize.expand_missing_operators import ExpandMissingOperators

PASS = "expand-missing-operators"


def legalized(text: str, *missing: str, opset: int = 24) -> tuple[Model, tuple[Remark, ...]]:
    """The model for a target without these operators: valid, and with the answers it had."""
    source = parse_model(text, opset=opset)
    model = parse_model(text, opset=opset)
    target = Target(name="small", limits=Limits(opset, frozenset(missing)))
    ctx = Context.of(model, target)
    ExpandMissingOperators().run(model, ctx)
    result = to_proto(model)
    onnx.checker.check_model(result, full_check=True)
    verdict = verify(to_proto(source), result, exactness=ExpandMissingOperators.exactness)
    assert verdict.ok, verdict.text()
    return model, ctx.take_remarks()


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        (
            "Attention",
            """agraph (float[2,3,4,8] q, float[2,3,6,8] k, float[2,3,6,8] v, bool[4,6] m)
                => (float[2,3,4,8] y) { y = Attention <scale = 0.5> (q, k, v, m) }""",
        ),
        (
            "RotaryEmbedding",
            """agraph (float[2,4,3,8] x, float[50,4] c, float[50,4] s, int64[2,3] p)
                => (float[2,4,3,8] y) { y = RotaryEmbedding(x, c, s, p) }""",
        ),
        ("Swish", "agraph (float[N,3] x) => (float[N,3] y) { y = Swish <alpha = 0.5> (x) }"),
        ("Gelu", 'agraph (float[N] x) => (float[N] y) { y = Gelu <approximate = "tanh"> (x) }'),
        (
            "LayerNormalization",
            """agraph (float[N,6] x, float[6] w, float[6] b) => (float[N,6] y)
                { y = LayerNormalization <axis = 1, epsilon = 0.1> (x, w, b) }""",
        ),
    ],
)
def test_a_missing_operator_becomes_its_body(missing: str, text: str) -> None:
    model, remarks = legalized(text, missing)
    assert missing not in ops(model)
    assert [(item.kind, item.why) for item in remarks] == [("applied", f"small lacks {missing}")]


def test_every_result_keeps_its_name_and_its_readers() -> None:
    text = """agraph (float[N,6] x, float[6] w) => (float[N,6] y, float[N,1] mean, float[N,6] z) {
        y, mean, unread = LayerNormalization(x, w)
        z = Relu(y)
    }"""
    model, _ = legalized(text, "LayerNormalization")
    assert [value.name for value in model.graph.outputs] == ["y", "mean", "z"]
    assert "Reciprocal" not in ops(model), "what makes the result that nobody reads"


def test_what_a_body_holds_is_expanded_too() -> None:
    text = "agraph (float[N,3] a, float[N,3] b) => (float[N,3] y) { y = SwiGLU(a, b) }"
    model, remarks = legalized(text, "SwiGLU", "Swish", "CastLike", opset=28)
    assert not {"SwiGLU", "Swish", "CastLike"} & set(ops(model))
    assert len(remarks) == 3


def test_subgraphs_of_a_body_are_legalized() -> None:
    text = """agraph (float[2,2,3] theta, int64[4] size) => (float[2,5,6,2] y) <int64[4] size = {2, 3, 5, 6}>
        { y = AffineGrid(theta, size) }"""
    model, _ = legalized(text, "AffineGrid", "CastLike")
    assert "CastLike" not in ops(model)
    assert "If" in ops(model)


def test_calls_inside_a_subgraph_are_expanded_there() -> None:
    text = """agraph (bool c, float[3] x) => (float[3] y) {
        y = If (c) <
            then_branch = yes () => (float[3] p) { p = Gelu(x) },
            else_branch = no () => (float[3] q) { q = Swish(x) }
        >
    }"""
    model, _ = legalized(text, "Gelu", "Swish")
    assert len(model.graph) == 1
    assert not {"Gelu", "Swish"} & set(ops(model))


def test_calls_inside_a_function_are_expanded_there() -> None:
    text = """<ir_version: 10, opset_import: ["": 24, "local": 1]>
        agraph (float[3] x) => (float[3] y) { y = local.twice(x) }
        <domain: "local", opset_import: ["": 24]>
        twice (a) => (b) { g = Swish(a) b = Add(g, g) }"""
    model, _ = legalized(text, "Swish")
    assert "Swish" not in ops(model)
    assert "Sigmoid" in ops(model)


def test_two_calls_do_not_share_names() -> None:
    text = "agraph (float[3] x) => (float[3] y) { h = Swish(x) y = Swish <alpha = 2.0> (h) }"
    model, _ = legalized(text, "Swish")
    names = [value.name for node in model.graph for value in node.outputs]
    assert len(names) == len(set(names))


def test_an_attribute_and_its_default_reach_the_body() -> None:
    for given, alpha in (("", 1.0), ("<alpha = 0.25>", 0.25)):
        text = f"agraph (float[3] x) => (float[3] y) {{ y = Swish {given} (x) }}"
        model, _ = legalized(text, "Swish")
        held = [constant_array(node.outputs[0]) for node in model.graph if not node.inputs]
        assert [array.item() for array in held if array is not None] == [alpha]


def test_absent_inputs_stay_absent() -> None:
    text = """agraph (float[4] x, float low, float high) => (float[4] y, float[4] z) {
        y = Clip(x, low)
        z = Clip(x, , high)
    }"""
    model, _ = legalized(text, "Clip")
    assert ops(model) == ["Less", "Where"] * 2


@pytest.mark.parametrize(
    ("text", "missing", "opset", "why"),
    [
        (
            "agraph (float[3] x) => (float[3] y) { y = Elu(x) }",
            "Elu",
            17,
            "small lacks Elu, but opset 17 defines no body for it",
        ),
        (
            "agraph (float[3] x) => (float[3] y) { y = Tanh(x) }",
            "Tanh",
            24,
            "small lacks Tanh, but opset 24 defines no body for it",
        ),
    ],
)
def test_what_has_no_body_says_so(text: str, missing: str, opset: int, why: str) -> None:
    model, remarks = legalized(text, missing, opset=opset)
    assert ops(model) == [missing]
    assert [(item.kind, item.why) for item in remarks] == [("declined", why)]


def test_an_attribute_that_a_caller_gives_is_not_known() -> None:
    text = """<ir_version: 10, opset_import: ["": 24, "local": 1]>
        agraph (float[3] x) => (float[3] y) { y = local.act <a = 0.5> (x) }
        <domain: "local", opset_import: ["": 24]>
        act <a> (v) => (w) { w = Swish <alpha: float = @a> (v) }"""
    model, remarks = legalized(text, "Swish")
    assert "Swish" in ops(model)
    assert remarks[0].why == "small lacks Swish, but its attribute alpha is a function parameter"


def test_a_body_that_depends_on_a_type_needs_the_type() -> None:
    text = """<ir_version: 10, opset_import: ["": 24, "other": 1]>
        agraph (float[2,6] x, float[6] w) => (float[2,6] y) {
            h = other.Thing(x)
            g = LayerNormalization(h, w)
            y = Identity(g)
        }"""
    model = parse_model(text)
    ctx = Context.of(model, Target(limits=Limits(24, frozenset({"LayerNormalization"}))))
    ExpandMissingOperators().run(model, ctx)
    assert "LayerNormalization" in ops(model)
    assert [item.why for item in ctx.take_remarks()] == [
        "ort-cpu lacks LayerNormalization, but the type of h is not known"
    ]


def test_a_target_that_lacks_nothing_changes_nothing() -> None:
    text = "agraph (float[3] x) => (float[3] y) { y = Swish(x) }"
    source = parse_model(text, opset=24)
    done = optimize(source, passes=PASS)
    assert model_text(done.model) == model_text(source)
    assert not done.records[0].remarks


def test_operators_may_be_named_in_the_pipeline() -> None:
    text = "agraph (float[3] x) => (float[3] y) { y = Gelu(x) }"
    model, records = run_passes(text, f"{PASS}{{ops=Gelu/Elu}}")
    assert "Gelu" not in ops(model)
    assert [item.why for item in records[0].remarks] == ["Gelu is to go"]


def test_what_is_missing_is_not_raised_again() -> None:
    text = "agraph (float[3] x) => (float[3] y) { y = Swish(x) }"
    target = Target(limits=Limits(24, frozenset({"Swish"})))
    passes = f"{PASS}, lift-constants, raise-function-bodies"
    done = optimize(parse_model(text, opset=24), passes=passes, target=target)
    assert "Swish" not in ops(done.model)
