"""Rules that run again: they look where something changed, and where a condition was in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model, Node
from burnish.match import Match
from burnish.passdef import Context
from burnish.rewrite import Rule
from burnish.target import Target
from burnish.text import parse_model

CHAIN = """g (float[2] x) => (float[2] y) {
    a = Neg(x)
    b = Abs(a)
    c = Relu(x)
    d = Abs(c)
    y = Add(b, d)
}"""


@dataclass(frozen=True)
class Asked(Rule):
    """``Abs(Neg(x))``, never rewritten; says at which nodes its condition was asked."""

    name: ClassVar[str] = "asked"

    def before(self, op: Any, x: Any) -> Any:
        return op.Abs(op.Neg(x))

    def when(self, m: Match) -> None:
        m.require(False, "never")

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]


@dataclass(frozen=True)
class AskedLocally(Asked):
    name: ClassVar[str] = "asked-locally"
    local: ClassVar[bool] = True


def places(rule: Rule, model: Model, ctx: Context) -> list[str]:
    """Where ``rule`` declines in one more run."""
    rule.run(model, ctx)
    return [remark.where for remark in ctx.take_remarks() if remark.rule == rule.name]


def change(model: Model, ctx: Context, result: str, op_type: str) -> None:
    node: Node = next(item for item in model.graph if item.outputs[0].name == result)
    assert ctx.applies("test", node)
    node.op_type = op_type
    ctx.take_remarks()


def fresh() -> tuple[Model, Context]:
    model = parse_model(CHAIN)
    return model, Context.of(model, Target())


def test_a_condition_is_asked_again_whatever_changed() -> None:
    model, ctx = fresh()
    assert places(Asked(), model, ctx) == ["Abs(b)"]
    change(model, ctx, "y", "Mul")
    assert places(Asked(), model, ctx) == ["Abs(b)"]


def test_a_local_condition_is_asked_again_only_near_a_change() -> None:
    model, ctx = fresh()
    assert places(AskedLocally(), model, ctx) == ["Abs(b)"]
    change(model, ctx, "y", "Mul")
    assert places(AskedLocally(), model, ctx) == []
    change(model, ctx, "b", "Abs")
    assert places(AskedLocally(), model, ctx) == []
    change(model, ctx, "c", "Neg")
    assert places(AskedLocally(), model, ctx) == ["Abs(d)"]


def test_a_new_place_is_found_by_the_change_upstream() -> None:
    model, ctx = fresh()
    assert places(Asked(), model, ctx) == ["Abs(b)"]
    change(model, ctx, "c", "Neg")
    assert places(Asked(), model, ctx) == ["Abs(b)", "Abs(d)"]


def test_another_run_of_the_pipeline_looks_everywhere() -> None:
    model, ctx = fresh()
    assert places(AskedLocally(), model, ctx) == ["Abs(b)"]
    assert places(AskedLocally(), model, Context.of(model, Target())) == ["Abs(b)"]


def test_news_is_everything_first_and_then_what_changed() -> None:
    model, ctx = fresh()
    assert ctx.news(model, "one") is None
    assert ctx.news(model, "one") == []
    change(model, ctx, "c", "Neg")
    found = ctx.news(model, "one")
    assert found is not None
    assert [node.outputs[0].name for node in found] == ["c"]
    assert ctx.news(model, "other") is None


def test_what_passes_keep_is_one_object_for_each_type() -> None:
    _, ctx = fresh()
    kept = ctx.recall(dict)
    kept["a"] = 1
    assert ctx.recall(dict) == {"a": 1}
    assert ctx.recall(list) == []
