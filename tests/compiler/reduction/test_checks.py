"""The checks: a failure of another kind is not the failure."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np
import onnx
import pytest
from tests.support import ops

import burnish.pipeline
from burnish.errors import InputError
from burnish.ir import Model
from burnish.passdef import Context, Exactness, Pass
from burnish.reduction import reduce_case, seeded_feeds
from burnish.reduction.case import Feeds
from burnish.reduction.checks import Outcome, PassesCheck, SameFailure
from burnish.reduction.command import CommandCheck
from burnish.reduction.runtime import RuntimeCheck
from burnish.registry import pass_types
from burnish.sample_files import is_writable, write_samples
from burnish.saving import to_proto
from burnish.text import parse_model

Command: TypeAlias = Callable[..., str]
TEXT = """agraph (float[2, 3] x, float[3] b) => (float[2, 3] y) {
    a = Add (x, b)
    r = Relu (a)
    e = Erf (r)
    y = Exp (e)
}"""
# Operators are looked for in the bytes of the file: to import onnx takes most of a second.
HEAD = """import sys
data = open(sys.argv[1], "rb").read()
ops = [op for op in ("Add", "Relu", "Erf", "Exp") if op.encode() in data]
"""


@pytest.fixture
def model() -> Model:
    return parse_model(TEXT, opset=17)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Writes a script and gives the command that runs it on ``{model}``."""

    def write(body: str, more: str = "") -> str:
        path = tmp_path / "check.py"
        path.write_text(HEAD + body)
        return f"'{sys.executable}' '{path}' {{model}} {more}".strip()

    return write


class Said:
    """A check that says what it is told to, one outcome after the other."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.left = list(outcomes)

    def outcome(self, model: Model, feeds: Sequence[Feeds]) -> Outcome:
        return self.left.pop(0)


def answers(model: Model, check: Said, regex: str | None = None) -> list[bool]:
    fails = SameFailure(check, regex)
    return [fails(model, ()) for _ in range(len(check.left))]


def test_only_a_failure_of_the_first_kind_counts(model: Model) -> None:
    said = Said(Outcome("a", "x"), Outcome("b", "x"), Outcome("", ""), Outcome("a", "y"))
    assert answers(model, said) == [True, False, False, True]


def test_with_a_regex_the_text_counts_alone(model: Model) -> None:
    said = Said(Outcome("a", "1 bad"), Outcome("b", "2\nbad"), Outcome("a", "good"), Outcome(""))
    assert answers(model, said, "bad$") == [True, True, False, False]


def test_a_regex_that_the_source_does_not_match_is_refused(model: Model) -> None:
    with pytest.raises(InputError, match=r"the model fails, but not so.*begins with: good"):
        answers(model, Said(Outcome("a", "good")), "bad")
    with pytest.raises(InputError, match="is not a regular expression"):
        SameFailure(Said(), "(")


# --- commands


def test_a_command_reduces_to_the_node_it_minds(model: Model, command: Command) -> None:
    check = CommandCheck(command("sys.exit(3 if 'Erf' in ops else 0)"))
    done = reduce_case(model, SameFailure(check), feeds=seeded_feeds(model, (0,)))
    assert ops(done.model) == ["Erf"]


def test_another_exit_code_is_another_failure(model: Model, command: Command) -> None:
    body = "sys.exit(3 if {'Erf', 'Exp'} <= set(ops) else 4)"
    check = CommandCheck(command(body))
    done = reduce_case(model, SameFailure(check), feeds=())
    assert sorted(ops(done.model)) == ["Erf", "Exp"]


def test_another_error_is_another_failure_though_python_exits_with_one(
    model: Model, command: Command
) -> None:
    body = "assert 'Relu' not in ops or 'Erf' not in ops\nraise KeyError('not this')"
    check = CommandCheck(command(body))
    fails = SameFailure(check)
    done = reduce_case(model, fails, feeds=())
    assert sorted(ops(done.model)) == ["Erf", "Relu"]
    assert fails.first is not None
    assert fails.first.kind == "exit code 1 AssertionError"


def test_a_command_is_given_each_sample(model: Model, command: Command, tmp_path: Path) -> None:
    body = (
        "import numpy\n"
        "feeds = [dict(numpy.load(path)) for path in sys.argv[2:]]\n"
        f"open({str(tmp_path / 'seen')!r}, 'a').write(f'{{len(feeds)}}\\n')\n"
        "sys.exit(any((each.get('x', numpy.zeros(1)) > 5).any() for each in feeds))\n"
    )
    check = CommandCheck(command(body, "{samples}"))
    bias = np.ones(3, np.float32)
    feeds = [{"x": np.full((2, 3), value, np.float32), "b": bias} for value in (1, 9, 2)]
    done = reduce_case(model, SameFailure(check), feeds=feeds)
    assert len(done.feeds) == 1
    assert (done.feeds[0]["x"] == 9).all()
    assert (tmp_path / "seen").read_text().split()[0] == "3"


def test_a_command_that_is_not_there(model: Model) -> None:
    with pytest.raises(InputError, match="no-such-tool: the command cannot be started"):
        CommandCheck("no-such-tool {model}").outcome(model, ())
    with pytest.raises(InputError, match=r"could not be run .exit code 127"):
        CommandCheck("sh -c 'no-such-tool {model}'").outcome(model, ())


@pytest.mark.parametrize(
    ("text", "why"),
    [("true", "does not name {model}"), ("'{model}", "does not parse"), ("", "does not name")],
)
def test_a_command_that_makes_no_sense(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        CommandCheck(text)


def runs(process: Path) -> bool:
    """Whether a process lives; a dead one is listed as a zombie until its parent asks."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_command_that_hangs_is_killed_with_what_it_started(model: Model, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    check = CommandCheck(f"sh -c 'sleep 60 & echo $! >{pid}; wait' {{model}}", timeout=1)
    assert check.outcome(model, ()).kind == "timeout"
    child = Path("/proc", pid.read_text().strip())
    for _ in range(600):  # to die takes a moment
        if not runs(child):
            break
        time.sleep(0.05)
    assert not runs(child)


