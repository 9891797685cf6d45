"""Calibration data on the command line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from burnish.cli.screen import Screen
from burnish_models import path

Command: TypeAlias = Callable[..., Any]
MODEL = path("digits")
DATA = MODEL.with_name("digits.npz")


def test_data_are_named_in_the_manifest(run: Command, tmp_path: Path) -> None:
    ran = run(
        "compile", MODEL, "-o", tmp_path / "out", "--data", DATA, "--max-samples", 20, "--json"
    )
    assert ran.code == 0
    found = json.loads(ran.out)["manifest"]["options"]["calibration"]
    assert found["samples"] == 20
    assert found["notes"] == ["digits.npz: the model has no input 'label': it is ignored"]
    made = run("compile", MODEL, "-o", tmp_path / "out", "--random-data", 9, "--json")
    assert "random" in json.loads(made.out)["manifest"]["options"]["calibration"]["notes"][0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "nowhere"], "nowhere: there is no such file or folder"),
        (["--data", "."], "there is no calibration data in it"),
        (["--data", DATA, "--random-data", 3], "--data and --random-data do not go together"),
        (["--cache", "c"], "--cache goes with --data"),
        (["--max-samples", 3], "--max-samples goes with --data"),
        (["--data", DATA, "--max-samples", 0], "calibration needs 1 sample or more"),
        (["--data", DATA, "--rows", 0], "a sample has 1 row or more"),
        (["--data", DATA, "--preprocess", "colour=red"], "'colour=red' is none of size="),
        (["--random-data", 0], "calibration needs 1 sample or more"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    run: Command, tmp_path: Path, options: list[Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("compile", MODEL, "-o", "out", "-q", *options)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_nan_in_the_data_is_found_before_anything_is_written(run: Command, tmp_path: Path) -> None:
    images = np.full((1, 1, 8, 8), np.nan, np.float32)
    np.savez(tmp_path / "bad.npz", image=images)
    ran = run("compile", MODEL, "-o", tmp_path / "out", "--data", tmp_path / "bad.npz", "-q")
    assert ran.code == 2
    assert "bad.npz: input 'image' holds NaN" in ran.err
    assert not (tmp_path / "out").exists()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    screen = Screen()
    screen.live("sample 1 of 2")
    screen.live("sample 2 of 2")
    screen.say("done")
    assert terminal.getvalue() == "\rsample 1 of 2\033[K\rsample 2 of 2\033[K\r\033[Kdone\n"


def test_progress_in_a_file_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    screen = Screen()
    for number in range(5):
        screen.live(f"sample {number}")
    Screen(quiet=True).live("nothing")
    assert file.getvalue() == "sample 0\n"
