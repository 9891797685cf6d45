"""``burnish bisect``: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import pytest
from tests.compiler.culprit import faulty

Command: TypeAlias = Callable[..., Any]
SCHEMA = Path(__file__).parents[2] / "docs/schema/culprit.schema.json"
PASSES = "eliminate-identity, quietly, remove-dead-code"


@pytest.fixture(autouse=True)
def _passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    faulty.register(monkeypatch)
    monkeypatch.chdir(tmp_path)


def test_an_equal_result_ends_with_0_and_leaves_nothing(run: Command, model: Path) -> None:
    ran = run("bisect", model)
    assert ran.code == 0
    assert "nothing to find" in ran.out
    assert not Path("model.culprit").exists()


def test_a_culprit_ends_with_1_and_a_reproducer_that_replays(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = run("bisect", model, "--passes", PASSES)
    assert ran.code == 1
    assert ran.out.startswith("a pass changes the answers: quietly at the model")
    assert "replay: burnish bisect model.culprit" in ran.out
    assert "rewrites left" in ran.err
    assert run("bisect", "model.culprit").code == 1
    monkeypatch.setattr(faulty.Quietly, "run", lambda self, model, ctx: None)  # mended
    ran = run("bisect", "model.culprit")
    assert ran.code == 0
    assert not Path("model.culprit.culprit").exists()


def test_progress_counts_down(run: Command, model: Path) -> None:
    ran = run("bisect", model, "--passes", "eliminate-identity, breaks, quietly")
    assert "2 rewrites, 2 steps to the culprit" in ran.err
    assert "1 of 2 rewrites left, 0 steps" in ran.err
    quiet = run("bisect", model, "--passes", PASSES, "-q")
    assert quiet.err == ""


def test_json_fits_the_schema(run: Command, model: Path) -> None:
    schema = json.loads(SCHEMA.read_text())
    fine = run("bisect", model, "--json").json
    jsonschema.validate(fine, schema)
    assert fine["found"] is False
    bad = run("bisect", model, "--passes", PASSES, "--json", "-o", "repro").json
    jsonschema.validate(bad, schema)
    assert bad["culprit"]["rule"] == "quietly"
    assert bad["reproducer"]["path"] == "repro"


def test_a_check_may_decide(run: Command, model: Path) -> None:
    arguments = ("bisect", model, "--passes", "eliminate-identity")
    check = ("--check", "grep -q Identity {model}")
    ran = run(*arguments, *check)
    assert ran.code == 1
    assert "makes the check fail" in ran.out
    assert "replay: burnish bisect model.culprit --check 'grep -q Identity {model}'" in ran.out
    assert run("bisect", "model.culprit", *check).code == 1
    assert run("bisect", "model.culprit", "--check", "test -s {model}").code == 0
    unasked = run("bisect", "model.culprit")
    assert unasked.code == 2
    assert "--check 'grep -q Identity {model}'" in unasked.err


def test_bounds_may_be_given(run: Command, model: Path) -> None:
    assert run("bisect", model, "--passes", PASSES, "--atol", "1000").code == 0
    assert run("bisect", model, "--passes", PASSES, "--rtol", "1e-3").code == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["missing.onnx"], "there is no such file"),
        (["."], "this is not a reproducer"),
        (["model.onnx", "--atol", "-1"], "cannot be negative"),
        (["model.onnx", "--rtol", "x"], "is not a number"),
        (["model.onnx", "--check", "true"], "does not say where the model goes"),
        (["model.onnx", "--check", "false {model}"], "the source itself is bad"),
        (["model.onnx", "--passes", "no-such"], "no pass is named"),
        (["model.onnx", "--samples", "missing.npz"], "there is no such file"),
        (["model.onnx", "-o", "model.onnx"], "this is a file, not a folder"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_one_line(
    run: Command, model: Path, arguments: list[str], why: str
) -> None:
    ran = run("bisect", *arguments, "-q")
    assert ran.code == 2
    assert why in ran.err
    assert ran.out == ""
    assert model.exists()


def test_help_says_how(run: Command) -> None:
    ran = run("bisect", "--help")
    assert ran.code == 0
    assert "burnish bisect model.onnx --check 'python accuracy.py {model}'" in ran.out
    assert "125 cannot tell" in " ".join(ran.out.split())
