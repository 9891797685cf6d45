"""How many bytes values take on given inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from burnish.ir import DataType, Model, Value
from burnish.shapes.analysis import Shapes
from burnish.symbolic import Dim, substitute, symbol, symbols

__all__ = ["ValueSizes"]


class ValueSizes:
    """How many bytes values take on given inputs, as far as shapes tell.

    Args:
        model: the model.
        feeds: the inputs; their sizes are those of the symbolic dimensions.
        unknown: bytes of a value of unknown type or shape.
    """

    def __init__(self, model: Model, feeds: Mapping[str, Any], unknown: int) -> None:
        self.shapes = Shapes(model)
        self.unknown = unknown
        self.bindings: dict[str, Dim] = {}
        for value in model.graph.inputs:
            held = feeds.get(str(value.name))
            shape = self.shapes.shape(value)
            if isinstance(held, np.ndarray) and shape is not None:
                for dim, size in zip(shape, held.shape, strict=False):
                    for name in symbols(dim):
                        if dim == symbol(name):
                            self.bindings.setdefault(name, size)

    def of(self, value: Value) -> int:
        """Bytes of ``value``."""
        shape, dtype = self.shapes.shape(value), self.shapes.dtype(value)
        if shape is None or dtype in (None, DataType.STRING, DataType.UNDEFINED):
            return self.unknown
        try:
            sizes = [substitute(dim, self.bindings) for dim in shape]
        except ZeroDivisionError:
            return self.unknown
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) < len(sizes):
            return self.unknown
        return math.ceil(dtype.itemsize * math.prod(known))
