"""Passes on models nobody thought of.

Hypothesis builds small models (:mod:`tests.passes.generate`) and the promises of the levels are
held against them. ``BURNISH_FUZZ_EXAMPLES=5000`` tries more of them, drawn anew each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import hypothesis.strategies as st
import onnx
import onnx.checker
from hypothesis import HealthCheck, assume, given, note, settings
from tests.passes.generate import Generated, models
from tests.passes.generate_control import CONTROL
from tests.passes.generate_movement import MOVEMENT
from tests.passes.generate_ops import ARITHMETIC, LINEAR, ROUGH
from tests.passes.generate_shapes import SHAPES

from burnish.driver import Optimized, optimize
from burnish.errors import BurnishError, ExecutionError
from burnish.evaluate import Evaluator
from burnish.loading import load
from burnish.passdef import Exactness
from burnish.registry import pass_types
from burnish.saving import to_proto
from burnish.text import model_text
from burnish.verify.compare import Tolerance, compare
from burnish.verify.randomness import random_outputs

ASKED = int(os.environ.get("BURNISH_FUZZ_EXAMPLES", "0"))
EVERYTHING = {**ARITHMETIC, **ROUGH, **MOVEMENT, **SHAPES, **CONTROL, **LINEAR}
SMOOTH = {**ARITHMETIC, **MOVEMENT, **SHAPES, **CONTROL, **LINEAR}
SMOOTH |= {f"{name}_again": make for name, make in LINEAR.items()}
# eliminate-zero-addition gives up the sign of zero, which division makes visible.
EXACT_PASSES = [name for name, item in pass_types().items() if item.exactness == Exactness.BITWISE]


def examples(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(
        max_examples=ASKED or count,
        derandomize=not ASKED,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


class Runs:
    """The answers of a model's source, to compare results with."""

    def __init__(self, model: Generated) -> None:
        self.model = model
        try:
            onnx.checker.check_model(model.proto, full_check=True)
            source = Evaluator(model.proto)
            self.answers = [source.run(feeds) for feeds in model.feeds]
        except (ExecutionError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
            assume(False)
        assume(not source.fallback)
        self.random = random_outputs(load(model.proto))

    def fault(self, result: onnx.ModelProto, exactness: Exactness) -> str | None:
        """What is wrong with ``result``, or None."""
        try:
            onnx.checker.check_model(result, full_check=True)
            evaluator = Evaluator(result)
            found = [evaluator.run(feeds) for feeds in self.model.feeds]
        except (BurnishError, onnx.checker.ValidationError) as error:
            return f"{type(error).__name__}: {error}"
        except onnx.shape_inference.InferenceError as error:
            return f"InferenceError: {error}"
        if evaluator.fallback:
            return f"only the reference evaluator takes it: {evaluator.fallback}"
        for number, (old, new) in enumerate(zip(self.answers, found, strict=True)):
            if list(old) != list(new):
                return f"the outputs are {list(new)}, expected {list(old)}"
            for name in old:
                if name in self.random:
                    same = old[name].shape == new[name].shape and old[name].dtype == new[name].dtype
                    why = "" if same else "dtype or shape differ"
                else:
                    why = compare(old[name], new[name], Tolerance(exactness)).reason
                if why:
                    return f"output {name} on inputs {number}: {why}"
        return None


def run(proto: onnx.ModelProto, passes: str, stop_after: int | None = None) -> Optimized:
    return optimize(proto, passes=passes, stop_after=stop_after)


def culprit(model: Generated, runs: Runs, passes: str, exactness: Exactness) -> str:
    """The first rewrite after which the result is wrong, and the graph before and after it."""
    total = run(model.proto, passes).records[-1].rewrites
    good, bad = 0, total
    if runs.fault(to_proto(run(model.proto, passes, 0).model), exactness):
        return "no rewrite: the model is wrong after annotations alone"
    while bad - good > 1:
        middle = (good + bad) // 2
        wrong = runs.fault(to_proto(run(model.proto, passes, middle).model), exactness)
        good, bad = (good, middle) if wrong else (middle, bad)
    after = run(model.proto, passes, bad)
    applied = [
        f"{entry.spec}: {remark}\n{entry.diff.text()}"
        for entry in after.records
        for remark in entry.remarks
        if remark.kind == "applied"
    ]
    before = model_text(run(model.proto, passes, good).model)
    return f"rewrite {bad}: {applied[-1]}\nbefore:\n{before}\nafter:\n{model_text(after.model)}"


def hold(model: Generated, passes: str, exactness: Exactness) -> None:
    """The result of ``passes`` is valid, answers as the source, and does not change again."""
    runs = Runs(model)
    done = run(model.proto, passes)
    result = to_proto(done.model)
    why = runs.fault(result, exactness)
    if why:
        note(f"passes: {passes}\n{culprit(model, runs, passes, exactness)}")
        raise AssertionError(why)
    again = run(result, passes)
    if model_text(again.model) != model_text(load(result)):
        note("".join(f"{entry.spec}\n{entry.diff.text()}" for entry in again.records if entry.diff))
        raise AssertionError(f"a second run of {passes} changes the model again")


@examples(150)
@given(models(EVERYTHING))
def test_o1_keeps_every_bit(model: Generated) -> None:
    hold(model, "O1", Exactness.BITWISE)


@examples(80)
@given(models(SMOOTH, smooth=True))
def test_o2_differs_by_rounding_only(model: Generated) -> None:
    hold(model, "O2", Exactness.FLOAT)


@examples(80)
@given(models(EVERYTHING), st.lists(st.sampled_from(EXACT_PASSES), min_size=1, max_size=6))
def test_exact_passes_in_any_order(model: Generated, order: Sequence[str]) -> None:
    runs = Runs(model)
    passes = ", ".join(order)
    why = runs.fault(to_proto(run(model.proto, passes).model), Exactness.BITWISE)
    if why:
        note(f"passes: {passes}\n{culprit(model, runs, passes, Exactness.BITWISE)}")
        raise AssertionError(why)
