"""Logarithms of Softmax: the axis, the opset, other readers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support import ops, reasons, run_passes

from burnish.evaluate import run_model
from burnish.ir import to_proto

PASS = "fuse-log-softmax"


@pytest.mark.parametrize("opset", [9, 11, 13, 20])
@pytest.mark.parametrize("axis", ["", "<axis = 0>", "<axis = 1>", "<axis = 2>"])
def test_the_axis_means_the_same_at_every_opset(opset: int, axis: str) -> None:
    text = f"g (float[2,3,4] x) => (float[2,3,4] y) {{ s = Softmax {axis} (x) y = Log(s) }}"
    model, _ = run_passes(text, PASS, opset=opset)
    assert ops(model) == ["LogSoftmax"]


def test_it_gives_a_number_where_the_probability_is_0() -> None:
    model, _ = run_passes("g (float[2] x) => (float[2] y) { s = Softmax(x) y = Log(s) }", PASS)
    x = np.array([0, -200], dtype=np.float32)
    assert run_model(to_proto(model), {"x": x})["y"].tolist() == [0, -200]


def test_probabilities_that_are_needed_stay() -> None:
    text = "g (float[2,3] x) => (float[2,3] y, float[2,3] s) { s = Softmax(x) y = Log(s) }"
    model, records = run_passes(text, PASS)
    assert ops(model) == ["Softmax", "Log"]
    assert "graph output" in reasons(records)[0]
