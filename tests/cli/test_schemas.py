"""What commands print as JSON is as their schemas in ``docs/schema`` say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import pytest

Command: TypeAlias = Callable[..., Any]
SCHEMAS = Path(__file__).parents[2] / "docs/schema"


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_each_schema_is_one(path: Path) -> None:
    held = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(held)
    assert held["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert path.name in (SCHEMAS / "README.md").read_text()


@pytest.mark.parametrize("more", [[], ["--figures"], ["--only", "eliminate-identity"], ["-O0"]])
def test_the_diff_of_passes(run: Command, model: Path, more: list[str]) -> None:
    held = run("diff", model, "--json", *more).json
    jsonschema.validate(held, schema("pass-diff"))
    assert bool(held["passes"]) == (more != ["-O0"])


def test_the_history_in_an_artifact(run: Command, model: Path, tmp_path: Path) -> None:
    assert run("compile", model, "-o", tmp_path / "out", "-q").code == 0
    held = json.loads((tmp_path / "out/history.json").read_text())
    jsonschema.validate(held, schema("history"))
    assert any(step["hunks"] for step in held["passes"])
