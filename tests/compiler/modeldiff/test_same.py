"""Models that compute the same are the same, however they are written."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from tests.compiler.modeldiff.variants import written_another_way
from tests.corpus import CORPUS

from burnish.loading import load
from burnish.modeldiff import diff_models
from burnish.text import parse_model
from burnish_models import zoo

EXPORTS = Path(__file__).parent / "exports"
DIGITS = Path(__file__).parents[3] / "models/burnish_models/digits/digits.onnx"


@pytest.mark.parametrize("exporter", ["legacy", "dynamo"])
def test_two_exports_of_one_network_are_the_same(exporter: str) -> None:
    paths = EXPORTS / f"{exporter}_a.onnx", EXPORTS / f"{exporter}_b.onnx"
    names = [{tensor.name for tensor in onnx.load(path).graph.initializer} for path in paths]
    assert names[0] != names[1]
    found = diff_models(*map(load, paths))
    assert found.lines == ()
    assert not found


def test_an_export_with_other_interface_names_differs_in_just_those() -> None:
    models = load(EXPORTS / "dynamo_b.onnx"), load(EXPORTS / "dynamo_interface.onnx")
    found = diff_models(*models)
    assert found.lines[0] == "@ inputs and outputs"
    assert [before.partition(":")[0] for before, _ in found.changed] == [
        "input image",
        "output y",
        "output z",
    ]
    assert found.same == len(found.scopes[0].nodes)
    assert not diff_models(*models, ignore_names=True)


@pytest.mark.parametrize("name", zoo.names())
def test_a_zoo_model_written_another_way_is_the_same(name: str) -> None:
    source = zoo.get(name).proto()
    for seed in range(3):
        found = diff_models(load(source), load(written_another_way(source, seed)))
        assert found.lines == ()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_digits_written_another_way_is_the_same(seed: int) -> None:
    source = onnx.load(DIGITS)
    model = load(written_another_way(source, seed))
    found = diff_models(load(source), model)
    assert found.lines == ()
    assert found.same == sum(node.op_type != "Constant" for node in model.graph)
    assert found.renamed > 0


@pytest.mark.parametrize(
    "path",
    sorted(path for path in CORPUS.glob("*/*.onnx") if path.stat().st_size < 4_000_000)
    or [pytest.param(CORPUS, marks=pytest.mark.skip("the corpus is not here"))],
    ids=lambda path: path.stem,
)
def test_a_corpus_model_written_another_way_is_the_same(path: Path) -> None:
    source = onnx.load(path)
    assert diff_models(load(path), load(written_another_way(source, 1))).lines == ()


HEAD = "agraph (float[1, 2, 8, 8] x) => (float[1, 2, 8, 8] y)"
CONV = HEAD + " <float[2, 2, 3, 3] w> { y = Conv%s(x, w) }"


def conv(attributes: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(load_text(CONV % attributes))
    del model.graph.initializer[:]
    model.graph.initializer.append(
        helper.make_tensor("w", 1, [2, 2, 3, 3], [float(index) for index in range(36)])
    )
    return model


def load_text(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]>\n{text}')


@pytest.mark.parametrize(
    "written",
    [
        "<pads = [1, 1, 1, 1], strides = [1, 1], dilations = [1, 1]>",
        "<kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 1>",
        '<auto_pad = "NOTSET", pads = [1, 1, 1, 1]>',
    ],
)
def test_a_default_that_depends_on_the_rank_may_be_written_out(written: str) -> None:
    plain = load(conv("<pads = [1, 1, 1, 1]>"))
    assert not diff_models(plain, load(conv(written)))
    assert diff_models(plain, load(conv(written.replace("[1, 1, 1, 1]", "[2, 2, 2, 2]"))))


def test_a_stride_is_no_default() -> None:
    found = diff_models(
        load(conv("<pads = [1, 1, 1, 1]>")), load(conv("<pads = [1, 1, 1, 1], strides = [2, 2]>"))
    )
    (node,) = found.scopes[0].differing()
    assert node.notes == ("attribute strides: default became [2, 2]",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Transpose(x)", "Transpose<perm = [3, 2, 1, 0]>(x)"),
        ("Clip(x)", 'Clip(x, "", "")'),
        ("Softmax(x)", "Softmax<axis = -1>(x)"),
        ("Add(x, k)", "Add(k, x)"),
    ],
)
def test_other_ways_to_say_the_same(one: str, other: str) -> None:
    text = "agraph (float[2, 2, 2, 2] x) => (float[?, ?, ?, ?] y) { k = Abs(x) y = %s }"
    found = diff_models(*(load(load_text(text % body.replace('""', ""))) for body in (one, other)))
    assert found.lines == ()


def test_exchanged_operands_are_told_as_a_note() -> None:
    text = "agraph (float[2] x) => (float[2] y) { k = Abs(x) y = %s }"
    found = diff_models(*(load(load_text(text % b)) for b in ("Mul(x, k)", "Mul(k, x)")))
    assert not found
    assert found.notes == ("operands of 1 node exchanged",)
    assert not diff_models(*[load(load_text(text % "Mul(x, k)"))] * 2).notes


def test_a_result_that_nobody_reads_may_be_left_out() -> None:
    text = "agraph (float[2, 4] x, float[4] s) => (float[2, 4] y) { %s = LayerNormalization(x, s) }"
    models = [load(parse_model(text % names)) for names in ("y", "y, m, d")]
    assert not diff_models(*models)
