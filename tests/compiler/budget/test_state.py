"""A search that was interrupted goes on where it was."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from tests.compiler.budget.damage import Damaged, additive

from burnish.budget import Plan
from burnish.errors import InputError

LAYERS = ("a", "b", "c", "d", "e", "f")
LOSSES = {"a": 0.004, "b": 0.0, "c": 0.03, "d": 0.006, "e": 0.002, "f": 0.0}


def plain(plan: Plan) -> dict[str, object]:
    return {**plan.json(), "seconds": 0, "resumed": 0}


def whole() -> Damaged:
    return Damaged(LAYERS, additive(LOSSES))


def test_an_interrupt_at_any_place_changes_nothing(tmp_path: Path) -> None:
    model = whole()
    expected = plain(model.search())
    for place in range(len(model.built)):
        path = tmp_path / f"{place}.json"
        first, second = whole(), whole()
        first.stop_at = place
        with pytest.raises(KeyboardInterrupt):
            first.search(state=path)
        plan = second.search(state=path)
        assert plain(plan) == expected
        assert plan.resumed == place
        assert first.built + second.built == model.built
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted(
        f"{place}.json" for place in range(len(model.built))
    )


def test_another_budget_uses_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    whole().search("1%", state=path)
    again = whole()
    plan = again.search("0.3%", state=path)
    assert plan.within
    assert plan.drop <= 0.003 + 1e-9
    fresh = whole()
    assert fresh.search("0.3%").kept == plan.kept
    assert len(again.built) < len(fresh.built)


def test_infinite_and_missing_numbers_survive(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    model = Damaged(LAYERS, lambda quantized: math.nan if "c" in quantized else -math.inf)
    expected = plain(model.search(state=path))
    again = Damaged(LAYERS, model.damage)
    assert plain(again.search(state=path)) == expected
    assert again.built == []


@pytest.mark.parametrize(
    ("how", "other"),
    [
        ({"about": "digest 2"}, "model, data or settings"),
        ({"cost": None}, "cost"),
    ],
)
def test_the_state_of_another_search_is_refused(
    tmp_path: Path, how: dict[str, object], other: str
) -> None:
    path = tmp_path / "state.json"
    whole().search(state=path, about="digest 1")
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"a search with another {other}; name another file"):
        whole().search(state=path, **{"about": "digest 1", **how})
    assert path.read_bytes() == before


def test_other_layers_are_another_search(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    whole().search(state=path)
    with pytest.raises(InputError, match="another layers"):
        Damaged(LAYERS[:5], additive(LOSSES)).search(state=path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": "burnish-budget-state-1"}', '"x"', "\xff"]
)
def test_a_file_that_is_not_ours_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(text.encode("latin-1"))
    model = whole()
    with pytest.raises(InputError, match="this is no state of a search"):
        model.search(state=path)
    assert path.read_bytes() == text.encode("latin-1")
    assert model.built == []


def test_a_folder_that_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    model = whole()
    with pytest.raises(InputError, match="cannot be written"):
        model.search(state=tmp_path / "file" / "state.json")
    assert model.built == []


def test_what_is_written_is_read_by_people(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    whole().search(state=path, max_builds=3)
    held = json.loads(path.read_text())
    assert held["layers"] == list(LAYERS)
    assert [set(entry) & {"float", "quantized"} for entry in held["evaluated"]] == [
        {"float"},
        {"quantized"},
        {"quantized"},
    ]
