"""A function body comes back as its operator, whole, or stays: what only looks like one stays.

That every body of the standard comes back is shown by tests/conformance/test_raising.py.
"""

from __future__ import annotations

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import optimize
from burnish.ir import Model, attribute
from burnish.target import Limits, Target
from burnish.text import parse_model

PASS = "raise-function-bodies"
LEAKY = """
    a = Constant <value_float = 0.25> ()
    a_cast = CastLike(a, x)
    zero = Constant <value = float {0}> ()
    zero_cast = CastLike(zero, x)
    negative = Less(x, zero_cast)
    scaled = Mul(a_cast, x)
    y = Where(negative, scaled, x)
"""


def round_trip(text: str, *expanded: str, opset: int = 24) -> Model:
    """Expand operators, then raise what stands there."""
    passes = f"expand-missing-operators{{ops={'/'.join(expanded)}}}, infer-shapes, lift-constants"
    model, records = run_passes(text, f"{passes}, remove-dead-code, {PASS}", opset=opset)
    assert records[0].rewrites > 0
    return model


@pytest.mark.parametrize(
    ("operator", "text"),
    [
        ("Elu", "agraph (float[N,M] x) => (float[N,M] y) { y = Elu <alpha = 0.5> (x) }"),
        ("Gelu", "agraph (float16[N] x) => (float16[N] y) { y = Gelu(x) }"),
        ("Softmax", "agraph (float[N,M] x) => (float[N,M] y) { y = Softmax <axis = 0> (x) }"),
        (
            "LayerNormalization",
            """agraph (float[N,M,6] x, float[6] w) => (float[N,M,6] y)
                { y = LayerNormalization <epsilon = 0.1> (x, w) }""",
        ),
        (
            "Attention",
            """agraph (float[N,3,S,8] q, float[N,3,S,8] k, float[N,3,S,8] v, bool[S,S] m)
                => (float[N,3,S,8] y)
                { y = Attention <is_causal = 1, scale = 0.5> (q, k, v, m) }""",
        ),
        (
            "Attention",
            """agraph (float[2,S,32] q, float[2,S,16] k, float[2,S,16] v) => (float[2,S,32] y)
                { y = Attention <q_num_heads = 4, kv_num_heads = 2, softcap = 3.0> (q, k, v) }""",
        ),
        (
            "RotaryEmbedding",
            """agraph (float[N,4,S,8] x, float[50,2] c, float[50,2] s, int64[N,S] p)
                => (float[N,4,S,8] y)
                { y = RotaryEmbedding <interleaved = 1, rotary_embedding_dim = 4> (x, c, s, p) }""",
        ),
    ],
)
def test_a_body_with_dynamic_axes_comes_back_with_its_attributes(operator: str, text: str) -> None:
    model = round_trip(text, operator)
    assert ops(model) == [operator]
    source, result = parse_model(text).graph[0], model.graph[0]
    for name in source.attributes:
        assert attribute(result, name) == attribute(source, name)
    assert [value.name for value in result.inputs if value] == [
        value.name for value in source.inputs if value
    ]


@pytest.mark.parametrize("outputs", ["y, mean, scale", "y, mean", "y, , scale"])
def test_every_result_that_stands_comes_back(outputs: str) -> None:
    declared = ", ".join(f"float[2,{6 if name == 'y' else 1}] {name}"
                         for name in outputs.split(", ") if name.strip())  # fmt: skip
    text = f"""agraph (float[2,6] x, float[6] w, float[6] b) => ({declared}) {{
        {outputs} = LayerNormalization(x, w, b)
    }}"""
    model = round_trip(text, "LayerNormalization")
    assert ops(model) == ["LayerNormalization"]
    results = [value.name for value in model.graph[0].outputs]
    assert results == [name.strip() for name in outputs.split(",")]


def test_a_past_comes_back_with_its_present() -> None:
    text = """agraph (float[2,3,4,8] q, float[2,3,6,8] k, float[2,3,6,8] v, float[2,3,P,8] pk,
            float[2,3,P,8] pv)
            => (float[2,3,4,8] y, float[2,3,T,8] nk, float[2,3,T,8] nv) {
        y, nk, nv = Attention(q, k, v, , pk, pv)
    }"""
    model = round_trip(text, "Attention")
    assert ops(model) == ["Attention"]
    assert [value.name for value in model.graph[0].outputs] == ["y", "nk", "nv"]


def test_a_body_within_a_body_comes_back_first() -> None:
    text = "agraph (float[N,3] a, float[N,3] b) => (float[N,3] y) { y = SwiGLU(a, b) }"
    assert ops(round_trip(text, "SwiGLU", "Swish", opset=28)) == ["SwiGLU"]


def test_the_larger_of_two_bodies_is_taken() -> None:
    text = "agraph (float[4] x, float l, float h) => (float[4] y) { y = Clip(x, l, h) }"
    model = round_trip(text, "Clip")
    assert ops(model) == ["Clip"]
    assert len(model.graph[0].inputs) == 3


