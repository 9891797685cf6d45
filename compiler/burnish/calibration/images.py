"""Samples from image files, prepared as was declared: pillow reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from burnish.calibration.sources import Hash, Labelled, add_file, groups
from burnish.errors import InputError, MissingDependency
from burnish.ir import Array, DataType, Model
from burnish.samples import required_inputs

__all__ = ["IMAGE_SUFFIXES", "ImageFiles", "Preprocessing", "parse_preprocessing"]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
)
_EXAMPLE = (
    "size=224x224,mean=0.485/0.456/0.406,std=0.229/0.224/0.225,range=0/1,layout=nchw,order=rgb"
)


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a model.

    It is resized, its 0 to 255 are mapped to ``range``, ``mean`` is taken off, and it is divided by
    ``std``.

    Attributes:
        size: height and width in pixels; None for those the model declares.
        mean: for each channel, in the order of the model; one number serves all.
        std: the same.
        range: what 0 and 255 become.
        layout: ``nchw`` or ``nhwc``.
        order: ``rgb``, ``bgr``, or ``gray`` for one channel.
        fit: ``stretch`` to the size, or ``crop`` the middle after the shorter side was resized.
    """

    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    range: tuple[float, float] = (0.0, 1.0)
    layout: Literal["nchw", "nhwc"] = "nchw"
    order: Literal["rgb", "bgr", "gray"] = "rgb"
    fit: Literal["stretch", "crop"] = "stretch"

    def __post_init__(self) -> None:
        channels = 1 if self.order == "gray" else 3
        if any(len(given) not in (1, channels) for given in (self.mean, self.std)):
            raise _bad(f"mean and std have 1 or {channels} numbers for {self.order}")
        if not all(self.std):
            raise _bad("std cannot be 0")
        if self.size is not None and min(self.size) < 1:
            raise _bad("a size is 1 or more")


def parse_preprocessing(text: str) -> Preprocessing:
    """Read ``size=224x224,mean=0.5/0.5/0.5,...``: the names of :class:`Preprocessing`'s fields.

    Raises:
        InputError: when it does not parse.
    """
    given: dict[str, Any] = {}
    for part in filter(None, (item.strip() for item in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or key not in _READ:
            raise _bad(f"'{part}' is none of {', '.join(f'{name}=' for name in _READ)}")
        try:
            given[key] = _READ[key](value.lower())
        except ValueError:
            raise _bad(f"'{part}' cannot be read") from None
    return Preprocessing(**given)


def _bad(what: str) -> InputError:
    return InputError(what, where="preprocessing", mend=f"as in {_EXAMPLE}")


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split("/"))


def _pair(text: str) -> tuple[float, float]:
    low, high = _numbers(text)
    return low, high


def _size(text: str) -> tuple[int, int]:
    height, width = map(int, text.split("x"))
    return height, width


def _one_of(*known: str) -> Any:
    def read(text: str) -> str:
        if text not in known:
            raise ValueError(text)
        return text

    return read


_READ: dict[str, Any] = {
    "size": _size,
    "mean": _numbers,
    "std": _numbers,
    "range": _pair,
    "layout": _one_of("nchw", "nhwc"),
    "order": _one_of("rgb", "bgr", "gray"),
    "fit": _one_of("stretch", "crop"),
}


class ImageFiles:
    """Image files, prepared for the one input of a model.

    Args:
        paths: the files in order.
        model: it has one input; of a fixed leading size, so many images make a sample.
        preprocessing: how they are prepared.
        root: what names in messages and digests are relative to.

    Raises:
        InputError: when the model has other inputs, or no size is known.
        MissingDependency: when pillow is not installed.
    """

    def __init__(
        self, paths: Sequence[Path], model: Model, preprocessing: Preprocessing, root: Path
    ) -> None:
        try:
            import PIL.Image  # noqa: F401  (found missing now, not after an hour)
        except ImportError:
            raise MissingDependency("pillow", extra="images") from None
        needed = required_inputs(model)
        where = str(root)
        if len(needed) != 1 or needed[0].shape is None or needed[0].shape.rank() != 4:
            raise InputError(
                "images are for models of one input with four axes",
                where=where,
                mend="give .npz files with an array for each input",
            )
        self.paths, self.root = paths, root
        self.name, self.dtype = str(needed[0].name), DataType(needed[0].dtype or DataType.FLOAT)
        batch, *sides = list(needed[0].shape)
        height_width = sides[1:] if preprocessing.layout == "nchw" else sides[:2]
        if preprocessing.size is None:
            known = [side for side in height_width if isinstance(side, int) and side > 0]
            if len(known) < 2:
                raise InputError(
                    "the model leaves the size of images open",
                    where=where,
                    mend="declare it in the preprocessing: size=HEIGHTxWIDTH",
                )
            preprocessing = dataclasses.replace(preprocessing, size=(known[0], known[1]))
        self.preprocessing = preprocessing
        self.batch = batch if isinstance(batch, int) and batch > 0 else 1
        self.count, self.notes = groups(len(paths), self.batch)

    def samples(self, which: Sequence[int]) -> Iterator[Labelled]:
        """The samples of these numbers."""
        for index in which:
            chosen = self.paths[index * self.batch : (index + 1) * self.batch]
            where = str(chosen[0]) if self.batch == 1 else f"{chosen[0]} to {chosen[-1].name}"
            images = np.stack([_read(path, self.preprocessing) for path in chosen])
            yield where, {self.name: self._typed(images)}

    def digest(self, into: Hash) -> None:
        """Add the files and their preparation to a digest."""
        into.update(f"{self.preprocessing}\n".encode())
        for path in self.paths:
            into.update(f"{path.relative_to(self.root).parent}/".encode())
            add_file(into, path)

    def _typed(self, images: Array) -> Array:
        if not self.dtype.is_floating_point():
            images = np.rint(images)
        return images.astype(self.dtype.numpy())


def _read(path: Path, wanted: Preprocessing) -> Array:
    """One image, ``[C, H, W]`` or ``[H, W, C]``, float32."""
    import PIL.Image

    assert wanted.size is not None
    try:
        with PIL.Image.open(path) as opened:
            image = opened.convert("L" if wanted.order == "gray" else "RGB")
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise InputError(
            f"this is not an image that pillow reads ({type(error).__name__})",
            where=str(path),
            mend="remove it from the folder",
        ) from None
    height, width = wanted.size
    if wanted.fit == "crop":
        scale = max(height / image.height, width / image.width)
        sides = max(width, round(image.width * scale)), max(height, round(image.height * scale))
        image = image.resize(sides, PIL.Image.Resampling.BILINEAR)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    else:
        image = image.resize((width, height), PIL.Image.Resampling.BILINEAR)
    pixels: Array = np.asarray(image, np.float32).reshape(height, width, -1)
    if wanted.order == "bgr":
        pixels = pixels[..., ::-1]
    low, high = wanted.range
    pixels = pixels * np.float32((high - low) / 255) + np.float32(low)
    mean, std = (np.asarray(given, np.float32) for given in (wanted.mean, wanted.std))
    pixels = (pixels - mean) / std
    return pixels.transpose(2, 0, 1) if wanted.layout == "nchw" else pixels