def test_to_hang_is_a_failure_of_its_own_kind(model: Model, command: Command) -> None:
    body = "import time\ntime.sleep(60 if 'Erf' in ops else 0)\nsys.exit('Relu' not in ops)"
    check = CommandCheck(command(body), timeout=3)
    fails = SameFailure(check)
    assert fails(model, ())
    without = parse_model("agraph (float[2] x) => (float[2] y) { y = Exp (x) }", opset=17)
    assert not fails(without, ())


# --- ONNX Runtime


def test_a_type_that_the_runtime_has_no_kernel_for(model: Model) -> None:
    text = """agraph (float[2, 3] x) => (bfloat16[2, 3] y) {
        a = Relu (x)
        b = Cast <to = 16> (a)
        c = Erf (b)
        d = Sqrt (c)
        y = Neg (d)
    }"""
    check = RuntimeCheck()
    fails = SameFailure(check)
    try:
        source = parse_model(text, opset=17)
        done = reduce_case(source, fails, feeds=seeded_feeds(source, (0,)))
        assert fails.first is not None
        assert "NOT_IMPLEMENTED" in fails.first.text
        assert len(ops(done.model)) == 1
        again = SameFailure(check)
        assert again(done.model, done.feeds)
        assert not SameFailure(check)(model, seeded_feeds(model, (0,)))
    finally:
        check.close()


def test_an_index_out_of_range_fails_when_it_runs() -> None:
    text = """agraph (float[4, 2] x, int64[3] i) => (float[3, 2] y) {
        a = Abs (x)
        g = Gather (a, i)
        y = Exp (g)
    }"""
    source = parse_model(text, opset=17)
    feeds = {"x": np.ones((4, 2), np.float32), "i": np.array([0, 7, 1])}
    check = RuntimeCheck()
    fails = SameFailure(check)
    try:
        done = reduce_case(source, fails, feeds=[feeds])
        assert fails.first is not None
        assert fails.first.text.startswith("it does not run")
        assert ops(done.model) == ["Gather"]
        assert SameFailure(check)(done.model, done.feeds)
    finally:
        check.close()


# --- our own passes


@dataclass(frozen=True)
class AddBecomesSub(Pass):
    """Claims to keep every bit, and subtracts where there was a sum."""

    name: ClassVar[str] = "add-becomes-sub"

    def run(self, model: Model, ctx: Context) -> None:
        for node in model.graph:
            if node.op_type == "Add" and ctx.applies(self.name, node):
                node.op_type = "Sub"


@dataclass(frozen=True)
class MindsErf(Pass):
    """Fails on an Erf, and in another way on a Relu."""

    name: ClassVar[str] = "minds-erf"

    def run(self, model: Model, ctx: Context) -> None:
        found = {node.op_type for node in model.graph}
        if "Erf" in found:
            raise ValueError("an Erf")
        if "Relu" in found:
            raise KeyError("a Relu")


@pytest.fixture(params=[AddBecomesSub, MindsErf], ids=lambda found: str(found.name))
def wrong(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Pass]:
    """A pass that breaks its promise, or breaks."""
    found: type[Pass] = request.param
    known = {**pass_types(), found.name: found}
    monkeypatch.setattr(burnish.pipeline, "pass_types", lambda: known)
    return found


def test_passes_that_are_wrong(model: Model, wrong: type[Pass]) -> None:
    fails = SameFailure(PassesCheck(wrong.name, "onnx", Exactness.LOSSY))
    done = reduce_case(model, fails, feeds=seeded_feeds(model, (0, 1)))
    assert ops(done.model) == ["Add" if wrong is AddBecomesSub else "Erf"]
    assert fails.first is not None
    assert ("the answers differ" in fails.first.kind) == (wrong is AddBecomesSub)
    assert ("ValueError" in fails.first.kind) == (wrong is MindsErf)
    assert fails(done.model, done.feeds)


def test_passes_that_keep_the_answers_pass(model: Model) -> None:
    check = PassesCheck("O2", "onnx", Exactness.FLOAT)
    assert check.outcome(model, seeded_feeds(model, (0,))).kind == ""


# --- samples on disk


def test_samples_are_written_whole(tmp_path: Path) -> None:
    feeds = {"x": np.arange(6).reshape(2, 3), "s": np.array(["a", "bc"], dtype=object)}
    write_samples([feeds], [tmp_path / "s.npz"])
    with np.load(tmp_path / "s.npz") as held:
        assert (held["x"] == feeds["x"]).all()
        assert held["s"].tolist() == ["a", "bc"]
    assert [item.name for item in tmp_path.iterdir()] == ["s.npz"]


def test_a_sequence_cannot_be_written(tmp_path: Path) -> None:
    feeds = {"q": [np.ones(2)]}
    assert not is_writable(feeds)
    with pytest.raises(InputError, match=r"input 'q': a \.npz file cannot hold this value"):
        write_samples([feeds], [tmp_path / "s.npz"])
    assert list(tmp_path.iterdir()) == []


def test_candidates_are_valid(model: Model, command: Command) -> None:
    body = "import onnx\nonnx.checker.check_model(sys.argv[1], full_check=True)\nsys.exit(9)"
    check = CommandCheck(command(body))
    done = reduce_case(model, SameFailure(check), feeds=())
    assert len(done.model.graph) == 0
    onnx.checker.check_model(to_proto(done.model), full_check=True)
