"""Laws that every pass and every level obeys, on every model of the zoo.

One test is one pass (or level) on one model. A new pass is held to these laws because it is
registered, a new model because it is in the zoo.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import onnx
import onnx.checker
import pytest

from burnish.calibration import Calibration
from burnish.diff import Recorder
from burnish.driver import Optimized, optimize
from burnish.evaluate import run_model
from burnish.ir import Model, all_nodes
from burnish.loading import load
from burnish.passdef import Context, Exactness
from burnish.registry import pass_types
from burnish.samples import make_inputs
from burnish.saving import to_proto
from burnish.target import Target
from burnish.text import model_text
from burnish.verify import verify
from burnish.verify.compare import Tolerance, compare
from burnish_models import zoo

PASSES = tuple(pass_types())
LEVELS = ("O1", "O2")
MODELS = zoo.names()
over_models = pytest.mark.parametrize("model", MODELS)


@dataclass(frozen=True)
class Original:
    """A zoo model before anything was done to it."""

    zoo: zoo.ZooModel
    proto: onnx.ModelProto
    data: bytes
    text: str

    def samples(self) -> Iterator[dict[str, Any]]:
        """Two seeded sets of inputs, with the values the zoo model asks for."""
        model = load(self.proto)
        for seed in (0, 1):
            yield {**make_inputs(model, seed, dims=self.zoo.dims), **self.zoo.feeds}


@functools.cache
def original(name: str) -> Original:
    model = zoo.get(name)
    proto = model.proto()
    return Original(model, proto, serialized(proto), model_text(load(proto)))


def serialized(proto: onnx.ModelProto) -> bytes:
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def run(
    proto: onnx.ModelProto,
    passes: str,
    stop_after: int | None = None,
    calibration: Calibration | None = None,
) -> Optimized:
    return optimize(
        proto,
        passes=passes,
        allow=Exactness.LOSSY,
        stop_after=stop_after,
        calibration=calibration,
    )


NEED_DATA = frozenset({"insert-qdq", "round-adaptively", "smooth-quant"})
"""Passes that do nothing without calibration data."""


def data_for(source: Original, passes: str) -> Calibration | None:
    """Calibration data for a pass that needs some; None where the model does not run."""
    if passes not in NEED_DATA or not source.zoo.runnable:
        return None
    return Calibration.of(lambda: list(source.samples()))


def check_valid(result: onnx.ModelProto) -> None:
    """Every source of the zoo passes the same check."""
    onnx.checker.check_model(result, full_check=True)


def check_interface(source: onnx.ModelProto, result: onnx.ModelProto, frozen: bool = False) -> None:
    """Inputs and outputs keep name, order, type, and names of dimensions.

    Before IR version 4 every initializer had to be an input too; those are constants, not inputs.
    With ``frozen``, so are those of later versions.
    """
    fixed = frozen or source.ir_version < 4
    constants = {item.name for item in source.graph.initializer} if fixed else set()
    given = [value for value in source.graph.input if value.name not in constants]
    assert interface(result.graph.input) == interface(given)
    assert interface(result.graph.output) == interface(source.graph.output)


def interface(values: Iterable[onnx.ValueInfoProto]) -> list[tuple[str, bytes]]:
    return [(value.name, value.type.SerializeToString(deterministic=True)) for value in values]


def check_answers(source: Original, result: onnx.ModelProto, exactness: Exactness) -> None:
    """The numbers are those of the source, as exactly as promised."""
    if not source.zoo.runnable:  # it holds operators that no engine knows
        return
    verdict = verify(source.proto, result, exactness=exactness, samples=lambda: source.samples())
    assert verdict.ok, verdict.text()


def check_answers_on_defaults(source: Original, result: onnx.ModelProto) -> None:
    """The numbers are those of the source when nobody overrides a default."""
    for feeds in source.samples():
        old, new = run_model(source.proto, feeds), run_model(result, feeds)
        assert list(old) == list(new)
        for name in old:
            assert not compare(old[name], new[name], Tolerance(Exactness.BITWISE)).reason


def check_kept(source: Original, model: Model) -> None:
    """What the model's trap guards is still there, as often as before."""
    found = Counter(node.op_type for node in all_nodes(model))
    found["DequantizeLinear"] += found["MatMulNBits"]  # it decodes its weight itself
    assert not Counter(source.zoo.keeps) - found


