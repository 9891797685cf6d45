"""The house rules that no linter holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from burnish.registry import pass_types

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for folder in ("compiler", "passes", "backends", "models", "benchmarks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_fits_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_is_named_for_what_it_does(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "misc", "common"}


@pytest.mark.parametrize("name", sorted(pass_types()))
def test_a_pass_is_one_file_of_its_name(name: str) -> None:
    found = pass_types()[name]
    assert found.__module__.rpartition(".")[2] == name.replace("-", "_")
    others = [item for item in pass_types().values() if item.__module__ == found.__module__]
    assert others == [found]
    assert found.__doc__
