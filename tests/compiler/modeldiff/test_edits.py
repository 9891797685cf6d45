"""A known edit is what the difference says, under the same names and under others."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiler.modeldiff.variants import (
    bypass,
    change_weight,
    insert,
    written_another_way,
)
from tests.corpus import corpus_model

from burnish.loading import load
from burnish.modeldiff import ModelDiff, diff_models

DIGITS = Path(__file__).parents[3] / "models/burnish_models/digits/digits.onnx"
CORPUS = (
    "real/cifar_resnet20_legacy",
    "real/stories260k_kv_legacy",
    "arch/bert_tiny_dynamo",
    "arch/gpt2_tiny_kv_legacy",
    "arch/unet_dynamo",
)
Check = Callable[[ModelDiff], None]


def counts(found: ModelDiff) -> tuple[int, int, int]:
    return len(found.added), len(found.removed), len(found.changed)


def both_ways(source: onnx.ModelProto, edited: onnx.ModelProto, check: Check, seed: int) -> None:
    """Compare with the edited model, and with it written another way."""
    before = load(source)
    check(diff_models(before, load(edited)))
    check(diff_models(before, load(written_another_way(edited, seed))))


def copy(model: onnx.ModelProto) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    return made


def edit_weight(source: onnx.ModelProto, seed: int) -> None:
    chance = random.Random(seed)
    read = {name for node in source.graph.node for name in node.input}
    large = [
        index
        for index, tensor in enumerate(source.graph.initializer)
        if tensor.data_type == onnx.TensorProto.FLOAT
        and tensor.name in read
        and len(tensor.raw_data) > 64
    ]
    edited = copy(source)
    change_weight(edited.graph.initializer[chance.choice(large)], chance)

    def check(found: ModelDiff) -> None:
        assert counts(found) == (0, 0, 1)
        (weight,) = found.weights
        assert weight.how == "values"
        assert weight.distance is not None
        assert weight.distance.changed == 1
        assert weight.distance.max_abs == pytest.approx(1, abs=1e-3)

    both_ways(source, edited, check, seed)


def edit_attribute(source: onnx.ModelProto, seed: int) -> None:
    places = [
        (index, place)
        for index, node in enumerate(source.graph.node)
        for place, attribute in enumerate(node.attribute)
        if attribute.type == onnx.AttributeProto.INT and node.op_type not in ("Constant", "Cast")
    ]
    index, place = random.Random(seed).choice(places)
    edited = copy(source)
    attribute = edited.graph.node[index].attribute[place]
    attribute.i += 1

    def check(found: ModelDiff) -> None:
        assert counts(found) == (0, 0, 1)
        (node,) = found.scopes[0].differing()
        assert node.before is not None
        assert node.before.op == source.graph.node[index].op_type
        (note,) = (text for text in node.notes if not text.startswith("result "))
        assert note.startswith(f"attribute {attribute.name}: ")

    both_ways(source, edited, check, seed)


def edit_insert(source: onnx.ModelProto, seed: int) -> None:
    chance = random.Random(seed)
    stored = {tensor.name for tensor in source.graph.initializer}
    places = [
        (index, slot)
        for index, node in enumerate(source.graph.node)
        for slot, name in enumerate(node.input)
        if name and name not in stored
    ]
    edited = copy(source)
    operator = chance.choice(["Identity", "Neg"])
    index, slot = chance.choice(places)
    insert(edited, index, operator, slot)

    def check(found: ModelDiff) -> None:
        assert counts(found) == (1, 0, 1)
        assert f"= {operator}(" in found.added[0]

    both_ways(source, edited, check, seed)


def edit_bypass(source: onnx.ModelProto, seed: int) -> None:
    ends = {info.name for info in source.graph.output}
    readers = {
        name: sum(name in node.input for node in source.graph.node)
        for node in source.graph.node
        for name in node.output
    }
    places = [
        index
        for index, node in enumerate(source.graph.node)
        if len(node.input) == len(node.output) == 1 and node.output[0] not in ends
    ]
    edited = copy(source)
    gone = bypass(edited, random.Random(seed).choice(places))
    rank = readers[gone.output[0]] + readers.get(gone.input[0], 1)

    def check(found: ModelDiff) -> None:
        assert counts(found)[:2] == (0, 1)
        assert len(found.changed) <= rank
        # Of two that are alike in a row, either may be called the one that went.
        assert f"= {gone.op_type}(" in found.removed[0]

    both_ways(source, edited, check, seed)


def edit_order(source: onnx.ModelProto, seed: int) -> None:
    """Exchange two operands that do not commute."""
    places = [
        index
        for index, node in enumerate(source.graph.node)
        if node.op_type in ("Sub", "Div", "Pow", "MatMul") and node.input[0] != node.input[1]
    ]
    if not places:
        return
    edited = copy(source)
    node = edited.graph.node[random.Random(seed).choice(places)]
    node.input[0], node.input[1] = node.input[1], node.input[0]

    def check(found: ModelDiff) -> None:
        assert counts(found) == (0, 0, 1)
        (only,) = found.scopes[0].differing()
        assert [note.split()[:2] for note in only.notes][:2] == [["input", "0:"], ["input", "1:"]]

    both_ways(source, edited, check, seed)


EDITS = (edit_weight, edit_attribute, edit_insert, edit_bypass, edit_order)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_an_edit_of_digits_is_what_is_told(
    edit: Callable[[onnx.ModelProto, int], None], seed: int
) -> None:
    edit(onnx.load(DIGITS), seed)


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edit_of_a_corpus_model_is_what_is_told(
    edit: Callable[[onnx.ModelProto, int], None], name: str
) -> None:
    source = onnx.load(corpus_model(name))
    for seed in range(2):
        edit(source, seed)
