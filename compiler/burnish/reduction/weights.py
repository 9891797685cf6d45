"""Steps of a reduction that make weights plain: zeros, ones, one value throughout; then small."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from burnish.ir import Array
from burnish.reduction.case import copied
from burnish.reduction.deltas import minimize
from burnish.reduction.search import Search
from burnish.reduction.sizes import redeclared
from burnish.sample_files import is_plain

__all__ = ["flatten_weights", "shrink_weights"]


def flatten_weights(search: Search) -> None:
    """Replace the contents of weights: by zeros, else by ones, else by their first element."""
    for plainness, plain in enumerate((_zeros, _ones, _first_throughout)):
        _flatten(search, plain, plainness)


def _zeros(array: Array) -> Array:
    return np.zeros_like(array)


def _ones(array: Array) -> Array:
    return np.ones_like(array)


def _first_throughout(array: Array) -> Array:
    return np.full_like(array, array.flat[0])


def _flatten(search: Search, plain: Callable[[Array], Array], plainness: int) -> None:
    base = search.best
    replaced: dict[str, Array] = {}
    for held in base.graph.initializer:
        array = base.tensor(held.name)
        if array is not None and is_plain(array) and _plainness(array) > plainness:
            replaced[held.name] = plain(array)

    def holds(kept: Sequence[str]) -> bool:
        chosen = {name: array for name, array in replaced.items() if name not in set(kept)}
        return search.attempt(base.with_tensors(copied(base.proto), chosen))

    minimize(list(replaced), holds)


def _plainness(array: Array) -> int:
    """0 for zeros, 1 for ones, 2 for one value throughout, else 3."""
    if not array.any():
        return 0
    if not (array == array.flat[0]).all():
        return 3
    return 1 if array.flat[0] == 1 else 2


def shrink_weights(search: Search) -> None:
    """Replace weights by ones of a single element, where the model stays valid."""
    for held in list(search.best.graph.initializer):
        array = search.best.tensor(held.name)
        if array is None or not is_plain(array) or array.size <= 1:
            continue
        for shape in ((1,) * array.ndim, ()):
            small = array.flat[0].reshape(shape)
            base = search.best
            made = base.with_tensors(copied(base.proto), {held.name: small})
            if search.attempt(redeclared(made)):
                break
