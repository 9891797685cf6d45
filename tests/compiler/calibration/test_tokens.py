"""Lines of token ids, and what follows from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.corpus import corpus_model

from burnish.calibration import CalibrationData, observe, read_data
from burnish.errors import InputError
from burnish.ir import Model
from burnish.loading import load
from burnish.text import parse_model

INPUTS = (
    "int64[batch, seq] input_ids, int64[batch, total] attention_mask, "
    "int64[batch, seq] position_ids, int32[batch, seq] token_type_ids, "
    "float[batch, 2, past, 8] past_key"
)


def model_of(inputs: str = INPUTS) -> Model:
    first = inputs.partition("]")[2].split(",")[0].strip()
    return parse_model(f"agraph ({inputs}) => (int64[k] y) {{ y = Identity({first}) }}")


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "ids.jsonl"
    text = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("\n".join(text) + "\n")
    return path


def samples(folder: Path, model: Model, *lines: Any) -> CalibrationData:
    return read_data(written(folder, *lines), model)


def test_what_a_decoder_wants_follows_from_the_ids(tmp_path: Path) -> None:
    data = samples(tmp_path, model_of(), [5, 6, 7], "", {"input_ids": [8], "text": "eight"})
    assert data.count == 2
    first, second = data
    assert first["input_ids"].tolist() == [[5, 6, 7]]
    assert first["attention_mask"].tolist() == [[1, 1, 1]]
    assert first["position_ids"].tolist() == [[0, 1, 2]]
    assert first["token_type_ids"].dtype == np.int32
    assert first["token_type_ids"].tolist() == [[0, 0, 0]]
    assert first["past_key"].shape == (1, 2, 0, 8)
    assert second["input_ids"].shape == (1, 1)


def test_lines_may_give_more(tmp_path: Path) -> None:
    line = {"input_ids": [5, 6], "attention_mask": [1, 0], "token_type_ids": [0, 1]}
    (feeds,) = samples(tmp_path, model_of(), line)
    assert feeds["attention_mask"].tolist() == [[1, 0]]
    assert feeds["token_type_ids"].tolist() == [[0, 1]]


def test_a_fixed_length_pads_and_cuts(tmp_path: Path) -> None:
    model = model_of("int32[1, 4] ids, int32[1, 4] mask")
    short, long = samples(tmp_path, model, [5, 6], [1, 2, 3, 4, 5])
    assert short["ids"].dtype == np.int32
    assert (short["ids"].tolist(), short["mask"].tolist()) == ([[5, 6, 0, 0]], [[1, 1, 0, 0]])
    assert (long["ids"].tolist(), long["mask"].tolist()) == ([[1, 2, 3, 4]], [[1, 1, 1, 1]])


def test_a_fixed_batch_takes_several_lines(tmp_path: Path) -> None:
    model = model_of("int64[2, seq] tokens, int64[2, seq] mask")
    data = samples(tmp_path, model, [5, 6], [7], [8])
    (feeds,) = data
    assert feeds["tokens"].tolist() == [[5, 6], [7, 0]]
    assert feeds["mask"].tolist() == [[1, 1], [1, 0]]
    assert "fill no batch of 2" in data.notes[0]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("[1, 2", r"line 2: this is not JSON"),
        ([], "line 2: input_ids is empty"),
        ([1.5], "line 2: input_ids is not a list of whole numbers"),
        ([True], "line 2: input_ids is not a list of whole numbers"),
        ("3", "line 2: input_ids is not a list of whole numbers"),
        ({"text": "no ids"}, "line 2: it gives no input_ids"),
        ({"input_ids": [1, 2], "attention_mask": [1]}, "input_ids has 2, attention_mask has 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: Any, what: str) -> None:
    with pytest.raises(InputError, match=what):
        list(samples(tmp_path, model_of(), [1], line))


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        ("float[n, 3] x", "no input for token ids"),
        ("int64[n, m] source, int64[n, m] target", "which input takes the ids: source, target"),
        ("int64[n, m] ids, float[n, m] audio", "input 'audio' does not follow from token ids"),
    ],
)
def test_models_that_take_something_else(tmp_path: Path, inputs: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        list(samples(tmp_path, model_of(inputs), [1, 2]))


def test_no_lines_are_no_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no sample in it"):
        samples(tmp_path, model_of(), "", "")


@pytest.mark.parametrize("name", ["real/stories260k_kv_legacy", "arch/bert_tiny_dynamo"])
def test_language_models_run_on_lines(tmp_path: Path, name: str) -> None:
    model = load(corpus_model(name))
    data = samples(tmp_path, model, [5, 6, 7], [8, 9, 10, 11, 12])
    names = [str(node.outputs[0].name) for node in model.graph if node.op_type == "MatMul"]
    found = observe(model, names, data)
    assert all(held.batches == 2 for held in found.values())
