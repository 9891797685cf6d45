"""Small graphs, each there for one reason: a rewrite that should fire, or a tempting wrong one.

Each is a :class:`ZooModel`, written in ONNX text and grouped by subject in the files here.
"""

from __future__ import annotations

import difflib

from burnish.errors import InputError
from burnish_models.zoo import (
    affine,
    algebra,
    bodies,
    constants,
    control,
    draws,
    layouts,
    linear,
    movement,
    numbers,
    opsets,
    products,
    quantized,
    selection,
    sequences,
    shapes,
    spellings,
    structure,
    versions,
)
from burnish_models.zoo.model import ZooModel

__all__ = ["ZooModel", "all_models", "get", "names"]


def all_models() -> tuple[ZooModel, ...]:
    """Return every model, grouped by subject."""
    subjects = (
        constants,
        shapes,
        structure,
        control,
        movement,
        layouts,
        selection,
        algebra,
        linear,
        affine,
        products,
        spellings,
        sequences,
        numbers,
        quantized,
        bodies,
        draws,
        versions,
        opsets,
    )
    return tuple(model for subject in subjects for model in subject.MODELS)


def names() -> tuple[str, ...]:
    """Return the names of all models, in the order of :func:`all_models`."""
    return tuple(model.name for model in all_models())


def get(name: str) -> ZooModel:
    """Return the model called ``name``.

    Raises:
        InputError: no model has that name.
    """
    for model in all_models():
        if model.name == name:
            return model
    near = difflib.get_close_matches(name, names(), n=1)
    mend = f"did you mean {near[0]}?" if near else "see burnish_models.zoo.names()"
    raise InputError("no such zoo model", where=name, mend=mend)
