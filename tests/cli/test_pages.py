"""``burnish view`` and ``burnish diff --html``: where a page goes, and where it may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Command: TypeAlias = Callable[..., Any]


@pytest.fixture
def artifact(run: Command, model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    assert run("compile", model, "-o", folder, "-q").code == 0
    return folder


def test_an_artifact_becomes_a_page(run: Command, artifact: Path, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    done = run("view", artifact, "-o", page)
    assert (done.code, done.out.strip()) == (0, str(page))
    assert "fuse-conv-batch-norm" in page.read_text()
    assert run("view", artifact, "-o", page, "--json").json["bytes"] == page.stat().st_size


def test_the_page_is_named_for_the_artifact(
    run: Command, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("view", artifact).out.strip() == "out.html"
    assert (tmp_path / "out.html").is_file()


def test_a_live_run_becomes_a_page(run: Command, model: Path, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    done = run("diff", model, "--html", page)
    assert (done.code, done.out.strip()) == (0, str(page))
    assert "fuse-conv-batch-norm" in page.read_text()


def test_a_page_holds_how_far_each_pass_moved_the_outputs(
    run: Command, model: Path, tmp_path: Path
) -> None:
    page = tmp_path / "run.html"
    assert run("diff", model, "--html", page, "--each-pass").code == 0
    assert '"max_abs"' in page.read_text()
    assert run("diff", model, "--each-pass").code == 2
    assert run("compile", model, "-o", tmp_path / "traced", "--each-pass", "-q").code == 0
    held = json.loads((tmp_path / "traced/history.json").read_text())
    changed = [step["index"] for step in held["passes"] if step["hunks"]]
    assert [row["index"] for row in held["trace"]] == changed
    assert all(row["ok"] for row in held["trace"])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("out/run.html", "an artifact keeps only what its compile wrote"),
        ("run.txt", "must end in .html"),
        ("nowhere/run.html", "its folder is not there"),
        ("folder.html", "this is a folder"),
    ],
)
def test_a_page_goes_nowhere_it_should_not(
    run: Command, artifact: Path, tmp_path: Path, name: str, why: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    before = sorted(tmp_path.rglob("*"))
    done = run("view", artifact, "-o", tmp_path / name)
    assert done.code == 2
    assert why in done.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_model_is_no_artifact(run: Command, model: Path, tmp_path: Path) -> None:
    done = run("view", model, "-o", tmp_path / "run.html")
    assert done.code == 2
    assert "manifest" in done.err
    assert not (tmp_path / "run.html").exists()
