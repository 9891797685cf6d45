"""``burnish reduce``: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import pytest

import burnish.reduction.values
from burnish.evaluate import Evaluator
from burnish.ir import to_proto
from burnish.reduction import Reducer
from burnish.text import parse_model

Command: TypeAlias = Callable[..., Any]
# Fails on files that name the operator; a script without imports starts at once.
MINDS = "sh -c '! grep -q {op} \"$0\"' {{model}}"
TEXT = """agraph (float[4, 2] x, int64[3] i) => (float[3, 2] y) {
    a = Abs (x)
    g = Gather (a, i)
    y = Exp (g)
}"""


@pytest.fixture
def gather(tmp_path: Path) -> Path:
    """A model that looks things up."""
    path = tmp_path / "gather.onnx"
    onnx.save(to_proto(parse_model(TEXT, opset=17)), path)
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A sample with an index that is out of range."""
    path = tmp_path / "outside.npz"
    np.savez(path, x=np.ones((4, 2), np.float32), i=np.array([0, 7, 1]))
    return path


def ops(path: Path) -> list[str]:
    onnx.checker.check_model(path, full_check=True)
    return [node.op_type for node in onnx.load(path).graph.node]


def test_a_command_is_asked_and_the_small_model_written(
    run: Command, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small.onnx"
    ran = run("reduce", model, "--check", MINDS.format(op="Batch"), "-o", out)
    assert ran.code == 0
    assert ran.out == f"{out}\n"
    assert ops(out) == ["BatchNormalization"]
    assert "it fails: exit code 1" in ran.err
    assert "nodes   4 → 1" in ran.err
    assert "checks" in ran.err


def test_json_says_what_was_done(run: Command, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    ran = run("reduce", model, "--check", MINDS.format(op="Abs"), "-o", out, "--json", "-q")
    assert ran.err == ""
    keys = {"path", "samples", "failure", "checks", "refused", "before", "after"}
    assert set(ran.json) == keys
    assert ran.json["path"] == str(out)
    assert ran.json["before"] == {"nodes": 4, "inputs": 1, "outputs": 2, "bytes": 72}
    assert ran.json["after"]["nodes"] == 1


def test_the_inputs_that_it_fails_on_lie_beside_it(
    run: Command, gather: Path, outside: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small.onnx"
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, numpy\n"
        "sample = numpy.load(sys.argv[2])\n"
        "sys.exit(int(any(7 in sample[name] for name in sample.files)))\n"
    )
    command = f"'{sys.executable}' '{script}' {{model}} {{samples}}"
    ran = run("reduce", gather, "--samples", outside, "--check", command, "-o", out)
    assert ran.code == 0
    assert ran.out == f"{out}\n{out.with_suffix('.npz')}\n"
    with np.load(out.with_suffix(".npz")) as sample:
        assert any(7 in sample[name] for name in sample.files)
    again = [part.replace("{model}", str(out)) for part in (sys.executable, str(script), "{model}")]
    assert subprocess.run([*again, out.with_suffix(".npz")]).returncode == 1


def test_the_runtime_is_a_check(run: Command, gather: Path, outside: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    ran = run("reduce", gather, "--check-runtime", "--samples", outside, "-o", out)
    assert ran.code == 0
    assert ops(out) == ["Gather"]
    assert "it fails: it does not run" in ran.err
    again = run("reduce", gather, "--check-runtime", "-o", out)
    assert again.code == 2
    assert "the check passes on the model as it is" in again.err


def test_passes_that_are_right_are_no_failure(run: Command, model: Path, tmp_path: Path) -> None:
    ran = run("reduce", model, "--check-passes", "O2", "-o", tmp_path / "small.onnx")
    assert ran.code == 2
    assert "the check passes on the model as it is" in ran.err
    assert not (tmp_path / "small.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--check", "true"], "does not name {model}"),
        (["--check", "no-such-tool {model}"], "the command cannot be started"),
        (["--check", "true {model}"], "the check passes on the model as it is"),
        (["--check", "false {model}", "--fail-regex", "("], "is not a regular expression"),
        (["--check", "false {model}", "--fail-regex", "oops"], "the model fails, but not so"),
        (["--check", "false {model}", "--timeout", "0"], "is not a number of seconds above 0"),
        (["--check", "false {model}", "--check-runtime"], "not allowed with"),
        (["--check-passes", "no-such-pass"], "no pass is named"),
        (["--check-passes", "O2", "--timeout", "9"], "it has no effect on --check-passes"),
        (["--check", "false {model}", "--samples", "no.npz"], "there is no such file"),
        ([], "one of the arguments --check"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_nothing_is_written(
    run: Command, model: Path, tmp_path: Path, arguments: list[str], why: str
) -> None:
    out = tmp_path / "small.onnx"
    ran = run("reduce", model, "-o", out, "-q", *arguments)
    assert ran.code == 2
    assert why in ran.err
    assert ran.out == ""
    assert not out.exists()


def test_a_model_that_crashes_is_not_run_by_us(
    run: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[object] = []

    class Watched(Evaluator):
        def __init__(self, model: Any, **keywords: Any) -> None:
            engines.append(keywords.get("engine"))
            super().__init__(model, **keywords)

    monkeypatch.setattr(burnish.reduction.values, "Evaluator", Watched)
    out = tmp_path / "small.onnx"
    crash = "sh -c 'if grep -q Abs \"$0\"; then kill -SEGV $$; fi' {model}"
    ran = run("reduce", model, "--check", crash, "-o", out)
    assert ran.code == 0
    assert "it fails: signal 11" in ran.err
    assert ops(out) == ["Abs"]
    assert set(engines) == {"reference"}
    engines.clear()
    assert run("reduce", model, "--check", MINDS.format(op="Abs"), "-o", out).code == 0
    assert set(engines) == {"auto"}


def test_before_anything_is_gained_an_error_leaves_nothing(
    run: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Reducer, "run", broken)
    out = tmp_path / "small.onnx"
    ran = run("reduce", model, "--check", "false {model}", "-o", out)
    assert ran.code == 2
    assert "RuntimeError: broken" in ran.err
    assert not out.exists()


def test_what_is_there_is_not_lost(run: Command, model: Path, tmp_path: Path) -> None:
    before = model.read_bytes()
    for out, why in (
        (model, "that is the model itself"),
        (tmp_path / "small", "the name does not end in .onnx"),
    ):
        ran = run("reduce", model, "--check", "false {model}", "-o", out)
        assert ran.code == 2
        assert why in ran.err
    beside = tmp_path / "small.npz"
    beside.write_text("mine")
    ran = run("reduce", model, "--check", "false {model}", "-o", tmp_path / "small.onnx")
    assert ran.code == 2
    assert "a file that is not ours is there" in ran.err
    assert beside.read_text() == "mine"
    assert model.read_bytes() == before


def test_a_broken_file(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"no model")
    ran = run("reduce", path, "--check", "false {model}", "-o", tmp_path / "small.onnx")
    assert ran.code == 2
    assert "this is not an ONNX model" in ran.err


def test_an_interrupt_keeps_the_best_so_far(
    start: Callable[..., subprocess.Popen[str]], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small.onnx"
    asked = tmp_path / "asked"
    script = tmp_path / "script.sh"
    # Smaller candidates hang, so that the interrupt comes while the search is on its way.
    script.write_text(
        f"grep -q Batch \"$1\" || exit 0\necho x >>'{asked}'\n"
        f"test $(wc -l <'{asked}') -lt 5 || sleep 60\nexit 1\n"
    )
    process = start("reduce", model, "--seed", 0, "--check", f"sh {script} {{model}}", "-o", out)
    for _ in range(1200):
        if asked.exists() and len(asked.read_text().split()) >= 5:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed == ""
    assert f"the best so far is in {out}" in said
    assert "BatchNormalization" in ops(out)
    assert len(ops(out)) < 4


def test_samples_that_are_not_ours_stay(run: Command, gather: Path, tmp_path: Path) -> None:
    """The second sample of the result has a name too."""
    given = []
    for number in range(2):
        given.append(tmp_path / f"given-{number}.npz")
        np.savez(given[-1], x=np.ones((4, 2), np.float32), i=np.array([0, number, 1]))
    other = tmp_path / "small-1.npz"
    np.savez(other, mine=np.ones(2))
    before = other.read_bytes()
    options = ("--check", MINDS.format(op="Gather"), "-o", tmp_path / "small.onnx")
    ran = run("reduce", gather, *options, "--samples", given[0], "--samples", given[1])
    assert ran.code == 2
    assert "small-1.npz: a file that is not ours is there" in ran.err
    ran = run("reduce", gather, *options, "--samples", given[0], "--samples", other)
    assert ran.code == 2
    assert other.read_bytes() == before
    assert not (tmp_path / "small.onnx").exists()
