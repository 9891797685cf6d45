"""A miscompile planted in any rule is found, down to the rule and the node."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.compiler.culprit.plants import PLANTS, Plant

from burnish.culprit import bisect
from burnish.driver import optimize
from burnish.registry import pass_types

over_plants = pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)


def test_there_are_twenty_in_rules_of_many_kinds() -> None:
    assert len({(plant.rule, plant.member) for plant in PLANTS}) >= 20
    homes = {pass_types()[plant.rule].__module__.split(".")[1] for plant in PLANTS}
    assert len(homes) >= 8


@over_plants
def test_the_rule_and_the_node_are_found_and_the_reproducer_shows_it(
    plant: Plant, tmp_path: Path
) -> None:
    model, folder = plant.model(), tmp_path / "repro"
    with pytest.MonkeyPatch.context() as patch:
        plant.plant(patch)
        found = bisect(model, out=folder)
        culprit = found.culprit
        assert culprit is not None
        assert (culprit.rule, culprit.member, culprit.node) == (
            plant.rule,
            plant.member,
            plant.node,
        )
        made = found.reproducer
        assert made is not None
        assert made.spec.partition("{")[0] == plant.rule
        assert made.nodes <= made.whole
        again = bisect(folder)
        assert again.culprit is not None
        assert (again.culprit.rule, again.culprit.member) == (plant.rule, plant.member)
    assert bisect(folder).culprit is None  # mended


@over_plants
def test_other_rules_fire_on_its_model_too(plant: Plant) -> None:
    applied = {
        remark.rule
        for record in optimize(plant.model()).records
        for remark in record.remarks
        if remark.kind == "applied"
    }
    assert applied - {plant.rule}
