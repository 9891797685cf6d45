"""The inputs of a reproducer: of any type, and honest where no file can hold them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.compiler.culprit import faulty

import burnish.pipeline
from burnish.culprit import bisect
from burnish.culprit.smallest import Example
from burnish.graph import Placement, replace_value
from burnish.ir import Model, Scope, make_tensor, remove_node
from burnish.passdef import Context, Exactness, Pass
from burnish.reduction.search import Search
from burnish.registry import pass_types
from burnish.text import parse_model

WORDS = """agraph (string[3] s) => (float[3] y) {
    k = Constant <value_strings = ["a"]> ()
    q = Equal (s, k)
    f = Cast <to = 1> (q)
    y = Cos (f)
}"""
LIST = """agraph (seq(float[2]) q) => (int64 y) {
    n = SequenceLength (q)
    m = Neg (n)
    y = Abs (m)
}"""


@dataclass(frozen=True)
class Forgets(Pass):
    """Compares a constant with itself in place of what is given."""

    name: ClassVar[str] = "forgets"

    def run(self, model: Model, ctx: Context) -> None:
        for node in model.graph:
            if node.op_type == "Equal" and ctx.applies(self.name, node):
                node.replace_input_with(0, node.inputs[1])


@dataclass(frozen=True)
class Counts(Pass):
    """Takes all sequences to be of one length."""

    name: ClassVar[str] = "counts"
    length: int = 3

    def run(self, model: Model, ctx: Context) -> None:
        scope = Scope(model.graph, model.opset_imports, None, 0)
        for node in [node for node in model.graph if node.op_type == "SequenceLength"]:
            if ctx.applies(self.name, node):
                held = make_tensor(np.array(self.length))
                three = Placement(scope).add_constant(held, "three")
                replace_value(node.outputs[0], three, fresh=True)
                remove_node(node)


@pytest.fixture(autouse=True)
def _passes(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty.register(monkeypatch)
    known = {**burnish.pipeline.pass_types(), "forgets": Forgets, "counts": Counts}
    assert pass_types().keys() < known.keys()
    monkeypatch.setattr(burnish.pipeline, "pass_types", lambda: known)


def test_strings_are_written_with_it(tmp_path: Path) -> None:
    given = {"s": np.array(["a", "ä b", ""], dtype=object)}
    model = parse_model(WORDS, opset=19)
    bisect(model, passes="forgets", samples=[given], out=tmp_path / "repro")
    with np.load(tmp_path / "repro/inputs.npz") as held:
        assert held["s"].tolist() == ["a", "ä b", ""]
    again = bisect(tmp_path / "repro")
    assert again.culprit is not None
    assert again.culprit.rule == "forgets"


def test_what_no_file_holds_is_made_up_where_that_shows_the_fault(tmp_path: Path) -> None:
    given = {"q": [np.ones(2, np.float32)]}
    model = parse_model(LIST, opset=17)
    passes = "counts{length=7}"
    found = bisect(model, passes=passes, samples=[given], out=tmp_path / "repro")
    assert found.culprit is not None
    assert found.culprit.bad.kind == "answers"
    assert found.notes == ()
    assert not (tmp_path / "repro/inputs.npz").exists()
    assert bisect(tmp_path / "repro").culprit is not None


def test_it_is_said_where_the_fault_shows_on_what_no_file_holds_alone(tmp_path: Path) -> None:
    """Sequences that are made up hold three elements."""
    given = {"q": [np.ones(2, np.float32)]}
    model = parse_model(LIST, opset=17)
    found = bisect(model, passes="counts", samples=[given], out=tmp_path / "repro")
    assert found.culprit is not None
    assert found.culprit.bad.kind == "answers"
    assert "no file holds inputs of these types" in " ".join(found.notes)
    assert "no file holds" in (tmp_path / "repro/README.md").read_text()
    report = json.loads((tmp_path / "repro/report.json").read_text())
    assert report["notes"] == list(found.notes)
    assert bisect(tmp_path / "repro").culprit is None


def test_a_function_that_decides_is_replayed_from_python(tmp_path: Path) -> None:
    def has_no_sinus(path: Path) -> bool:
        return b"Sinus" not in path.read_bytes()

    text = "agraph (float[4] x) => (float[4] y) { a = Sin (x) y = Neg (a) }"
    folder = tmp_path / "repro"
    found = bisect(parse_model(text), passes="breaks", check=has_no_sinus, out=folder)
    assert found.culprit is not None
    assert found.culprit.bad.reason == "the check says that it is bad"
    assert found.reproducer is not None
    assert found.reproducer.replay == f"burnish.bisect({str(folder)!r}, check=has_no_sinus)"
    with pytest.raises(burnish.errors.InputError, match="give the function has_no_sinus as check"):
        bisect(folder)
    assert bisect(folder, check=has_no_sinus).culprit is not None


def test_no_candidate_is_made_once_the_checks_are_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[Example.__module__], "_MOST_CHECKS", 2)
    made: list[Any] = []
    attempt = Search.attempt

    def counted(self: Search, candidate: Any) -> bool:
        made.append(candidate)
        return attempt(self, candidate)

    monkeypatch.setattr(Search, "attempt", counted)
    chain = " ".join(f"v{i + 1} = Neg (v{i})" for i in range(40))
    text = f"agraph (float[4] x) => (float[4] y) {{ v0 = Sin (x) {chain} y = Cos (v40) }}"
    found = bisect(
        parse_model(text),
        passes="quietly, drifts",
        atol=1e-4,
        allow=Exactness.FLOAT,
        rtol=0,
        out=tmp_path / "repro",
    )
    assert found.reproducer is not None
    assert len(made) < 10
