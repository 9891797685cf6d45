"""Samples of the user: checked before work begins, in words of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from burnish.artifact import Artifact

Command: TypeAlias = Callable[..., Any]
DIGITS = Path(__file__).parents[2] / "models/burnish_models/digits"


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.ones((1, 2, 4, 4))}, "x is float64, the model wants float32"),
        (
            {"x": np.ones((2, 4, 4), np.float32)},
            "x has shape [2, 4, 4], the model wants [N, 2, 4, 4]",
        ),
        (
            {"x": np.ones((1, 3, 4, 4), np.float32)},
            "x has shape [1, 3, 4, 4], the model wants [N, 2, 4, 4]",
        ),
        ({"w": np.ones(1, np.float32)}, "the model has no input 'w'; the inputs are x"),
    ],
)
def test_samples_that_do_not_fit_are_refused_before_work_begins(
    run: Command, model: Path, tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    samples = write(tmp_path / "one.npz", **arrays)
    ran = run("compile", model, "-o", tmp_path / "out", "--samples", samples)
    assert ran.code == 2
    assert said in ran.err
    assert "optimizing" not in ran.err
    assert not (tmp_path / "out").exists()
    assert said in run("verify", model, model, "--samples", samples).err


def test_one_array_is_not_a_sample(run: Command, model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((1, 2, 4, 4), np.float32))
    ran = run("verify", model, model, "--samples", tmp_path / "one.npy", "-q")
    assert ran.code == 2
    assert "one.npy: this is one array, not a .npz; write it with numpy.savez" in ran.err
    assert ran.err.count("\n") == 1


def test_a_torn_file_is_not_a_sample(run: Command, model: Path, tmp_path: Path) -> None:
    whole = write(tmp_path / "one.npz", x=np.ones((9, 2, 4, 4), np.float32)).read_bytes()
    (tmp_path / "one.npz").write_bytes(whole[: len(whole) // 2])
    ran = run("verify", model, model, "--samples", tmp_path / "one.npz", "-q")
    assert ran.code == 2
    assert "this is not a .npz file" in ran.err


def test_other_arrays_of_a_file_are_ignored_with_a_note(
    run: Command, model: Path, tmp_path: Path
) -> None:
    samples = write(tmp_path / "one.npz", x=np.ones((1, 2, 4, 4), np.float32), label=np.ones(1))
    note = "note: one.npz: the model has no input 'label': it is ignored"
    ran = run("compile", model, "-o", tmp_path / "out", "--samples", samples)
    assert ran.code == 0
    assert ran.err.count(note) == 1
    verdict = Artifact.open(tmp_path / "out").manifest.verdict
    assert verdict is not None
    assert note.removeprefix("note: ") in verdict["notes"]
    ran = run("verify", model, model, "--samples", samples)
    assert ran.code == 0
    assert ran.err.count(note) == 1


def test_the_digits_are_samples_of_their_model(run: Command, tmp_path: Path) -> None:
    source, samples = DIGITS / "digits.onnx", DIGITS / "digits.npz"
    ran = run("compile", source, "-o", tmp_path / "out", "--samples", samples)
    assert ran.code == 0, ran.err
    assert "has no input 'label'" in ran.err
    assert "1 sample on" in ran.err