def test_a_body_in_a_branch_comes_back_there() -> None:
    text = """agraph (bool c, float[3] x) => (float[3] y) {
        y = If (c) <
            then_branch = yes () => (float[3] p) { p = Gelu(x) },
            else_branch = no () => (float[3] q) { q = Identity(x) }
        >
    }"""
    assert ops(round_trip(text, "Gelu")) == ["If", "Gelu", "Identity"]


def test_a_body_in_a_function_comes_back_there() -> None:
    text = f"""<ir_version: 10, opset_import: ["": 20, "local": 1]>
        agraph (float[3] v) => (float[3] w) {{ w = local.act(v) }}
        <domain: "local", opset_import: ["": 20]>
        act (x) => (y) {{ u = Cast <to = 1> (x) {LEAKY.replace("(x", "(u").replace(", x", ", u")} }}"""
    model, _ = run_passes(text, PASS)
    assert ops(model) == ["act", "Cast", "LeakyRelu"]


def test_constants_may_still_be_nodes() -> None:
    text = f"agraph (float[3] x) => (float[3] y) {{ {LEAKY} }}"
    model, _ = run_passes(text, f"{PASS}, remove-dead-code")
    assert ops(model) == ["LeakyRelu"]


@pytest.mark.parametrize(
    "change",
    [
        ("float {0}", "float {0.5}"),  # another constant
        ("float {0}", "float[1] {0}"),  # another shape
        ("float {0}", "float {-0.0}"),  # another sign of zero
        ("float {0}", "double {0}"),  # another type
        ("Less(x, zero_cast)", "Less(zero_cast, x)"),  # another order
        ("Less(x, zero_cast)", "Greater(x, zero_cast)"),  # another operator
        ("Where(negative, scaled, x)", "Where(negative, x, scaled)"),
        ("Mul(a_cast, x)", "Mul(a_cast, u)"),  # another operand
    ],
)
def test_what_differs_in_one_place_is_no_body(change: tuple[str, str]) -> None:
    body = LEAKY.replace(*change)
    assert body != LEAKY
    model, records = run_passes(
        f"agraph (float[3] x, float[3] u) => (float[3] y) {{ {body} }}", PASS
    )
    assert "LeakyRelu" not in ops(model)
    assert not reasons(records)


@pytest.mark.parametrize(
    "more",
    [
        "z = Relu(scaled)",
        """z = If (c) <then_branch = p () => (float[3] t) { t = Identity(scaled) },
                else_branch = q () => (float[3] e) { e = Identity(x) }>""",
    ],
)
def test_an_inner_value_with_another_reader_keeps_the_body(more: str) -> None:
    text = f"agraph (float[3] x, bool c) => (float[3] y, float[3] z) {{ {LEAKY} {more} }}"
    assert "LeakyRelu" not in ops(run_passes(text, PASS)[0])


def test_an_inner_value_that_is_an_output_keeps_the_body() -> None:
    text = f"agraph (float[3] x) => (float[3] y, float[3] scaled) {{ {LEAKY} }}"
    assert "LeakyRelu" not in ops(run_passes(text, PASS)[0])


def test_a_constant_that_a_caller_may_override_is_none() -> None:
    body = LEAKY.replace("zero = Constant <value = float {0}> ()", "")
    text = f"agraph (float[3] x, float zero) => (float[3] y) <float zero = {{0}}> {{ {body} }}"
    assert "LeakyRelu" not in ops(run_passes(text, PASS)[0])


def test_one_attribute_cannot_have_two_values() -> None:
    selu = """
        a = Constant <value_float = 1.5> () ac = CastLike(a, x)
        a2 = Constant <value_float = %s> () a2c = CastLike(a2, x)
        g = Constant <value_float = 1.25> () gc = CastLike(g, x)
        o = Constant <value = float {0}> () oc = CastLike(o, x)
        e = Exp(x) ae = Mul(ac, e) d = Sub(ae, a2c) n = Mul(gc, d) p = Mul(gc, x)
        l = Less(x, oc) y = Where(l, n, p)"""
    text = "agraph (float[3] x) => (float[3] y) { %s }"
    assert "Where" in ops(run_passes(text % (selu % "1.75"), PASS)[0])
    assert "Selu" in ops(run_passes(text % (selu.replace("a2c)", "ac)") % "1.5"), PASS)[0])


def test_an_attribute_of_a_function_is_not_known() -> None:
    text = """<ir_version: 10, opset_import: ["": 20, "local": 1]>
        agraph (float[3] x) => (float[3] y) { y = local.act <k = 0.5> (x) }
        <domain: "local", opset_import: ["": 20]>
        act <k> (x) => (y) { %s }"""
    body = LEAKY.replace("value_float = 0.25", "value_float: float = @k")
    assert "Where" in ops(run_passes(text % body, PASS)[0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            """agraph (float[4] x, float[4] low) => (float[4] y)
                { l = Less(x, low) y = Where(l, low, x) }""",
            "it is no Clip: low is not a scalar",
        ),
        (
            """agraph (float[4] x, float[3,1] s) => (float[3,4] y) {
                o = Constant <value = float {0}> () oc = CastLike(o, x)
                l = Less(x, oc) t = Mul(s, x) y = Where(l, t, x) }""",
            "it is no PRelu: s may broadcast the other operand to a larger shape",
        ),
        (
            """agraph (uint8[4] x) => (uint8[4] y) {
                o = Constant <value = float {0}> () oc = CastLike(o, x) y = Max(x, oc) }""",
            "it is no Relu: Relu does not take uint8",
        ),
    ],
)
def test_operands_that_only_the_body_takes_keep_it(text: str, why: str) -> None:
    model, records = run_passes(text, PASS)
    assert "Where" in ops(model) or "Max" in ops(model)
    assert why in reasons(records)


