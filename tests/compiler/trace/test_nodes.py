"""Where along the graph two models part."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import numpy as np
import onnx
import pytest
from tests.support import ChangeWeights

from burnish.errors import InputError
from burnish.passdef import Context, Exactness, Pass
from burnish.pipeline import Pipeline
from burnish.saving import to_proto
from burnish.text import parse_model
from burnish.trace import NodeTrace, ValueRow, trace_models, trace_pipeline
from burnish_models import zoo

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("BURNISH_CORPUS", ROOT.parent / "shared/corpus"))
DIGITS = ROOT / "models/burnish_models/digits/digits.onnx"
SCHEMA = json.loads((ROOT / "docs/schema/node-trace.schema.json").read_text())
GELU = """
agraph (float[2, 8] x) => (float[2, 8] y) <
    float r = {1.4142135}, float one = {1.0}, float half = {0.5}
> {
    a = Div(x, r)
    b = Erf(a)
    c = Add(b, one)
    d = Mul(x, c)
    gelu = Mul(d, half)
    y = Tanh(gelu)
}
"""
CHAIN = """
agraph (float[N, 2] x) => (float[N, 2] y) <float[2] w = {1, 2}, float[2] b = {3, 4}> {
    p = Mul(x, w)
    q = Exp(p)
    t = Add(q, b)
    y = Neg(t)
}
"""


def model(text: str, opset: int = 20) -> onnx.ModelProto:
    return to_proto(parse_model(text, opset=opset))


def rows(found: NodeTrace) -> dict[str, ValueRow]:
    return {row.value: row for row in found.rows}


def check(found: NodeTrace) -> Any:
    held = json.loads(json.dumps(found.json(), allow_nan=False))
    jsonschema.validate(held, SCHEMA)
    return held


# --- a model and its pipeline


def test_a_fused_node_is_compared_with_the_tensor_it_replaced() -> None:
    found = trace_pipeline(model(GELU), passes="fuse-gelu")
    row = rows(found)["gelu"]
    assert row.op == "Gelu"
    assert row.reference == "gelu"
    assert set(row.sources) == {"Div(a)", "Erf(b)", "Add(c)", "Mul(d)", "Mul(gelu)"}
    assert row.compared
    assert not row.beyond
    assert set(rows(found)) == {"gelu", "y"}
    assert found.ok


def test_a_folded_constant_is_compared_with_what_the_source_computes() -> None:
    text = "agraph (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { c = Exp(w) y = Add(x, c) }"
    found = trace_pipeline(model(text), passes="fold-constants")
    row = rows(found)["c"]
    assert (row.op, row.node, row.sources) == ("Constant", "", ("Exp(c)",))
    assert row.index == 0
    assert row.compared
    assert found.ok


def test_digits() -> None:
    found = trace_pipeline(DIGITS)
    assert found.ok
    assert found.first_beyond is None
    assert sum(row.is_output for row in found.rows) == len(onnx.load(DIGITS).graph.output)
    assert [row.index for row in found.rows] == list(range(len(found.rows)))
    check(found)


def test_new_values_have_no_counterpart_and_say_where_they_are_from() -> None:
    text = """
    agraph (float[4] x) => (float[2] a, float[2] b)
    <int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}> {
        i = Slice(x, zero, two)
        j = Slice(x, two, four)
        a = Exp(i)
        b = Neg(j)
    }
    """
    found = trace_pipeline(model(text))
    assert found.ok
    for new in found.unpaired:
        assert new.value not in rows(found)
    assert len(found.unpaired) == len(check(found)["unpaired"])


# --- two models


def test_the_first_value_that_differs_is_found() -> None:
    other = CHAIN.replace("b = {3, 4}", "b = {3, 5}")
    found = trace_models(model(CHAIN), model(other))
    assert not found.ok
    assert found.first_moved is found.first_beyond is rows(found)["t"]
    assert [row.moved for row in found.rows] == [False, False, True, True]
    assert rows(found)["t"].max_abs == 1.0
    lines = found.text().splitlines()
    (line,) = [line for line in lines if line.startswith("t ")]
    assert "first difference" in line
    assert "they part at t, Add Add(t)" in found.text()
    held = check(found)
    assert (held["first_moved"], held["first_beyond"], held["ok"]) == ("t", "t", False)


def test_other_names_are_paired_by_structure() -> None:
    renamed = CHAIN
    for old, new in (("p", "v1"), ("q", "v2"), ("t", "v3")):
        renamed = renamed.replace(f" {old} =", f" {new} =").replace(f"({old}", f"({new}")
    found = trace_models(model(CHAIN), model(renamed.replace("b = {3, 4}", "b = {3, 5}")))
    pairs = {row.value: (row.reference, row.by) for row in found.rows}
    assert pairs["v1"] == ("p", "structure")
    assert pairs["v3"] == ("t", "structure")
    assert found.first_beyond is rows(found)["v3"]
    assert "compared with t" in found.text()


def test_numbered_names_that_moved_on_are_not_trusted() -> None:
    first = """agraph (float[2] x) => (float[2] y)
    { v1 = Exp(x) v2 = Neg(v1) v3 = Tanh(v2) v4 = Abs(v3) y = Relu(v4) }"""
    second = """agraph (float[2] x) => (float[2] y)
    { v2 = Exp(x) v3 = Neg(v2) v4 = Tanh(v3) v5 = Abs(v4) y = Relu(v5) }"""
    found = trace_models(model(first), model(second), exactness=Exactness.BITWISE)
    assert found.ok
    assert found.first_moved is None
    assert rows(found)["v2"].reference == "v1"
    assert any("paired by structure" in note for note in found.notes)


def test_a_name_that_means_another_shape_is_not_comparable() -> None:
    first = (
        "agraph (float[2, 3] x) => (float[2, 3] y) { t = Transpose(x) u = Transpose(t) y = Exp(u) }"
    )
    second = "agraph (float[2, 3] x) => (float[2, 3] y) { t = Neg(x) u = Neg(t) y = Exp(u) }"
    found = trace_models(model(first), model(second))
    assert found.ok
    row = rows(found)["t"]
    assert row.why == "shape [2, 3] here, [3, 2] in the source"
    assert "not comparable: shape" in found.text()
    assert check(found)["values"][row.index]["max_abs"] is None
    assert check(found)["values"][row.index]["ok"] is None


def test_inner_values_may_differ_while_the_outputs_agree() -> None:
    first = "agraph (float[2] x) => (float[2] y) { t = Abs(x) y = Mul(t, t) }"
    second = "agraph (float[2] x) => (float[2] y) { t = Neg(x) y = Mul(t, t) }"
    found = trace_models(model(first), model(second))
    assert found.ok
    assert found.first_beyond is rows(found)["t"]
    assert "yet the outputs are within it" in found.text()


def test_models_of_other_inputs_are_not_run() -> None:
    other = CHAIN.replace("float[N, 2] x", "float[N, 2] z").replace("(x, w)", "(z, w)")
    found = trace_models(model(CHAIN), model(other))
    assert not found.ok
    assert found.rows == ()
    assert "expected ['x']" in found.text()
    check(found)


def test_a_result_that_does_not_run_is_no_crash() -> None:
    broken = model(CHAIN)
    broken.graph.node[1].domain = "vendor"
    broken.opset_import.add(domain="vendor", version=1)
    found = trace_models(model(CHAIN), broken)
    assert not found.ok
    assert found.rows == ()
    assert "does not run" in found.text()


# --- how it runs


@pytest.mark.parametrize("limit", [1, 40, 100])
def test_groups_of_any_size_find_the_same(limit: int) -> None:
    other = CHAIN.replace("b = {3, 4}", "b = {3, 5}")
    whole = trace_models(model(CHAIN), model(other))
    told: list[object] = []
    parts = trace_models(model(CHAIN), model(other), limit=limit, progress=told.append)
    assert parts.rows == whole.rows
    groups = [item for item in told if str(item).startswith("compare values")]
    # Of N = 2 rows and 2 columns of 4 bytes, in both models.
    assert len(groups) == {1: 4, 40: 4, 100: 2}[limit]


def test_a_value_that_cannot_be_handed_out_spoils_no_other() -> None:
    text = """
    agraph (float[4] x) => (float[4] y) <float s = {0.5}, float8e4m3fn z = {0}> {
        q = QuantizeLinear(x, s, z)
        list = SequenceConstruct(x, x)
        one = SequenceLength(list)
        d = DequantizeLinear(q, s, z)
        y = Neg(d)
    }
    """
    proto = model(text)
    found = trace_models(proto, proto)
    assert found.ok
    assert rows(found)["q"].compared
    assert rows(found)["d"].compared
    assert rows(found)["list"].why == "holds a sequence"
    assert "1 value not compared: holds a sequence" in found.text()


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("sequence", "sequence"),
        ("strings", "strings"),
        ("if_runtime", "bodies of 1 node (If)"),
        ("loop_captures", "bodies of 1 node (Loop)"),
        ("bfloat16_weight", ""),
        ("cast_through_bool", ""),
        ("conv_half_bn", ""),
    ],
)
def test_any_type_of_value(name: str, note: str) -> None:
    source = zoo.get(name).proto()
    assert trace_pipeline(source).ok
    found = trace_models(source, source)
    assert found.ok
    assert found.first_moved is None
    assert note in " ".join(found.notes)
    check(found)


def test_random_values_are_left_out() -> None:
    text = """agraph (float[4] x) => (float[4] y, float[4] z)
    { r = RandomNormalLike(x) a = Add(r, x) y = Neg(a) z = Exp(x) }"""
    found = trace_models(model(text), model(text), exactness=Exactness.BITWISE)
    assert found.ok
    assert {row.value for row in found.rows if row.why} == {"r", "a", "y"}
    assert rows(found)["z"].compared
    assert "3 values not compared: depends on random operators" in found.text()


def test_sizes_samples_and_exactness() -> None:
    nudged = CHAIN.replace("b = {3, 4}", "b = {3, 4.00001}")
    feeds: list[Mapping[str, Any]] = [{"x": np.zeros((5, 2), np.float32)}]
    found = trace_models(model(CHAIN), model(nudged), samples=feeds)
    assert found.ok
    assert found.verdict.samples == 1
    assert found.first_moved is not None
    strict = trace_models(
        model(CHAIN), model(nudged), samples=feeds, exactness=Exactness.BITWISE, dims={"N": 5}
    )
    assert not strict.ok
    assert strict.first_beyond is not None
    assert strict.first_beyond.value == "t"
    with pytest.raises(InputError, match="at least one"):
        trace_models(model(CHAIN), model(nudged), samples=[])


def test_the_worst_come_first_and_those_not_compared_last() -> None:
    source = """agraph (float[2, 3] x) => (float[2, 3] y) <float[3] w = {1, 2, 3}, float[3] v = {1, 1, 1}>
    { t = Transpose(x) u = Transpose(t) a = Mul(u, w) y = Mul(a, v) }"""
    other = source.replace("w = {1, 2, 3}", "w = {1, 2, 3.01}").replace(
        "v = {1, 1, 1}", "v = {1, 1, 9}"
    )
    other = other.replace("t = Transpose(x) u = Transpose(t)", "t = Neg(x) u = Neg(t)")
    found = trace_models(model(source), model(other))
    assert [row.value for row in found.worst()] == ["y", "a", "u", "t"]
    assert [row.value for row in found.worst(2)] == ["y", "a"]
    assert len(found.json(top=1)["values"]) == 1
    assert found.json(top=1)["compared"] == 3
    assert found.text(top=0).startswith("3 values compared")


@dataclass(frozen=True)
class DoNothing(Pass):
    """Changes nothing."""

    name: ClassVar[str] = "do-nothing"

    def run(self, model: Any, ctx: Context) -> None:
        """Leave the model alone."""


def test_what_is_allowed_is_what_the_passes_may_do() -> None:
    still = trace_pipeline(model(CHAIN), passes=Pipeline((DoNothing(),)))
    assert still.verdict.outputs[0].allowed == "equal bits"
    broken = trace_pipeline(model(CHAIN), passes=Pipeline((ChangeWeights(),)))
    assert not broken.ok
    assert broken.first_beyond is not None
    assert broken.first_beyond.value == "p"


# --- real models


def corpus(name: str) -> Path:
    path = CORPUS / f"{name}.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


def test_two_exporters_of_one_network_agree_along_the_graph() -> None:
    found = trace_models(
        corpus("real/cifar_resnet20_legacy"), corpus("real/cifar_resnet20_dynamo"), seeds=(0,)
    )
    assert found.ok
    assert found.first_beyond is None
    assert sum(row.compared and row.by == "structure" for row in found.rows) > 50


def test_a_quantized_model_parts_at_its_first_layer() -> None:
    found = trace_models(
        corpus("real/cifar_resnet20_legacy"), corpus("real/cifar_resnet20_ortqdq"), seeds=(0,)
    )
    assert not found.ok
    first = found.first_beyond
    assert first is not None
    assert (first.index, first.op) == (0, "Conv")
    assert "x_QuantizeLinear" in first.through
    assert first.sqnr is not None
    assert 10 < first.sqnr < 40
