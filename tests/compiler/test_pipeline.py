"""Pipelines: text and back, what is run how often, and what the records say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pytest

from burnish import pipeline
from burnish.errors import InputError, PassError, SpecError
from burnish.figures import Figures
from burnish.ir import Model
from burnish.passdef import Context, Exactness, Pass
from burnish.pipeline import Fixpoint, PassRecord, Pipeline
from burnish.target import Target
from burnish.text import model_text, parse_model

MODEL = """g (float[2,3] x, float[3,4] w) => (float[2,4] y) {
    a = Neg(x)
    b = Neg(a)
    c = Neg(b)
    y = MatMul(c, w)
}"""


@dataclass(frozen=True)
class Step(Pass):
    """Turns the first ``fro`` into ``to``; announces it."""

    name: ClassVar[str] = "step"
    counted: ClassVar[bool] = True
    fro: str = "Neg"
    to: str = "Abs"

    def run(self, model: Model, ctx: Context) -> None:
        """Change at most one node."""
        ctx.note(self.name, "the model", f"{self.fro} seen")
        for node in model.graph:
            if node.op_type == self.fro:
                if ctx.applies(self.name, node):
                    node.op_type = self.to
                return


@dataclass(frozen=True)
class Silent(Pass):
    """Turns every ``Neg`` into ``Abs`` without a word."""

    name: ClassVar[str] = "silent"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def run(self, model: Model, ctx: Context) -> None:
        """Change all."""
        for node in model.graph:
            if node.op_type == "Neg":
                node.op_type = "Abs"


@dataclass(frozen=True)
class LooksTwice(Pass):
    """Asks for the scopes between the announcement and the change."""

    name: ClassVar[str] = "looks-twice"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Change the first node."""
        if ctx.applies(self.name, model.graph[0]):
            ctx.scopes(model)
            model.graph[0].op_type = "Abs"


@dataclass(frozen=True)
class Choosy(Pass):
    name: ClassVar[str] = "choosy"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    limit: int | None = None
    strict: bool = False
    mode: Literal["fast", "slow"] = "fast"
    axes: tuple[int, ...] = ()
    scale: float = 1.0
    level: Exactness = Exactness.BITWISE

    def run(self, model: Model, ctx: Context) -> None:
        """Raise what the options ask for."""
        if self.strict:
            raise InputError("no such file")
        raise KeyError("lost")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, type[Pass]] = {item.name: item for item in (Step, Silent, LooksTwice, Choosy)}
    monkeypatch.setattr(pipeline, "pass_types", lambda: known)


def run(
    text: str, *, stop_after: int | None = None, record: bool = True
) -> tuple[Model, list[PassRecord]]:
    model = parse_model(MODEL)
    found = Pipeline.parse(text).run(model, Target(), stop_after=stop_after, record=record)
    return model, list(found)


def kinds(model: Model) -> list[str]:
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "step, silent",
        "fixpoint[step, silent], step",
        "fixpoint{limit=3}[step{fro=Abs}, fixpoint[silent]]",
        "choosy{limit=3,strict=true,mode=slow,axes=1/2,scale=0.5,level=lossy}",
    ],
)
def test_text_is_read_back(text: str) -> None:
    assert str(Pipeline.parse(text)) == text


def test_a_look_after_the_announcement_hides_no_change() -> None:
    _, (record,) = run("looks-twice")
    assert record.rewrites == 1
    assert record.diff.summary() == "~1"


def test_options_become_values() -> None:
    (item,) = Pipeline.parse("choosy{limit=3,strict=true,axes=1/2,level=float}").passes
    assert item == Choosy(limit=3, strict=True, axes=(1, 2), level=Exactness.FLOAT)
    assert Pipeline.parse("choosy{limit=none}").passes == (Choosy(),)


