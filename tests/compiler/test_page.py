"""The page as text: self-contained, and nothing of a model can get out of its place."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import onnx
import pytest

import burnish
from burnish.errors import InputError
from burnish.views.history import History
from burnish.views.page import render_artifact, render_page

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models/burnish_models/digits/digits.onnx"
VENDOR = ROOT / "compiler/burnish/views/page/vendor"


def page_of(source: Path | onnx.ModelProto, title: str = "a model") -> str:
    done = burnish.optimize(source, opening=True)
    assert done.opening is not None
    text = str(done.pipeline)
    history = History.of(done.opening, done.records, model="m", target="ort-cpu", pipeline=text)
    return render_page(history, title=title)


def data(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    held: dict[str, object] = json.loads(found[1])
    return held


def test_nothing_is_fetched() -> None:
    page = page_of(DIGITS)
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)[^"']*|@import|url\((?!#)""", page)
    assert outside == []
    assert "default-src 'none'" in page
    assert "%" + "DATA%" not in page


def test_names_of_a_model_stay_data() -> None:
    model = onnx.load(DIGITS)
    evil = "</script><script>alert(1)</script><!--%SCRIPT%"
    old = model.graph.node[0].output[0]
    for node in model.graph.node:
        for field in (node.input, node.output):
            field[:] = [evil if name == old else name for name in field]
    page = page_of(model, title="<b>&")
    assert evil not in page
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert any(evil in str(line) for line in data(page)["history"]["lines"])  # type: ignore[index]


def test_an_artifact_has_a_page_with_times_and_verdict(tmp_path: Path) -> None:
    artifact = burnish.compile(DIGITS, tmp_path / "out")
    held = data(render_artifact(artifact.path))
    assert held["title"] == "digits.onnx for ort-cpu"
    assert held["verdict"]["ok"] is True  # type: ignore[index]
    assert len(held["seconds"]) == len(held["history"]["passes"])  # type: ignore[arg-type,index]
    (artifact.path / "timings.json").unlink()
    assert data(render_artifact(artifact.path))["seconds"] is None


def test_a_history_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    artifact = burnish.compile(DIGITS, tmp_path / "out", verify=False)
    path = artifact.path / "history.json"
    held = json.loads(path.read_text())
    held["passes"].append(next(step for step in held["passes"] if step["hunks"]))
    path.write_text(json.dumps(held))
    with pytest.raises(InputError, match=r"history\.json: .*removes what is not there"):
        render_artifact(artifact.path)


def test_what_is_no_artifact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no manifest"):
        render_artifact(tmp_path)
    artifact = burnish.compile(DIGITS, tmp_path / "out")
    (artifact.path / "history.json").write_text("{")
    with pytest.raises(InputError, match="not a history"):
        render_artifact(artifact.path)


def test_the_vendored_library_is_the_one_described() -> None:
    held = (VENDOR / "dagre.min.js").read_bytes()
    digest = hashlib.sha256(held).hexdigest()
    readme = (VENDOR / "README.md").read_text()
    assert digest in readme
    assert "Permission is hereby granted" in (VENDOR / "dagre.LICENSE.txt").read_text()
