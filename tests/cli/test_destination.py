"""Where results may go: refused at once, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import pytest

from burnish.ir import to_proto
from burnish.loading import load
from burnish.text import parse_model

Command: TypeAlias = Callable[..., Any]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was loaded."""
    seen: list[object] = []

    def counting(source: Any, **keywords: Any) -> Any:
        seen.append(source)
        return load(source, **keywords)

    monkeypatch.setattr("burnish.driver.load", counting)
    return seen


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A model with its weights in ``small.onnx.data`` beside it."""
    weight = np.arange(4096, dtype=np.float32).reshape(64, 64)
    proto = to_proto(parse_model("agraph (float[1,64] x) => (float[1,64] y) { y = MatMul(x, w) }"))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    path = tmp_path / "big.onnx"
    where = "small.onnx.data"
    onnx.save(proto, path, save_as_external_data=True, location=where, size_threshold=0)
    return path


@pytest.mark.parametrize("spelling", ["same", "link", "hard link", "no suffix"])
def test_the_model_itself_is_refused(
    run: Command, model: Path, unread: list[object], tmp_path: Path, spelling: str
) -> None:
    before = model.read_bytes()
    source, out = model, model
    if spelling == "link":
        out = tmp_path / "link.onnx"
        out.symlink_to(model)
    elif spelling == "hard link":
        out = tmp_path / "twin.onnx"
        os.link(model, out)
    elif spelling == "no suffix":
        source = out = model.rename(tmp_path / "model")
    ran = run("compile", source, "-o", out)
    assert ran.code == 2
    assert ran.err.splitlines() == [
        f"burnish: error: {out}: that is the model itself; name another file"
    ]
    assert unread == []
    assert source.read_bytes() == before


def test_an_artifact_is_not_compiled_into_itself(
    run: Command, model: Path, unread: list[object], tmp_path: Path
) -> None:
    assert run("compile", model, "-o", tmp_path / "out", "-O0", "-q").code == 0
    unread.clear()
    built = tmp_path / "out/model.onnx"
    ran = run("compile", built, "-o", tmp_path / "out")
    assert (ran.code, unread) == (2, [])
    assert "that is the model itself" in ran.err
    assert run("compile", built, "-o", tmp_path / "again", "-O0", "-q").code == 0


def test_the_weights_of_the_model_are_not_written_over(
    run: Command, big: Path, tmp_path: Path
) -> None:
    data = (tmp_path / "small.onnx.data").read_bytes()
    ran = run("compile", big, "-o", tmp_path / "small.onnx", "-q")
    assert ran.code == 2
    assert "small.onnx.data: that is the model itself" in ran.err
    assert (tmp_path / "small.onnx.data").read_bytes() == data
    assert not (tmp_path / "small.onnx").exists()
    assert run("compile", big, "-o", tmp_path / "fine.onnx", "-q", "-O0").code == 0


@pytest.mark.parametrize("name", ["a/b/small.onnx", "a/b/out"])
def test_folders_on_the_way_are_made(run: Command, model: Path, tmp_path: Path, name: str) -> None:
    ran = run("compile", model, "-o", tmp_path / name, "-O0", "-q")
    assert ran.code == 0, ran.err
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["letter/small.onnx", "letter/out", "letter/a/b/out"])
def test_a_place_inside_a_file_is_refused_at_once(
    run: Command, model: Path, unread: list[object], tmp_path: Path, name: str
) -> None:
    (tmp_path / "letter").write_text("dear")
    ran = run("compile", model, "-o", tmp_path / name)
    assert (ran.code, unread) == (2, [])
    assert f"{tmp_path / 'letter'} is not a folder" in ran.err
    assert ran.err.count("\n") == 1


def test_a_folder_where_a_file_should_be_is_refused(
    run: Command, model: Path, unread: list[object], tmp_path: Path
) -> None:
    (tmp_path / "small.onnx").mkdir()
    ran = run("compile", model, "-o", tmp_path / "small.onnx")
    assert (ran.code, unread) == (2, [])
    assert "this is a folder, not a file" in ran.err


@pytest.mark.parametrize("name", ["shut/small.onnx", "shut/out"])
def test_a_folder_that_cannot_be_written_is_refused_at_once(
    run: Command,
    model: Path,
    unread: list[object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    # The superuser may write everywhere, so permissions alone cannot be tested.
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != shut)
    ran = run("compile", model, "-o", tmp_path / name)
    assert (ran.code, unread) == (2, [])
    assert f"the folder {shut} cannot be written" in ran.err
    assert not list(shut.iterdir())


def test_what_else_is_in_a_folder_is_named(run: Command, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("compile", model, "-o", out, "-O0", "-q").code == 0
    (out / "notes.txt").write_text("mine")
    assert "other things, such as notes.txt" in run("compile", model, "-o", out).err
    (out / "manifest.json").unlink()
    (out / "notes.txt").unlink()
    assert "other things, such as history.json" in run("compile", model, "-o", out).err
