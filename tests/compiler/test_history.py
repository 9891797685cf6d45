"""Histories: replayed in order, the diffs of the passes account for all that changed."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import jsonschema
import onnx
import pytest

import burnish
from burnish.diff import Diff, Recorder, entry_text
from burnish.driver import Optimized
from burnish.ir import Model
from burnish.loading import load
from burnish.views.history import History, HistoryError
from burnish_models import zoo
from burnish_models.zoo import ZooModel

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("BURNISH_CORPUS", ROOT.parent / "shared/corpus"))
DIGITS = ROOT / "models/burnish_models/digits/digits.onnx"
SCHEMA = json.loads((ROOT / "docs/schema/history.schema.json").read_text())
CORPUS_MODELS = (
    "arch/bert_tiny_legacy",
    "arch/cond_scan_dynamo",
    "arch/deepspeech_gru_legacy",
    "arch/gpt2_tiny_kv_dynamo",
    "arch/script_if_loop_legacy",
    "arch/vit_micro_legacy",
    "real/cifar_resnet20_ortqdq",
    "real/g2p_gru_loop",
    "real/ppocr_v2_cls",
    "real/tract_byte_sb_bilstm",
    "stress/stress_functions",
    "stress/stress_loop_scan",
)


def history_of(done: Optimized) -> History:
    assert done.opening is not None
    text = str(done.pipeline)
    return History.of(done.opening, done.records, model="m", target="ort-cpu", pipeline=text)


def scopes(texts: Iterable[Iterable[str]]) -> list[list[str]]:
    """What stands in each scope; order and titles say nothing of the model."""
    return sorted(sorted(scope) for scope in texts if scope)


def standing(model: Model) -> list[list[str]]:
    parts: list[list[str]] = []
    for sign, entry in Recorder(model).opening().entries:
        if sign == "@":
            parts.append([])
        else:
            parts[-1].append(entry_text(entry))
    return scopes(parts)


def check_replay(path: Path | onnx.ModelProto) -> History:
    done = burnish.optimize(path, opening=True)
    history = history_of(done)
    source = load(path)
    assert scopes(map(history.text, numbers) for numbers in history.source.values()) == standing(
        source
    )
    replayed = history.replay()
    assert scopes(map(history.text, numbers) for numbers in replayed.values()) == standing(
        done.model
    )
    return history


@pytest.mark.parametrize("model", zoo.all_models(), ids=zoo.names())
def test_the_diffs_of_a_zoo_model_account_for_every_difference(model: ZooModel) -> None:
    check_replay(model.proto())


@pytest.mark.parametrize("name", CORPUS_MODELS)
def test_the_diffs_of_a_corpus_model_account_for_every_difference(name: str) -> None:
    path = CORPUS / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"the corpus has no {name}")
    history = check_replay(path)
    assert sum(bool(step.hunks) for step in history.steps) > 1


def test_a_history_survives_writing_and_fits_its_schema(tmp_path: Path) -> None:
    history = history_of(burnish.optimize(DIGITS, opening=True))
    file = tmp_path / "history.json"
    file.write_text(history.dumps(), encoding="utf-8")
    held = json.loads(history.dumps())
    jsonschema.validate(held, SCHEMA)
    assert held == history.json()
    assert History.read(file).json() == held
    assert History.read(file).replay() == history.replay()


def test_a_new_node_names_the_nodes_it_was_made_from() -> None:
    history = history_of(burnish.optimize(DIGITS, opening=True))
    made = [line for line in history.lines if line["kind"] == "node" and line["sources"]]
    first = {
        line["label"]
        for number in history.source["model"]
        if (line := history.lines[number]).get("op")
    }
    assert made
    assert all(first.issuperset(line["sources"]) for line in made)


def broken(**parts: object) -> str:
    """A history of one line, but for these parts."""
    line = {"kind": "header", "text": "opset ai.onnx: 17"}
    held = {"model": "m", "target": "t", "pipeline": "", "lines": [line], "source": []}
    return json.dumps({"format": "burnish-history/1", **held, "passes": [], "trace": None, **parts})


def test_equal_runs_give_equal_text() -> None:
    one, other = (history_of(burnish.optimize(DIGITS, opening=True)) for _ in range(2))
    assert one.dumps() == other.dumps()


def test_a_pass_cannot_remove_what_is_not_there() -> None:
    done = burnish.optimize(DIGITS, opening=True)
    with pytest.raises(HistoryError, match="removes what is not there"):
        history_of(replace(done, opening=Diff((("@", "model"),))))
    history = history_of(done)
    step = next(step for step in history.steps if step.hunks)
    twice = replace(history, steps=(step, *history.steps))
    with pytest.raises(HistoryError, match="removes what is not there"):
        twice.replay()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "burnish-history/0"}',
        "[" * 100_000,
        broken(source=[{"scope": "model", "lines": [1]}]),
        broken(source=[{"scope": "model", "lines": [-1]}]),
        broken(source=[{"scope": "model", "lines": ["0"]}]),
        broken(passes=[{"hunks": [{"scope": "model", "lines": [["-", 7]]}]}]),
        broken(passes=[{"hunks": [{"scope": "model", "lines": [["?", 0]]}]}]),
        broken(passes=["a pass"]),
        broken(lines=[{}]),
    ],
)
def test_what_is_no_history_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "history.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(HistoryError, match="history"):
        History.read(file)


def test_the_source_keeps_the_order_of_the_graph() -> None:
    model = load(DIGITS)
    history = history_of(burnish.optimize(model, passes="O0", opening=True))
    lines = [history.lines[number] for number in history.source["model"]]
    results = [line["outputs"][0] for line in lines if line["kind"] == "node"]
    assert results == [node.outputs[0].name for node in model.graph]
    assert Counter(line["kind"] for line in lines)["constant"] == len(model.graph.initializers)
