"""Pictures: real images that say what the data say."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.support import ChangeWeights

from burnish.driver import optimize
from burnish.errors import InputError, MissingDependency
from burnish.ir import Model, scopes
from burnish.loading import load
from burnish.pipeline import Pipeline
from burnish.text import parse_model
from burnish.trace import NodeTrace, PassTrace, trace_models, trace_passes, trace_pipeline
from burnish.views import pictures
from burnish.views.canvas import check_picture
from burnish.views.history import History
from burnish.views.pictures import check_pictures, operator_counts, waterfall, write_pictures
from burnish.views.plots import plot

DIGITS = Path(__file__).parents[2] / "models/burnish_models/digits/digits.onnx"


MANY = """
agraph (float[2, 8] x) => (float[2, 8] y) <
    float r = {1.4142135}, float one = {1.0}, float half = {0.5}
> {
    i = Identity(x)
    a = Div(i, r)
    b = Erf(a)
    c = Add(b, one)
    d = Mul(i, c)
    g = Mul(d, half)
    t = Transpose(g)
    u = Transpose(t)
    k = Exp(one)
    y = Mul(u, k)
}
"""


def history(passes: str = "O2", source: Path | Model = DIGITS) -> History:
    done = optimize(source, passes=passes, opening=True)
    assert done.opening is not None
    text = str(done.pipeline)
    return History.of(done.opening, done.records, model="digits $x$", target="t", pipeline=text)


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 200
        found = np.asarray(image.convert("RGB"))
    assert found.std() > 1  # something is drawn
    return found


def differ(one: Path, other: Path) -> bool:
    left, right = pixels(one), pixels(other)
    return left.shape != right.shape or bool((left != right).any())


# --- runs


def test_the_waterfall_starts_at_the_source_and_ends_at_the_result() -> None:
    run = history()
    done = optimize(DIGITS)
    for figure in ("nodes", "bytes", "parameters"):
        fall = waterfall(run, figure)
        assert fall.before == getattr(done.records[0].before, figure)
        assert fall.after == getattr(done.records[-1].after, figure)
        assert all(change for _, change in fall.steps)
    changed = [r.index for r in done.records if r.before.nodes != r.after.nodes]
    assert [int(name.split()[0]) for name, _ in waterfall(run, "nodes").steps] == changed


def test_a_long_waterfall_is_merged_and_still_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    run = history(source=parse_model(MANY, opset=20))
    whole = waterfall(run, "nodes")
    monkeypatch.setattr(pictures, "_MOST_BARS", 2)
    merged = waterfall(run, "nodes")
    assert len(whole.steps) > 2
    assert len(merged.steps) == 2
    assert merged.steps[-1][0].endswith("others")
    assert merged.after == whole.after


def test_the_operators_are_those_of_the_two_models() -> None:
    before, after = operator_counts(history())
    done = optimize(DIGITS)
    for counts, model in ((before, load(DIGITS)), (after, done.model)):
        assert counts.total() == sum(len(list(scope.graph)) for scope in scopes(model))
    assert before != after


def test_a_run_is_drawn_and_drawn_again(tmp_path: Path) -> None:
    one = write_pictures(history(), tmp_path / "a/b")
    other = write_pictures(history("eliminate-identity"), tmp_path / "c")
    again = write_pictures(history(), tmp_path / "a/b")
    assert [path.name for path in one] == ["waterfall.png", "operators.png"]
    assert one == again
    for left, right in zip(one, other, strict=True):
        assert differ(left, right)
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == [
        "operators.png",
        "waterfall.png",
    ]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (write_pictures(history(), tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_run_without_a_pass_is_drawn(tmp_path: Path) -> None:
    for path in write_pictures(history("O0"), tmp_path):
        pixels(path)
    for path in write_pictures(replace(history(), steps=()), tmp_path):
        pixels(path)


def test_small_changes_of_many_bytes_get_their_own_scale(tmp_path: Path) -> None:
    run = history()
    first = dict(run.steps[0].facts)
    first["before"] = {**first["before"], "bytes": 10**9}
    first["after"] = {**first["after"], "bytes": 10**9 - 1000}
    small = replace(run, steps=(replace(run.steps[0], facts=dict(first)),))
    first["after"] = {**first["after"], "bytes": 10**9 - 2000}
    other = replace(run, steps=(replace(run.steps[0], facts=dict(first)),))
    drawn = [
        write_pictures(held, tmp_path / name)[0] for held, name in ((small, "a"), (other, "b"))
    ]
    assert differ(*drawn)


# --- traces


@pytest.fixture(scope="module")
def good() -> tuple[PassTrace, NodeTrace]:
    return trace_passes(DIGITS), trace_pipeline(DIGITS)


@pytest.fixture(scope="module")
def bad() -> tuple[PassTrace, NodeTrace]:
    broken = Pipeline((*Pipeline.parse("eliminate-identity").passes, ChangeWeights()))
    return trace_passes(DIGITS, passes=broken), trace_pipeline(DIGITS, passes=broken)


@pytest.mark.parametrize("which", [0, 1])
def test_a_trace_is_drawn(
    good: tuple[PassTrace, NodeTrace],
    bad: tuple[PassTrace, NodeTrace],
    which: int,
    tmp_path: Path,
) -> None:
    one = plot(good[which], tmp_path / "good.png")
    other = plot(bad[which], tmp_path / "bad.png")
    assert differ(one, other)
    again = plot(good[which], tmp_path / "bad.png")  # a picture may be replaced
    assert again.read_bytes() == one.read_bytes()


def test_traces_without_a_difference_or_a_row_are_drawn(tmp_path: Path) -> None:
    same = trace_models(DIGITS, DIGITS)
    assert same.first_moved is None
    pixels(plot(same, tmp_path / "same.png"))
    pixels(plot(replace(same, rows=()), tmp_path / "empty.png"))
    unchanged = trace_passes(DIGITS, passes="fuse-gelu")
    assert unchanged.steps == ()
    pixels(plot(unchanged, tmp_path / "unchanged.png"))


# --- what is refused


def test_only_pictures_are_replaced(tmp_path: Path, good: tuple[PassTrace, NodeTrace]) -> None:
    (tmp_path / "mine.png").write_text("not a picture")
    (tmp_path / "folder.png").mkdir()
    for name, why in (
        ("mine.png", "no picture"),
        ("folder.png", "no picture"),
        ("plot.pdf", "PNG"),
        ("none/plot.png", "no such folder"),
    ):
        with pytest.raises(InputError, match=why):
            plot(good[0], tmp_path / name)
    assert (tmp_path / "mine.png").read_text() == "not a picture"
    (tmp_path / "operators.png").write_text("mine")
    with pytest.raises(InputError, match="no picture"):
        write_pictures(history(), tmp_path)
    assert not (tmp_path / "waterfall.png").exists()
    with pytest.raises(InputError, match="a file, not a folder"):
        check_pictures(tmp_path / "mine.png")


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependency, match=r"pip install 'burnish\[plot\]'"):
        check_picture(tmp_path / "plot.png")
    with pytest.raises(MissingDependency, match=r"pip install 'burnish\[plot\]'"):
        check_pictures(tmp_path)
