"""Errors, streams and start-up of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import onnx
import pytest

import burnish
from burnish.cli import main
from burnish.cli.parser import build_parser
from burnish.errors import InputError

Command: TypeAlias = Callable[..., Any]
ROOT = Path(__file__).parents[2]
SHAPES = ("--input-shape", "x=1,2,4,4", "--input-shape", "x=2,2,4,4")
COMMANDS = ("compile", "diff", "explain", "verify", "inspect", "passes", "targets")


def test_nothing_heavy_is_imported_before_a_command_needs_it() -> None:
    code = (
        "import sys, burnish, burnish.cli.parser as p; p.build_parser();"
        "heavy = {'numpy', 'onnx', 'onnx_ir', 'onnxruntime', 'networkx', 'xxhash'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "compiler")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    for name in burnish.__all__:
        assert getattr(burnish, name).__module__.startswith(
            ("burnish", "onnx_ir", "typing", "collec")
        )
    assert set(burnish.__all__) <= set(dir(burnish))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = burnish.nonsense


def test_the_version_is_that_of_the_project(run: Command) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert run("--version").out == f"burnish {project['version']}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_an_example(run: Command, command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert ran.out.rstrip().splitlines()[-1].startswith(f"  burnish {command}")
    assert "--json" in ran.out
    assert all(line == line.rstrip() for line in ran.out.splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_parse(command: str, run: Command) -> None:
    import shlex

    lines = run(command, "--help").out.rpartition("examples:\n")[2].splitlines()
    for line in filter(None, lines):
        program, *arguments = shlex.split(line)
        assert program == "burnish"
        assert build_parser().parse_args(arguments).command == command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "arguments are required: COMMAND"),
        (("complie", "x"), "did you mean compile?"),
        (("inspect", "/no/such.onnx"), "there is no such file"),
        (("passes", "eliminate-identiy"), "did you mean eliminate-identity?"),
        (("diff", "MODEL", "--only", "eliminate-identiy"), "did you mean eliminate-identity?"),
        (("explain", "MODEL", "nothing-like-it-at-all-xyzzy"), "no pass and no node"),
        (("compile", "MODEL", "-o", "OUT", "-O7"), "choose from: 0, 1, 2, 3"),
        (("compile", "MODEL", "-o", "OUT", "--target", "moon"), "the targets are: ort-cpu"),
        (("compile", "MODEL", "-o", "OUT", "--dim", "N"), "is not NAME=N"),
        (("compile", "MODEL", "-o", "OUT", "--input-shape", "x=1,b"), "is not NAME=1,3,8,8"),
        (("compile", "MODEL", "-o", "OUT", "--stop-after", "-1"), "cannot be negative"),
        (("compile", "MODEL", "-o", "OUT", "--seed", "-1"), "--seed: N cannot be negative"),
        (("compile", "MODEL", "-o", "OUT", "--seed", "a"), "'a' is not a whole number"),
        (("inspect", "MODEL", "--dim", "N=2", "--dim", "N=3"), "--dim: N cannot be 2 and 3"),
        (("inspect", "MODEL", *SHAPES), "--input-shape: x cannot be 1,2,4,4 and 2,2,4,4"),
        (("compile", "MODEL", "-o", "OUT", "--samples", "no.npz"), "no.npz"),
        (("compile", "MODEL", "-o", "MODEL.txt"), "a file, not a folder"),
    ],
)
def test_errors_are_one_line_without_a_trace(
    run: Command, model: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "file.txt").write_text("")
    places = {"MODEL": model, "OUT": tmp_path / "out", "MODEL.txt": tmp_path / "file.txt"}
    given = [places.get(item, item) for item in arguments]
    ran = run(*given, *(["-q"] if len(given) > 1 else []))
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("burnish: error: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err
    assert not (tmp_path / "out").exists()


def test_a_pipeline_that_does_not_parse_gets_a_caret(run: Command, model: Path) -> None:
    ran = run("diff", model, "--passes", "remove-dead-code, fold-constans", "-q")
    assert ran.code == 2
    first, text, caret = ran.err.splitlines()
    assert "did you mean fold-constants?" in first
    assert text[caret.index("^") :].startswith("fold-constans")


def test_debug_shows_the_trace(run: Command) -> None:
    ran = run("inspect", "/no/such.onnx", "--debug")
    assert ran.code == 2
    assert "Traceback" in ran.err
    assert "Traceback" not in run("inspect", "/no/such.onnx").err


def test_a_fault_of_ours_is_one_line_too(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr("burnish.views.description.describe", fails)
    ran = run("inspect", model)
    assert ran.code == 2
    assert "RuntimeError: first second; this is a fault in burnish" in ran.err
    assert ran.err.count("\n") == 1


def test_results_and_words_go_to_different_streams(run: Command, model: Path) -> None:
    ran = run("diff", model)
    assert "loading" in ran.err
    assert "loading" not in ran.out
    assert run("diff", model, "-q").err == ""


def test_colour_only_on_a_terminal(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "\033[31m-  i = Identity(x)\033[0m" in run("diff", model).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033" not in run("diff", model).out


def test_a_process_answers_and_exits(start: Command, model: Path, tmp_path: Path) -> None:
    process = start("compile", model, "-o", tmp_path / "out", "--passes", "eliminate-identity")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, f"{tmp_path / 'out'}\n"), err


def test_a_reader_that_goes_away_is_no_error(start: Command, tmp_path: Path) -> None:
    count = 20_000
    nodes = [onnx.helper.make_node("Relu", ["x"], [f"v{index}"]) for index in range(count)]
    info = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1])
        for name in ["x", *(f"v{index}" for index in range(count))]
    ]
    graph = onnx.helper.make_graph(nodes, "g", info[:1], info[1:])
    opsets = [onnx.helper.make_opsetid("", 20)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), tmp_path / "wide.onnx")
    process = start("inspect", tmp_path / "wide.onnx")
    assert process.stdout.readline().startswith("IR version")
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=120) == 128 + signal.SIGPIPE
    assert err == ""
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("command", [("passes",), ("passes", "--json"), ("--help",)])
def test_a_full_disk_is_one_line(start: Command, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        process = start(*command, stdout=full)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.startswith("burnish: error: standard output cannot be written (")
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [ImportError, RuntimeError, InputError])
def test_an_interrupt_that_became_an_error_is_an_interrupt(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def loads(_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            raise error("numpy failed to import") from None

    monkeypatch.setattr("burnish.views.description.describe", loads)
    before = signal.getsignal(signal.SIGINT)
    ran = run("inspect", model, "-q")
    assert (ran.code, ran.out, ran.err) == (130, "", "burnish: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupts_that_are_ignored_stay_ignored(
    run: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def describe(_: object) -> None:
        seen.append(signal.getsignal(signal.SIGINT))
        raise InputError("enough")

    monkeypatch.setattr("burnish.views.description.describe", describe)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run("inspect", model)
    finally:
        signal.signal(signal.SIGINT, before)
    run("inspect", model)
    assert seen[0] == signal.SIG_IGN
    assert seen[1] != before


def test_a_thread_may_run_commands(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["inspect", str(model)])))
    thread.start()
    thread.join(60)
    assert codes == [0]
    assert "input   x" in capsys.readouterr().out


def test_processes_give_the_same_bytes_whatever_their_hash_seed(
    start: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ROOT / "models/burnish_models/digits/digits.onnx"
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        process = start("compile", source, "-o", tmp_path / seed, "-q")
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    names = {path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.*")}
    assert Path("passes") in {name.parent for name in names}
    for name in names - {Path("timings.json")}:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("fixpoint{limit=0}[remove-dead-code]", "limit must be 1 or more"),
        ("fixpoint[]", "fixpoint holds no pass"),
        ("fixpoint[O0]", "fixpoint holds no pass"),
    ],
)
def test_pipelines_that_make_no_sense(run: Command, model: Path, spec: str, said: str) -> None:
    ran = run("diff", model, "--passes", spec, "-q")
    assert ran.code == 2
    assert said in ran.err.splitlines()[0]
