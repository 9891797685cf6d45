"""The trained models that come with Burnish, as listed in ``catalog.toml``."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from burnish.errors import InputError

HERE = Path(__file__).parent


@dataclass(frozen=True)
class ShippedModel:
    """A trained model with labelled test data.

    Attributes:
        name: how it is asked for.
        model: the ONNX file.
        data: an ``.npz`` file with one array per model input, and ``label``.
        task: what the model does.
        licence: terms of the model and of its data.
        accuracy: fraction of the test data that the model labels correctly, as measured with
            ONNX Runtime.
        input: name, element type, shape and range of the input.
    """

    name: str
    model: Path
    data: Path
    task: str
    licence: str
    accuracy: float
    input: str


def catalog() -> tuple[ShippedModel, ...]:
    """Return every shipped model, in the order of ``catalog.toml``."""
    entries = tomllib.loads((HERE / "catalog.toml").read_text(encoding="utf-8"))
    return tuple(
        ShippedModel(
            name=name,
            model=HERE / entry["model"],
            data=HERE / entry["data"],
            task=entry["task"],
            licence=entry["licence"],
            accuracy=entry["accuracy"],
            input=entry["input"],
        )
        for name, entry in entries.items()
    )


def path(name: str) -> Path:
    """Return the ONNX file of the shipped model called ``name``.

    Raises:
        InputError: no shipped model has that name.
    """
    models = {shipped.name: shipped.model for shipped in catalog()}
    if name not in models:
        near = difflib.get_close_matches(name, models, n=1) or list(models)
        raise InputError("no such shipped model", where=name, mend=f"try {', '.join(near)}")
    return models[name]
