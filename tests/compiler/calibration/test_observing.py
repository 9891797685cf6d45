"""One pass over data: what is seen of values, in chunks, from a cache, or begun before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.calibration import Calibration, TensorStatistics, observe, random_data, read_data
from burnish.calibration.cache import Cache
from burnish.calibration.observing import Observer
from burnish.errors import ExecutionError, InputError
from burnish.evaluate import run_model
from burnish.ir import Array, Model
from burnish.loading import load
from burnish.saving import save
from burnish.text import parse_model
from burnish_models import path

SMALL = """
agraph (float[n, 4] x, int64[n] ids) => (float[n, 3] y, int64[n] same)
<float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[3] b = {1, -1, 0}> {
    product = MatMul(x, w)
    sum = Add(product, b)
    y = Relu(sum)
    same = Identity(ids)
    root = Sqrt(product)
    first = Constant<value_int = 0>()
    rows = Shape(x)
}
"""


@pytest.fixture
def small() -> Model:
    return parse_model(SMALL)


def feeds(*sizes: int) -> list[dict[str, Array]]:
    rng = np.random.default_rng(0)
    return [
        {"x": rng.random((size, 4)).astype(np.float32), "ids": np.zeros(size, np.int64)}
        for size in sizes
    ]


def same(one: TensorStatistics, other: TensorStatistics) -> bool:
    """Whether all is equal, to the last bit."""
    if one.histogram is None or other.histogram is None:
        return one == other or (one.count, one.empty) == (other.count, other.empty)
    plain = [replace(item, histogram=None, channels=None) for item in (one, other)]
    equal = vars(plain[0]) == vars(plain[1])
    grids = [(item.histogram.exponent, item.histogram.first) for item in (one, other)]  # type: ignore[union-attr]
    return (
        equal
        and grids[0] == grids[1]
        and np.array_equal(one.histogram.counts, other.histogram.counts)
    )


def test_what_is_seen_is_what_the_model_computes(small: Model) -> None:
    samples = feeds(2, 5, 1, 7, 3)
    names = ["x", "product", "sum", "y", "b"]
    found = observe(small, names, read_data(samples, small))
    assert list(found) == names
    for name in ("x", "product", "sum", "y"):
        whole = np.concatenate(
            [
                item["x"] if name == "x" else run_model(small, item, outputs=[name])[name]
                for item in samples
            ]
        )
        assert found[name].count == whole.size
        assert found[name].batches == 5
        assert found[name].maximum == pytest.approx(float(whole.max()), rel=1e-6)
        assert found[name].mean == pytest.approx(float(whole.mean()), rel=1e-6)
    assert (found["b"].minimum, found["b"].maximum) == (-1, 1)


@pytest.mark.parametrize("chunk_bytes", [1, 100, 1 << 20])
def test_chunks_change_nothing(small: Model, chunk_bytes: int) -> None:
    samples = read_data(feeds(2, 5, 1, 7, 3), small)
    names = ["product", "sum", "x", "y", "root"]
    whole = observe(small, names, samples)
    found = observe(small, names, samples, chunk_bytes=chunk_bytes)
    assert all(same(found[name], whole[name]) for name in names)


def test_minmax_over_five_samples_in_twos_is_as_in_one(small: Model) -> None:
    """ONNX Runtime 1.31's calibrator fails this when it is given chunks of two samples."""
    samples = feeds(1, 1, 1, 1, 1)
    whole = observe(small, ["product"], read_data(samples, small))["product"]
    parts = TensorStatistics()
    for start in (0, 2, 4):
        data = read_data(samples[start : start + 2], small)
        parts = parts.merge(observe(small, ["product"], data)["product"])
    assert (parts.minimum, parts.maximum) == (whole.minimum, whole.maximum)


def test_values_of_unknown_size_are_measured_and_halved() -> None:
    text = """
    agraph (float[n, m] x) => (float[k] a, float[k] b, float[k] c) {
        where = NonZero(x)
        places = Transpose(where)
        a = GatherND(x, places)
        b = Neg(a)
        c = Exp(b)
    }
    """
    model = parse_model(text)
    data = read_data([{"x": np.ones((30, 30), np.float32)}] * 3, model)
    told: list[str] = []
    names = ["a", "b", "c"]
    observer = Observer(model, data, chunk_bytes=4000, progress=told.append)
    found = observer.observe([(name, None) for name in names])
    whole = observe(model, names, data)
    assert all(same(found[name, None], whole[name]) for name in names)


