"""Each command: its happy path, its JSON, its exit codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import onnx
import pytest
from tests.support import ChangeWeights

import burnish.pipeline
from burnish.artifact import Artifact
from burnish.ir import Model, to_proto
from burnish.loading import load
from burnish.passdef import Context, Pass
from burnish.registry import backend_types, pass_types, presets
from burnish.text import parse_model

Command: TypeAlias = Callable[..., Any]
PASSES = "eliminate-identity, remove-dead-code"


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a pass that breaks its promise."""
    known = {**pass_types(), ChangeWeights.name: ChangeWeights}
    monkeypatch.setattr(burnish.pipeline, "pass_types", lambda: known)
    return ChangeWeights.name


# --- compile


def test_compile_prints_the_folder_and_tells_of_each_pass(
    run: Command, model: Path, tmp_path: Path
) -> None:
    ran = run("compile", model, "-o", tmp_path / "out")
    assert ran.code == 0
    assert ran.out == f"{tmp_path / 'out'}\n"
    assert "eliminate-identity" in ran.err
    assert "-1 nodes" in ran.err
    assert "fold-constants" not in ran.err
    assert "changed nothing" in ran.err
    assert "nodes       4 → 2 (-50.0%)" in ran.err
    assert "answers are as before: 2 samples" in ran.err
    assert Artifact.open(tmp_path / "out").manifest.after["nodes"] == 2


def test_compile_json_is_the_manifest(run: Command, model: Path, tmp_path: Path) -> None:
    ran = run("compile", model, "-o", tmp_path / "out", "--passes", PASSES, "--json", "-q")
    assert ran.code == 0
    assert ran.err == ""
    assert set(ran.json) == {"ok", "path", "reason", "manifest"}
    assert ran.json["manifest"]["pipeline"] == PASSES
    assert ran.json["manifest"]["verdict"]["ok"] is True


def test_compile_binds_sizes(run: Command, model: Path, tmp_path: Path) -> None:
    run("compile", model, "-o", tmp_path / "a.onnx", "--dim", "N=4", "-O0")
    run("compile", model, "-o", tmp_path / "b.onnx", "--input-shape", "x=4,2,4,4", "-O0")
    for name in ("a.onnx", "b.onnx"):
        shape = load(tmp_path / name).graph.inputs[0].shape
        assert shape is not None
        assert shape.numpy() == (4, 2, 4, 4)


