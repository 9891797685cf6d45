"""A run taken again up to a moment stands where the whole run stood then."""

from __future__ import annotations

import pytest
from tests.compiler.culprit import faulty

from burnish.culprit.course import Course, Moment
from burnish.ir import Model
from burnish.passdef import Exactness, Fuel, Rewrite
from burnish.pipeline import Pipeline
from burnish.registry import presets
from burnish.target import Target
from burnish.text import model_text, parse_model
from burnish_models import zoo

TEXT = """agraph (float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}> {
    i = Identity (x)
    j = Identity (i)
    a = Neg (j)
    b = Sin (a)
    c = Neg (b)
    y = Add (c, w)
}"""


@pytest.fixture(autouse=True)
def _passes(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty.register(monkeypatch)


def course(passes: str, text: str = TEXT, stop_after: int | None = None) -> Course:
    pipeline = Pipeline.parse(passes, presets())
    return Course(parse_model(text), pipeline, Target(), stop_after)


def ops(model: Model) -> list[str]:
    return [node.op_type for node in model.graph]


def test_moments_name_the_pass_of_each_rewrite() -> None:
    run = course("eliminate-identity, remove-dead-code, breaks")
    assert run.total == 3
    assert [run.moment(number) for number in range(5)] == [
        Moment(0, 0),
        Moment(1, 1),
        Moment(1, 2),
        Moment(3, 3),
        Moment(3, None),
    ]


def test_a_moment_stands_before_passes_that_have_not_begun() -> None:
    run = course("eliminate-identity, quietly, breaks")
    weight = run.at(Moment(1, 2)).model.graph.initializers["w"].const_value
    assert weight is not None
    assert weight.numpy().tolist() == [1, 2, 3, 4]
    assert ops(run.at(Moment(1, 1)).model) == ["Identity", "Neg", "Sin", "Neg", "Add"]
    assert ops(run.at(Moment(0, 0)).model) == ops(run.source)


def test_a_state_knows_the_weakest_promise_so_far() -> None:
    run = course("eliminate-identity, drifts")
    assert run.at(run.moment(2)).exactness == Exactness.BITWISE
    assert run.at(run.moment(3)).exactness == Exactness.FLOAT


@pytest.mark.parametrize("name", ["conv_bn", "conv_bias_bn", "conv_group_bn"])
def test_the_last_moment_is_the_end(name: str) -> None:
    from burnish.loading import load

    pipeline = Pipeline.parse("O2", presets())
    run = Course(load(zoo.get(name).proto()), pipeline, Target())
    assert run.total > 0
    last = run.at(run.moment(run.finish)).model
    assert model_text(last) == model_text(run.end.model)


def test_a_change_is_that_of_one_rewrite_alone() -> None:
    run = course("eliminate-identity, breaks")
    change = run.change(run.moment(1), run.moment(2))
    assert change.rewrite == Rewrite("eliminate-identity", "Identity(j)", "DropIdentity")
    assert [line for line in change.diff.lines if line[0] in "-+"] == [
        "-  j = Identity(x)",
        "-  a = Neg(j)",
        "+  a = Neg(x)",
    ]
    assert change.sources == ("Identity(j)",)  # the Neg only reads something else


def test_what_a_pass_clears_away_later_is_not_laid_to_the_rewrite() -> None:
    """This pass removes only at its end what its rewrites left."""
    text = """agraph (float[N, 4] x) => (float[2] y) {
        zero = Constant <value = int64 {0}> ()
        one = Constant <value = int64 {1}> ()
        s = Shape (x)
        a = Gather (s, one)
        t = Shape (x)
        b = Gather (t, one)
        f = Cast <to = 1> (a)
        g = Cast <to = 1> (b)
        axes = Constant <value = int64[1] {0}> ()
        h = Unsqueeze (f, axes)
        i = Unsqueeze (g, axes)
        y = Concat <axis = 0> (h, i)
    }"""
    run = course("fold-shape-arithmetic", text)
    assert run.total >= 2
    for number in range(1, run.total + 1):
        good, bad = Moment(1, number - 1), run.moment(number)
        before, after = (model_text(run.at(moment).model) for moment in (good, bad))
        for line in run.change(good, bad).diff.lines:
            if line[0] in "-+":
                there, gone = (before, after) if line[0] == "-" else (after, before)
                assert line[3:] in there
                assert f"  {line[3:]}\n" not in gone


def test_a_pass_that_raises_ends_the_course() -> None:
    run = course("eliminate-identity, fails, breaks")
    assert run.end.fault is not None
    assert (run.end.fault.spec, run.end.fault.where) == ("fails", "pass fails")
    assert len(run.records) == 1
    assert run.total == 4  # the last one was allowed, and then it failed
    assert run.moment(run.finish) == Moment(2, None)
    assert run.at(Moment(2, 3)).fault is None


def test_the_limit_of_the_whole_run_is_kept() -> None:
    run = course("eliminate-identity, breaks", stop_after=1)
    assert run.total == 1
    assert run.moment(run.finish) == Moment(2, 1)


def test_fuel_remembers_the_last_rewrite() -> None:
    fuel = Fuel(2)
    model = parse_model(TEXT)
    list(Pipeline.parse("eliminate-identity, breaks").run(model, Target(), fuel=fuel))
    assert fuel.spent == 2
    assert fuel.last == Rewrite("eliminate-identity", "Identity(j)", "DropIdentity")


def test_an_unannounced_change_is_the_last_rewrite() -> None:
    fuel = Fuel()
    model = parse_model(TEXT)
    list(Pipeline.parse("eliminate-identity, quietly").run(model, Target(), fuel=fuel))
    assert fuel.last == Rewrite("quietly", "model")
