"""On random models: sinking keeps the answers, never costs more, and comes to rest."""

from __future__ import annotations

import os
import random

import onnx
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from tests.passes.movement.generate_layouts import model

from burnish.driver import optimize
from burnish.evaluate import Evaluator
from burnish.ir import Model, all_nodes
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.shapes import Shapes
from burnish.symbolic import Dim, is_nonnegative, product
from burnish.text import model_text
from burnish.verify.compare import Tolerance, compare
from burnish_passes.movement.layout_region import is_transpose

PASSES = {
    "sink-transposes": Exactness.BITWISE,
    "sink-transposes-through-sums": Exactness.FLOAT,
}
EXAMPLES = int(os.environ.get("BURNISH_FUZZ_EXAMPLES", "0"))


def cost(model: Model) -> tuple[Dim, int]:
    """Elements that Transposes move when the model runs, and the number of nodes."""
    shapes = Shapes(model)
    total: Dim = 0
    count = 0
    for node in all_nodes(model):
        count += 1
        if is_transpose(node, node.graph):
            shape = shapes.shape(node.outputs[0])
            assert shape is not None
            total = total + product(shape)
    return total, count


@pytest.mark.parametrize("name", PASSES)
@settings(
    max_examples=EXAMPLES or 120,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(draw=st.randoms(use_true_random=False))
def test_costs_fall_and_answers_stay(name: str, draw: random.Random) -> None:
    proto, feeds = model(draw)
    note(onnx.printer.to_text(proto))
    source = optimize(proto, passes="remove-dead-code")
    done = optimize(proto, passes=name)
    note(model_text(done.model))
    result = to_proto(done.model)
    onnx.checker.check_model(result, full_check=True)
    (moved, nodes), (moves, fewer) = cost(source.model), cost(done.model)
    assert is_nonnegative(moved - moves)
    assert fewer <= nodes
    wanted, found = Evaluator(proto).run(feeds), Evaluator(result).run(feeds)
    assert list(wanted) == list(found)
    for key in wanted:
        assert not compare(wanted[key], found[key], Tolerance(PASSES[name])).reason
    again = optimize(result, passes=name)
    assert not any(entry.diff for entry in again.records), "a second run changes it again"
