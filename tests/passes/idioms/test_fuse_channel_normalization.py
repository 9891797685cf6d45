"""Instance and group normalization in the spellings of exporters."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support import ops, reasons, run_passes

from burnish.driver import Optimized, optimize
from burnish.ir import attribute, constant_array, to_proto
from burnish.target import Limits, Target
from burnish.text import parse_model
from burnish.verify import verify

PASS = "fuse-channel-normalization"
WITH_GROUPS = dataclasses.replace(Target(), limits=Limits(highest_opset=26))


def _instance(body: str, *, shape: str = "N,2,3,4", axes: str = "2,3") -> str:
    return f"""agraph (float[{shape}] x) => (float[{shape}] y)
        <int64[2] axes = {{{axes}}}, float e = {{0.001}}, float[2,1,1] w = {{2.0, 3.0}},
         float[4] row = {{1.0, 2.0, 3.0, 4.0}}> {{
        m = ReduceMean (x, axes) d = Sub (x, m) s = Mul (d, d) q = ReduceMean (s, axes)
        p = Add (q, e) r = Sqrt (p) {body} }}"""


@pytest.mark.parametrize(
    ("body", "scale"),
    [
        ("y = Div (d, r)", [1, 1]),
        ("i = Reciprocal (r) y = Mul (i, d)", [1, 1]),
        ("t = Mul (d, w) y = Div (t, r)", [2, 3]),
    ],
)
def test_instance_normalization(body: str, scale: list[float]) -> None:
    model, _ = run_passes(_instance(body), PASS)
    assert ops(model) == ["InstanceNormalization"]
    held = constant_array(model.graph[0].inputs[1])
    assert held is not None
    assert held.tolist() == scale


@pytest.mark.parametrize(
    ("body", "shape", "axes", "why"),
    [
        (
            "t = Mul (d, row) y = Div (t, r)",
            "N,2,3,4",
            "2,3",
            "scale or bias vary along other axes",
        ),
        ("y = Div (d, r)", "N,C,3,4", "2,3", None),
        ("y = Div (d, r)", "N,2,3,4", "1,2", None),
        ("y = Div (d, r)", "N,3,4", "1,2", None),
    ],
)
def test_no_instance_normalization(body: str, shape: str, axes: str, why: str | None) -> None:
    model, records = run_passes(_instance(body, shape=shape, axes=axes), PASS)
    assert "InstanceNormalization" not in ops(model)
    assert reasons(records) == ([] if why is None else [why])


def _group(x: str = "N,4,3,2", apart: str = "0, 2, -1", together: str = "0, 4, 3, 2") -> str:
    sizes = len(together.split(","))
    return f"""agraph (float[{x}] x) => (float[{"a,b,c,d"[: 2 * sizes - 1]}] y)
        <int64[3] apart = {{{apart}}}, int64[{sizes}] together = {{{together}}},
         float[2] w = {{1.0, 2.0}}, float[2] v = {{0.0, 3.0}}> {{
        r = Reshape (x, apart) t = InstanceNormalization <epsilon = 0.001> (r, w, v)
        y = Reshape (t, together) }}"""


def _optimized(text: str, opset: int = 21) -> Optimized:
    source = to_proto(parse_model(text, opset=opset))
    done = optimize(source, passes=PASS, target=WITH_GROUPS)
    assert verify(source, to_proto(done.model), exactness=done.pipeline.exactness).ok
    return done


def test_group_normalization_where_the_target_has_it() -> None:
    done = _optimized(_group())
    assert ops(done.model) == ["GroupNormalization"]
    node = done.model.graph[0]
    assert attribute(node, "num_groups") == 2
    held = [constant_array(value) for value in node.inputs[1:]]
    assert [array.tolist() for array in held if array is not None] == [[1, 1, 2, 2], [0, 0, 3, 3]]


@pytest.mark.parametrize(
    ("text", "opset", "why"),
    [
        (_group(), 20, "GroupNormalization has a scale for each channel from opset 21"),
        (_group(x="2,4,3,2", apart="-1, 2, 6", together="2, 4, 3, 2"), 21, "the Reshape may mix"),
        (_group(x="6,3,3,2", apart="6, 2, -1", together="6, 3, 3, 2"), 21, "the groups do not"),
        (_group(x="6,4,3,2", apart="6, 2, -1", together="6, 4, 2, 3"), 21, "y [6, 4, 2, 3] may"),
    ],
)
def test_no_group_normalization(text: str, opset: int, why: str) -> None:
    if why == "the Reshape may mix":
        text = text.replace("{-1, 2, 6}", "{4, 2, 6}")
    done = _optimized(text, opset)
    assert ops(done.model) == ["Reshape", "InstanceNormalization", "Reshape"]
    assert len(reasons(done.records)) == 1
    assert reasons(done.records)[0].startswith(why)


def test_onnx_runtime_would_take_it_apart() -> None:
    done = optimize(parse_model(_group(), opset=21), passes=PASS)
    assert reasons(done.records) == ["ort-cpu has no good kernel for GroupNormalization"]
