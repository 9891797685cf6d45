"""Options of ``burnish diff``: those that do not go together are refused, none is ignored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import onnx
import pytest

from burnish.ir import to_proto
from burnish.text import parse_model

Command: TypeAlias = Callable[..., Any]
SCHEMAS = Path(__file__).parents[2] / "docs/schema"


@pytest.fixture
def artifacts(run: Command, model: Path, tmp_path: Path) -> tuple[Path, Path]:
    for level in "01":
        assert run("compile", model, "-o", tmp_path / f"O{level}", f"-O{level}", "-q").code == 0
    return tmp_path / "O0", tmp_path / "O1"


PIPELINE = (
    ["-O1"],
    ["--passes", "eliminate-identity"],
    ["--target", "portable"],
    ["--allow", "lossy"],
    ["--stop-after", "1"],
    ["--figures"],
    ["--each-pass"],
    ["--pictures", "drawn"],
)


@pytest.mark.parametrize("options", PIPELINE, ids=" ".join)
@pytest.mark.parametrize("html", [False, True])
def test_two_files_have_no_pipeline(
    run: Command, model: Path, other: Path, tmp_path: Path, options: list[str], html: bool
) -> None:
    page = ["--html", tmp_path / "page.html"] if html else []
    ran = run("diff", model, other, *options, *page)
    assert (ran.code, ran.out) == (2, "")
    assert options[0][:2] in ran.err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    "options",
    [*PIPELINE, ["--dim", "N=1"], ["--input-shape", "x=1,2,4,4"], ["--ignore-names"]],
    ids=" ".join,
)
def test_two_runs_have_no_pipeline(
    run: Command, artifacts: tuple[Path, Path], options: list[str]
) -> None:
    ran = run("diff", *artifacts, *options)
    assert (ran.code, ran.out) == (2, "")
    assert options[0][:2] in ran.err


@pytest.mark.parametrize(
    "options", [["--only", "eliminate-identity"], ["--node", "i"], ["--figures"]], ids=" ".join
)
def test_the_page_of_a_run_has_filters_of_its_own(
    run: Command, model: Path, tmp_path: Path, options: list[str]
) -> None:
    ran = run("diff", model, "--html", tmp_path / "page.html", *options)
    assert ran.code == 2
    assert options[0] in ran.err
    assert not (tmp_path / "page.html").exists()


def test_one_model_has_names(run: Command, model: Path) -> None:
    assert "--ignore-names" in run("diff", model, "--ignore-names").err


def test_an_artifact_and_a_file_are_no_pair(
    run: Command, model: Path, artifacts: tuple[Path, Path]
) -> None:
    for pair in ((model, artifacts[1]), (artifacts[1], model), (artifacts[1],)):
        ran = run("diff", *pair)
        assert (ran.code, ran.out) == (2, "")
        assert str(artifacts[1] / "model.onnx") in ran.err


def test_a_pass_that_is_none_is_refused_for_runs(
    run: Command, artifacts: tuple[Path, Path]
) -> None:
    ran = run("diff", *artifacts, "--only", "eliminate-identiti")
    assert ran.code == 2
    assert "did you mean eliminate-identity?" in ran.err


def test_runs_are_restricted_to_a_pass_and_a_name(
    run: Command, artifacts: tuple[Path, Path]
) -> None:
    schema = json.loads((SCHEMAS / "run-diff.schema.json").read_text())
    only = run("diff", *artifacts, "--only", "eliminate-identity", "--json")
    assert (only.code, only.json["facts"], only.json["same"]) == (1, [], 0)
    assert {item["name"] for item in only.json["passes"]} == {"eliminate-identity"}
    idle = run("diff", *artifacts, "--only", "fuse-gelu", "--json")
    assert (idle.code, idle.json["passes"]) == (0, [])
    named = run("diff", *artifacts, "--node", "i", "--json")
    assert named.code == 1
    assert all("i" in line for item in named.json["passes"] for line in item["lines"])
    none = run("diff", *artifacts, "--node", "nothing here", "--json")
    assert (none.code, none.json["equal"], none.json["passes"]) == (0, True, [])
    assert run("diff", *artifacts, "--node", "nothing here").out == ""
    for held in (only, idle, named, none):
        jsonschema.validate(held.json, schema)


def test_the_page_of_two_runs_may_be_of_one_node(
    run: Command, artifacts: tuple[Path, Path], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    assert run("diff", *artifacts, "--node", "nothing here", "--html", page).code == 0
    assert "eliminate-identity (" not in page.read_text()


@pytest.mark.parametrize("kind", ["model", "files", "runs"])
def test_a_page_is_told_as_json_too(
    run: Command,
    model: Path,
    other: Path,
    artifacts: tuple[Path, Path],
    tmp_path: Path,
    kind: str,
) -> None:
    what: tuple[Path, ...] = {"model": (model,), "files": (model, other), "runs": artifacts}[kind]
    page = tmp_path / "page.html"
    ran = run("diff", *what, "--html", page, "--json")
    assert ran.code == (kind != "model")
    assert ran.json == {"path": str(page), "bytes": page.stat().st_size}


def test_a_page_of_somebody_else_is_not_written_over(
    run: Command, model: Path, artifacts: tuple[Path, Path], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>mine</p>")
    for command in (("diff", model, "--html", page), ("view", artifacts[0], "-o", page)):
        ran = run(*command)
        assert ran.code == 2
        assert "not a page of burnish" in ran.err
        assert page.read_text() == "<p>mine</p>"
    page.unlink()
    for _ in range(2):
        assert run("view", artifacts[0], "-o", page).code == 0


def test_a_node_is_found_by_its_name_as_by_its_result(
    run: Command, model: Path, tmp_path: Path
) -> None:
    proto = onnx.load(model)
    for node in proto.graph.node:
        node.name = f"node of {node.output[0]}"
    onnx.save(proto, model)
    by_result = run("diff", model, "--node", "i").out
    assert "-  i = Identity(x)" in by_result
    assert run("diff", model, "--node", "node of i").out == by_result
    assert run("diff", model, "--node", "node of i", "--json").json["passes"]
    for level in "01":
        run("compile", model, "-o", tmp_path / f"N{level}", f"-O{level}", "-q")
    pair = tmp_path / "N0", tmp_path / "N1"
    assert run("diff", *pair, "--node", "node of i").out == run("diff", *pair, "--node", "i").out
    assert "Identity" in run("diff", *pair, "--node", "node of i").out


def test_an_operator_is_no_name(run: Command, model: Path) -> None:
    ran = run("diff", model, "--node", "Identity")
    assert (ran.code, ran.out) == (0, "")
    assert "no change names 'Identity'" in ran.err
    assert "no change names" not in run("diff", model, "--node", "i").err


def test_all_results_of_a_node_with_several_are_named(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "split.onnx"
    text = "g (float[4] x) => (float[2] y) { i = Identity(x) a, y = Split(i) }"
    onnx.save(to_proto(parse_model(f'<ir_version: 8, opset_import: ["" : 13]> {text}')), path)
    assert "Split(i)" in run("diff", path, "--node", "y").out
