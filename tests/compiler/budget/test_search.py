"""The search on damages that are known beforehand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiler.budget.damage import Damaged, additive, costs, masking

from burnish.budget import Cost, Drop, Plan, keep_within, metric_named, most_builds
from burnish.errors import InputError

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/schema/budget.schema.json").read_text(encoding="utf-8")
)
LAYERS = ("a", "b", "c", "d", "e", "f")


def small(**losses: float) -> dict[str, float]:
    return dict.fromkeys(LAYERS, 0.0001) | losses


def reasons(plan: Plan) -> dict[str, str]:
    return {item.layer: item.why for item in plan.layers}


def test_a_harmless_quantization_takes_one_model() -> None:
    model = Damaged(LAYERS, additive(small()))
    plan = model.search()
    assert plan.within
    assert plan.kept == frozenset()
    assert model.built == [frozenset()]
    assert set(reasons(plan).values()) == {"no layer has to stay in float"}


@pytest.mark.parametrize(("quality", "fits"), [(0.995, True), (0.9949, False)])
def test_a_drop_that_is_the_budget_is_within(quality: float, fits: bool) -> None:
    """1 - 0.995 is more than 0.005 in floats."""
    plan = Damaged(LAYERS, lambda quantized: 1 - quality).search("0.5%")
    assert plan.within == fits
    assert plan.json()["limit"] == 0.005


def test_the_one_sensitive_layer_stays_float() -> None:
    plan = Damaged(LAYERS, additive(small(d=0.03))).search()
    assert plan.kept == {"d"}
    assert plan.drop == pytest.approx(0.0005)
    assert reasons(plan)["d"] == "alone costs 0.03 quality, more than the budget; float costs 1 ms"
    assert reasons(plan)["a"] == "alone costs 0.0001 quality"


def test_two_layers_that_hide_each_other_are_both_found() -> None:
    """One of them in float does not help: seen from the quantized model, neither matters."""
    plan = Damaged(LAYERS, masking("b", "e")).search()
    assert plan.kept == {"b", "e"}


def test_small_losses_add_up_and_the_cheap_ones_stay_float() -> None:
    prices = {layer: float(2**index) for index, layer in enumerate(LAYERS)}
    model = Damaged(LAYERS, additive(dict.fromkeys(LAYERS, 0.004)))
    plan = model.search(cost=costs(prices))
    assert plan.kept == {"a", "b", "c", "d"}
    assert reasons(plan)["a"] == (
        "alone costs 0.004 quality, with the others 0.012; float costs 1 ms"
    )


def test_a_layer_that_was_kept_for_nothing_is_quantized_again() -> None:
    """``a`` gains most per cost, but ``b`` has to stay float anyway and is enough."""
    model = Damaged(("a", "b"), additive({"a": 0.004, "b": 0.012}))
    plan = model.search(cost=costs({"a": 1.0, "b": 10.0}))
    assert plan.kept == {"b"}


def test_a_layer_that_is_faster_in_float_stays_so_once_there_is_a_choice() -> None:
    prices = dict.fromkeys(LAYERS, 1.0) | {"c": -0.25}
    plan = Damaged(LAYERS, additive(small(d=0.03))).search(cost=costs(prices))
    assert plan.kept == {"c", "d"}
    assert reasons(plan)["c"] == "in int8 it gains nothing: float costs -0.25 ms"


def test_even_all_float_may_not_be_within() -> None:
    model = Damaged(LAYERS, lambda quantized: 0.02 + 0.01 * len(quantized))
    plan = model.search()
    assert not plan.within
    assert plan.kept == set(LAYERS)
    assert plan.drop == pytest.approx(0.02)
    assert model.built == [frozenset(), frozenset(LAYERS)]
    assert any(
        "even with every layer in float quality falls by 0.02" in note for note in plan.notes
    )
    assert "NOT within the budget of 1%" in plan.summary()


def test_a_model_that_answers_no_numbers_is_not_within() -> None:
    plan = Damaged(LAYERS, lambda quantized: math.nan if "c" in quantized else 0.0).search()
    assert plan.kept == {"c"}
    assert reasons(plan)["c"].startswith("alone breaks the model")


def test_too_few_samples_for_the_budget_are_noted() -> None:
    layers = ("a", "b")
    model = Damaged(layers, additive({"a": 0.0, "b": 0.2}))
    reference = [{"y": np.eye(10)}]

    def answers(built: Any) -> list[dict[str, Any]]:
        turned = np.eye(10)
        if "b" not in built:
            turned[:2] = turned[1::-1]
        return [{"y": turned}]

    plan = keep_within(
        model.build,
        layers,
        metric_named("agreement"),
        answers,
        Drop.parse("5%"),
        costs(dict.fromkeys(layers, 1.0)),
        reference=reference,
    )
    assert plan.kept == {"b"}
    assert {item.layer: item.why for item in plan.layers} == {
        "a": "costs nothing measurable",
        "b": "alone costs 20 % top-1 agreement, more than the budget; float costs 1 ms",
    }
    (note,) = plan.notes
    assert note.startswith("one of 10 decisions is 10 %, more than the budget of 5%: none may")


def test_where_the_metric_sees_nothing_the_noise_ranks() -> None:
    """All three flip the decision; alone none does."""
    noise = {"a": 0.2, "b": 0.1, "c": 0.3}
    model = Damaged(tuple(noise), additive(noise))

    def answers(built: Any) -> list[dict[str, Any]]:
        lost = sum(noise[layer] for layer in sorted(set(noise) - built))
        return [{"y": np.array([[1.0 - lost, 0.65]])}]

    plan = keep_within(
        model.build,
        tuple(noise),
        metric_named("agreement"),
        answers,
        Drop.parse("0"),
        costs(dict.fromkeys(noise, 1.0)),
        reference=[{"y": np.array([[1.0, 0.65]])}],
    )
    assert plan.kept == {"c"}
    assert [item.alone for item in plan.layers] == [0.0, 0.0, 0.0]
    levels = {item.layer: item.noise or 0.0 for item in plan.layers}
    assert levels["c"] > levels["a"] > levels["b"] > 0


def test_stopped_early_the_best_so_far_is_kept() -> None:
    model = Damaged(LAYERS, additive(small(d=0.03)))
    plan = model.search(max_builds=4)
    assert len(model.built) == 4
    assert plan.within
    assert any(note.startswith("stopped after 4 models") for note in plan.notes)


def test_no_layer_at_all() -> None:
    plan = Damaged((), lambda quantized: 0.5).search()
    assert not plan.within
    assert plan.layers == ()
    assert plan.builds == 1


def test_for_people() -> None:
    lines = Damaged(LAYERS, additive(small(d=0.03))).search(form="int4").lines()
    assert lines[0].startswith(
        "5 of 6 layers in int4: quality falls by 0.0005, within the budget of 1% (10 models tried"
    )
    assert lines[1] == "  a  int4: alone costs 0.0001 quality"
    assert lines[4].startswith("  d  float: alone costs 0.03 quality, more than the budget")
    assert len(lines) == 7
    harmless = Damaged(LAYERS, additive(small())).search().lines()
    assert harmless[1:] == ["  all layers: no layer has to stay in float"]


def test_reference_answers_are_needed_more_than_once() -> None:
    model = Damaged(LAYERS, additive(small()))
    with pytest.raises(InputError, match=r"reference answers: an iterator .* give a list"):
        keep_within(
            model.build,
            LAYERS,
            metric_named("cosine"),
            model.evaluate,
            Drop.parse("1%"),
            reference=iter([{"y": np.ones(2)}]),
        )
    assert model.built == []


def test_two_layers_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="b: two layers have this name"):
        Damaged(("a", "b", "b"), masking()).search()


def test_each_model_is_told_of() -> None:
    told: list[str] = []
    model = Damaged(LAYERS, additive(small(d=0.03)))
    model.search(progress=told.append)
    assert len(told) == len(model.built)
    assert told[0] == "model 1 of at most 17: every layer in int8"
    assert "model 6 of at most 17: only d in int8" in told


def test_costs_are_asked_once_and_only_when_needed() -> None:
    asked: list[str] = []

    def ask(layer: str) -> float:
        asked.append(layer)
        return 1.0

    Damaged(LAYERS, additive(small())).search(cost=Cost("ms", ask))
    assert asked == []
    Damaged(LAYERS, additive(small(d=0.03))).search(cost=Cost("ms", ask))
    assert asked == list(LAYERS)


@pytest.mark.parametrize("damage", [additive(small()), masking("b"), lambda _: math.nan])
def test_a_plan_is_what_its_schema_says(damage: object) -> None:
    plan = Damaged(LAYERS, damage).search()  # type: ignore[arg-type]
    text = json.dumps(plan.json(), allow_nan=False)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(text))
    assert json.loads(text)["layers"][1]["name"] == "b"


# --- properties

losses = st.lists(st.sampled_from([0.0, 0.001, 0.003, 0.004, 0.008, 0.02, 0.5]), max_size=9)
prices = st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0]), min_size=9, max_size=9)


@settings(deadline=None)
@given(losses, prices)
def test_of_additive_losses_no_kept_layer_could_be_quantized_too(
    lost: list[float], paid: list[float]
) -> None:
    names = [f"layer{index}" for index in range(len(lost))]
    each = dict(zip(names, lost, strict=True))
    price = dict(zip(names, paid, strict=False))
    model = Damaged(names, additive(each))
    plan = model.search(cost=costs(price))
    assert plan.within
    assert model.loss(plan.kept) <= 0.01 + 1e-8
    for layer in plan.kept:
        if price[layer] > 0:
            assert model.loss(plan.kept - {layer}) > 0.01


@settings(deadline=None)
@given(st.integers(0, 9), st.randoms(use_true_random=False), prices)
def test_of_any_damage_the_best_that_was_judged_is_kept(
    count: int, random: object, paid: list[float]
) -> None:
    """Damages without rhyme or reason: more layers may even lose less."""
    names = [f"layer{index}" for index in range(count)]
    known: dict[frozenset[str], float] = {}

    def damage(quantized: frozenset[str]) -> float:
        return known.setdefault(quantized, random.choice([0.0, 0.005, 0.02, 0.3, math.nan]))  # type: ignore[attr-defined]

    price = dict(zip(names, paid, strict=False))
    model = Damaged(names, damage)
    plan = model.search(cost=costs(price))
    fitting = [kept for kept in model.built if model.loss(kept) <= 0.01]
    assert plan.within == bool(fitting)
    assert plan.kept in (fitting or model.built)
    if fitting and frozenset() not in fitting:
        spent = sum(price[layer] for layer in plan.kept)
        assert spent <= min(sum(price[layer] for layer in kept) for kept in fitting) + 1e-9
    assert len(model.built) == plan.builds <= most_builds(count)
    assert len(set(model.built)) == len(model.built)


@settings(deadline=None)
@given(losses)
def test_the_same_search_twice_is_the_same(lost: list[float]) -> None:
    names = [f"layer{index}" for index in range(len(lost))]
    each = dict(zip(names, lost, strict=True))
    one, other = (Damaged(names, additive(each)).search() for _ in range(2))
    assert {**one.json(), "seconds": 0} == {**other.json(), "seconds": 0}
