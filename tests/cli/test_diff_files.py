"""``burnish diff A B`` for two files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import onnx
import pytest

Command: TypeAlias = Callable[..., Any]
ROOT = Path(__file__).parents[2]
EXPORTS = ROOT / "tests/compiler/modeldiff/exports"
SCHEMA = json.loads((ROOT / "docs/schema/model-diff.schema.json").read_text())


@pytest.fixture
def edited(model: Path, tmp_path: Path) -> Path:
    """The model with another attribute, another weight and another input name."""
    proto = onnx.load(model)
    proto.graph.initializer[0].float_data[0] += 1
    proto.graph.node[2].attribute.add(name="epsilon", type=onnx.AttributeProto.FLOAT, f=0.5)
    for node in proto.graph.node:
        node.input[:] = ["image" if name == "x" else name for name in node.input]
    proto.graph.input[0].name = "image"
    onnx.save(proto, tmp_path / "edited.onnx")
    return tmp_path / "edited.onnx"


def test_exports_under_other_names_are_the_same(run: Command) -> None:
    ran = run("diff", EXPORTS / "dynamo_a.onnx", EXPORTS / "dynamo_b.onnx")
    assert (ran.code, ran.out) == (0, "")
    assert "no difference, 23 nodes the same" in ran.err


def test_names_of_the_interface_may_be_ignored(run: Command) -> None:
    paths = EXPORTS / "dynamo_b.onnx", EXPORTS / "dynamo_interface.onnx"
    ran = run("diff", *paths)
    assert ran.code == 1
    assert "+  input pixels: float32[N, 3, 8, 8]" in ran.out.splitlines()
    assert run("diff", *paths, "--ignore-names").code == 0


def test_the_lines_of_each_part(run: Command, model: Path, edited: Path) -> None:
    lines = run("diff", model, edited).out.splitlines()
    assert [line for line in lines if line.startswith("@")] == [
        "@ inputs and outputs",
        "@ weights",
        "@ nodes",
    ]
    assert "   c = Conv(i, w)" in lines
    assert "+  y = BatchNormalization(c, s, b, m, v) {epsilon=0.5}" in lines


@pytest.mark.parametrize(
    ("options", "shown", "code"),
    [
        (["--only", "weights"], {"weights"}, 1),
        (["--only", "interface"], {"interface"}, 1),
        (["--only", "functions"], set(), 0),
        (["--node", "w"], {"weights"}, 1),
        (["--node", "image"], {"interface"}, 1),
        (["--node", "c"], {"nodes"}, 1),
        (["--node", "nobody"], set(), 0),
        ([], {"interface", "weights", "nodes"}, 1),
    ],
)
def test_json_is_as_its_schema_says(
    run: Command, model: Path, edited: Path, options: list[str], shown: set[str], code: int
) -> None:
    ran = run("diff", model, edited, "--json", *options)
    jsonschema.validate(ran.json, SCHEMA)
    assert ran.code == code
    assert ran.json["equal"] == (code == 0)
    found = {part for part in ("header", "interface", "weights", "functions") if ran.json[part]}
    if any(scope["nodes"] for scope in ran.json["scopes"]):
        found.add("nodes")
    assert found == shown


def test_json_says_how_far_a_weight_is(run: Command, model: Path, edited: Path) -> None:
    (weight,) = run("diff", model, edited, "--json").json["weights"]
    assert weight["distance"]["changed"] == 1
    assert weight["distance"]["max_abs"] == 1
    (node,) = run("diff", model, edited, "--json").json["scopes"][0]["nodes"]
    assert node["after"]["attributes"] == {"epsilon": "0.5"}
    assert node["notes"] == ["attribute epsilon: default became 0.5"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "weight"], "two models have no part 'weight'; choose from: header"),
        (["--figures"], "--figures does not go with two files"),
    ],
)
def test_what_does_not_go_with_two_files_is_told(
    run: Command, model: Path, edited: Path, options: list[str], said: str
) -> None:
    ran = run("diff", model, edited, *options)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_broken_file_is_told(run: Command, model: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(model.read_bytes()[:100])
    ran = run("diff", model, tmp_path / "broken.onnx")
    assert (ran.code, ran.out) == (2, "")
    assert "broken.onnx" in ran.err


def test_names_are_ignored_only_between_two_files(run: Command, model: Path) -> None:
    ran = run("diff", model, "--ignore-names")
    assert (ran.code, ran.out) == (2, "")
    assert "--ignore-names compares two files" in ran.err
