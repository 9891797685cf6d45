"""A part of a model by itself gives what it gave within the whole."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest

from burnish.culprit.extraction import extracted, regions
from burnish.diff import Diff, Recorder
from burnish.errors import ExecutionError
from burnish.evaluate import run_model
from burnish.ir import Model, all_nodes
from burnish.loading import load
from burnish.samples import make_inputs
from burnish.saving import to_proto
from burnish.text import parse_model
from burnish_models import zoo

CHAIN = """agraph (float[N, 4] x) => (float[N, 4] y, float[N, 4] z) <float[4] w = {1, 2, 3, 4}> {
    a = Neg (x)
    b = Mul (a, w)
    c = Sin (b)
    d = Cos (c)
    e = Add (d, b)
    y = Tanh (e)
    z = Abs (d)
}"""


def nodes(model: Model, *names: str) -> dict[Any, None]:
    return dict.fromkeys(node for node in model.graph if node.outputs[0].name in names)


def check_part(model: Model, region: dict[Any, None], feed: dict[str, Any], static: bool) -> Model:
    """The part is valid, and gives for its inputs what the model holds there."""
    part = extracted(model, region, feed, static=static)
    proto = to_proto(load(part.model))
    onnx.checker.check_model(proto, full_check=True)
    assert {info.name for info in proto.graph.input} == set(part.feed)
    names = [info.name for info in proto.graph.output]
    assert names
    expected = run_model(model, feed, outputs=names)
    for name, held in run_model(proto, part.feed).items():
        np.testing.assert_array_equal(held, expected[name])
    return part.model


@pytest.mark.parametrize("static", [False, True])
def test_what_it_reads_is_an_input_and_what_others_read_an_output(static: bool) -> None:
    model = parse_model(CHAIN)
    feed = make_inputs(model, 0)
    part = check_part(model, nodes(model, "c", "d"), feed, static)
    assert [value.name for value in part.graph.inputs] == ["b"]
    assert [value.name for value in part.graph.outputs] == ["d"]
    dims = [dim if isinstance(dim, int) else dim.value for dim in part.graph.inputs[0].shape or ()]
    assert dims == ([*feed["x"].shape] if static else ["N", 4])
    assert not part.graph.initializers


def test_constants_and_inputs_of_the_model_stay_what_they_are() -> None:
    model = parse_model(CHAIN)
    part = check_part(model, nodes(model, "a", "b"), make_inputs(model, 0), False)
    assert [value.name for value in part.graph.inputs] == ["x"]
    assert list(part.graph.initializers) == ["w"]


def test_the_model_is_not_changed() -> None:
    model = parse_model(CHAIN)
    before = to_proto(model).SerializeToString()
    extracted(model, nodes(model, "c"), make_inputs(model, 0), static=False)
    assert to_proto(model).SerializeToString() == before


def test_a_constant_node_comes_along() -> None:
    model = parse_model(
        """agraph (float[2] x) => (float[2] y) {
            k = Constant <value = float {2.0}> ()
            a = Neg (x)
            b = Mul (a, k)
            y = Sin (b)
        }"""
    )
    part = check_part(model, nodes(model, "b"), make_inputs(model, 0), False)
    assert [node.op_type for node in part.graph] == ["Constant", "Mul"]


def test_subgraphs_keep_what_they_capture() -> None:
    model = parse_model(
        """agraph (float[2] x, bool p) => (float[2] y) {
            a = Neg (x)
            b = Sin (x)
            c = If (p) <
                then_branch = g () => (float[2] t) { t = Mul (a, b) },
                else_branch = h () => (float[2] e) { e = Identity (a) }
            >
            y = Abs (c)
        }"""
    )
    part = check_part(model, nodes(model, "c"), make_inputs(model, 0), False)
    assert {value.name for value in part.graph.inputs} == {"p", "a", "b"}


def test_functions_that_are_called_come_along_and_no_others() -> None:
    model = parse_model(
        """<ir_version: 8, opset_import: ["": 17, "own": 1]>
        agraph (float[2] x) => (float[2] y) {
            a = own.twice (x)
            b = Sin (a)
            y = own.other (b)
        }
        <domain: "own", opset_import: ["": 17]> twice (v) => (w) { w = Add (v, v) }
        <domain: "own", opset_import: ["": 17]> other (v) => (w) { w = Neg (v) }"""
    )
    part = check_part(model, nodes(model, "a"), make_inputs(model, 0), False)
    assert [key[1] for key in part.functions] == ["twice"]


def test_what_a_file_cannot_hold_is_not_cut() -> None:
    model = parse_model(
        """agraph (float[2] x) => (float[2] y) {
            zero = Constant <value = int64 {0}> ()
            s = SequenceConstruct (x, x)
            a = SequenceAt (s, zero)
            y = Neg (a)
        }"""
    )
    part = check_part(model, nodes(model, "a"), make_inputs(model, 0), False)
    assert "SequenceConstruct" in {node.op_type for node in part.graph}


def test_a_model_that_does_not_run_has_no_parts() -> None:
    model = parse_model(
        "agraph (float[2] x) => (float[2] y) { a = Nonsense (x) y = Neg (a) }", opset=17
    )
    with pytest.raises(ExecutionError):
        extracted(model, nodes(model, "y"), {"x": np.ones(2, np.float32)}, static=False)


# --- regions


def change(model: Model, name: str) -> Diff:
    """The change of one node's operator."""
    copy = load(model)
    recorder = Recorder(copy)
    node = next(node for node in all_nodes(copy) if node.outputs[0].name == name)
    node.op_type = "Ceil"
    return recorder.observe()


