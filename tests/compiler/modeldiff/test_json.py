"""A comparison as data, for a page that draws both graphs."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from burnish.driver import optimize
from burnish.loading import load
from burnish.modeldiff import ModelDiff, diff_models
from burnish_models import zoo

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs/schema/model-diff.schema.json").read_text())
DIGITS = ROOT / "models/burnish_models/digits/digits.onnx"


@pytest.fixture(scope="module")
def found() -> ModelDiff:
    return diff_models(load(DIGITS), optimize(DIGITS, passes="O2").model)


def test_every_node_of_both_models_is_in_it_once(found: ModelDiff) -> None:
    nodes = found.json()["scopes"][0]["nodes"]
    for side, model in (
        ("before", load(DIGITS)),
        ("after", optimize(DIGITS, passes="O2").model),
    ):
        held = sorted(node[side]["outputs"] for node in nodes if node[side] is not None)
        assert held == sorted(
            [str(value.name) for value in node.outputs]
            for node in model.graph
            if node.op_type != "Constant"
        )


def test_kinds_say_which_sides_there_are(found: ModelDiff) -> None:
    sides = {
        (node["kind"], node["before"] is not None, node["after"] is not None)
        for node in found.json()["scopes"][0]["nodes"]
    }
    assert sides <= {
        ("same", True, True),
        ("moved", True, True),
        ("changed", True, True),
        ("removed", True, False),
        ("added", False, True),
    }
    assert {kind for kind, _, _ in sides} >= {"same", "changed", "removed"}


def test_the_listed_nodes_are_those_of_the_lines(found: ModelDiff) -> None:
    listed = found.json(every=False)["scopes"][0]["nodes"]
    lines = set(found.lines)
    for node in listed:
        for side, sign in (("before", "-"), ("after", "+")):
            text = node["text"][side]
            assert text is None or f"{sign}  {text}" in lines
    assert len(listed) < len(found.json()["scopes"][0]["nodes"])


@pytest.mark.parametrize("name", zoo.names())
def test_what_o2_changes_in_the_zoo_is_as_the_schema_says(name: str) -> None:
    source = zoo.get(name).proto()
    result = optimize(source, passes="O2").model
    found = diff_models(load(source), result)
    held = json.loads(json.dumps(found.json(), allow_nan=False))
    jsonschema.validate(held, SCHEMA)
    # Nothing that changed may be hidden: the lines of the same text on both sides cancel out.
    assert bool(found) == bool(held["lines"])
