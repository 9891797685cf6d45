"""``burnish explain`` as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import onnx
import pytest
from tests.corpus import corpus_model

from burnish.ir import to_proto
from burnish.text import parse_model

Command: TypeAlias = Callable[..., Any]
SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs/schema/explain.schema.json").read_text(encoding="utf-8")
)
DIGITS = Path(__file__).parents[2] / "models/burnish_models/digits"
GELU = """agraph (float[N,8] x) => (float[N,8] y)
    <float root = {1.41421354}, float one = {1.0}, float half = {0.5}> {
        a = Div(x, root)
        b = Erf(a)
        c = Add(b, one)
        d = Mul(x, c)
        y = Mul(d, half)
    }"""


@pytest.fixture
def gelu(tmp_path: Path) -> Path:
    """A model with a Gelu of opset 13, spelled out."""
    path = tmp_path / "gelu.onnx"
    onnx.save(to_proto(parse_model(GELU, opset=13)), path)
    return path


@pytest.mark.parametrize("name", ["fuse-gelu", "raise-opset", "Erf(b)", "b", "half", "x", "y"])
def test_json_is_as_published(run: Command, gelu: Path, name: str) -> None:
    ran = run("explain", gelu, name, "--json")
    assert ran.code == 0
    jsonschema.validate(ran.json, SCHEMA)
    assert ran.json["state"] == "the result"


def test_why_a_gelu_was_not_fused(run: Command, gelu: Path) -> None:
    ran = run("explain", gelu, "Erf(b)", "--passes", "eliminate-identity, fuse-gelu")
    assert ran.code == 0
    assert "Gelu needs opset 20" in ran.out
    assert "→ raise the opset" in ran.out
    assert "fuse-gelu: went into node_Gelu_0, with" in run("explain", gelu, "Erf(b)").out


def test_a_pass_outside_of_the_pipeline_is_no(run: Command, gelu: Path) -> None:
    ran = run("explain", gelu, "fuse-gelu", "-O1")
    assert ran.code == 1
    assert "not in this pipeline" in ran.out
    assert "O2" in ran.out


def test_at_a_pass_in_between(run: Command, gelu: Path) -> None:
    passes = ("--passes", "raise-opset, fuse-gelu")
    ran = run("explain", gelu, "fuse-gelu", "--at", 0, *passes)
    assert ran.code == 0
    assert "has not run up to here" in ran.out
    assert "the model after pass 0 (raise-opset)" in ran.out
    node = run("explain", gelu, "Erf(b)", "--at", 0, "--json", *passes).json
    assert node["state"] == "the model after pass 0 (raise-opset)"
    assert node["result"] == "b = Erf(a)"
    assert node["would_apply"] == ["fuse-gelu"]
    jsonschema.validate(node, SCHEMA)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fuse-gulu",), "no pass and no node is named 'fuse-gulu'; did you mean fuse-gelu?"),
        (("idioms",), "it is a pipeline of passes"),
        (("fuse-gelu", "--at", "9999"), "--at: there is no pass 9999; the last one is"),
        (("fuse-gelu", "--at", "-1"), "--at: a pass has no negative index"),
        (("fold-constants{grow=1}",), "has no option 'grow'"),
    ],
)
def test_errors_are_one_line(
    run: Command, gelu: Path, arguments: tuple[str, ...], message: str
) -> None:
    ran = run("explain", gelu, *arguments, "-q")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_a_pipeline_without_passes_has_no_pass_to_look_at(run: Command, gelu: Path) -> None:
    ran = run("explain", gelu, "fuse-gelu", "--at", 0, "-O0", "-q")
    assert ran.code == 2
    assert "no pass ran" in ran.err


def test_all_places_when_asked_for(run: Command, tmp_path: Path) -> None:
    steps = "\n".join(f"a{n + 1} = Identity(a{n})" for n in range(12))
    text = f"agraph (float[2] a0) => (float[2] y) {{ {steps} y = Neg(a12) }}"
    path = tmp_path / "chain.onnx"
    onnx.save(to_proto(parse_model(text)), path)
    short = run("explain", path, "eliminate-identity").out
    assert "and 7 more; --all" in short
    assert "Identity(a12)" not in short
    assert "Identity(a12)" in run("explain", path, "eliminate-identity", "--all").out


def test_defaults_in_the_way_of_a_fusion_and_the_remedy(run: Command) -> None:
    model = corpus_model("real/ultraface_slim320")
    text = run("explain", model, "fuse-conv-batch-norm", "-q").out
    assert "is not a constant: it is an input whose default a caller may override" in text
    assert "run freeze-initializers first" in text
    assert "alike at" in text
    passes = ("--passes", "freeze-initializers, O2")
    assert "applied at 25 places" in run("explain", model, "fuse-conv-batch-norm", *passes).out


def test_a_trap_in_a_real_attention(run: Command, tmp_path: Path) -> None:
    proto = onnx.load(corpus_model("arch/bert_tiny_legacy"))
    softmax = next(node for node in proto.graph.node if node.op_type == "Softmax")
    kept = next(node for node in proto.graph.node if node.op_type == "Softmax" and node != softmax)
    output = onnx.helper.make_tensor_value_info(softmax.output[0], onnx.TensorProto.FLOAT, None)
    proto.graph.output.append(output)
    path = tmp_path / "bert.onnx"
    onnx.save(proto, path)
    found = run("explain", path, softmax.name, "--json").json
    first = found["near_misses"][0]
    assert first["pass"] == "fuse-attention"
    assert first["declined"]
    assert [each["why"] for each in first["conditions"]] == [
        f"{softmax.output[0]} is a graph output"
    ]
    other = run("explain", path, kept.name, "--json").json
    assert other["result"] is None
    assert other["events"][0]["spec"] == "fuse-attention"