def test_presets_stand_for_their_text() -> None:
    presets = {"P": "step, Q", "Q": "fixpoint[silent]"}
    assert str(Pipeline.parse("P, silent", presets)) == "step, fixpoint[silent], silent"
    assert str(Pipeline.parse("fixpoint[Q]", presets)) == "fixpoint[fixpoint[silent]]"


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("step, stepp", 6, "no pass is named 'stepp'"),
        ("step[silent]", 0, "step takes no [passes]"),
        ("fixpoint", 0, "fixpoint needs [passes]"),
        ("fixpoint{limit=0}[step]", 0, "limit must be 1 or more"),
        ("fixpoint{limit=²}[step]", 0, "limit must be 1 or more"),
        ("fixpoint[]", 0, "fixpoint holds no pass"),
        ("fixpoint{rounds=2}[step]", 0, "fixpoint takes limit=N only"),
        ("step, step{x=1}", 6, "step has no option 'x'"),
        ("choosy{limit=many}", 0, "choosy{limit} cannot be 'many'"),
        ("choosy{strict=yes}", 0, "choosy{strict} must be true or false"),
        ("choosy{mode=odd}", 0, "choosy{mode} cannot be 'odd'"),
    ],
)
def test_what_is_wrong_has_a_caret(text: str, column: int, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        Pipeline.parse(text)
    assert (caught.value.column, caught.value.what) == (column, what)


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(SpecError, match="did you mean silent"):
        Pipeline.parse("silnt")


def test_the_weakest_promise_counts() -> None:
    assert Pipeline.parse("").exactness == Exactness.BITWISE
    assert Pipeline.parse("step").exactness == Exactness.BITWISE
    assert Pipeline.parse("step, fixpoint[silent], step").exactness == Exactness.FLOAT
    assert Pipeline.parse("silent, fixpoint[fixpoint[choosy]]").exactness == Exactness.LOSSY


def test_flat_opens_fixpoints_in_order() -> None:
    found = Pipeline.parse("step, fixpoint[silent, fixpoint[step{to=Exp}]], silent").flat()
    assert [item.spec for item in found] == ["step", "silent", "step{to=Exp}", "silent"]


def test_a_record_says_what_one_pass_did() -> None:
    _, (first, second) = run("step, step{to=Exp}")
    assert (first.index, first.spec, first.round) == (0, "step", 0)
    assert (second.index, second.spec, second.rewrites) == (1, "step{to=Exp}", 2)
    assert first.exactness == Exactness.BITWISE
    assert first.diff.changed == (("a = Neg(x)", "a = Abs(x)"),)
    assert second.diff.changed == (("b = Neg(a)", "b = Exp(a)"),)
    assert [item.kind for item in first.remarks] == ["note", "applied"]
    assert [item.where for item in second.remarks] == ["the model", "Neg(b)"]
    assert first.seconds >= 0


def test_figures_before_and_after_join_up() -> None:
    _, (first, second) = run("step{fro=MatMul,to=Own}, step")
    assert first.before == Figures(4, 0, 0, 24)
    assert first.after == second.before == Figures(4, 0, 0, 0)
    assert second.after == second.before


def test_a_fixpoint_stops_when_nothing_changes() -> None:
    model, records = run("fixpoint[step, step]")
    assert kinds(model) == ["Abs", "Abs", "Abs", "MatMul"]
    assert [item.round for item in records] == [1, 1, 2, 2]
    assert [item.rewrites for item in records] == [1, 2, 3, 3]
    assert not records[-1].diff


def test_a_pass_sees_again_the_graph_it_left() -> None:
    model, _ = run("fixpoint[step]")
    assert kinds(model) == ["Abs", "Abs", "Abs", "MatMul"]


def test_an_unannounced_change_brings_another_round() -> None:
    _, records = run("fixpoint[silent]")
    assert [bool(item.diff) for item in records] == [True, False]


def test_presets_that_name_each_other_are_refused() -> None:
    with pytest.raises(SpecError, match="no pass is named 'A'"):
        Pipeline.parse("A", {"A": "B", "B": "A"})


def test_a_fixpoint_stops_at_its_limit() -> None:
    model, records = run("fixpoint{limit=1}[step, step], step{to=Exp}")
    assert kinds(model) == ["Abs", "Abs", "Exp", "MatMul"]
    assert [item.round for item in records] == [1, 1, 0]


def test_a_pass_that_sees_the_same_graph_is_not_run_again() -> None:
    """The fourth round's first pass changes nothing, so the second need not look again."""
    _, records = run("fixpoint[step, step{fro=Exp}]")
    rounds = [(item.round, item.spec) for item in records]
    both = [(number, spec) for number in (1, 2, 3) for spec in ("step", "step{fro=Exp}")]
    assert rounds == [*both, (4, "step")]


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_stop_after_counts_rewrites_over_all_passes(limit: int) -> None:
    model, records = run("step, fixpoint[step, step]", stop_after=limit)
    assert kinds(model).count("Abs") == min(limit, 3)
    assert records[-1].rewrites == min(limit, 3)


def test_no_rewrite_at_all_leaves_the_text_as_it_was() -> None:
    model, records = run("fixpoint[step], step", stop_after=0)
    assert model_text(model) == model_text(parse_model(MODEL))
    assert not any(item.diff for item in records)


def test_without_recording_the_work_is_the_same() -> None:
    model, records = run("fixpoint[step, step], silent", record=False)
    watched, _ = run("fixpoint[step, step], silent")
    assert model_text(model) == model_text(watched)
    assert not any(item.diff for item in records)
    assert {item.after for item in records} == {Figures(0, 0, 0, None)}
    assert records[0].remarks
    assert records[-1].rewrites == 3


def test_a_pass_that_does_not_count_is_observed() -> None:
    _, (record,) = run("silent")
    assert record.rewrites == 1
    assert len(record.diff.changed) == 3


def test_a_pass_that_raises_is_named() -> None:
    with pytest.raises(PassError, match="KeyError: 'lost'") as caught:
        run("step, choosy{scale=2.0}")
    assert caught.value.where == "pass choosy{scale=2.0}"
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_expected_error_passes_through() -> None:
    with pytest.raises(InputError, match="no such file"):
        run("choosy{strict=true}")


def test_records_come_one_by_one_while_the_model_changes() -> None:
    model = parse_model(MODEL)
    records = Pipeline((Fixpoint((Step(),)),)).run(model, Target())
    next(records)
    assert kinds(model) == ["Abs", "Neg", "Neg", "MatMul"]


def test_without_a_pass_groups_that_become_empty_go_too() -> None:
    pipeline = Pipeline.parse("step, fixpoint{limit=3}[looks-twice, fixpoint[silent, silent]]")
    assert str(pipeline.without("silent")) == "step, fixpoint{limit=3}[looks-twice]"
    assert str(pipeline.without("looks-twice").without("silent")) == "step"
    assert pipeline.without("no-such-pass") == pipeline
