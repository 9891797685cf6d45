"""Remedies are offered where they help, and only there."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from burnish.driver import optimize, pipeline_of
from burnish.ir import Shape, label
from burnish.nearmiss import ask
from burnish.nearmiss.asking import asking_context
from burnish.passdef import Context
from burnish.registry import pass_types
from burnish.target import Target, parse_target
from burnish.text import parse_model
from burnish.views.remedies import Situation, remedy

TEXT = """agraph (float[N,K,8] x, float[8,4] w) => (float[N,K,4] y) <float[8,4] w = {LONG}> {
    a = MatMul(x, w)
    y = Softmax(a)
}""".replace("LONG", ", ".join(["1"] * 32))


def situation(passes: str = "O2", *, opset: int = 20, target: Target | None = None) -> Situation:
    target = target or Target()
    model = parse_model(TEXT, opset=opset)
    shapes = Context.of(model, target).shapes
    return Situation.of(model, shapes, target, pipeline_of(passes, target))


def helped(why: str, here: Situation, op_type: str = "MatMul") -> str:
    nodes = [node for node in here.model.graph if node.op_type == op_type]
    assert nodes
    return remedy(why, here, nodes) or ""


@pytest.mark.parametrize(
    "why",
    [
        "opset 13 has no LayerNormalization",
        "Gelu needs opset 20",
        "GroupNormalization has a scale for each channel from opset 21",
        "not every operator broadcasts at opset 13",
    ],
)
def test_an_opset_is_raised_where_it_was_not(why: str) -> None:
    text = helped(why, situation("eliminate-identity", opset=13))
    assert "raise-opset" in text
    assert "-O2" in text


def test_where_raising_was_tried_the_reason_is_pointed_to() -> None:
    text = helped("Gelu needs opset 20", situation("raise-opset", opset=13))
    assert "ended at opset 13" in text
    assert "-O2" not in text


def test_what_has_not_run_up_to_here_is_not_said_to_have_ended() -> None:
    model = parse_model(TEXT, opset=13)
    shapes = Context.of(model, Target()).shapes
    here = Situation.of(model, shapes, Target(), pipeline_of("raise-opset", Target()), ran=())
    text = helped("Gelu needs opset 20", here)
    assert text == "raise-opset has not run up to here; it does later"


@pytest.mark.parametrize("name", ["batch size", "it's", "größe"])
def test_names_are_quoted_for_the_shell(name: str) -> None:
    model = parse_model(TEXT)
    model.graph.inputs[0].shape = Shape([name, 2, 8])
    here = Situation.of(
        model, Context.of(model, Target()).shapes, Target(), pipeline_of("O2", Target())
    )
    words = shlex.split(helped("the size is not known", here).partition("bind it: ")[2])
    assert words == ["--dim", f"{name}=N"]


def test_no_opset_beyond_the_target_or_below_the_model() -> None:
    limits = replace(Target().limits, highest_opset=17)
    old = replace(Target(), limits=limits)
    assert not helped("Gelu needs opset 20", situation("eliminate-identity", opset=13, target=old))
    assert not helped("opset 13 has no Gelu", situation("eliminate-identity", opset=13, target=old))
    assert not helped("Gelu needs opset 20", situation("eliminate-identity", opset=21))
    assert not helped("opset 20 has no NeverHeardOf", situation("eliminate-identity"))


def test_defaults_are_frozen_where_one_is_in_the_way() -> None:
    assert "freeze-initializers" in helped("the matrix is not a constant", situation())
    here = replace(situation(), model=(model := parse_model(TEXT.replace(", float[8,4] w)", ")"))))
    matmul = [node for node in model.graph if node.op_type == "MatMul"]
    assert remedy("the matrix is not a constant", here, matmul) is None


def test_sizes_are_bound_by_the_names_that_the_model_declares() -> None:
    text = helped("the size of x varies", situation(), "Softmax")
    assert "--dim N=N" in text
    assert "--dim K=N" in text


def test_no_size_is_bound_where_none_is_open() -> None:
    here = situation()
    fixed = replace(here, model=(model := parse_model(TEXT.replace("N,K", "2,3"))))
    fixed = replace(fixed, shapes=Context.of(model, Target()).shapes)
    assert not helped("the size of x varies", fixed, "Softmax")


def test_an_input_without_a_rank_gets_a_shape() -> None:
    model = parse_model("agraph (float[] x) => (float[] y) { y = Softmax(x) }")
    shapes = Context.of(model, Target()).shapes
    here = Situation.of(model, shapes, Target(), pipeline_of("O2", Target()))
    assert "--input-shape x=" in helped("the rank of x is not known", here, "Softmax")


def test_another_target_is_named_where_it_takes_the_operator() -> None:
    here = situation()
    assert "--target onnx" in helped("ort-cpu has no good kernel for Swish", here)
    part = "ort-cpu has no Attention with left_window_size"
    assert "--target onnx" in helped(part, here)


def test_no_target_is_named_where_none_takes_the_operator() -> None:
    assert not helped(
        "somewhere has no good kernel for Swish", situation(target=parse_target("onnx"))
    )


def test_growth_is_named_in_bytes() -> None:
    assert "fold-constants{growth=90}" in helped("its 100 bytes would replace 10", situation())


@pytest.mark.parametrize("why", ["c has another reader", "c is a graph output", "an axis is named twice"])  # fmt: skip
def test_nothing_is_offered_where_nothing_helps(why: str) -> None:
    assert not helped(why, situation())


def test_the_growth_named_does_fold() -> None:
    values = ", ".join(str(n) for n in range(64))
    text = f"""agraph (float[64,64] x) => (float[64,64] y) <float[64,1] a = {{{values}}},
        float[1,64] b = {{{values}}}> {{ c = Mul(a, b)  y = Add(x, c) }}"""
    model = parse_model(text)
    small = pass_types()["fold-constants"](growth=0)
    (declined,) = ask(small, model, asking_context(model, Target())).remarks
    text = remedy(declined.why, situation(), [node for node in model.graph if label(node) == declined.where]) or ""  # fmt: skip
    spec = text.rpartition(": ")[2]
    assert spec.startswith("fold-constants{growth=")
    done = optimize(model, passes=spec)
    assert [node.op_type for node in done.model.graph] == ["Add"]
