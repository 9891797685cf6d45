"""The levels keep their promises, and nothing is forgotten."""

from __future__ import annotations

import pytest

from burnish.passdef import Exactness
from burnish.pipeline import Pipeline
from burnish.registry import pass_types, presets


@pytest.mark.parametrize(
    ("level", "allowed"),
    [("O1", Exactness.BITWISE), ("O2", Exactness.FLOAT), ("O3", Exactness.FLOAT)],
)
def test_a_level_is_as_exact_as_it_says(level: str, allowed: Exactness) -> None:
    assert Pipeline.parse(level, presets()).exactness == allowed


def test_level_zero_does_nothing() -> None:
    assert Pipeline.parse("O0", presets()).passes == ()


def test_every_pass_is_in_a_preset_unless_it_changes_the_interface_or_must_be_asked_for() -> None:
    used = {item.name for name in presets() for item in Pipeline.parse(name, presets()).flat()}
    left = {name for name, found in pass_types().items() if name not in used}
    assert left == {
        name
        for name in left
        if not pass_types()[name].keeps_interface or pass_types()[name].exactness is Exactness.LOSSY
    }
