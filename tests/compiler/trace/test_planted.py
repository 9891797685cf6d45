"""A miscompile planted in any one rule is located by both traces."""

from __future__ import annotations

import pytest
from tests.compiler.culprit.plants import PLANTS, Plant

from burnish.driver import optimize
from burnish.saving import to_proto
from burnish.trace import NodeTrace, ValueRow, trace_models, trace_passes, trace_pipeline

# These spoil no node: what they name is a weight, or the whole model. Its reader parts first.
READERS = {"q": "Sub(d)", "model": "Softmax(a)"}


def place(found: NodeTrace) -> ValueRow:
    row = found.first_beyond
    assert row is not None, found.text()
    return row


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_the_pass_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trace_passes(plant.model()).first_beyond is None
    plant.plant(monkeypatch)
    found = trace_passes(plant.model())
    assert not found.ok
    assert found.first_beyond is not None
    assert found.first_beyond.name == plant.rule
    assert found.first_beyond.moved
    assert all(step.ok for step in found.steps if step.index < found.first_beyond.index)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_the_node_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    node = READERS.get(plant.node, plant.node)
    assert trace_pipeline(plant.model()).first_beyond is None
    plant.plant(monkeypatch)
    found = trace_pipeline(plant.model())
    assert not found.ok
    assert node in place(found).sources
    # The same from two files, which hold no provenance.
    result = to_proto(optimize(plant.model()).model)
    found = trace_models(to_proto(plant.model()), result)
    assert not found.ok
    assert node in place(found).sources
