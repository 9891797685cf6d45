"""Every way a run can go wrong, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.compiler.culprit import faulty

from burnish.culprit import bisect
from burnish.errors import ExecutionError, InputError
from burnish.ir import Model
from burnish.passdef import Exactness
from burnish.text import parse_model

TEXT = """agraph (float[4] x) => (float[4] y) <float[4] w = {1, 2, 3, 4}> {
    i = Identity (x)
    j = Identity (i)
    a = Neg (j)
    b = Sin (a)
    c = Neg (b)
    d = Add (c, w)
    y = Cos (d)
}"""


@pytest.fixture(autouse=True)
def _passes(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty.register(monkeypatch)


@pytest.fixture
def model() -> Model:
    return parse_model(TEXT)


def test_where_nothing_is_wrong_nothing_is_found(model: Model, tmp_path: Path) -> None:
    found = bisect(model, out=tmp_path / "repro")
    assert found.culprit is None
    assert found.total > 0
    assert "nothing to find" in found.text()
    assert found.json()["found"] is False
    assert not (tmp_path / "repro").exists()


def test_the_source_is_not_changed(model: Model) -> None:
    before = [node.op_type for node in model.graph]
    bisect(model, passes="eliminate-identity, breaks")
    assert [node.op_type for node in model.graph] == before


# --- kinds of faults


def test_a_model_that_does_not_run_is_bad(model: Model, tmp_path: Path) -> None:
    found = bisect(model, passes="eliminate-identity, breaks", out=tmp_path / "repro")
    culprit = found.culprit
    assert culprit is not None
    assert (culprit.bad.kind, culprit.rewrite, culprit.rule) == ("refused", 3, "breaks")
    assert culprit.node == "Sin(b)"
    assert culprit.sources == ("Sin(b)",)
    assert culprit.diff == ("@ model", " " + "  " + "a = Neg(x)", *culprit.diff[2:])
    assert "-  b = Sin(a)" in culprit.diff
    assert "+  b = Sinus(a)" in culprit.diff
    assert found.reproducer is not None
    assert found.reproducer.nodes == 2  # it leaves alone what computes an output
    again = bisect(tmp_path / "repro").culprit
    assert again is not None
    assert again.rule == "breaks"


def test_a_pass_that_raises_is_found_with_the_place(model: Model, tmp_path: Path) -> None:
    found = bisect(model, passes="eliminate-identity, fails", out=tmp_path / "repro")
    culprit = found.culprit
    assert culprit is not None
    assert (culprit.bad.kind, culprit.rule, culprit.node) == ("raised", "fails", "Neg(c)")
    assert culprit.rewrite == 4
    assert "ZeroDivisionError: by design" in culprit.bad.reason
    again = bisect(tmp_path / "repro").culprit
    assert again is not None
    assert again.bad.kind == "raised"


def test_a_rule_that_raises_is_named_with_its_node(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from burnish_passes.cleanup.eliminate_identity import DropIdentity

    with monkeypatch.context() as patch:
        patch.setattr(DropIdentity, "after", lambda self, op, m: 1 // 0)
        found = bisect(model, out=tmp_path / "repro")
        culprit = found.culprit
        assert culprit is not None
        assert (culprit.rule, culprit.member) == ("eliminate-identity", "DropIdentity")
        assert culprit.node == "Identity(i)"
        assert culprit.rewrite is None
        assert culprit.bad.kind == "raised"
        assert found.text().startswith("a pass fails: eliminate-identity (DropIdentity)")
        again = bisect(tmp_path / "repro").culprit
        assert again is not None
        assert again.member == "DropIdentity"
    assert bisect(tmp_path / "repro").culprit is None


def test_an_unannounced_change_is_laid_to_the_pass(model: Model) -> None:
    found = bisect(model, passes="eliminate-identity, quietly, remove-dead-code")
    culprit = found.culprit
    assert culprit is not None
    assert found.total == 3
    assert (culprit.rule, culprit.node, culprit.rewrite) == ("quietly", "", None)
    assert any(line.startswith("-  w =") for line in culprit.diff)


def test_an_unannounced_change_beside_announced_ones_is_laid_to_the_pass(model: Model) -> None:
    culprit = bisect(model, passes="lift-constants, quietly{announces=true}").culprit
    assert culprit is not None
    assert culprit.rewrite is None
    assert (culprit.rule, culprit.index) == ("quietly", 1)
    assert any("does not announce" in note for note in culprit.notes)


def test_a_model_that_answers_well_must_be_valid_too(model: Model, tmp_path: Path) -> None:
    sources = "eliminate-identity, infer-shapes, misdeclares, remove-dead-code"
    found = bisect(model, passes=sources, out=tmp_path / "repro")
    culprit = found.culprit
    assert culprit is not None
    assert culprit.bad.kind in ("invalid", "refused")
    assert (culprit.rule, culprit.rewrite, culprit.index) == ("misdeclares", None, 2)
    again = bisect(tmp_path / "repro").culprit
    assert again is not None
    assert again.rule == "misdeclares"


def test_rounding_that_adds_up_is_said_to_be_nobodys_fault(tmp_path: Path) -> None:
    kinds = ("Neg", "Abs", "Relu", "LeakyRelu")
    chain = "".join(f"n{i + 1} = {op} (n{i})\n" for i, op in enumerate(kinds))
    text = f"agraph (float[4] n0) => (float[4] y) {{ {chain} y = Identity (n4) }}"
    passes = ", ".join(f"drifts{{op={op}}}" for op in kinds[1:])
    passes = f"drifts, {passes}"
    found = bisect(parse_model(text), passes=passes, out=tmp_path / "repro")
    culprit = found.culprit
    assert culprit is not None
    assert culprit.rule == "drifts"
    assert culprit.rewrite in (3, 4)
    assert culprit.spec in passes
    assert any("rounding that adds up" in note for note in culprit.notes)
    made = found.reproducer
    assert made is not None
    assert made.spec == passes  # no pass does it alone: this is the whole run
    assert made.nodes == 5
    assert bisect(tmp_path / "repro").culprit is not None
    assert bisect(parse_model(text), passes=passes, rtol=1e-2).culprit is None


# --- what is compared


def test_all_samples_are_looked_at(tmp_path: Path) -> None:
    model = parse_model("agraph (float[4] x) => (float[4] y) { i = Identity (x) y = Neg (i) }")
    small = {"x": np.full(4, 0.5, np.float32)}
    tiny = {"x": np.full(4, 1e-6, np.float32)}
    passes = "overflows"
    assert bisect(model, passes=passes, samples=[small]).culprit is None
    # Only the second one loses digits on the way.
    found = bisect(model, passes=passes, samples=[small, tiny, small], out=tmp_path / "repro")
    assert found.culprit is not None
    assert found.culprit.rule == "overflows"
    held = np.load(tmp_path / "repro/inputs.npz")
    assert all((held[name] == tiny["x"]).all() for name in held.files)


def test_a_bound_of_the_users_is_kept_in_the_reproducer(model: Model, tmp_path: Path) -> None:
    found = bisect(model, passes="quietly", atol=1e-6, out=tmp_path / "repro")
    assert found.culprit is not None
    assert bisect(model, passes="quietly", atol=100.0).culprit is None
    again = bisect(tmp_path / "repro").culprit
    assert again is not None
    assert again.bad.verdict is not None
    assert again.bad.verdict.outputs[0].allowed == "rtol 0, atol 1e-06"


def test_rewrites_beyond_the_limit_are_not_looked_at(model: Model) -> None:
    assert bisect(model, passes="eliminate-identity, breaks", stop_after=2).culprit is None
    found = bisect(model, passes="eliminate-identity, breaks", stop_after=3)
    assert found.culprit is not None
    assert found.total == 3


# --- a check


def has_no(op_type: str, path: Path) -> bool:
    return all(node.op_type != op_type for node in onnx.load(path).graph.node)


def test_a_check_decides_in_place_of_the_answers(model: Model, tmp_path: Path) -> None:
    def keeps_identities(path: Path) -> bool:
        return not has_no("Identity", path)

    found = bisect(
        model, passes="eliminate-identity", check=keeps_identities, out=tmp_path / "repro"
    )
    culprit = found.culprit
    assert culprit is not None
    assert (culprit.rewrite, culprit.node, culprit.bad.kind) == (2, "Identity(j)", "check")
    again = bisect(tmp_path / "repro", check=keeps_identities).culprit
    assert again is not None
    assert again.bad.kind == "check"
    with pytest.raises(InputError, match="not run unasked"):
        bisect(tmp_path / "repro")


def test_a_command_decides_by_its_exit_code(model: Model, tmp_path: Path) -> None:
    check = "grep -q Identity {model}"
    found = bisect(model, passes="eliminate-identity", check=check, out=tmp_path / "repro")
    assert found.culprit is not None
    assert found.culprit.rewrite == 2
    assert found.culprit.bad.reason == "the check exited with 1"
    assert found.reproducer is not None
    assert found.reproducer.replay.endswith("--check 'grep -q Identity {model}'")
    assert bisect(tmp_path / "repro", check=check).culprit is not None
    assert bisect(tmp_path / "repro", check="test -s {model}").culprit is None


def test_where_it_cannot_be_told_a_range_is_named(model: Model) -> None:
    def check(path: Path) -> bool | None:
        kinds = [node.op_type for node in onnx.load(path).graph.node]
        if kinds.count("Identity") == 2:
            return True
        return None if "Sin" in kinds else False

    found = bisect(model, passes="eliminate-identity, breaks", check=check)
    culprit = found.culprit
    assert culprit is not None
    assert culprit.rewrite == 3
    assert culprit.notes[0].startswith("rewrites 1 to 2 could not be told good from bad")
    assert ("1 rewrites in 1 passes", "cannot tell") in found.steps


# --- what cannot be bisected


def test_a_check_that_the_source_fails_is_an_error(model: Model) -> None:
    with pytest.raises(InputError, match="the source itself is bad: the check exited with 1"):
        bisect(model, check="grep -q Nothing {model}")
    with pytest.raises(InputError, match="cannot be told good or bad"):
        bisect(model, check="true {model}; exit 125")


def test_a_result_that_cannot_be_told_is_an_error(model: Model) -> None:
    with pytest.raises(InputError, match="after all passes it cannot be told"):
        bisect(model, check="grep -q Identity {model} || exit 125")


def test_a_command_without_the_model_is_refused(model: Model) -> None:
    with pytest.raises(InputError, match="does not say where the model goes"):
        bisect(model, check="python check.py")


def test_a_source_that_does_not_run_is_an_error() -> None:
    text = "agraph (float[4] x) => (float[4] y) { y = NoSuchOperator (x) }"
    with pytest.raises(ExecutionError, match="NoSuchOperator"):
        bisect(parse_model(text))


def test_a_lossy_pass_must_be_allowed(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty.Drifts, "exactness", Exactness.LOSSY)
    with pytest.raises(InputError, match="--allow lossy"):
        bisect(model, passes="drifts")
    assert bisect(model, passes="drifts", allow=Exactness.LOSSY).culprit is None
    assert bisect(model, passes="drifts", allow=Exactness.LOSSY, rtol=1e-7).culprit is not None
