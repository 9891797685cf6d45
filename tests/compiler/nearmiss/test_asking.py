"""A pass that is asked what it would do says so, and does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from burnish.driver import optimize
from burnish.errors import InputError
from burnish.ir import Model, to_proto
from burnish.loading import load
from burnish.nearmiss import Answer, ask
from burnish.nearmiss.asking import asking_context
from burnish.passdef import Context, Pass
from burnish.registry import pass_types
from burnish.target import Target
from burnish.text import model_text, parse_model
from burnish_models import zoo

TEXT = "agraph (float[2] x) => (float[2] y) { a = Identity(x)  b = Identity(a)  y = Neg(b) }"


def test_a_pass_says_where_it_would_apply() -> None:
    model = parse_model(TEXT)
    answer = ask(pass_types()["eliminate-identity"](), model, asking_context(model, Target()))
    assert [remark.where for remark in answer.would] == ["Identity(a)", "Identity(b)"]
    assert model_text(model) == model_text(parse_model(TEXT))


def test_a_pass_that_has_nothing_to_do_says_nothing() -> None:
    model = optimize(to_proto(parse_model(TEXT))).model
    item = pass_types()["eliminate-identity"]()
    assert ask(item, model, asking_context(model, Target())) == Answer()


def test_a_pass_that_announces_nothing_is_not_run() -> None:
    model = parse_model(TEXT)
    item = pass_types()["infer-shapes"]()
    assert not item.counted
    assert ask(item, model, asking_context(model, Target())) == Answer()


def test_a_pass_that_cannot_run_says_why() -> None:
    @dataclass(frozen=True)
    class Needy(Pass):
        """Needs what nobody gave."""

        name: ClassVar[str] = "needy"
        counted: ClassVar[bool] = True

        def run(self, model: Model, ctx: Context) -> None:
            raise InputError("it needs data", mend="give some")

    model = parse_model(TEXT)
    answer = ask(Needy(), model, asking_context(model, Target()))
    assert answer == Answer(failed="it needs data; give some")


def test_a_context_that_does_not_refuse_is_not_used() -> None:
    model = parse_model(TEXT)
    item = pass_types()["eliminate-identity"]()
    assert ask(item, model, Context.of(model, Target())) == Answer()
    assert model_text(model) == model_text(parse_model(TEXT))


def test_no_pass_changes_a_model_when_it_is_asked() -> None:
    """All counted passes, one after the other, over every model of the zoo."""
    passes = [kind() for kind in pass_types().values()]
    for entry in zoo.all_models():
        model = load(entry.proto())
        before = model_text(model)
        ctx = asking_context(model, Target())
        for item in passes:
            ask(item, model, ctx)
        assert model_text(model) == before, entry.name
