"""Weights move to the grid they will be quantized on, each up or down as its layer's results like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from burnish.errors import InputError
from burnish.graph import Placement
from burnish.ir import Array, DataType, Model, Value, make_tensor
from burnish.passdef import Context, Exactness, Pass
from burnish.quantization import CODE_TYPES, Parameters, Scheme, parameters_of
from burnish_passes.quantize.layers import Layer, Selection, drop_unread_constant, owner_of
from burnish_passes.quantize.layerwise import descend
from burnish_passes.quantize.rounding import nearest, output_error
from burnish_passes.quantize.second_moments import second_moments

_ON_GRID = 1e-4
"""Part of a step by which a number on the grid may be off."""


@dataclass(frozen=True)
class RoundAdaptively(Pass):
    """Round the weights of products to a grid so that the results stay, before they are quantized.

    ``x @ W => x @ W'`` with ``W'`` on the grid of codes, each number on one of its two neighbours.
    Weights on the grid stay as they are:

    Before::

        agraph (float[B,2] x) => (float[B,2] y) <float[2,2] w = {127, 3, -5, 127}> {
            y = MatMul(x, w)
        }

    After::

        agraph (float[B,2] x) => (float[B,2] y) <float[2,2] w = {127, 3, -5, 127}> {
            y = MatMul(x, w)
        }

    The largest numbers stay where they are, so whoever quantizes with a scale for each column finds
    the same grid again, and each number on it. Put it before ``insert-qdq``; ``quantize-weights``
    does as much with ``method=adaptive``.

    LOSSY. Needs calibration data. Source: Nagel et al., "Up or Down? Adaptive Rounding for
    Post-Training Quantization", 2020, solved by coordinates (see ``layerwise.py``).

    Attributes:
        bits: of the codes to come, 8 or 4.
        largest: the largest of these codes when not all are used (63: 7 bits of 8).
        by_column: whether each column has a scale, or the whole weight one.
        exclude: patterns of layer or weight names, ``?`` for any character, a slash too.
        damping: part of the mean second moment that is added to each.
    """

    name: ClassVar[str] = "round-adaptively"
    exactness: ClassVar[Exactness] = Exactness.LOSSY
    counted: ClassVar[bool] = True
    bits: int = 8
    largest: int | None = None
    by_column: bool = True
    exclude: tuple[str, ...] = ()
    damping: float = 0.01

    def __post_init__(self) -> None:
        if self.bits not in (4, 8):
            raise InputError(f"{self.name}{{bits}} is 4 or 8, not {self.bits}")
        if not 0 < self.damping < 1:
            raise InputError(f"{self.name}{{damping}} is between 0 and 1, not {self.damping}")
        self._scheme(turned=False)

    def run(self, model: Model, ctx: Context) -> None:
        """Round weight by weight; layers that share one go together."""
        groups: dict[Value, list[Layer]] = {}
        for layer in Selection(("Gemm", "MatMul"), self.exclude).layers(model, ctx, self.name):
            groups.setdefault(layer.held, []).append(layer)
        wanted: list[tuple[Layer, str, Parameters]] = []
        for layers in groups.values():
            layer, source = layers[0], layers[0].observed(model)
            why = _why_not(layer)
            if why is not None or source is None:
                ctx.declined(self.name, layer.node, why or "its inputs are not known")
                continue
            matrix = layer.weight.astype(np.float32)
            parameters = parameters_of(matrix, self._scheme(turned=False))
            off = np.abs(matrix - nearest(matrix, parameters).numbers)
            if (off > _ON_GRID * parameters.scale).any():
                wanted.append((layer, source, parameters))
        widths = {name: layer.weight.shape[0] for layer, name, _ in wanted}
        moments = second_moments(self.name, model, ctx, widths) if widths else {}
        for layer, name, parameters in wanted:
            self._round(layer, moments[name], parameters, model, ctx)

    def _scheme(self, *, turned: bool) -> Scheme:
        axis = (0 if turned else 1) if self.by_column else None
        return Scheme(CODE_TYPES[f"int{self.bits}"], True, axis, None, self.largest)

    def _round(
        self, layer: Layer, moments: Array, parameters: Parameters, model: Model, ctx: Context
    ) -> None:
        matrix = layer.weight.astype(np.float32)
        extreme = np.abs(matrix).max(axis=0 if self.by_column else None, keepdims=True)
        fixed = np.abs(matrix) == extreme
        rounded = descend(matrix, moments, parameters, damping=self.damping, fixed=fixed)
        before = output_error(matrix, nearest(matrix, parameters).numbers, moments)
        after = output_error(matrix, rounded.numbers, moments)
        gain = f"{after:.3g} of its energy lost, {before:.3g} with nearest codes"
        if not ctx.applies(self.name, layer.node, gain):
            return
        numbers = np.where(fixed, matrix, rounded.numbers)
        old = layer.held
        owner = owner_of(old, ctx.scopes(model))
        array = np.ascontiguousarray(numbers.T if layer.turned else numbers)
        name = ctx.names.fresh(f"{old.name}_rounded")
        made = Placement(owner).add_constant(make_tensor(array), name)
        old.replace_all_uses_with(made)
        drop_unread_constant(old)


def _why_not(layer: Layer) -> str | None:
    array, held = layer.weight, layer.held
    if layer.dtype != DataType.FLOAT:
        return "only weights of float32 are rounded"
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        return "its weight is no matrix of finite numbers"
    if len(held.uses()) > 1 or held.is_graph_output():
        return f"{held.name} has another reader"
    return None
