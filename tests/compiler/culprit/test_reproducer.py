"""The folder that shows a fault to somebody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
from tests.compiler.culprit import faulty

import burnish
from burnish.culprit import bisect, is_reproducer
from burnish.errors import InputError
from burnish.ir import Model
from burnish.text import parse_model

SCHEMA = Path(__file__).parents[3] / "docs/schema/culprit.schema.json"
TEXT = """agraph (float[4] x) => (float[4] y) {
    a = Neg (x)
    b = Sin (a)
    c = Neg (b)
    y = Cos (c)
}"""
FILES = ["README.md", "inputs.npz", "model.onnx", "pipeline.txt", "report.json"]


@pytest.fixture(autouse=True)
def _passes(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty.register(monkeypatch)


@pytest.fixture
def model() -> Model:
    return parse_model(TEXT)


def names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


def damage(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def test_it_holds_model_inputs_pipeline_and_report(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "repro"
    found = bisect(model, passes="breaks", target=burnish.Target(), out=folder)
    assert names(folder) == FILES
    assert is_reproducer(folder)
    assert (folder / "pipeline.txt").read_text() == "breaks\n"
    small = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(small, full_check=True)
    fed = np.load(folder / "inputs.npz")
    assert {info.name for info in small.graph.input} == set(fed.files)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    assert report["replay"]["target"] == "ort-cpu"
    assert report["culprit"]["rule"] == "breaks"
    assert {"burnish", "onnx", "onnxruntime"} <= set(report["versions"])
    readme = (folder / "README.md").read_text()
    assert f"burnish bisect {folder}" in readme
    assert "breaks at Sin(b)" in readme
    assert found.reproducer is not None
    assert found.reproducer.path == folder


def test_the_inputs_are_those_of_the_real_run(model: Model, tmp_path: Path) -> None:
    given = {"x": np.array([1, 2, 3, 4], np.float32)}
    bisect(model, passes="breaks", samples=[given], out=tmp_path / "repro")
    fed = np.load(tmp_path / "repro/inputs.npz")
    for name in fed.files:
        expected = {"x": given["x"], "a": -given["x"], "b": np.sin(-given["x"])}
        np.testing.assert_allclose(fed[name], expected[name], rtol=1e-6)


def test_two_runs_write_the_same(model: Model, tmp_path: Path) -> None:
    folders = ("repro-1", "repro-2")
    for name in folders:
        bisect(model, passes="breaks", out=tmp_path / name)
    for name in FILES:
        one, two = ((tmp_path / folder / name).read_bytes() for folder in folders)
        assert one.replace(b"repro-1", b"repro-2") == two


def test_it_may_be_moved(model: Model, tmp_path: Path) -> None:
    bisect(model, passes="breaks", out=tmp_path / "repro")
    (tmp_path / "repro").rename(tmp_path / "moved")
    again = bisect(tmp_path / "moved").culprit
    assert again is not None
    assert again.rule == "breaks"


def test_a_reproducer_is_replaced_and_anything_else_is_not(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "repro"
    bisect(model, passes="breaks", out=folder)
    bisect(model, passes="fails", out=folder)
    assert (folder / "pipeline.txt").read_text() == "fails\n"
    (folder / "notes.txt").write_text("mine")
    before = names(folder)
    with pytest.raises(InputError, match=r"holds other things, such as notes\.txt"):
        bisect(model, passes="breaks", out=folder)
    assert names(folder) == before
    assert (folder / "pipeline.txt").read_text() == "fails\n"


def test_the_place_is_looked_at_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(InputError, match="this is a file, not a folder"):
        bisect(broken, out=tmp_path / "file")


def test_it_is_not_written_over_the_folder_of_the_model(model: Model, tmp_path: Path) -> None:
    bisect(model, passes="breaks", out=tmp_path / "repro")
    with pytest.raises(InputError, match="that is the model itself"):
        bisect(tmp_path / "repro/model.onnx", passes="breaks", out=tmp_path / "repro")
    assert names(tmp_path / "repro") == FILES


def test_a_part_that_stays_unwritten_leaves_what_was_there(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bisect(model, passes="breaks", out=tmp_path / "repro")

    def full(*arguments: Any, **keywords: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(burnish.BurnishError, match="No space left"):
        bisect(model, passes="fails", out=tmp_path / "repro")
    assert (tmp_path / "repro/pipeline.txt").read_text() == "breaks\n"
    assert names(tmp_path) == ["repro"]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("report.json", "{", "not a reproducer"),
        ("report.json", "[1]", "not a reproducer"),
        ("report.json", '{"format": "burnish-culprit/1"}', "not a reproducer"),
        ("report.json", '{"format": "burnish-culprit/1", "replay": {}}', "damaged"),
        ("model.onnx", "no model", "not an ONNX model"),
        ("inputs.npz", "no arrays", "not a .npz file"),
        ("pipeline.txt", "no-such-pass", "no pass is named"),
    ],
)
def test_a_damaged_folder_is_an_error(
    model: Model, tmp_path: Path, name: str, text: str, why: str
) -> None:
    bisect(model, passes="breaks", out=tmp_path / "repro")
    damage(tmp_path / "repro", name, text)
    with pytest.raises(InputError, match=why):
        bisect(tmp_path / "repro")


def test_a_folder_cannot_name_files_outside_of_it(model: Model, tmp_path: Path) -> None:
    bisect(model, passes="breaks", out=tmp_path / "repro")
    report = json.loads((tmp_path / "repro/report.json").read_text())
    report["replay"]["samples"] = ["../elsewhere.npz"]
    damage(tmp_path / "repro", "report.json", json.dumps(report))
    with pytest.raises(InputError, match=r"repro/elsewhere\.npz"):
        bisect(tmp_path / "repro")


def test_a_folder_says_itself_what_to_run(model: Model, tmp_path: Path) -> None:
    bisect(model, passes="breaks", out=tmp_path / "repro")
    with pytest.raises(InputError, match="takes no passes or stop-after"):
        bisect(tmp_path / "repro", passes="O1", stop_after=3)
    other = bisect(tmp_path / "repro/model.onnx", passes="O1")
    assert other.culprit is None


def test_a_folder_cannot_run_commands(model: Model, tmp_path: Path) -> None:
    bisect(model, passes="breaks", out=tmp_path / "repro")
    report = json.loads((tmp_path / "repro/report.json").read_text())
    report["replay"]["check"] = f"touch {tmp_path / 'trap'} {{model}}"
    damage(tmp_path / "repro", "report.json", json.dumps(report))
    with pytest.raises(InputError, match="not run unasked"):
        bisect(tmp_path / "repro")
    assert not (tmp_path / "trap").exists()
