"""Both traces follow every model of the zoo, and find nothing wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from burnish.errors import ExecutionError
from burnish.loading import load
from burnish.samples import make_inputs
from burnish.trace import trace_passes, trace_pipeline
from burnish_models import zoo
from burnish_models.zoo import ZooModel

SCHEMAS = Path(__file__).parents[3] / "docs/schema"


def check(held: Any, name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(held, allow_nan=False)), schema)


@pytest.mark.parametrize("source", zoo.all_models(), ids=lambda source: source.name)
def test_a_model_of_the_zoo(source: ZooModel) -> None:
    proto = source.proto()
    feeds = [{**make_inputs(load(proto), 0, dims=source.dims), **source.feeds}]
    if not source.runnable:
        with pytest.raises(ExecutionError):
            trace_pipeline(proto, samples=feeds)
        return
    along = trace_passes(proto, samples=feeds)
    assert along.ok, along.text()
    check(along.json(), "pass-trace")
    inside = trace_pipeline(proto, samples=feeds)
    assert inside.ok, inside.text()
    assert inside.first_beyond is None, inside.text()
    check(inside.json(), "node-trace")
    outputs = {row.value for row in inside.rows if row.is_output}
    computed = {value.name for value in load(proto).graph.outputs if value.producer() is not None}
    assert outputs <= computed
    assert all(row.sources for row in inside.rows)
