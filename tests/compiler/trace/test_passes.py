"""How far the outputs are from the source's after each pass."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import numpy as np
import onnx
import pytest
from tests.support import ChangeWeights

from burnish.driver import optimize
from burnish.errors import ExecutionError, InputError
from burnish.ir import Model, make_tensor
from burnish.passdef import Context, Exactness, Pass
from burnish.pipeline import Fixpoint, PassRecord, Pipeline
from burnish.saving import to_proto
from burnish.text import parse_model
from burnish.trace import trace_passes
from burnish.views.history import History
from burnish_models import zoo

ROOT = Path(__file__).parents[3]
DIGITS = ROOT / "models/burnish_models/digits/digits.onnx"
TEXT = """
agraph (float[N, 3] x) => (float[N, 3] y, int64[2] s) <float[3] w = {1, 2, 3}> {
    i = Identity(x)
    y = Mul(i, w)
    s = Shape(x)
}
"""


def schema(name: str) -> Any:
    return json.loads((ROOT / f"docs/schema/{name}.schema.json").read_text())


def model(text: str = TEXT) -> onnx.ModelProto:
    return to_proto(parse_model(text, opset=20))


@dataclass(frozen=True)
class Drift(Pass):
    """Moves every weight by a share of itself."""

    share: float = 0.01

    name: ClassVar[str] = "drift"
    exactness: ClassVar[Exactness] = Exactness.LOSSY

    def run(self, model: Model, ctx: Context) -> None:
        for value in model.graph.initializers.values():
            assert value.const_value is not None
            value.const_value = make_tensor(
                (value.const_value.numpy() * (1 + self.share)).astype(np.float32)
            )
            ctx.applies(self.name, str(value.name))


@dataclass(frozen=True)
class BreakModel(Pass):
    """Leaves a model that no runtime takes."""

    name: ClassVar[str] = "break-model"

    def run(self, model: Model, ctx: Context) -> None:
        node = next(node for node in model.graph if node.op_type == "Mul")
        node.op_type = "NoSuchOperator"
        ctx.applies(self.name, node)


@dataclass(frozen=True)
class RenameOutput(Pass):
    """Gives an output another name."""

    name: ClassVar[str] = "rename-output"

    def run(self, model: Model, ctx: Context) -> None:
        model.graph.outputs[1].name = "other"
        ctx.applies(self.name, "s")


def test_the_digits_move_by_rounding_only() -> None:
    done = optimize(DIGITS)
    found = trace_passes(DIGITS)
    assert found.ok
    assert found.passes == len(done.records)
    assert [step.index for step in found.steps] == [r.index for r in done.records if r.diff]
    assert found.first_beyond is None
    for step, record in zip(found.steps, filter(lambda r: r.diff, done.records), strict=True):
        assert (step.spec, step.round, step.exactness) == (
            record.spec,
            record.round,
            record.exactness,
        )


def test_the_first_pass_that_moves_numbers_and_the_first_beyond_are_marked() -> None:
    passes = Pipeline.parse("eliminate-identity, remove-dead-code").passes
    broken = Pipeline((*passes, ChangeWeights(), *passes))
    found = trace_passes(model(), passes=broken)
    first, changed = found.steps
    assert (first.name, first.ok, first.moved) == ("eliminate-identity", True, False)
    assert (changed.name, changed.ok, changed.moved) == ("change-weights", False, True)
    assert found.first_moved is found.first_beyond is changed
    assert changed.worst.name == "y"
    assert changed.worst.distance.max_rel == pytest.approx(1.0)  # w = 1 became 2
    lines = found.text().splitlines()
    (line,) = [line for line in lines if "change-weights" in line and "FAIL" in line]
    assert "first to move numbers" in line
    assert "first beyond what is allowed" in line
    assert "NOT EQUAL" in lines[-1]


def test_a_lossy_drift_grows_and_is_allowed() -> None:
    pipeline = Pipeline((Drift(0.01), Drift(0.02), Drift(0.04)))
    with pytest.raises(InputError, match="drift is LOSSY and only FLOAT is allowed"):
        trace_passes(model(), passes=pipeline)
    found = trace_passes(model(), passes=pipeline, allow=Exactness.LOSSY)
    shares = [step.worst.distance.max_rel for step in found.steps]
    assert shares == pytest.approx([0.01, 0.01 + 0.0202, 1.01 * 1.02 * 1.04 - 1], rel=1e-3)
    assert found.ok
    assert found.first_moved is found.steps[0]
    assert {step.allowed for step in found.steps} == {Exactness.LOSSY}


def test_what_is_allowed_is_what_the_changed_passes_so_far_may_do() -> None:
    fused = Pipeline.parse("fuse-matmul-add").passes
    text = """
    agraph (float[4, 2] x) => (float[4, 2] y)
    <float[2, 2] w = {0.5, 0.3, 0.7, 0.1}, float[2] b = {0.3, 0.9}> {
        p = MatMul(x, w)
        q = Add(p, b)
        i = Identity(q)
        y = Relu(i)
    }
    """
    unused = Pipeline.parse("fuse-gelu").passes
    last = Pipeline.parse("eliminate-identity").passes
    found = trace_passes(model(text), passes=Pipeline((*unused, *last, *fused, *last)))
    assert [(step.name, step.allowed.name) for step in found.steps] == [
        ("eliminate-identity", "BITWISE"),
        ("fuse-matmul-add", "FLOAT"),
    ]
    assert found.ok


def test_a_bitwise_pass_that_hides_behind_rounding_is_told() -> None:
    @dataclass(frozen=True)
    class Nudge(Drift):
        name: ClassVar[str] = "nudge"
        exactness: ClassVar[Exactness] = Exactness.FLOAT

    @dataclass(frozen=True)
    class Liar(Drift):
        name: ClassVar[str] = "liar"
        exactness: ClassVar[Exactness] = Exactness.BITWISE

    found = trace_passes(model(), passes=Pipeline((Nudge(1e-6), Liar(1e-6))))
    assert found.ok
    assert [step.moved for step in found.steps] == [True, True]
    (note,) = found.notes
    assert "pass 1, liar, moved numbers though it promises the same bits" in note


def test_a_result_that_does_not_run_is_a_step() -> None:
    found = trace_passes(model(), passes=Pipeline((BreakModel(),)))
    (step,) = found.steps
    assert not step.ok
    assert step.worst.name == ""
    assert "does not run" in step.worst.distance.reason
    assert "NoSuchOperator" in found.text()
    jsonschema.validate(found.json(), schema("pass-trace"))


def test_an_output_that_is_gone_is_a_step() -> None:
    (step,) = trace_passes(model(), passes=Pipeline((RenameOutput(),))).steps
    assert [(output.name, output.ok) for output in step.outputs] == [("y", True), ("s", False)]
    assert step.worst.distance.reason == "is no output any more"


def test_rounds_of_a_fixpoint_are_told_apart() -> None:
    inner = Pipeline.parse("eliminate-identity, remove-dead-code").passes
    found = trace_passes(model(), passes=Pipeline((Fixpoint(inner),)))
    assert [(step.name, step.round) for step in found.steps] == [("eliminate-identity", 1)]
    assert found.passes > 2


def test_samples_of_the_user_are_used() -> None:
    given = [{"x": np.full((5, 3), 2, np.float32)}]
    found = trace_passes(model(), passes=Pipeline((ChangeWeights(),)), samples=given)
    assert found.samples == 1
    assert found.steps[0].worst.distance.max_abs == 2.0  # 2 * (w + 1) - 2 * w
    with pytest.raises(InputError, match="at least one"):
        trace_passes(model(), samples=[])
    with pytest.raises(InputError, match="no input 'z'"):
        trace_passes(model(), samples=[{"z": np.zeros(3, np.float32)}])


def test_sizes_and_rewrites_can_be_bounded() -> None:
    found = trace_passes(model(), dims={"N": 7}, stop_after=1)
    assert len(found.steps) == 1
    assert found.ok


def test_progress_tells_of_stages_and_passes() -> None:
    told: list[str | PassRecord] = []
    found = trace_passes(model(), passes="eliminate-identity", progress=told.append)
    assert [item for item in told if isinstance(item, str)] == ["load", "verify", "optimize"]
    assert [item.spec for item in told if isinstance(item, PassRecord)] == ["eliminate-identity"]
    assert found.pipeline == "eliminate-identity"


def test_random_outputs_are_compared_by_form() -> None:
    found = trace_passes(
        model(
            "agraph (float[4] x) => (float[4] y) { r = RandomNormalLike(x) i = Identity(r) y = Add(i, x) }"
        ),
        passes="eliminate-identity",
    )
    assert found.ok
    assert found.first_moved is None
    assert any("random" in note and "y" in note for note in found.notes)


def test_a_source_for_the_reference_evaluator_is_followed_there() -> None:
    source = zoo.get("strings").proto()
    found = trace_passes(source, engine="reference")
    assert found.engine.startswith("onnx.reference")
    assert found.ok
    fallen = trace_passes(model(BFLOAT), passes="eliminate-identity")
    assert fallen.ok
    assert len(fallen.steps) == 1


BFLOAT = """
agraph (bfloat16[4] x) => (bfloat16[4] y) {
    i = Identity(x)
    y = Cos(i)
}
"""


def test_a_source_that_does_not_run_is_an_error() -> None:
    with pytest.raises(ExecutionError):
        trace_passes(zoo.get("custom_domain").proto())


def test_the_json_is_as_its_schema_says_and_a_history_takes_the_rows() -> None:
    jsonschema.Draft202012Validator.check_schema(schema("pass-trace"))
    done = optimize(DIGITS, opening=True)
    found = trace_passes(DIGITS)
    held = json.loads(json.dumps(found.json(), allow_nan=False))
    jsonschema.validate(held, schema("pass-trace"))
    assert held["model"] == "digits.onnx"
    assert held["first_beyond"] is None
    assert done.opening is not None
    history = History.of(
        done.opening,
        done.records,
        model="m",
        target=found.target,
        pipeline=found.pipeline,
        trace=found.rows(),
    ).json()
    jsonschema.validate(history, schema("history"))
    assert [row["index"] for row in history["trace"]] == [step.index for step in found.steps]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**held, "more": 1}, schema("pass-trace"))


@pytest.mark.parametrize(
    "name", ["sequence", "sequence_input_output", "optional_value", "strings", "conv_half_bn"]
)
def test_any_type_of_output(name: str) -> None:
    found = trace_passes(zoo.get(name).proto())
    assert found.ok
    assert ("float16 on this runtime" in " ".join(found.notes)) == (name == "conv_half_bn")


@dataclass(frozen=True)
class ForReference(Pass):
    """Puts operators that only the reference evaluator knows in place of one only ORT knows."""

    name: ClassVar[str] = "for-reference"

    def run(self, model: Model, ctx: Context) -> None:
        for node, op_type in zip(model.graph, ("Identity", "Cast", "Softplus"), strict=True):
            node.op_type, node.domain = op_type, ""
        ctx.applies(self.name, "model")


@dataclass(frozen=True)
class ForRuntime(Pass):
    """Takes back what ``for-reference`` did."""

    name: ClassVar[str] = "for-runtime"

    def run(self, model: Model, ctx: Context) -> None:
        node = model.graph[0]
        node.op_type, node.domain = "FastGelu", "com.microsoft"
        model.graph[2].op_type = "Neg"
        ctx.applies(self.name, "model")


def test_a_result_for_another_engine_than_the_source_leaves_the_others_where_they_are() -> None:
    text = """agraph (float[2] x) => (double[2] y) {
        g = com.microsoft.FastGelu(x)
        f = Cast<to = 11>(g)
        y = Neg(f)
    }"""
    contrib = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]> {text}'
    )
    found = trace_passes(contrib, passes=Pipeline((ForReference(), ForRuntime())))
    assert [(step.name, step.ok) for step in found.steps] == [
        ("for-reference", False),
        ("for-runtime", True),
    ]
    assert "does not run" in found.steps[0].worst.distance.reason
    assert found.engine.startswith("onnxruntime")
    assert not any("reference evaluator" in note for note in found.notes)


def test_a_result_that_only_the_reference_evaluator_takes_is_compared_there() -> None:
    @dataclass(frozen=True)
    class Widen(Pass):
        name: ClassVar[str] = "widen"

        def run(self, model: Model, ctx: Context) -> None:
            model.graph[1].op_type = "Softplus"
            ctx.applies(self.name, "model")

    text = "agraph (double[2] x) => (double[2] y) { a = Abs(x) y = Exp(a) }"
    found = trace_passes(model(text), passes=Pipeline((Widen(),)))
    assert found.engine.startswith("onnx.reference")
    assert any("the result of a pass does not run on ORT" in note for note in found.notes)
    assert not found.ok
    assert 0 < found.steps[0].worst.distance.max_abs < 100
