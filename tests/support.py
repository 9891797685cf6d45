"""What many tests need: run passes over ONNX text, look at the result, compare answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import onnx

from burnish.driver import optimize
from burnish.ir import Model, make_tensor, scopes
from burnish.passdef import Context, Exactness, Pass
from burnish.pipeline import PassRecord
from burnish.saving import to_proto
from burnish.target import parse_target
from burnish.text import parse_model
from burnish.verify import verify


@dataclass(frozen=True)
class ChangeWeights(Pass):
    """Claims to keep every bit, and adds one to every weight."""

    name: ClassVar[str] = "change-weights"

    def run(self, model: Model, ctx: Context) -> None:
        for value in model.graph.initializers.values():
            assert value.const_value is not None
            value.const_value = make_tensor(value.const_value.numpy() + 1)
            ctx.applies(self.name, str(value.name))


def run_passes(text: str, passes: str, *, opset: int = 20) -> tuple[Model, Sequence[PassRecord]]:
    """Parse ONNX text, run a pipeline, check that the result is valid ONNX and answers the same.

    The answers are compared within the exactness the pipeline declares.
    """
    source = to_proto(parse_model(text, opset=opset))
    done = optimize(source, passes=passes, allow=Exactness.LOSSY, target=parse_target("onnx"))
    result = to_proto(done.model)
    onnx.checker.check_model(result, full_check=True)
    verdict = verify(source, result, exactness=done.pipeline.exactness)
    assert verdict.ok, verdict.text()
    return done.model, done.records


def ops(model: Model) -> list[str]:
    """Operator types of every scope, in order."""
    return [node.op_type for scope in scopes(model) for node in scope.graph]


def reasons(records: Sequence[PassRecord]) -> list[str]:
    """Why things were declined."""
    return [item.why for entry in records for item in entry.remarks if item.kind == "declined"]
