"""Finding passes and backends: by walking packages, and through entry points."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import ClassVar

import pytest

from burnish import registry
from burnish.errors import InputError
from burnish.ir import Model
from burnish.passdef import Context, Pass
from burnish.pipeline import Pipeline


@dataclass(frozen=True)
class Theirs(Pass):
    name: ClassVar[str] = "their-pass"

    def run(self, model: Model, ctx: Context) -> None:
        """Change nothing."""


@dataclass(frozen=True)
class Clash(Pass):
    name: ClassVar[str] = "remove-dead-code"

    def run(self, model: Model, ctx: Context) -> None:
        """Change nothing."""


@dataclass(frozen=True)
class _Entry:
    found: type[Pass]

    def load(self) -> type[Pass]:
        return self.found


def install(monkeypatch: pytest.MonkeyPatch, *found: type[Pass]) -> None:
    """Pretend that another distribution registers these passes."""

    def entry_points(*, group: str) -> list[_Entry]:
        return [_Entry(item) for item in found] if group == "burnish.passes" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


# The uncached functions, so that no other test sees what is pretended here.
_pass_types = registry.pass_types.__wrapped__


def test_passes_are_found_in_their_files_by_name() -> None:
    found = registry.pass_types()
    assert list(found) == sorted(found)
    dead_code = found["remove-dead-code"]
    assert dead_code.__module__ == "burnish_passes.cleanup.remove_dead_code"
    for name, item in found.items():
        assert item.name == name


def test_an_entry_point_adds_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Theirs)
    assert _pass_types()["their-pass"] is Theirs
    assert _pass_types().keys() - {"their-pass"} == registry.pass_types().keys()


def test_two_of_one_name_are_an_error_that_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Clash)
    with pytest.raises(InputError) as caught:
        _pass_types()
    assert "burnish_passes.cleanup.remove_dead_code" in caught.value.what
    assert Clash.__module__ in caught.value.what
    assert caught.value.where == "burnish.passes 'remove-dead-code'"


def test_one_class_registered_twice_is_no_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Theirs, Theirs)
    assert _pass_types()["their-pass"] is Theirs


def test_a_backend_by_name() -> None:
    assert registry.backend("ort").name == "ort"
    assert "ort" in registry.backend_types()


def test_an_unknown_backend_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="no backend is named 'nowhere'") as caught:
        registry.backend("nowhere")
    assert all(name in caught.value.mend for name in registry.backend_types())


def test_every_preset_is_a_pipeline() -> None:
    presets = registry.presets()
    assert {"O0", "O1", "O2", "O3"} <= presets.keys()
    for text in presets.values():
        Pipeline.parse(text, presets)
