"""The commands that the documentation shows work as shown."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from burnish.cli import main
from burnish.passdef import Exactness
from burnish.pipeline import Pipeline
from burnish.registry import pass_types
from burnish.target import Target
from burnish.text import model_text, parse_model

ROOT = Path(__file__).parents[2]
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def shown(page: str) -> list[str]:
    """Every line of the shell blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [line for block in SHELL.findall(text) for line in block.splitlines() if line]


def burnish_commands(lines: list[str]) -> Iterator[list[str]]:
    """The arguments of each call of ``burnish``; set-up before ``&&`` is left to CI."""
    for line in lines:
        words = shlex.split(line.split("&&")[-1], comments=True)
        if words and Path(words[0]).name == "burnish":
            yield words[1:]


def expected(line: str) -> int:
    """The exit code that a comment in a shown line tells of; 0 without one."""
    told = re.search(r"# exit code (\d)", line)
    return int(told[1]) if told else 0


@pytest.mark.parametrize("page", ["README.md", "docs/what-happened.md"])
def test_the_commands_of_a_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(page)
    assert any("burnish compile" in line for line in lines)
    shutil.copytree(ROOT / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        for arguments in burnish_commands([line]):
            assert main(arguments) == expected(line), line
            printed = capsys.readouterr()
            assert printed.out or arguments[0] == "compile", line
            assert "Traceback" not in printed.err


def test_readme_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shutil.copytree(ROOT / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "digits.optimized.onnx").is_file()
    assert names["answers"]


def test_no_page_has_a_gap_left_to_fill() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        assert "@@" not in (ROOT / page).read_text(encoding="utf-8"), page


def test_scripts_that_are_shown_exist() -> None:
    lines = shown("README.md") + shown("CONTRIBUTING.md")
    scripts = {word for line in lines for word in line.split() if word.startswith(".ci/")}
    assert scripts == {".ci/test", ".ci/run"}
    assert all((ROOT / script).is_file() for script in scripts)


def test_the_pass_of_contributing_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    source = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "drop_double_negation.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    added = importlib.import_module("drop_double_negation").DropDoubleNegation
    before, after = re.findall(r"(agraph .*?\n    \})", inspect.getdoc(added) or "", re.DOTALL)
    model = parse_model(before)
    (record,) = Pipeline((added(),)).run(model, Target())
    assert record.exactness == Exactness.BITWISE
    assert record.diff
    assert model_text(model) == model_text(parse_model(after))


def test_the_changelog_counts_the_passes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"- {len(pass_types())} passes" in text
