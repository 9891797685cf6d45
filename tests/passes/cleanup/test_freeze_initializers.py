"""Overridable defaults become constants only when asked."""

from __future__ import annotations

import numpy as np
import onnx

from burnish.driver import optimize
from burnish.evaluate import run_model
from burnish.saving import to_proto
from burnish.text import parse_model

TEXT = """agraph (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}, float[2] v = {3, 4}> {
    c = Mul(w, v)
    y = Add(x, c)
}"""


def test_no_level_takes_a_default_for_a_constant() -> None:
    model = optimize(to_proto(parse_model(TEXT)), passes="O2").model
    assert [value.name for value in model.graph.inputs] == ["x", "w"]
    assert [node.op_type for node in model.graph] == ["Mul", "Add"]


def test_frozen_defaults_fold() -> None:
    done = optimize(to_proto(parse_model(TEXT)), passes="freeze-initializers, O2")
    result = to_proto(done.model)
    onnx.checker.check_model(result, full_check=True)
    assert [value.name for value in done.model.graph.inputs] == ["x"]
    assert [node.op_type for node in done.model.graph] == ["Add"]
    answers = run_model(result, {"x": np.ones(2, np.float32)})
    assert answers["y"].tolist() == [4.0, 9.0]