def test_regions_begin_at_the_change_and_grow() -> None:
    model = parse_model(CHAIN)
    found = [
        [str(node.outputs[0].name) for node in region]
        for region in regions(model, change(model, "c"), "")
    ]
    assert found[0] == ["c"]
    assert set(found[1]) == {"c", "d"}
    assert set(found[2]) == {"b", "c", "d"}
    assert all(set(small) < set(large) for small, large in itertools.pairwise(found))
    assert len(found[-1]) < len(model.graph)


def test_a_change_inside_a_subgraph_begins_at_its_holder() -> None:
    model = parse_model(
        """agraph (float[2] x, bool p) => (float[2] y) {
            a = Neg (x)
            b = If (p) <
                then_branch = g () => (float[2] t) { t = Sin (a) },
                else_branch = h () => (float[2] e) { e = Identity (a) }
            >
            c = Cos (b)
            y = Abs (c)
        }"""
    )
    first = next(regions(model, change(model, "t"), ""))
    assert [node.op_type for node in first] == ["If"]


def test_a_change_inside_a_function_begins_at_a_call() -> None:
    model = parse_model(
        """<ir_version: 8, opset_import: ["": 17, "own": 1]>
        agraph (float[2] x) => (float[2] y) {
            a = Neg (x)
            b = own.twice (a)
            y = Sin (b)
        }
        <domain: "own", opset_import: ["": 17]> twice (v) => (w) { w = Add (v, v) }"""
    )
    first = next(regions(model, change(model, "w"), ""))
    assert [node.op_type for node in first] == ["twice"]


def test_a_change_of_nothing_has_no_region() -> None:
    assert list(regions(parse_model(CHAIN), Diff(), "nowhere")) == []


@pytest.mark.parametrize("name", zoo.names()[::7])
def test_parts_of_zoo_models_are_models(name: str) -> None:
    entry = zoo.get(name)
    if not entry.runnable or entry.random or entry.engine == "reference":
        pytest.skip("it does not run on ONNX Runtime, or never twice the same")
    model = load(entry.proto())
    feed = {**make_inputs(model, 0, dims=entry.dims), **entry.feeds}
    for node in list(model.graph)[:3]:
        part = extracted(model, {node: None}, feed, static=False)
        names = [str(value.name) for value in part.model.graph.outputs]
        if not names:
            continue
        expected = run_model(model, feed, outputs=names)
        for key, held in run_model(load(part.model), part.feed).items():
            if isinstance(held, np.ndarray):
                np.testing.assert_array_equal(held, expected[key])