def test_compile_verifies_on_given_samples(run: Command, model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", x=np.ones((5, 2, 4, 4), np.float32))
    ran = run("compile", model, "-o", tmp_path / "out", "--samples", tmp_path / "one.npz")
    assert ran.code == 0
    assert "1 sample on" in ran.err


def test_compile_stops_after_so_many_rewrites(run: Command, model: Path, tmp_path: Path) -> None:
    ran = run("compile", model, "-o", tmp_path / "out", "--stop-after", 1, "--json")
    assert sum(item["rewrites"] for item in ran.json["manifest"]["passes"]) == 1


def test_each_pass_counts_its_own_rewrites(run: Command, model: Path, tmp_path: Path) -> None:
    ran = run("compile", model, "-o", tmp_path / "out", "--json", "-q")
    passes = ran.json["manifest"]["passes"]
    made = {item["spec"]: item["rewrites"] for item in passes if item["file"]}
    assert made["eliminate-identity"] == made["fuse-conv-batch-norm"] == 1
    assert passes[-1]["rewrites"] < sum(item["rewrites"] for item in passes)
    shown = run("diff", model, "--json", "--only", "fuse-conv-batch-norm", "-q").json["passes"]
    assert [item["rewrites"] for item in shown] == [1]


@dataclass(frozen=True)
class Numbered(Pass):
    """Takes a number, and changes nothing."""

    name: ClassVar[str] = "numbered"
    limit: int = 1

    def run(self, model: Model, ctx: Context) -> None:
        """Nothing."""


def test_an_option_that_is_no_number_is_refused(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {**pass_types(), Numbered.name: Numbered}
    monkeypatch.setattr(burnish.pipeline, "pass_types", lambda: known)
    assert run("diff", model, "--passes", "numbered{limit=3}", "-q").code == 0
    ran = run("diff", model, "--passes", "numbered{limit=many}", "-q")
    assert ran.code == 2
    assert "numbered{limit} cannot be 'many'; it is an int" in ran.err


def test_numbers_and_nouns_agree(run: Command, model: Path, tmp_path: Path) -> None:
    ran = run(
        "compile", model, "-o", tmp_path / "out", "--passes", "eliminate-identity", "--seed", 3
    )
    assert "  1 pass in " in ran.err
    assert ": 1 sample on" in ran.err
    ran = run("verify", model, model, "--seed", 3)
    assert ": 1 sample on" in ran.out
    assert ": 2 samples on" in run("verify", model, model).out


def test_compile_without_verifying_says_so(run: Command, model: Path, tmp_path: Path) -> None:
    ran = run("compile", model, "-o", tmp_path / "out", "--no-verify")
    assert ran.code == 0
    assert "not verified" in ran.err
    assert Artifact.open(tmp_path / "out").manifest.verdict is None


def test_compile_answers_no_when_the_answers_differ(
    run: Command, model: Path, tmp_path: Path, wrong: str
) -> None:
    ran = run("compile", model, "-o", tmp_path / "out", "--passes", wrong)
    assert ran.code == 1
    assert ran.out == ""
    assert not (tmp_path / "out").exists()
    last = ran.err.splitlines()[-1]
    assert last.startswith("burnish: error: model.onnx: the answers differ: y ")
    assert "max abs" in last
    told = run("compile", model, "-o", tmp_path / "out", "--passes", wrong, "--json").json
    assert told["ok"] is False
    assert "max abs" in told["reason"]


def test_compile_keeps_going_when_told_to(
    run: Command, model: Path, tmp_path: Path, wrong: str
) -> None:
    ran = run("compile", model, "-o", tmp_path / "out", "--passes", wrong, "--keep-going")
    assert ran.code == 1
    assert "ANSWERS DIFFER" in ran.err
    assert (tmp_path / "out/model.onnx").is_file()


def test_compile_refuses_a_promise_too_weak(run: Command, model: Path, tmp_path: Path) -> None:
    ran = run("compile", model, "-o", tmp_path / "out", "--allow", "bitwise")
    assert ran.code == 2
    assert "--allow float" in ran.err


def test_an_interrupt_is_one_line_and_leaves_the_old(
    run: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("compile", model, "-o", tmp_path / "out", "-O0")
    before = (tmp_path / "out/manifest.json").read_bytes()

    def build(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backend_types()["ort"], "build", build)
    ran = run("compile", model, "-o", tmp_path / "out", "-q")
    assert ran.code == 130
    assert ran.err == "burnish: interrupted\n"
    assert (tmp_path / "out/manifest.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "out"]


# --- diff


def test_diff_of_one_model_shows_the_lines_of_each_pass(run: Command, model: Path) -> None:
    ran = run("diff", model)
    assert ran.code == 0
    assert "eliminate-identity" in ran.out
    assert "-  i = Identity(x)\n" in ran.out
    assert "BatchNormalization" in ran.out
    assert "\033" not in ran.out


def test_diff_shows_one_pass_or_one_node_only(run: Command, model: Path) -> None:
    only = run("diff", model, "--only", "eliminate-identity").out
    assert "Identity" in only
    assert "-  y = BatchNormalization" not in only
    node = run("diff", model, "--node", "z").out
    assert [line for line in node.splitlines() if line[0] in "+-"] == [
        "-  z = Abs(i)",
        "+  z = Abs(x)",
    ]
    figures = run("diff", model, "--figures").out
    assert "-1 nodes" in figures
    assert "Identity(x)" not in figures


def test_diff_json_has_the_lines(run: Command, model: Path) -> None:
    held = run("diff", model, "--json").json
    assert (held["before"]["nodes"], held["after"]["nodes"]) == (4, 2)
    first = next(item for item in held["passes"] if item["spec"] == "eliminate-identity")
    assert first["diff"]["removed"] == ["i = Identity(x)"]
    assert "-  i = Identity(x)" in first["lines"]


def test_diff_of_two_files_answers_no_when_they_differ(
    run: Command, model: Path, other: Path
) -> None:
    assert run("diff", model, model).code == 0
    ran = run("diff", model, other)
    assert ran.code == 1
    assert "-  w = float32[3, 2, 1, 1] #" in ran.out
    held = run("diff", model, other, "--json").json
    assert held["equal"] is False
    assert len(held["changed"]) == 1
    assert run("diff", model, model, "--json").json["equal"] is True


def test_diff_of_two_files_takes_no_pipeline(run: Command, model: Path, other: Path) -> None:
    assert run("diff", model, other, "-O1").code == 2


# --- explain, verify, inspect, passes, targets


def test_explain_a_pass(run: Command, model: Path) -> None:
    ran = run("explain", model, "eliminate-identity")
    assert ran.code == 0
    assert "applied" in ran.out
    assert "Identity(i)" in ran.out
    held = run("explain", model, "eliminate-identity", "--json").json
    assert held["kind"] == "pass"
    assert held["runs"][0]["remarks"][0]["where"] == ["Identity(i)"]


def test_explain_a_pass_that_does_not_run(run: Command, model: Path) -> None:
    assert run("explain", model, "fold-constants", "--passes", PASSES).code == 1


def test_explain_a_node(run: Command, model: Path) -> None:
    held = run("explain", model, "c", "--json").json
    assert held["kind"] == "node"
    assert held["source"] == "c = Conv(i, w)"
    assert held["went_into"]
    assert any(event["spec"] == "fuse-conv-batch-norm" for event in held["events"])
    assert "went into" in run("explain", model, "c").out


def test_verify(run: Command, model: Path, other: Path) -> None:
    assert run("verify", model, model, "--exactness", "bitwise").code == 0
    ran = run("verify", model, other)
    assert ran.code == 1
    assert "FAIL y" in ran.out
    held = run("verify", model, other, "--json").json
    assert held["ok"] is False
    assert {output["name"] for output in held["outputs"]} == {"y", "z"}


def test_verify_of_other_interfaces_gives_the_reason_alone(
    run: Command, model: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "renamed.onnx"
    onnx.save(to_proto(parse_model("agraph (float[2] a) => (float[2] y) { y = Abs(a) }")), renamed)
    ran = run("verify", model, renamed, "-q")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "NOT EQUAL: the graph inputs are ['a'], expected ['x']",
        "NOT EQUAL: the graph outputs are ['y'], expected ['y', 'z']",
    ]
    assert run("verify", model, renamed, "--json").json["ok"] is False


def test_inspect(run: Command, model: Path) -> None:
    ran = run("inspect", model)
    assert ran.code == 0
    assert "input   x: float32[N, 2, 4, 4]" in ran.out
    held = run("inspect", model, "--dim", "N=2", "--json").json
    assert held["operators"]["Conv"] == 1
    assert held["figures"]["macs"] == 2 * 3 * 16 * 2


def test_passes_lists_every_pass_and_preset(run: Command) -> None:
    held = run("passes", "--json").json["passes"]
    names = [entry["name"] for entry in held]
    assert set(pass_types()) | set(presets()) == set(names)
    assert all(entry["summary"] for entry in held)
    assert len(run("passes").out.splitlines()) == len(names)


def test_passes_shows_the_whole_documentation(run: Command) -> None:
    ran = run("passes", "eliminate-identity")
    assert ran.code == 0
    assert "Before::" in ran.out
    assert "(bitwise)" in ran.out
    assert "fixpoint[exact, settle]" in run("passes", "O2").out
    assert "eliminate-identity" in run("passes", "exact").out


def test_passes_shows_options(run: Command) -> None:
    with_options = [e for e in run("passes", "--json").json["passes"] if e["options"]]
    for entry in with_options:
        text = run("passes", entry["name"]).out
        assert all(f"  {name}: " in text for name in entry["options"])


def test_targets_says_what_is_ready(run: Command) -> None:
    held = run("targets", "--json").json["targets"]
    (cpu,) = [entry for entry in held if entry["name"] == "ort-cpu"]
    assert cpu["ready"] is True
    assert "ort-cpu" in run("targets").out


def test_targets_says_what_would_enable_one(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_types()["ort"], "missing", lambda self: "run: pip install it")
    assert "missing: run: pip install it" in run("targets").out
    assert run("targets", "--json").json["targets"][0]["ready"] is False
