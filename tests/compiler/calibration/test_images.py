"""Images, prepared as declared."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from burnish.calibration import Calibration, Preprocessing, parse_preprocessing, read_data
from burnish.errors import InputError, MissingDependency
from burnish.ir import Array, Model
from burnish.text import parse_model


def model_of(shape: str, dtype: str = "float") -> Model:
    return parse_model(f"agraph ({dtype}[{shape}] x) => ({dtype}[k] y) {{ y = Identity(x) }}")


def save(path: Path, pixels: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


@pytest.fixture
def pixels() -> Array:
    return np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def only(folder: Path, model: Model, preprocessing: Preprocessing) -> Array:
    (feeds,) = read_data(folder, model, preprocessing=preprocessing)
    found: Array = feeds["x"]
    return found


def test_mean_std_range_and_layout(tmp_path: Path, pixels: Array) -> None:
    save(tmp_path / "a.png", pixels)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    found = only(tmp_path, model_of("n, 3, 6, 8"), Preprocessing(mean=mean, std=std))
    expected = (pixels / 255.0 - mean) / std
    assert found.dtype == np.float32
    assert np.allclose(found, expected.transpose(2, 0, 1)[None], atol=1e-5)
    wide = Preprocessing(layout="nhwc", order="bgr", range=(-1, 1))
    found = only(tmp_path, model_of("n, 6, 8, 3"), wide)
    assert np.allclose(found, pixels[None, ..., ::-1] / 127.5 - 1, atol=1e-5)


def test_whole_numbers_for_models_of_whole_numbers(tmp_path: Path, pixels: Array) -> None:
    save(tmp_path / "a.png", pixels)
    plain = Preprocessing(layout="nhwc", range=(0, 255))
    found = only(tmp_path, model_of("1, 6, 8, 3", "uint8"), plain)
    assert np.array_equal(found[0], pixels)


def test_gray_and_sizes(tmp_path: Path, pixels: Array) -> None:
    save(tmp_path / "a.png", pixels)
    gray = only(tmp_path, model_of("n, 1, 6, 8"), Preprocessing(order="gray"))
    assert gray.shape == (1, 1, 6, 8)
    sized = only(tmp_path, model_of("n, 3, h, w"), Preprocessing(size=(10, 4)))
    assert sized.shape == (1, 3, 10, 4)


def test_cropping_keeps_the_middle_undistorted(tmp_path: Path) -> None:
    striped = np.zeros((4, 12, 3), np.uint8)
    striped[:, 4:8] = 255
    save(tmp_path / "a.png", striped)
    model = model_of("n, 3, 4, 4")
    assert (only(tmp_path, model, Preprocessing(fit="crop")) == 1).all()
    assert (only(tmp_path, model, Preprocessing()) == 0).any()


def test_folders_are_gone_through_and_batches_filled(tmp_path: Path, pixels: Array) -> None:
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        save(tmp_path / name, pixels)
    assert read_data(tmp_path, model_of("n, 3, 6, 8"), preprocessing=Preprocessing()).count == 3
    data = read_data(tmp_path, model_of("2, 3, 6, 8"), preprocessing=Preprocessing())
    assert [feeds["x"].shape for feeds in data] == [(2, 3, 6, 8)]
    assert "the last 1 samples fill no batch of 2" in data.notes[0]


def test_the_digest_knows_preparation_and_content(tmp_path: Path, pixels: Array) -> None:
    model = model_of("n, 3, 6, 8")
    save(tmp_path / "a.png", pixels)
    plain = read_data(tmp_path, model, preprocessing=Preprocessing()).digest
    other = read_data(tmp_path, model, preprocessing=Preprocessing(order="bgr")).digest
    save(tmp_path / "a.png", pixels + 1)
    changed = read_data(tmp_path, model, preprocessing=Preprocessing()).digest
    assert len({plain, other, changed}) == 3


def test_preprocessing_as_text() -> None:
    text = "size=224x192, mean=0.5/0.4/0.3,std=2,range=0/255,layout=NHWC,order=bgr,fit=crop"
    assert parse_preprocessing(text) == Preprocessing(
        (224, 192), (0.5, 0.4, 0.3), (2.0,), (0.0, 255.0), "nhwc", "bgr", "crop"
    )
    assert parse_preprocessing("") == Preprocessing()


@pytest.mark.parametrize(
    "text",
    [
        "size=224",
        "size=axb",
        "size=0x3",
        "mean=a",
        "mean=1/2",
        "std=0",
        "layout=chw",
        "colour=rgb",
        "x",
    ],
)
def test_bad_preprocessing_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="as in size=224x224"):
        parse_preprocessing(text)


@pytest.mark.parametrize(
    ("model", "preprocessing", "what"),
    [
        (model_of("n, 3, 6, 8"), None, "images need their preprocessing declared"),
        (model_of("n, 3, h, w"), Preprocessing(), "leaves the size of images open"),
        (model_of("n, 7"), Preprocessing(), "one input with four axes"),
        (model_of("n, 3, 5, 5"), Preprocessing(size=(6, 8)), r"shape \[1, 3, 6, 8\]"),
        (model_of("n, 3, 6, 8"), Preprocessing(layout="nhwc"), r"shape \[1, "),
    ],
)
def test_images_that_do_not_fit(
    tmp_path: Path, pixels: Array, model: Model, preprocessing: Preprocessing | None, what: str
) -> None:
    save(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match=what):
        list(read_data(tmp_path, model, preprocessing=preprocessing))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no image"])
def test_a_broken_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.png: this is not an image"):
        Calibration.of(tmp_path, preprocessing=Preprocessing()).bind(model_of("n, 3, 6, 8"))


def test_without_pillow_the_extra_is_named(
    tmp_path: Path, pixels: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "a.png", pixels)
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingDependency, match=r"burnish\[images\]"):
        read_data(tmp_path, model_of("n, 3, 6, 8"), preprocessing=Preprocessing())