@pytest.mark.parametrize(
    ("scale", "kept"), [("float[6]", False), ("float[1]", True), ("float[1,6]", True)]
)
def test_a_norm_takes_the_normalized_shape_only(scale: str, kept: bool) -> None:
    text = f"""agraph (float[N,6] x, {scale} w) => (float[N,6] y) {{
        eps = Constant <value = float {{1e-05}}> () e = Cast <to = 1> (eps)
        s = Shape(x) rank = Size(s) at = Constant <value = int64 {{-1}}> ()
        from = Add(rank, at) one = Constant <value = int64 {{1}}> ()
        axes = Range(from, rank, one) u = Cast <to = 1> (x) q = Mul(u, u)
        mean = ReduceMean(q, axes) safe = Add(mean, e) r = Sqrt(safe) n = Div(u, r)
        t = Cast <to = 1> (n) y = Mul(t, w)
    }}"""
    model, records = run_passes(text, f"{PASS}, remove-dead-code", opset=23)
    assert (ops(model) == ["RMSNormalization"]) == (not kept)
    why = "it is no RMSNormalization: w may not have the shape that is normalized"
    assert reasons(records) == [why] * kept


def test_a_mask_may_not_enlarge_the_scores() -> None:
    text = """agraph (float[2,3,%s,8] q, float[2,3,6,8] k, float[2,3,6,8] v, float[4,6] m)
        => (float[2,3,4,8] y) { y = Attention(q, k, v, m) }"""
    model = parse_model(text % 4, opset=23)
    passes = "expand-missing-operators{ops=Attention}, infer-shapes"
    expanded = optimize(model, passes=passes).model
    expanded.graph.inputs[0].shape = parse_model(text % 1, opset=23).graph.inputs[0].shape
    for node in expanded.graph:
        for value in node.outputs:
            value.shape = None if not value.is_graph_output() else value.shape
    done = optimize(expanded, passes=PASS)
    assert "Attention" not in ops(done.model)
    why = "it is no Attention: m may broadcast the scores to a larger shape"
    assert why in reasons(done.records)


def test_an_opset_that_does_not_define_the_body_has_no_operator() -> None:
    text = """agraph (float[3] x) => (float[3] y) {
        a = Constant <value_float = 1.0> () ac = CastLike(a, x)
        m = Mul(ac, x) s = Sigmoid(m) y = Mul(x, s) }"""
    assert "Mul" in ops(run_passes(text, PASS, opset=23)[0])
    assert "Swish" in ops(run_passes(text, PASS, opset=24)[0])


def test_what_the_target_lacks_is_not_raised() -> None:
    text = f"agraph (float[3] x) => (float[3] y) {{ {LEAKY} }}"
    target = Target(limits=Limits(20, frozenset({"LeakyRelu"})))
    done = optimize(parse_model(text), passes=PASS, target=target)
    assert "LeakyRelu" not in ops(done.model)


def test_a_clip_without_bounds_stays_an_identity() -> None:
    text = "agraph (float[3] x) => (float[3] y) { y = Identity(x) }"
    assert ops(run_passes(text, PASS)[0]) == ["Identity"]


def test_a_result_that_feeds_an_operand_keeps_the_body() -> None:
    """The scale is computed from the mean that the same norm gives out."""
    text = """agraph (float[2,6] x, float[6] w) => (float[2,6] y, float[2,1] mean) {
        y, mean = LayerNormalization(x, w)
    }"""
    passes = "expand-missing-operators{ops=LayerNormalization}, infer-shapes, remove-dead-code"
    model = optimize(parse_model(text), passes=passes).model
    mean, w = model.graph.outputs[1], model.graph.inputs[1]
    total = parse_model(
        "agraph (float[2,1] m, float[6] w) => (float[6] s) { t = ReduceSum <keepdims = 0> (m) s = Add(t, w) }"
    )
    made = list(total.graph)
    total.graph.outputs.clear()
    total.graph.remove(made)
    made[0].replace_input_with(0, mean)
    readers = list(w.uses())
    made[1].replace_input_with(1, w)
    for use in readers:
        use.node.replace_input_with(use.idx, made[1].outputs[0])
    model.graph.extend(made)
    model.graph.sort()
    done = optimize(model, passes=PASS)
    assert "LayerNormalization" not in ops(done.model)
    assert "it is no LayerNormalization: one of its results feeds it" in reasons(done.records)
