"""The harness itself: it must see what it is there to see."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import numpy as np
import onnx
import onnx.helper
import pytest
from onnx import parser
from tests.conformance import check
from tests.conformance.cases import Case, DataSet, load_cases
from tests.conformance.engines import first_difference
from tests.conformance.isolation import Lost, run_isolated

from burnish.passdef import Exactness

MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 2] x, int64[2] s) => (float[N, 2] y, seq(float[2]) z)
{ y = Relu(x)  z = SequenceConstruct(x) }
"""


@pytest.fixture(scope="module")
def relu() -> Case:
    cases = {case.name: case for case in load_cases(["pytorch-converted"])}
    return cases["test_ReLU"]


def _work(item: str) -> str:
    if item == "abort":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "raise":
        raise RuntimeError(item)
    if item == "hang":
        time.sleep(600)
    return item.upper()


def test_a_lost_worker_costs_one_item() -> None:
    items = ["a", "abort", "b", "hang", "raise", "c", "d"]
    answers = dict(run_isolated(items, _work, jobs=2, timeout=2.0))
    assert {name: answers[name] for name in "abcd"} == {"a": "A", "b": "B", "c": "C", "d": "D"}
    lost = {name: answers[name] for name in ("abort", "hang", "raise")}
    assert all(isinstance(answer, Lost) for answer in lost.values())
    assert [name for name, answer in lost.items() if getattr(answer, "timed_out", None)] == ["hang"]


def _renamed(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "other"


def _reordered(model: onnx.ModelProto) -> None:
    first = onnx.ValueInfoProto()
    first.CopyFrom(model.graph.input[0])
    del model.graph.input[0]
    model.graph.input.append(first)


def _dim_lost(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.shape.dim[0].Clear()


def _dim_bound(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def _element_changed(model: onnx.ModelProto) -> None:
    inner = model.graph.output[1].type.sequence_type.elem_type
    inner.tensor_type.elem_type = onnx.TensorProto.DOUBLE


@pytest.mark.parametrize("change", [_renamed, _reordered, _dim_lost, _dim_bound, _element_changed])
def test_interface_changes_are_seen(change: Callable[[onnx.ModelProto], None]) -> None:
    source, result = parser.parse_model(MODEL), parser.parse_model(MODEL)
    assert check.interface_change(source, result) == ""
    change(result)
    assert check.interface_change(source, result) != ""


@pytest.mark.parametrize(
    ("operator", "domain", "status"),
    [
        ("Relu", "", check.PASS),
        ("Abs", "", check.WRONG),
        ("Nil", "", check.INVALID),
        ("Relu", "nowhere", check.REFUSED),
    ],
)
def test_a_wrong_rewrite_is_seen(
    relu: Case, operator: str, domain: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rewrite(model: onnx.ModelProto, level: str) -> onnx.ModelProto:
        model.graph.node[0].op_type = operator
        model.graph.node[0].domain = domain
        model.opset_import.add(domain="nowhere", version=1)
        return model

    monkeypatch.setattr(check, "optimize", rewrite)
    assert check.unoptimized(relu).status == check.PASS
    assert check.optimized(relu, "O2", "ort").status == status


@pytest.mark.parametrize(("ir_version", "seen"), [(3, False), (8, True)])
def test_a_stored_input_counts_where_callers_may_set_it(ir_version: int, seen: bool) -> None:
    source, result = parser.parse_model(MODEL), parser.parse_model(MODEL)
    for model in (source, result):
        model.ir_version = ir_version
        model.graph.initializer.append(
            onnx.helper.make_tensor("s", onnx.TensorProto.INT64, [2], [1, 2])
        )
    del result.graph.input[1]
    assert bool(check.interface_change(source, result)) == seen


def test_an_exception_of_the_optimizer_is_seen(relu: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(model: onnx.ModelProto, level: str) -> onnx.ModelProto:
        raise KeyError("gone")

    monkeypatch.setattr(check, "optimize", refuse)
    outcome = check.optimized(relu, "O2", "ort")
    assert outcome.status == check.OPTIMIZER_ERROR
    assert "KeyError" in outcome.detail


def test_only_what_may_round_may_be_two_units_of_float16_off(relu: Case) -> None:
    one = np.ones(1, np.float16)
    data, given = DataSet({}, [one]), [one + np.float16(2.0**-9)]
    assert first_difference(relu, data, given) != ""
    assert first_difference(relu, data, given, Exactness.BITWISE) != ""
    assert first_difference(relu, data, given, Exactness.FLOAT) == ""
    assert first_difference(relu, data, [one + np.float16(2.0**-7)], Exactness.FLOAT) != ""


@pytest.mark.parametrize(
    ("level", "exactness"),
    [
        ("none", Exactness.BITWISE),
        ("O1", Exactness.BITWISE),
        ("O2", Exactness.FLOAT),
        ("eliminate-identity", Exactness.BITWISE),
        ("fuse-gelu", Exactness.FLOAT),
    ],
)
def test_a_level_may_do_what_its_passes_may(level: str, exactness: Exactness) -> None:
    assert check.exactness_of(level) == exactness