def test_progress_says_where_it_is(small: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("burnish.calibration.running._TELL_SECONDS", 0.0)
    told: list[str] = []
    data = random_data(small, 3, 0)
    observe(small, ["product", "y"], data, chunk_bytes=1, progress=told.append)
    assert told == [
        f"sample {sample} of 3, chunk {chunk} of 2" for chunk in (1, 2) for sample in (1, 2, 3)
    ]


def test_empty_values_are_counted(small: Model) -> None:
    found = observe(small, ["product"], read_data(feeds(0, 2, 0), small))["product"]
    assert (found.count, found.batches, found.empty) == (6, 1, 2)
    none = observe(small, ["product"], read_data(feeds(0), small))["product"]
    assert none.why_no_range


def test_channels_of_a_value(small: Model) -> None:
    samples = feeds(4, 2)
    found = observe(small, ["x"], read_data(samples, small), axes={"x": -1})["x"]
    assert found.channels is not None
    whole = np.concatenate([item["x"] for item in samples])
    assert np.array_equal(found.channels.maximum, whole.max(axis=0))


@pytest.mark.parametrize("name", ["ids", "same", "rows", "first"])
def test_integers_are_refused(small: Model, name: str) -> None:
    with pytest.raises(InputError, match=f"value '{name}': it is int64") as caught:
        observe(small, ["product", name], read_data(feeds(2), small))
    assert "only floating-point" in str(caught.value)


def test_an_unknown_value_is_refused(small: Model) -> None:
    with pytest.raises(InputError, match="no value 'nothing'"):
        observe(small, ["nothing"], read_data(feeds(2), small))


def test_nan_in_a_value_names_it_and_the_sample(small: Model) -> None:
    samples = feeds(2, 2)
    samples[1]["x"] = -samples[1]["x"]
    with pytest.raises(InputError, match="value 'root': it holds NaN, on sample 1"):
        observe(small, ["product", "root"], read_data(samples, small))


def test_a_sample_that_does_not_run_is_named() -> None:
    model = parse_model("agraph (float[n] x, float[m] z) => (float[k] y) { y = Add(x, z) }")
    good = {"x": np.ones(3, np.float32), "z": np.ones(3, np.float32)}
    bad = {"x": np.ones(3, np.float32), "z": np.ones(2, np.float32)}
    with pytest.raises(ExecutionError, match="sample 1: the model does not run on it"):
        observe(model, ["y"], read_data([good, bad], model))


def test_another_number_of_samples_is_an_error(small: Model) -> None:
    counts = iter([3, 3, 2, 1])
    data = read_data(lambda: feeds(*[1] * next(counts)), small)
    with pytest.raises(InputError, match="gave 3 samples the first time and 2 the next"):
        observe(small, ["product", "y"], data, chunk_bytes=1)


# --- cache


def test_statistics_come_back_from_disk(small: Model, tmp_path: Path) -> None:
    samples = feeds(2, 3)
    first = Calibration.of(samples, cache=tmp_path)
    names = ["product", "y"]
    whole = first.statistics(small, names, axes={"y": 1})
    files = sorted(tmp_path.rglob("*.npz"))
    assert len(files) == 1
    told: list[str] = []
    again = Calibration.of(samples, cache=tmp_path, progress=told.append)
    found = again.statistics(small, names, axes={"y": 1})
    assert all(same(found[name], whole[name]) for name in names)
    assert np.array_equal(found["y"].channels.mean, whole["y"].channels.mean)  # type: ignore[union-attr]
    assert not told
    assert sorted(tmp_path.rglob("*.npz")) == files
    again.statistics(small, [*names, "sum"])
    assert told


@pytest.mark.parametrize("change", ["model", "data"])
def test_another_model_or_other_data_are_gathered_anew(
    small: Model, tmp_path: Path, change: str
) -> None:
    Calibration.of(feeds(2, 3), cache=tmp_path).statistics(small, ["y"])
    model = parse_model(SMALL.replace("{1, 2, 3,", "{9, 2, 3,")) if change == "model" else small
    samples = feeds(2, 3) if change == "model" else feeds(3, 2)
    fresh = Calibration.of(samples).statistics(model, ["y"])
    found = Calibration.of(samples, cache=tmp_path).statistics(model, ["y"])
    assert same(found["y"], fresh["y"])
    assert len(list(tmp_path.iterdir())) == 2


class _Interrupted(Exception):
    pass


def test_what_was_interrupted_goes_on(small: Model, tmp_path: Path) -> None:
    samples = feeds(2, 3, 1, 4)
    cache = Cache.of(tmp_path, "0" * 64)
    ran: list[int] = []

    def read(stop: int) -> Iterator[dict[str, Any]]:
        for index, item in enumerate(samples):
            if index == stop:
                raise _Interrupted
            ran.append(index)
            yield item

    def observer(stop: int) -> Observer:
        return Observer(small, read_data(lambda: read(stop), small), cache=cache, save_seconds=0)

    with pytest.raises(_Interrupted):
        observer(3).observe([("product", None)])
    (part,) = tmp_path.rglob("*.npz")
    assert part.name.endswith(".part.npz")
    assert cache.part([("product", None)])[0] == 3
    found = observer(99).observe([("product", None)])
    whole = observe(small, ["product"], read_data(samples, small))
    assert same(found["product", None], whole["product"])
    assert not list(tmp_path.rglob("*.part*"))


def test_a_broken_cache_file_counts_as_not_there(small: Model, tmp_path: Path) -> None:
    whole = Calibration.of(feeds(2), cache=tmp_path).statistics(small, ["y"])
    (file,) = tmp_path.rglob("*.npz")
    for content in (b"", b"PK\x03\x04broken", file.read_bytes()[:-40]):
        file.write_bytes(content)
        found = Calibration.of(feeds(2), cache=tmp_path).statistics(small, ["y"])
        assert same(found["y"], whole["y"])


def test_a_cache_that_is_a_file_is_refused(small: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="this is a file"):
        Calibration.of(feeds(2), cache=tmp_path / "file").statistics(small, ["y"])
    assert (tmp_path / "file").read_text() == "mine"


# --- Calibration


def test_what_was_asked_before_is_remembered_until_the_graph_changes(small: Model) -> None:
    reads: list[int] = []

    def read() -> Iterator[dict[str, Any]]:
        reads.append(1)
        yield from feeds(2, 3)

    calibration = Calibration.of(read)
    first = calibration.statistics(small, ["product"])
    before = len(reads)
    assert calibration.statistics(small, ["product"])["product"] is first["product"]
    assert len(reads) == before
    next(iter(small.graph)).outputs[0].name = "renamed"
    assert same(calibration.statistics(small, ["renamed"])["renamed"], first["product"])
    assert len(reads) > before


def test_few_and_random_samples_are_noted(small: Model) -> None:
    few = Calibration.of(feeds(2, 2))
    few.statistics(small, ["y"])
    assert few.notes == ("only 2 samples to calibrate on: ranges may be too narrow",)
    made = Calibration.random(9)
    made.statistics(small, ["y"])
    (note,) = made.notes
    assert "random" in note
    assert made.json()["samples"] == 9
    assert made.json()["notes"] == [note]


def test_the_digits_model_on_its_data() -> None:
    model = load(path("digits"))
    data = read_data(path("digits").with_name("digits.npz"), model, limit=20)
    assert data.count == 20
    names = [str(node.outputs[0].name) for node in model.graph]
    found = observe(model, names, data)
    assert all(held.batches == 20 and not held.why_no_range for held in found.values())
    assert found["logits"].count == 200


def test_models_that_go_through_files_give_the_same(
    small: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Larger ones do, and those over 2 GB have to."""
    data = read_data(feeds(2, 3), small)
    whole = observe(small, ["product", "y"], data)
    saved: list[Path] = []
    real = save

    def seen(model: Model, path: Path, **more: Any) -> list[Path]:
        saved.append(path)
        return real(model, path, **more)

    monkeypatch.setattr("burnish.evaluate._SMALL_BYTES", 0)
    monkeypatch.setattr("burnish.evaluate.save", seen)
    found = observe(small, ["product", "y"], data)
    assert all(same(found[name], whole[name]) for name in whole)
    assert len(saved) == 1
    assert not saved[0].exists()
