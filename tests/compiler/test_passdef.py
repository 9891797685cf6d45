"""What every pass gets: names, fuel, remarks, and how it prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.ir import Model, names_in_use
from burnish.passdef import Context, Exactness, Fuel, Names, Pass, Remark, option_text
from burnish.target import Target
from burnish.text import parse_model

BRANCHES = """g (float[2] x, bool c) => (float[2] y) <float[2] w = {1, 2}> {
    t = Neg(x)
    y = If (c) <then_branch = yes () => (float[2] p) { p = Abs(t) },
                else_branch = no () => (float[2] q) <float[2] v = {1, 2}> { q = Add(t, v) }>
}"""


@dataclass(frozen=True)
class Idle(Pass):
    name: ClassVar[str] = "idle"
    limit: int = 8
    strict: bool = False
    axes: tuple[int, ...] = ()
    level: Exactness = Exactness.BITWISE

    def run(self, model: Model, ctx: Context) -> None:
        """Change nothing."""


class Bare(Pass):
    name: ClassVar[str] = "bare"

    def run(self, model: Model, ctx: Context) -> None:
        """Change nothing."""


def context(fuel: int | None = None) -> tuple[Model, Context]:
    model = parse_model(BRANCHES)
    return model, Context.of(model, Target(), Fuel(fuel))


_HINTS = st.lists(st.sampled_from(["", "t", "t_1", "t_2", "t_1_1", "x", "_1"]), max_size=25)


@given(_HINTS, st.sets(st.sampled_from(["t", "t_1", "t_3", "x", "_1"])))
def test_fresh_names_never_repeat_nor_shadow(hints: list[str], taken: set[str]) -> None:
    names = Names(taken)
    made = [names.fresh(hint) for hint in hints]
    assert len(set(made)) == len(made)
    assert not taken & set(made)
    assert all(made)
    assert all(name.startswith(hint) for hint, name in zip(hints, made, strict=True))


def test_equal_calls_give_equal_names() -> None:
    one, other = Names(["a"]), Names(["a"])
    assert [one.fresh("a") for _ in range(3)] == [other.fresh("a") for _ in range(3)]


def test_an_unused_hint_is_the_name() -> None:
    assert Names(["a"]).fresh("b") == "b"


def test_names_taken_later_are_not_handed_out() -> None:
    names = Names([])
    names.take(["a", "a_1"])
    assert names.fresh("a") == "a_2"


def test_names_of_inner_scopes_are_taken_too() -> None:
    model, ctx = context()
    inside = {"x", "c", "y", "w", "t", "p", "q", "v"}
    assert names_in_use(model) == inside
    assert not {ctx.names.fresh(name) for name in inside} & inside


def test_fuel_refuses_after_the_last_change_allowed() -> None:
    fuel = Fuel(2)
    assert [fuel.take() for _ in range(4)] == [True, True, False, False]
    assert fuel.spent == 2
    assert all(Fuel().take() for _ in range(3))
    assert not Fuel(0).take()


def test_a_refused_change_leaves_no_remark() -> None:
    model, ctx = context(fuel=1)
    assert ctx.applies("rule", model.graph[0], "because")
    assert not ctx.applies("rule", model.graph[1])
    assert ctx.take_remarks() == (Remark("applied", "rule", "Neg(t)", "because"),)
    assert ctx.fuel.spent == 1


def test_remarks_are_given_once_each_in_order_and_taken_once() -> None:
    model, ctx = context()
    ctx.declined("rule", model.graph[0], "no")
    ctx.note("rule", "the model", "hm")
    ctx.declined("rule", model.graph[0], "no")
    ctx.declined("rule", model.graph[0], "another reason")
    taken = ctx.take_remarks()
    assert [str(remark) for remark in taken] == [
        "declined rule at Neg(t): no",
        "note rule at the model: hm",
        "declined rule at Neg(t): another reason",
    ]
    assert ctx.take_remarks() == ()
    ctx.declined("rule", model.graph[0], "no")
    assert len(ctx.take_remarks()) == 1


def test_a_remark_without_a_reason_ends_after_the_place() -> None:
    assert str(Remark("applied", "rule", "n")) == "applied rule at n"


def test_declining_spends_no_fuel() -> None:
    _, ctx = context(fuel=1)
    ctx.declined("rule", "n", "no")
    ctx.note("rule", "n", "hm")
    assert ctx.fuel.spent == 0


def test_nodes_are_found_by_kind_in_order_with_their_scopes() -> None:
    model, ctx = context()
    found = ctx.nodes(model, [("", "Add"), ("", "Neg"), ("other", "Abs")])
    assert [node.op_type for node, _ in found] == ["Neg", "Add"]
    assert [scope.depth for _, scope in found] == [0, 1]


def test_scopes_are_found_anew_after_a_change_that_was_announced() -> None:
    model, ctx = context()
    assert len(ctx.scopes(model)) == 3
    assert ctx.applies("rule", "If")
    model.graph.remove(model.graph[1])
    assert [scope.depth for scope in ctx.scopes(model)] == [0]


def test_scopes_are_found_anew_after_forgetting() -> None:
    model, ctx = context()
    assert len(ctx.nodes(model, [("", "Neg")])) == 1
    model.graph[0].op_type = "Abs"
    ctx.forget()
    assert ctx.nodes(model, [("", "Neg")]) == []


@pytest.mark.parametrize(
    ("item", "spec"),
    [
        (Bare(), "bare"),
        (Idle(), "idle"),
        (Idle(limit=8, strict=False), "idle"),
        (Idle(limit=3), "idle{limit=3}"),
        (Idle(strict=True, axes=(1, 2)), "idle{strict=true,axes=1/2}"),
        (Idle(level=Exactness.FLOAT), "idle{level=float}"),
    ],
)
def test_a_pass_prints_the_options_that_are_not_its_defaults(item: Pass, spec: str) -> None:
    assert item.spec == spec


def test_option_values_as_text() -> None:
    values = (True, False, Exactness.LOSSY, (1, True), 2.5, "a")
    assert [option_text(value) for value in values] == [
        "true",
        "false",
        "lossy",
        "1/true",
        "2.5",
        "a",
    ]
