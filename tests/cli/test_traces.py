"""``verify --each-pass`` and ``--per-node``, and the pictures of ``diff``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
import numpy as np
import pytest
from PIL import Image
from tests.support import ChangeWeights

import burnish.pipeline
from burnish.registry import pass_types

Command: TypeAlias = Callable[..., Any]
SCHEMAS = Path(__file__).parents[2] / "docs/schema"


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a pass that breaks its promise."""
    known = {**pass_types(), ChangeWeights.name: ChangeWeights}
    monkeypatch.setattr(burnish.pipeline, "pass_types", lambda: known)
    return ChangeWeights.name


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text())


def is_picture(path: Path) -> bool:
    with Image.open(path) as image:
        image.load()
        return image.format == "PNG"


def test_each_pass(run: Command, model: Path) -> None:
    ran = run("verify", model, "--each-pass", "-O2")
    assert ran.code == 0
    assert "eliminate-identity" in ran.out
    assert "equal within what is allowed" in ran.out
    assert "eliminate-identity" in ran.err  # progress, as the passes go by
    quiet = run("verify", model, "--each-pass", "-O2", "-q")
    assert quiet.err == ""
    assert quiet.out == ran.out


def test_each_pass_names_the_pass_that_breaks_it(run: Command, model: Path, wrong: str) -> None:
    spec = f"eliminate-identity, {wrong}, remove-dead-code"
    ran = run("verify", model, "--each-pass", "--passes", spec)
    assert ran.code == 1
    assert f"the first pass beyond what is allowed is pass 1, {wrong}" in ran.out
    held = run("verify", model, "--each-pass", "--passes", spec, "--json", "-q")
    assert held.code == 1
    jsonschema.validate(held.json, schema("pass-trace"))
    assert held.json["first_beyond"] == 1


def test_per_node_of_two_models(run: Command, model: Path, other: Path) -> None:
    assert run("verify", model, model, "--per-node").code == 0
    ran = run("verify", model, other, "--per-node")
    assert ran.code == 1
    assert "they part at c, Conv Conv(c)" in ran.out
    held = run("verify", model, other, "--per-node", "--json", "-q")
    assert held.code == 1
    jsonschema.validate(held.json, schema("node-trace"))
    assert held.json["first_beyond"] == "c"


def test_per_node_of_a_pipeline(run: Command, model: Path, wrong: str) -> None:
    ran = run("verify", model, "--per-node", "-O2")
    assert ran.code == 0
    assert "Conv(c), BatchNormalization(y)" in ran.out
    broken = run("verify", model, "--per-node", "--passes", wrong, "--top", 1, "--json", "-q")
    assert broken.code == 1
    jsonschema.validate(broken.json, schema("node-trace"))
    assert len(broken.json["values"]) == 1
    assert broken.json["first_beyond"] == "c"


def test_samples_and_sizes_are_passed_on(run: Command, model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", x=np.ones((3, 2, 4, 4), np.float32))
    for form in (["--each-pass"], ["--per-node"], [model, "--per-node"]):
        given = ["--samples", tmp_path / "one.npz", "--dim", "N=3", "--json", "-q"]
        held = run("verify", model, *form, *given).json
        assert held.get("verdict", held)["samples"] == 1
    ran = run("verify", model, "--each-pass", "--stop-after", 1, "--json", "-q")
    assert len(ran.json["steps"]) == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["A"], "give B, or follow A"),
        (["A", "B", "--each-pass"], "leave B out"),
        (["A", "B", "-O2"], "do not go with two models"),
        (["A", "B", "--per-node", "--passes", "fuse-gelu"], "do not go with two models"),
        (["A", "B", "--target", "onnx"], "do not go with two models"),
        (["A", "--each-pass", "--exactness", "float"], "the passes say what may differ"),
        (["A", "--each-pass", "--top", "3"], "--top goes with --per-node"),
        (["A", "B", "--plot", "x.png"], "--plot goes with"),
        (["A", "--each-pass", "--per-node"], "not allowed with"),
        (["A", "B", "--per-node", "--top", "-1"], "cannot be negative"),
        (["A", "--per-node", "--plot", "x.pdf"], "name it FILE.png"),
        (["A", "--per-node", "--passes", "no-such-pass"], "no pass is named"),
        (["gone.onnx", "--per-node"], "there is no such file"),
        (["A", "gone.onnx", "--per-node"], "there is no such file"),
    ],
)
def test_what_does_not_go_together(
    run: Command,
    model: Path,
    other: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = {"A": model, "B": other}
    before = sorted(tmp_path.iterdir())
    ran = run("verify", *(paths.get(word, word) for word in words))
    assert ran.code == 2
    assert why in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_a_broken_file_is_refused(run: Command, model: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(model.read_bytes()[:50])
    broken = tmp_path / "broken.onnx"
    for words in ([broken, "--each-pass"], [broken, "--per-node"], [model, broken, "--per-node"]):
        ran = run("verify", *words)
        assert ran.code == 2
        assert "broken.onnx" in ran.err


def test_plots(run: Command, model: Path, other: Path, tmp_path: Path) -> None:
    for number, words in enumerate(
        ([model, "--each-pass"], [model, "--per-node"], [model, other, "--per-node"])
    ):
        path = tmp_path / f"{number}.png"
        ran = run("verify", *words, "--plot", path)
        assert f"drawn: {path}" in ran.err
        assert is_picture(path)


def test_pictures_of_a_diff(run: Command, model: Path, other: Path, tmp_path: Path) -> None:
    ran = run("diff", model, "-O2", "--pictures", tmp_path / "out")
    assert ran.code == 0
    assert ran.out == run("diff", model, "-O2").out
    assert is_picture(tmp_path / "out/waterfall.png")
    assert is_picture(tmp_path / "out/operators.png")
    (tmp_path / "file").write_text("mine")
    refused = run("diff", model, "--pictures", tmp_path / "file")
    assert refused.code == 2
    assert refused.out == ""
    assert run("diff", model, other, "--pictures", tmp_path / "out").code == 2


def test_without_matplotlib_nothing_is_run(
    run: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for words in (
        ["verify", model, "--each-pass", "--plot", tmp_path / "x.png"],
        ["diff", model, "--pictures", tmp_path / "out"],
    ):
        ran = run(*words)
        assert ran.code == 2
        assert ran.err == (
            "burnish: error: matplotlib is not installed; run: pip install 'burnish[plot]'\n"
        )
    assert run("verify", model, "--each-pass").code == 0
