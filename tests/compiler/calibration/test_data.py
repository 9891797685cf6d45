"""Calibration data from arrays and from Python: what becomes a sample, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from burnish.calibration import CalibrationData, random_data, read_data
from burnish.errors import InputError
from burnish.ir import Array, Model
from burnish.text import parse_model


def model_of(inputs: str) -> Model:
    first = inputs.partition("]")[2].split(",")[0].strip()
    return parse_model(f"agraph ({inputs}) => (float[k] y) {{ y = Identity({first}) }}")


IMAGE = model_of("float[batch, 3, 4, 5] image")
FIXED = model_of("float[2, 3, 4, 5] image")
SINGLE = model_of("float[1, 3, 4, 5] image")
UNNAMED = model_of("float[unk__3, 3, 4, 5] image")
SEQUENCE = model_of("float[time, 7] signal")
PAIR = model_of("float[batch, 2] a, int64[batch] b")


def image(*shape: int) -> Array:
    return np.random.default_rng(0).random((*shape, 3, 4, 5), np.float32)


def shapes(data: CalibrationData) -> list[tuple[int, ...]]:
    return [next(iter(feeds.values())).shape for feeds in data]


# --- what becomes a sample


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        (IMAGE, image(6), [(1, 3, 4, 5)] * 6),
        (UNNAMED, image(6), [(1, 3, 4, 5)] * 6),
        (SINGLE, image(6), [(1, 3, 4, 5)] * 6),
        (FIXED, image(6), [(2, 3, 4, 5)] * 3),
        (FIXED, image(7), [(2, 3, 4, 5)] * 3),
        (IMAGE, image(6, 2), [(2, 3, 4, 5)] * 6),
        (FIXED, image(6, 2), [(2, 3, 4, 5)] * 6),
        (SEQUENCE, np.ones((50, 7), np.float32), [(50, 7)]),
        (SEQUENCE, np.ones((4, 50, 7), np.float32), [(50, 7)] * 4),
    ],
)
@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_stacked_arrays_are_cut_into_samples(
    tmp_path: Path, model: Model, given: Array, expected: list[tuple[int, ...]], suffix: str
) -> None:
    path = tmp_path / f"data.{suffix}"
    if suffix == "npz":
        np.savez(path, allow_pickle=False, **{str(model.graph.inputs[0].name): given})
    else:
        np.save(path, given)
    data = read_data(path, model)
    assert data.count == len(expected)
    assert shapes(data) == expected
    kept = np.concatenate([next(iter(feeds.values())).reshape(-1) for feeds in data])
    assert np.array_equal(kept, given.reshape(-1)[: kept.size])
    assert any("fill no batch" in note for note in data.notes) == (kept.size < given.size)


def test_the_rows_of_a_sample_can_be_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", image=image(7))
    data = read_data(tmp_path / "data.npz", IMAGE, batch=3)
    assert shapes(data) == [(3, 3, 4, 5), (3, 3, 4, 5), (1, 3, 4, 5)]


def test_inputs_are_cut_together(tmp_path: Path) -> None:
    a, b = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([7, 8, 9])
    np.savez(tmp_path / "data.npz", a=a, b=b, label=np.zeros(3))
    data = read_data(tmp_path / "data.npz", PAIR)
    assert [(feeds["a"].tolist(), feeds["b"].tolist()) for feeds in data] == [
        ([[0, 1]], [7]),
        ([[2, 3]], [8]),
        ([[4, 5]], [9]),
    ]
    assert "no input 'label'" in data.notes[0]


def test_a_folder_is_read_in_order_and_folders_in_it(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden.npy").write_bytes(b"")
    for index, name in enumerate(("a.npy", "b/c.npz", "d.npy")):
        array = np.full((3, 4, 5), index, np.float32)
        if name.endswith("npz"):
            np.savez(tmp_path / name, image=array[None])
        else:
            np.save(tmp_path / name, array)
    (tmp_path / "notes.txt").write_text("not data")
    data = read_data(tmp_path, IMAGE)
    assert [feeds["image"].flat[0] for feeds in data] == [0, 1, 2]
    assert shapes(data) == [(1, 3, 4, 5)] * 3
    paths: list[str | Path] = [tmp_path / "d.npy", str(tmp_path / "b")]
    several = read_data(paths, IMAGE)
    assert [feeds["image"].flat[0] for feeds in several] == [2, 1]


def test_a_limit_is_spread_evenly(tmp_path: Path) -> None:
    for name in ("a", "b"):
        values = np.arange(5, dtype=np.float32) + 10 * (name == "b")
        np.save(
            tmp_path / f"{name}.npy", np.broadcast_to(values[:, None, None, None], (5, 3, 4, 5))
        )
    data = read_data(tmp_path, IMAGE, limit=4)
    assert [feeds["image"].flat[0] for feeds in data] == [0, 2, 10, 12]
    assert data.count == 4
    assert read_data(tmp_path, IMAGE, limit=99).count == 10


@pytest.mark.parametrize(
    "source",
    [
        [{"image": image(1)}, {"image": image(2)}],
        lambda: ({"image": image(size)} for size in (1, 2)),
        [image(1), image(2)],
        ({"image": image(1)}, {"image": image(2)}),
    ],
)
def test_data_from_python(source: Iterable[Any] | Callable[[], Any]) -> None:
    data = read_data(source, IMAGE)
    assert shapes(data) == shapes(data) == [(1, 3, 4, 5), (2, 3, 4, 5)]
    assert shapes(read_data(source, IMAGE, limit=1)) == [(1, 3, 4, 5)]
    assert data.digest == read_data(lambda: [image(1), image(2)], IMAGE).digest


# --- digests


def test_the_digest_stands_for_the_samples(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", image(6))
    whole = read_data(tmp_path, IMAGE).digest
    assert whole == read_data(tmp_path, IMAGE).digest
    others = [read_data(tmp_path, IMAGE, limit=3), read_data(tmp_path, IMAGE, batch=2)]
    np.save(tmp_path / "data.npy", image(6) + 1)
    others.append(read_data(tmp_path, IMAGE))
    assert len({whole, *(data.digest for data in others)}) == 4


def test_random_data_are_made_again_and_noted() -> None:
    data = random_data(IMAGE, 3, 5)
    one, other = list(data), list(data)
    assert all(np.array_equal(a["image"], b["image"]) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0]["image"], one[1]["image"])
    assert "random" in data.notes[0]
    assert data.digest != random_data(IMAGE, 3, 6).digest


# --- refusals


def npz(**arrays: Array) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.savez(folder / "data.npz", allow_pickle=False, **arrays)
        return folder / "data.npz"

    return write


def nothing(folder: Path) -> Path:
    return folder / "absent"


def broken(folder: Path) -> Path:
    (folder / "data.npz").write_bytes(b"PK\x03\x04")
    return folder / "data.npz"


def broken_npy(folder: Path) -> Path:
    (folder / "data.npy").write_bytes(b"\x93NUMPY\x01\x00")
    return folder


def two_kinds(folder: Path) -> Path:
    np.save(folder / "a.npy", image(1))
    (folder / "b.png").write_bytes(b"")
    return folder


NAN = image(3)
NAN[1, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (nothing, "there is no such file or folder; check the path"),
        (lambda folder: folder, "there is no calibration data in it"),
        (broken, r"data\.npz: this is not a \.npz file"),
        (broken_npy, r"data\.npy: this is not a \.npy file"),
        (two_kinds, r"several kinds \(a\.npy and b\.png\)"),
        (npz(other=image(1)), "no input 'other'; the inputs are image"),
        (npz(), "there is no array in it"),
        (npz(image=image(0)), "there is no sample in it"),
        (
            npz(image=np.zeros((2, 3, 9, 5), np.float32)),
            r"sample 0: image has shape \[1, 3, 9, 5\]",
        ),
        (npz(image=image(2).astype(np.float64)), "image is float64, the model wants float32"),
        (npz(image=NAN), r"data\.npz sample 1: input 'image' holds NaN"),
    ],
)
def test_data_that_will_not_do(tmp_path: Path, make: Callable[[Path], Path], what: str) -> None:
    with pytest.raises(InputError, match=what):
        list(read_data(make(tmp_path), IMAGE))


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ([], "there is no sample in it"),
        (lambda: iter([]), "there is no sample in it"),
        (iter([{"image": image(1)}]), "an iterator can be gone through only once"),
        ([{"picture": image(1)}], "sample 0: the model has no input 'picture'"),
        ([{}], "sample 0: input 'image' is missing"),
        ([{"image": image(1)}, {"image": NAN}], "sample 1: input 'image' holds NaN"),
        (["a.npz", {"image": image(1)}], "files and arrays cannot be mixed"),
        ([3], "sample 0: a int is no mapping"),
    ],
)
def test_python_data_that_will_not_do(source: Any, what: str) -> None:
    with pytest.raises(InputError, match=what):
        list(read_data(source, IMAGE))


def test_npy_is_for_models_of_one_input(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((3, 2), np.float32))
    with pytest.raises(InputError, match="this has 2"):
        read_data(tmp_path, PAIR)


@pytest.mark.parametrize("limit", [0, -1])
def test_no_samples_cannot_be_asked_for(limit: int) -> None:
    with pytest.raises(InputError, match="1 sample or more"):
        read_data([{"image": image(1)}], IMAGE, limit=limit)
    with pytest.raises(InputError, match="1 sample or more"):
        random_data(IMAGE, limit, 0)


def test_a_lone_mapping_is_one_sample() -> None:
    held: Mapping[str, Array] = {"image": image(2)}
    assert shapes(read_data(held, IMAGE)) == [(2, 3, 4, 5)]  # type: ignore[arg-type]
