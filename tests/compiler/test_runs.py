"""Two runs compared, pass by pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import onnx
import pytest

import burnish
from burnish.errors import InputError
from burnish.views.runs import diff_artifacts

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models/burnish_models/digits/digits.onnx"
SCHEMA = json.loads((ROOT / "docs/schema/run-diff.schema.json").read_text())


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    def built(name: str, source: Any = DIGITS, **more: Any) -> Path:
        return burnish.compile(source, tmp_path / name, verify=False, **more).path

    return built


def test_two_equal_runs_do_not_differ(build: Callable[..., Path]) -> None:
    found = diff_artifacts(build("one"), build("two"))
    assert not found
    assert found.lines == ()
    assert found.same > 1


def test_a_pass_left_out_is_found_and_what_it_did(build: Callable[..., Path]) -> None:
    one = build("one", passes="lift-constants, fuse-conv-batch-norm, remove-dead-code")
    found = diff_artifacts(one, build("two", passes="lift-constants, remove-dead-code"))
    assert [(change.name, change.after) for change in found.passes] == [
        ("fuse-conv-batch-norm", None),
        ("remove-dead-code", None),
    ]
    assert all(line.startswith("-  ") for line in found.passes[0].lines)
    assert any("BatchNormalization" in line for line in found.passes[0].lines)
    assert {name for name, _, _ in found.facts} >= {"pipeline", "after.nodes", "files.model.onnx"}
    assert "only in the first run" in "\n".join(found.lines)


def test_another_source_changes_what_a_pass_does(
    build: Callable[..., Path], tmp_path: Path
) -> None:
    model = onnx.load(DIGITS)
    weight = next(item for item in model.graph.initializer if len(item.dims) == 4)
    array = onnx.numpy_helper.to_array(weight) * 2
    weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    onnx.save(model, tmp_path / "digits.onnx")
    found = diff_artifacts(build("one"), build("two", tmp_path / "digits.onnx"))
    assert "source.sha256" in {name for name, _, _ in found.facts}
    changed = found.passes[0]
    assert changed.before == changed.after
    assert {"-  +", "+  +"} <= {line[:4] for line in changed.lines}
    assert not found.only("no-such-pass")
    assert found.only(changed.name).passes == (changed,)


def test_the_json_fits_its_schema(build: Callable[..., Path]) -> None:
    found = diff_artifacts(build("one"), build("two", passes="O1"))
    jsonschema.validate(found.json(), SCHEMA)
    assert found.json()["equal"] is False
    assert "passes differ" in found.summary()


def test_a_folder_that_is_no_artifact_is_refused(
    build: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no manifest"):
        diff_artifacts(build("one"), tmp_path)
