"""The expanded twin of a conformance case comes back as the operator, with the same answers."""

from __future__ import annotations

import importlib
import warnings
from collections import Counter
from dataclasses import dataclass

import onnx
import onnx.checker
import pytest
from onnx.backend.test.case import node as wheel
from tests.conformance import baseline as baseline_file
from tests.conformance.cases import Case
from tests.conformance.check import interface_change
from tests.conformance.engines import ENGINES, first_difference, prepare

from burnish.driver import optimize
from burnish.errors import ExecutionError
from burnish.evaluate import Engine
from burnish.ir import scopes
from burnish.passdef import Exactness
from burnish.saving import to_proto
from burnish.target import Limits, Target

TARGET = Target(name="any", limits=Limits(highest_opset=24))
"""A runtime that takes every operator, at the one opset where ONNX Runtime runs Swish."""

EXPECTED = {
    "AffineGrid": 4,
    "Attention": 93,
    "BlackmanWindow": 2,
    "Celu": 3,
    "CenterCropPad": 6,
    "Clip": 12,
    "DepthToSpace": 2,
    "DynamicQuantizeLinear": 3,
    "Elu": 3,
    "Gelu": 4,
    "GroupNormalization": 2,
    "HammingWindow": 2,
    "HannWindow": 2,
    "HardSigmoid": 3,
    "HardSwish": 1,
    "LayerNormalization": 38,
    "LeakyRelu": 3,
    "LogSoftmax": 14,
    "MeanVarianceNormalization": 2,
    "Mish": 1,
    "PRelu": 2,
    "RMSNormalization": 19,
    "ReduceL1": 9,
    "ReduceL2": 9,
    "ReduceLogSum": 5,
    "ReduceLogSumExp": 9,
    "ReduceSumSquare": 9,
    "Relu": 1,
    "RotaryEmbedding": 8,
    "Selu": 3,
    "Shrink": 2,
    "Softmax": 14,
    "Softplus": 2,
    "Softsign": 2,
    "SpaceToDepth": 4,
    "Swish": 1,
    "ThresholdedRelu": 3,
}
"""The operators of inference, and how many expanded cases the wheel builds of each: 302."""
FURTHER = {"GreaterOrEqual": 8, "LessOrEqual": 8, "SwiGLU": 3}
"""Operators outside of that count that come back too."""
STAYS = {"test_clip_default_inbounds_expanded", "test_clip_default_int8_inbounds_expanded"}
"""A Clip without bounds is an Identity, and is left one."""
MODULES = (
    "affinegrid attention blackmanwindow celu center_crop_pad clip depthtospace "
    "dynamicquantizelinear elu gelu greater_or_equal groupnormalization hammingwindow hannwindow "
    "hardsigmoid hardswish layernormalization leakyrelu less_or_equal logsoftmax "
    "meanvariancenormalization mish prelu reduce_log_sum reduce_log_sum_exp reducel1 reducel2 "
    "reducesumsquare relu rmsnormalization rotaryembedding selu shrink softmax softplus softsign "
    "spacetodepth swiglu swish thresholdedrelu"
)
"""Where the wheel builds these cases; building those of every operator takes half a minute."""


@dataclass(frozen=True)
class Raised:
    """An expanded case after raising.

    Attributes:
        name: the case.
        operator: what it was expanded from.
        ops: the operator types of the result.
        wrong: what is wrong with the result; empty when nothing is.
    """

    name: str
    operator: str
    ops: list[str]
    wrong: str


def pairs() -> list[tuple[str, Case, Case]]:
    """Every operator of interest with its expanded cases and those they were expanded from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for module in MODULES.split():
            importlib.import_module(f"{wheel.__name__}.{module}")
    cases = {
        case.name: Case(case.name, "node", case.rtol, case.atol, case)
        for case in wheel._NodeTestCases
    }
    found = []
    for name in sorted(cases):
        original = cases.get(name.partition("_expanded")[0])
        if original is None or "_expanded" not in name:
            continue
        operator = original.model().graph.node[0].op_type
        if operator in EXPECTED or operator in FURTHER:
            found.append((operator, cases[name], original))
    return found


def wrong_with(case: Case, original: Case, result: onnx.ModelProto) -> str:
    """What is wrong with a raised case; empty when nothing is."""
    changed = interface_change(case.model(), result)
    if changed:
        return changed
    onnx.checker.check_model(result, full_check=True)
    known = baseline_file.read()
    engine = known.engine(original.name) if known else None
    engines = ENGINES if engine is None else ((engine,) if engine else ())
    reasons = [_difference(case, result, item) for item in engines]
    return "" if "" in reasons or not reasons else " | ".join(reasons)


def _difference(case: Case, result: onnx.ModelProto, engine: Engine) -> str:
    try:
        ready = prepare(result, engine)
    except ExecutionError as error:
        return str(error)
    for data in case.data_sets():
        actual = list(ready.run(data.feeds).values())
        reason = first_difference(case, data, actual, Exactness.FLOAT)
        if reason:
            return reason
    return ""


@pytest.fixture(scope="module")
def raised() -> list[Raised]:
    """All of them, raised, each checked against the data of the pair."""
    results = []
    for operator, case, original in pairs():
        done = optimize(case.model(), passes="O2", target=TARGET, record=False)
        ops = [node.op_type for scope in scopes(done.model) for node in scope.graph]
        wrong = wrong_with(case, original, to_proto(done.model))
        results.append(Raised(case.name, operator, ops, wrong))
    return results


def test_every_expanded_case_is_looked_at(raised: list[Raised]) -> None:
    assert Counter(item.operator for item in raised) == {**EXPECTED, **FURTHER}
    assert sum(EXPECTED.values()) == 302


def test_all_but_the_empty_clips_come_back_as_the_operator(raised: list[Raised]) -> None:
    missed = {item.name: item.ops for item in raised if item.ops != [item.operator]}
    assert set(missed) == STAYS, missed
    assert len(raised) - len(missed) - sum(FURTHER.values()) >= 295


def test_the_answers_stay(raised: list[Raised]) -> None:
    wrong = {item.name: item.wrong for item in raised if item.wrong}
    assert not wrong