def check_settled(result: onnx.ModelProto, passes: str, data: Calibration | None) -> None:
    """The same again changes nothing."""
    again = run(result, passes, calibration=data)
    assert model_text(again.model) == model_text(load(result))
    assert serialized(to_proto(again.model)) == serialized(result)


ASKED_TO_CHANGE_INPUTS = frozenset({"freeze-initializers"})
"""Passes whose purpose is that inputs with a default value are inputs no more."""


def check_laws(source: Original, passes: str) -> None:
    done = run(source.proto, passes, calibration=data_for(source, passes))
    assert serialized(source.proto) == source.data, "the source object was changed"
    result = to_proto(done.model)
    data = serialized(result)
    again = run(source.proto, passes, calibration=data_for(source, passes))
    assert serialized(to_proto(again.model)) == data, "two runs differ"
    check_interface(source.proto, result, frozen=passes in ASKED_TO_CHANGE_INPUTS)
    check_valid(result)
    check_settled(result, passes, data_for(source, passes))
    recorded = any(entry.diff for entry in done.records)
    changed = model_text(done.model) != source.text
    assert recorded or not changed, "a change was not recorded"
    check_kept(source, done.model)
    if changed and passes in ASKED_TO_CHANGE_INPUTS:
        check_answers_on_defaults(source, result)
    elif changed:
        check_answers(source, result, done.pipeline.exactness)


@over_models
@pytest.mark.parametrize("passes", [*PASSES, *LEVELS])
def test_laws(passes: str, model: str) -> None:
    check_laws(original(model), passes)


@over_models
@pytest.mark.parametrize("name", PASSES)
def test_changes_are_announced_and_observed(name: str, model: str) -> None:
    item = pass_types()[name]()
    subject = load(original(model).proto)
    recorder = Recorder(subject)
    ctx = Context.of(subject, Target(), calibration=data_for(original(model), name))
    before = model_text(subject)
    item.run(subject, ctx)
    diff = recorder.observe()
    changed = model_text(subject) != before
    assert bool(diff) == changed, diff.text()
    applied = [remark for remark in ctx.take_remarks() if remark.kind == "applied"]
    assert bool(applied) == (ctx.fuel.spent > 0)
    if item.counted:
        assert changed == (ctx.fuel.spent > 0), diff.text()


@over_models
def test_every_prefix_of_the_rewrites_is_a_good_model(model: str) -> None:
    source = original(model)
    whole = run(source.proto, "O2")
    total = whole.records[-1].rewrites
    for count in sorted({0, 1, 2, total // 2, total - 1} & set(range(total + 1))):
        done = run(source.proto, "O2", stop_after=count)
        assert done.records[-1].rewrites == count
        result = to_proto(done.model)
        check_valid(result)
        check_interface(source.proto, result)
        if count == 0:
            assert model_text(done.model) == source.text
        else:
            check_answers(source, result, whole.pipeline.exactness)
    last = run(source.proto, "O2", stop_after=total)
    assert model_text(last.model) == model_text(whole.model)


def digests(level: str) -> Iterator[str]:
    """A line for each model: its name and what its result hashes to."""
    for name in MODELS:
        result = to_proto(run(original(name).proto, level).model)
        yield f"{name} {hashlib.sha256(serialized(result)).hexdigest()}"


def in_a_process_of_its_own(seed: int) -> list[str]:
    """What :func:`digests` yields in a process with that hash seed."""
    program = "from tests.passes.test_laws import digests; print('\\n'.join(digests('O2')))"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    return ran.stdout.splitlines()


def test_bytes_do_not_depend_on_the_process() -> None:
    # Sets of strings are ordered by a seed that every process draws anew.
    one, other = in_a_process_of_its_own(1), in_a_process_of_its_own(2)
    assert len(one) == len(MODELS)
    assert one == other
