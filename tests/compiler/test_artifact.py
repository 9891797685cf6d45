"""The artifact folder: what is in it, that it is reproducible, and that it replaces atomically."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.support import ChangeWeights

from burnish.artifact import Artifact, Manifest, check_destination, replacing_folder
from burnish.backend import Built
from burnish.driver import compile
from burnish.errors import BuildError, InputError, VerificationFailed
from burnish.evaluate import run_model
from burnish.ir import Model, to_proto
from burnish.loading import load
from burnish.passdef import Exactness
from burnish.pipeline import Pipeline
from burnish.registry import backend_types
from burnish.text import parse_model

PASSES = "eliminate-identity, remove-dead-code"
TEXT = """
agraph (float[N, 3] x) => (float[N, 3] y) <float[3] w = {1.0, 2.0, 3.0}> {
    a = Identity(x)
    b = Add(a, w)
    y = Relu(b)
}
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(to_proto(parse_model(TEXT)), path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_folder_holds_model_manifest_diffs_history_and_times(
    source: Path, tmp_path: Path
) -> None:
    artifact = compile(source, tmp_path / "out", passes=PASSES)
    assert set(contents(artifact.path)) == {
        "model.onnx",
        "manifest.json",
        "history.json",
        "timings.json",
        "passes/000-eliminate-identity.diff",
    }
    diff = (artifact.path / "passes/000-eliminate-identity.diff").read_text()
    assert "-  a = Identity(x)\n" in diff
    assert [node.op_type for node in load(artifact.model).graph] == ["Add", "Relu"]


def test_the_manifest_explains_the_result(source: Path, tmp_path: Path) -> None:
    compile(source, tmp_path / "out", passes=PASSES, dims={"N": 4})
    manifest = Artifact.open(tmp_path / "out").manifest
    assert manifest.source["name"] == "model.onnx"
    assert manifest.source["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert str(Pipeline.parse(manifest.pipeline)) == manifest.pipeline == PASSES
    assert manifest.options["dims"] == {"N": 4}
    assert (manifest.before["nodes"], manifest.after["nodes"]) == (3, 2)
    first, second = manifest.passes
    assert first["file"] == "passes/000-eliminate-identity.diff"
    assert first["remarks"][0]["kind"] == "applied"
    assert second["file"] is None
    assert manifest.verdict is not None
    assert manifest.verdict["ok"] is True
    built = (tmp_path / "out/model.onnx").read_bytes()
    assert manifest.files == {"model.onnx": hashlib.sha256(built).hexdigest()}
    assert manifest.settings["providers"] == ["CPUExecutionProvider"]
    assert manifest.versions["onnx"] == onnx.__version__


def test_it_runs_and_answers_as_the_source(source: Path, tmp_path: Path) -> None:
    compile(source, tmp_path / "out", passes=PASSES)
    feeds = {"x": np.array([[-9.0, 0.5, 1.0]], np.float32)}
    found = Artifact.open(tmp_path / "out").load()(feeds)
    np.testing.assert_array_equal(found["y"], run_model(str(source), feeds)["y"])


def test_two_compiles_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    one = contents(compile(source, tmp_path / "one").path)
    two = contents(compile(source, tmp_path / "two").path)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] in ([], ["timings.json"])


def test_external_weights_are_digested_and_moved_along(tmp_path: Path) -> None:
    weight = np.arange(4096, dtype=np.float32).reshape(64, 64)
    proto = to_proto(parse_model("agraph (float[1,64] x) => (float[1,64] y) { y = MatMul(x, w) }"))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    path = tmp_path / "big.onnx"
    onnx.save(proto, path, save_as_external_data=True, location="big.bin", size_threshold=0)
    artifact = compile(path, tmp_path / "out", passes="")
    expected = hashlib.sha256((tmp_path / "big.bin").read_bytes()).hexdigest()
    assert artifact.manifest.source["external"] == {"big.bin": expected}
    (tmp_path / "big.bin").unlink()
    found = artifact.load()({"x": np.eye(64, dtype=np.float32)[3:4]})
    np.testing.assert_array_equal(found["y"], weight[3:4])


def test_provenance_names_the_source_nodes(tmp_path: Path) -> None:
    digits = Path("models/burnish_models/digits/digits.onnx")
    root = Path(__file__).parents[2]
    manifest = compile(root / digits, tmp_path / "out").manifest
    before = {node.name for node in load(root / digits).graph}
    assert manifest.provenance
    assert {name for sources in manifest.provenance.values() for name in sources} <= before


@pytest.mark.parametrize("kind", ["bytes", "proto", "model"])
def test_models_in_memory_compile_too(kind: str, tmp_path: Path) -> None:
    proto = to_proto(parse_model(TEXT))
    given: Any = {"bytes": proto.SerializeToString(), "proto": proto, "model": load(proto)}[kind]
    entry = compile(given, tmp_path / "out", passes=PASSES).manifest.source
    assert entry["kind"] == ("bytes" if kind == "bytes" else "model")
    assert len(entry["sha256"]) == 64


def test_a_name_that_ends_in_onnx_gets_the_model_alone(source: Path, tmp_path: Path) -> None:
    artifact = compile(source, tmp_path / "small.onnx", passes=PASSES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "small.onnx"]
    assert artifact.model == tmp_path / "small.onnx"
    assert len(load(artifact.model).graph) == 2
    assert artifact.load()({"x": np.ones((1, 3), np.float32)})["y"].shape == (1, 3)


def test_an_artifact_shows_on_one_line(source: Path, tmp_path: Path) -> None:
    artifact = compile(source, tmp_path / "out", passes=PASSES)
    assert repr(artifact) == f"Artifact(path={tmp_path / 'out'!r})"


# --- what was there stays there


def assert_untouched_after(folder: Path, before: Mapping[str, bytes]) -> None:
    assert contents(folder) == before
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_a_new_artifact_replaces_the_old(source: Path, tmp_path: Path) -> None:
    compile(source, tmp_path / "out", passes=PASSES)
    compile(source, tmp_path / "out", passes="")
    assert not (tmp_path / "out/passes").exists()
    assert Artifact.open(tmp_path / "out").manifest.pipeline == ""


@pytest.mark.parametrize("failure", [KeyboardInterrupt, BuildError("no")])
def test_a_build_that_ends_early_leaves_the_old(
    failure: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile(source, tmp_path / "out", passes="")
    before = contents(tmp_path / "out")

    def build(self: Any, model: Model, target: Any, folder: Path) -> Built:
        (folder / "model.onnx").write_bytes(b"half")
        raise failure

    monkeypatch.setattr(backend_types()["ort"], "build", build)
    with pytest.raises(failure if isinstance(failure, type) else type(failure)):
        compile(source, tmp_path / "out", passes=PASSES)
    assert_untouched_after(tmp_path / "out", before)


def test_a_model_the_runtime_refuses_leaves_the_old(source: Path, tmp_path: Path) -> None:
    compile(source, tmp_path / "out", passes="")
    before = contents(tmp_path / "out")
    custom = to_proto(parse_model("agraph (float[2] x) => (float[2] y) { y = own.domain.Op(x) }"))
    custom.opset_import.add(domain="own.domain", version=1)
    with pytest.raises(BuildError, match=r"no Op of domain 'own\.domain'"):
        compile(custom, tmp_path / "out", verify=False)
    assert_untouched_after(tmp_path / "out", before)


def test_other_answers_leave_the_old_and_say_how_far(source: Path, tmp_path: Path) -> None:
    compile(source, tmp_path / "out", passes="")
    before = contents(tmp_path / "out")
    with pytest.raises(VerificationFailed, match=r"answers differ: y .*max abs 1") as caught:
        compile(source, tmp_path / "out", passes=Pipeline((ChangeWeights(),)))
    assert caught.value.exit_code == 1
    assert_untouched_after(tmp_path / "out", before)


def test_keep_going_writes_it_with_the_verdict(source: Path, tmp_path: Path) -> None:
    pipeline = Pipeline((ChangeWeights(),))
    artifact = compile(source, tmp_path / "out", passes=pipeline, keep_going=True)
    held = json.loads((artifact.path / "manifest.json").read_text())
    assert held["verdict"]["ok"] is False


def test_an_interrupt_while_moving_puts_the_old_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    compile(to_proto(parse_model(TEXT)), out, passes="")
    before = contents(out)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing_folder(out) as folder:
        (folder / "model.onnx").write_bytes(b"new")
    assert_untouched_after(out, before)


# --- what may not be written to


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds other things"):
        compile(to_proto(parse_model(TEXT)), tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_an_artifact_with_a_file_of_the_user_is_refused(source: Path, tmp_path: Path) -> None:
    compile(source, tmp_path / "out", passes="")
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other things"):
        compile(source, tmp_path / "out", passes="")


def test_a_file_and_the_current_folder_are_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="a file, not a folder"):
        check_destination(source)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="current folder"):
        check_destination(".")


def test_a_link_to_a_folder_stays_a_link(source: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    compile(source, tmp_path / "link", passes="")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/model.onnx").is_file()


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 99}', '{"schema": 1}'])
def test_a_manifest_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="manifest"):
        Manifest.read(tmp_path / "manifest.json")


def test_a_pass_that_is_less_exact_than_allowed_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--allow float"):
        compile(source, tmp_path / "out", passes="fuse-conv-batch-norm", allow=Exactness.BITWISE)
    assert not (tmp_path / "out").exists()
