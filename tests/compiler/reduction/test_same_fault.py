"""A reduced model fails for the reason the source fails for, not for another."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
import pytest
from tests.compiler.culprit import wrong
from tests.support import ops

import burnish.pipeline
import burnish.reduction.runtime
from burnish.errors import ExecutionError
from burnish.ir import Model
from burnish.loading import load
from burnish.passdef import Context, Exactness, Pass
from burnish.reduction import reduce_case, seeded_feeds
from burnish.reduction.checks import PassesCheck, SameFailure
from burnish.reduction.runtime import RuntimeCheck
from burnish.registry import pass_types
from burnish.saving import to_proto
from burnish.text import parse_model

CLIPS = """agraph (float[4] x) => (float[4] y)
    <float lo = {-1}, float hi = {1}, float low = {-0.5}, float high = {0.5}> {
    a = Sin (x)
    b = Clip (a, lo, hi)
    c = Clip (b, low, high)
    d = Neg (c)
    y = Cos (d)
}"""


@dataclass(frozen=True)
class Exchanges(Pass):
    """Turns Neg into Exp, on models without a Clip alone unless told otherwise."""

    name: ClassVar[str] = "exchanges"
    always: bool = False

    def run(self, model: Model, ctx: Context) -> None:
        if not self.always and any(node.op_type == "Clip" for node in model.graph):
            return
        for node in [node for node in model.graph if node.op_type == "Neg"]:
            if ctx.applies(self.name, node):
                node.op_type = "Exp"


@pytest.fixture(autouse=True)
def _faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrong rule, and one wrong pass."""
    wrong.after("algebra.compose_clips", "MergeBounds", wrong.only_inner_bounds)(monkeypatch)
    known = {**pass_types(), "exchanges": Exchanges}
    monkeypatch.setattr(burnish.pipeline, "pass_types", lambda: known)


def test_a_fault_of_another_pass_is_another_fault() -> None:
    model = parse_model(CLIPS, opset=17)
    fails = SameFailure(PassesCheck("compose-clips, exchanges", "onnx", Exactness.FLOAT))
    done = reduce_case(model, fails, feeds=seeded_feeds(model, (0, 1)))
    assert ops(done.model) == ["Clip", "Clip"]
    assert fails.first is not None
    assert fails.first.kind == "the answers differ by compose-clips"


@pytest.mark.parametrize("scale", [1 / 64, 1.0], ids=["only there", "a little in the source"])
def test_rounding_that_grows_among_made_up_weights_is_another_fault(scale: float) -> None:
    """Of the sine of a large sum any rounding is beyond what is allowed."""
    proto = to_proto(parse_model(CLIPS.replace("a = Sin (x)", "a = Sin (s)"), opset=17))
    weights = (np.random.default_rng(0).standard_normal((4, 4096)) * scale).astype(np.float32)
    for name, array in (("w", weights), ("v", np.ascontiguousarray(weights.T))):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    proto.graph.node.insert(0, onnx.helper.make_node("MatMul", ["x", "w"], ["r"]))
    proto.graph.node.insert(1, onnx.helper.make_node("MatMul", ["r", "v"], ["s"]))
    model = load(proto)
    fails = SameFailure(PassesCheck("O2", "ort-cpu", Exactness.FLOAT))
    done = reduce_case(model, fails, feeds=seeded_feeds(model, (0, 1)))
    assert ops(done.model) == ["Clip", "Clip"]


def test_of_two_faults_at_once_either_may_be_left() -> None:
    """Without the one the source still fails, so a candidate may too."""
    model = parse_model(CLIPS, opset=17)
    check = PassesCheck("compose-clips, exchanges{always=true}", "onnx", Exactness.FLOAT)
    fails = SameFailure(check)
    done = reduce_case(model, fails, feeds=seeded_feeds(model, (0,)))
    assert fails.first is not None
    assert fails.first.kind == "the answers differ"
    assert ops(done.model) in (["Clip", "Clip"], ["Neg"])


def test_a_source_that_does_not_run_is_not_a_fault_of_the_passes() -> None:
    text = "agraph (float[4] x, int64 i) => (float y) { y = Gather (x, i) }"
    model = parse_model(text, opset=17)
    feeds = [{"x": np.zeros(4, np.float32), "i": np.array(index)} for index in (0, 9)]
    check = PassesCheck("O2", "onnx", Exactness.FLOAT)
    with pytest.raises(ExecutionError, match="the source does not run on sample 1"):
        check.outcome(model, feeds)
    assert check.outcome(model, feeds).kind == ""


class Slow(subprocess.Popen[str]):
    """A process that answers nothing, and takes a while to be killed."""

    def kill(self) -> None:
        super().kill()
        time.sleep(0.3)


def test_a_process_that_is_killed_for_being_late_did_not_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def started() -> Slow:
        code = [sys.executable, "-c", "import time; time.sleep(60)"]
        pipe = subprocess.PIPE
        return Slow(code, stdin=pipe, stdout=pipe, text=True, start_new_session=True)

    monkeypatch.setattr(burnish.reduction.runtime, "_started", started)
    model = parse_model("agraph (float[4] x) => (float[4] y) { y = Neg (x) }", opset=17)
    check = RuntimeCheck(timeout=0.3)
    try:
        assert check.outcome(model, ()).kind == "timeout"
    finally:
        check.close()
