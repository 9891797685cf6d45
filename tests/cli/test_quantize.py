"""``burnish quantize``: schemes, data, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import numpy as np
import pytest

from burnish.registry import presets
from burnish.schemes import scheme_names

Command: TypeAlias = Callable[..., Any]
ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "models/burnish_models/digits/digits.onnx"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A hundred images that are not those the model is tested on."""
    images = np.load(DIGITS.with_suffix(".npz"))["image"][:100]
    path = tmp_path / "samples.npz"
    np.savez(path, image=images)
    return path


def operators(folder: Path) -> set[str]:
    held = json.loads((folder / "history.json").read_text())
    return {line["op"] for line in held["lines"] if line["kind"] == "node"}


def test_static_quantization_of_a_trained_model(run: Command, data: Path, tmp_path: Path) -> None:
    done = run("quantize", DIGITS, "-o", tmp_path / "out", "--data", data)
    assert done.code == 0
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators(tmp_path / "out")
    assert "4 of 4 Conv/MatMul/Gemm run on integers" in done.err
    assert "moved on purpose" in done.err


@pytest.mark.parametrize("scheme", [name for name in scheme_names() if name != "static"])
def test_every_other_scheme_makes_an_artifact_that_runs(
    run: Command, scheme: str, data: Path, tmp_path: Path
) -> None:
    done = run("quantize", DIGITS, "-o", tmp_path / "out", "--scheme", scheme, "--data", data, "-q")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "out/manifest.json").read_text())["verdict"]["ok"]


def test_a_budget_keeps_what_it_must_and_says_why(run: Command, data: Path, tmp_path: Path) -> None:
    done = run(
        *("quantize", DIGITS, "-o", tmp_path / "out", "--data", data, "--max-drop", "2%"),
        *("--metric", "agreement", "--state", tmp_path / "state.json"),
        *("--plan", tmp_path / "plan.json", "-q"),
    )
    assert done.code == 0, done.err
    plan = json.loads((tmp_path / "plan.json").read_text())
    jsonschema.validate(plan, json.loads((ROOT / "docs/schema/budget.schema.json").read_text()))
    assert (tmp_path / "state.json").is_file()


def test_labels_judge_by_accuracy(run: Command, data: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", np.load(DIGITS.with_suffix(".npz"))["label"][:100])
    arguments = ("quantize", DIGITS, "-o", tmp_path / "out", "--data", data, "--max-drop", "1%")
    done = run(*arguments, "--metric", "accuracy", "--labels", tmp_path / "labels.npy")
    assert done.code == 0, done.err
    assert "accuracy" in done.err


def test_a_metric_of_the_users_own(run: Command, data: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "def mean(answers):\n    return float(sum(a['logits'].mean() for a in answers))\n"
    )
    arguments = ("quantize", DIGITS, "-o", tmp_path / "out", "--data", data, "--max-drop", "50%")
    assert run(*arguments, "--metric", f"{own}:mean").code == 0
    assert "defines no function median" in run(*arguments, "--metric", f"{own}:median").err


def test_an_excluded_layer_stays_float(run: Command, data: Path, tmp_path: Path) -> None:
    arguments = ("quantize", DIGITS, "-o", tmp_path / "out", "--data", data, "-q")
    assert run(*arguments).code == 0
    everything = json.loads((tmp_path / "out/manifest.json").read_text())
    assert run(*arguments, "--exclude", "Conv").code == 0
    rest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert "exclude=Conv" in rest["pipeline"]
    assert rest["after"]["bytes"] > everything["after"]["bytes"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--scheme", "statik"], "did you mean static?"),
        ([], "needs calibration data"),
        (["--data", "nowhere.npz"], "nowhere.npz"),
        (["--scheme", "float16", "--exclude", "Conv"], "excludes no layer by name"),
        (["--cache", "kept"], "--cache goes with --data"),
        (["--metric", "kl"], "--metric goes with --max-drop"),
        (["--max-drop", "1%"], "a budget needs data"),
        (["--max-drop", "lots"], "lots"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_written(
    run: Command, tmp_path: Path, more: list[str], why: str
) -> None:
    done = run("quantize", DIGITS, "-o", tmp_path / "out", *more)
    assert done.code == 2
    assert why in done.err
    assert not (tmp_path / "out").exists()


def test_every_scheme_is_a_preset() -> None:
    assert "static" in scheme_names()
    assert all(f"scheme-{name}" in presets() for name in scheme_names())
