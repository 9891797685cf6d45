"""Reading a normalization that is spelled out: mean, variance, root, quotient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, DataType, Node, Value, attribute, constant_array
from burnish.match import Match
from burnish.rewrite import Rule
from burnish.symbolic import Dim
from burnish_passes.algebra.reductions import keeps_dims, reduced_axes
from burnish_passes.idioms.expressions import found_upstream, made_by, number, power_of

__all__ = [
    "ANCHORS",
    "NarrowNormalization",
    "Statistics",
    "affine_operand",
    "is_spatial",
    "mean_subtracted",
    "normalized_dims",
    "require_single",
    "scale_of",
    "spread",
    "standardization",
    "statistics",
]

ANCHORS = (("", "ReduceMean"),)
_MAX_FILLED = 1 << 16


@dataclass(frozen=True)
class Statistics:
    """What a normalization divides by: ``sqrt(mean((x - mean(x)) ** 2) + epsilon)``.

    Attributes:
        x: what is normalized.
        axes: over which axes, from the front, ascending.
        epsilon: what is added under the root.
        radicand: what the root is taken of.
        centred: whether the mean is subtracted; if not, the mean is that of ``x ** 2``.
    """

    x: Value
    axes: tuple[int, ...]
    epsilon: float
    radicand: Value
    centred: bool

    def is_numerator(self, m: Match, value: Value) -> bool:
        """Whether ``value`` is what is divided: ``x``, or its deviation from the mean."""
        if not self.centred:
            return value is self.x
        mean = mean_subtracted(m, value)
        return mean is not None and self.is_mean(m, mean.outputs[0])

    def is_mean(self, m: Match, value: Value) -> bool:
        """Whether ``value`` is the mean of ``x`` over the same axes."""
        mean = made_by(m, value, "ReduceMean")
        return mean is not None and mean.inputs[0] is self.x and _axes(m, mean) == self.axes


def _axes(m: Match, mean: Node) -> tuple[int, ...] | None:
    """The axes of a ReduceMean that keeps them."""
    x = mean.inputs[0]
    shape = None if x is None else m.ctx.shapes.shape(x)
    if shape is None or not keeps_dims(mean):
        return None
    return reduced_axes(m, mean, len(shape))


def mean_subtracted(m: Match, value: Value | None) -> Node | None:
    """The ReduceMean of ``x`` where ``value`` is ``x - ReduceMean(x)``."""
    difference = made_by(m, value, "Sub")
    if difference is None:
        return None
    x, subtracted = difference.inputs
    mean = made_by(m, subtracted, "ReduceMean")
    return mean if mean is not None and mean.inputs[0] is x else None


def statistics(m: Match) -> Iterator[Statistics]:
    """What the root of the match may be a normalization by."""
    for node in found_upstream(m, ("Mul", "Div", "Reciprocal", "Sub"), ("Sqrt", "Pow")):
        power = power_of(m, node.outputs[0])
        if power is not None and abs(power[1]) == 0.5:
            found = _under_the_root(m, power[0])
            if found is not None:
                yield found


def standardization(m: Match, *, spatial: bool) -> Statistics:
    """The standardization the root of the match may be; a mismatch where it is none.

    Args:
        m: the match.
        spatial: whether it is over the places of each channel, see :func:`is_spatial`.
    """
    found = next((each for each in statistics(m) if each.centred), None)
    m.suppose(found is not None and is_spatial(m, found) == spatial)
    assert found is not None
    return found


def _under_the_root(m: Match, radicand: Value) -> Statistics | None:
    mean, epsilon = made_by(m, radicand, "ReduceMean"), 0.0
    total = made_by(m, radicand, "Add")
    if total is not None:
        for value, other in (total.inputs, reversed(total.inputs)):
            held = number(other)
            if held is not None:
                mean, epsilon = made_by(m, value, "ReduceMean"), held
    if mean is None or not 0 <= epsilon < math.inf:
        return None
    square = power_of(m, mean.inputs[0])
    axes = _axes(m, mean)
    if square is None or square[1] != 2 or not axes:
        return None
    inner = mean_subtracted(m, square[0])
    if inner is not None and inner.inputs[0] is not None and _axes(m, inner) == axes:
        return Statistics(inner.inputs[0], axes, epsilon, radicand, True)
    return Statistics(square[0], axes, epsilon, radicand, False)


def _factors(
    m: Match, value: Value, whole: Callable[[Value], bool], depth: int = 4
) -> dict[Value, float]:
    """``value`` as a product of powers; what is ``whole`` is not taken apart."""
    if not whole(value) and depth:
        if number(value) == 1:
            return {}
        node = made_by(m, value, "Div", "Mul", "Reciprocal", "Pow", "Sqrt")
        power = power_of(m, value)
        if power is not None and power[1] in (-1.0, -0.5, 0.5):
            base, exponent = power
            inner = _factors(m, base, whole, depth - 1) if exponent == -1 else {base: 1.0}
            return {each: exponent * held for each, held in inner.items()}
        if node is not None and power is None and node.op_type in ("Div", "Mul"):
            left, right = node.inputs
            if left is not None and right is not None:
                sign = 1.0 if node.op_type == "Mul" else -1.0
                found = _factors(m, left, whole, depth - 1)
                for each, held in _factors(m, right, whole, depth - 1).items():
                    found[each] = found.get(each, 0.0) + sign * held
                return found
    return {value: 1.0}


def scale_of(m: Match, value: Value, found: Statistics, *, numerator: bool) -> Value | None:
    """What else ``value`` is a product of, besides numerator and root; None when nothing.

    Raises:
        Mismatch: when it is not a quotient of those.
    """

    def whole(item: Value) -> bool:
        return item is found.radicand or (numerator and found.is_numerator(m, item))

    parts = _factors(m, value, whole)
    m.suppose(parts.pop(found.radicand, None) == -0.5)
    if numerator:
        places = [item for item in parts if found.is_numerator(m, item)]
        m.suppose(len(places) == 1 and parts.pop(places[0]) == 1)
    m.suppose(len(parts) <= 1 and all(held == 1 for held in parts.values()))
    return next(iter(parts), None)


def is_spatial(m: Match, found: Statistics) -> bool:
    """Whether it normalizes each channel over two or more axes: InstanceNormalization does."""
    shape = m.shape_of(found.x)
    whole = len(shape) > 3 and found.axes == tuple(range(2, len(shape)))
    return whole and isinstance(shape[1], int)


def require_single(m: Match, found: Statistics, name: str, since: int) -> DataType:
    """The element type; declines where the operator is missing or would round more."""
    m.require(m.opset >= since, f"{name} needs opset {since}")
    dtype = m.ctx.shapes.dtype(found.x)
    if dtype is None:
        m.decline(f"the type of {found.x.name} is not known")
    m.require(dtype != DataType.DOUBLE, f"{name} computes in single precision")
    return dtype


def normalized_dims(m: Match, found: Statistics) -> tuple[Dim, ...]:
    """The sizes of the normalized axes, which must be the last ones."""
    shape = m.shape_of(found.x)
    m.require(
        found.axes == tuple(range(found.axes[0], len(shape))),
        "the normalized axes are not the last ones",
    )
    return shape[found.axes[0] :]


def affine_operand(
    op: Any, m: Match, value: Value | None, dims: tuple[Dim, ...], dtype: DataType
) -> Value:
    """A scale or bias of exactly the normalized shape; ones when there is none."""
    if value is not None and m.ctx.shapes.shape(value) == dims:
        return value
    held = constant_array(value)
    if value is not None and held is None:
        m.decline(f"{value.name} may not have the shape of the normalized axes")
    sizes = tuple(size for size in dims if isinstance(size, int))
    m.require(len(sizes) == len(dims), "the size of a normalized axis is not known")
    m.require(math.prod(sizes) <= _MAX_FILLED, "the scale would have to be a large tensor")
    filled = np.ones(sizes) if held is None else spread(m, held, sizes)
    made: Value = op.constant(np.ascontiguousarray(filled.astype(dtype.numpy())), dtype=dtype)
    return made


def spread(m: Match, held: Array, sizes: tuple[int, ...]) -> Array:
    """``held`` broadcast to ``sizes``; declines where it would enlarge them."""
    while held.ndim > len(sizes) and held.shape[0] == 1:
        held = held[0]
    fits = all(
        size in (1, whole)
        for size, whole in zip(reversed(held.shape), reversed(sizes), strict=False)
    )
    m.require(held.ndim <= len(sizes) and fits, "scale or bias vary along other axes")
    return np.broadcast_to(held, sizes)


class NarrowNormalization(Rule):
    """``Cast16(Norm(Cast32(x), s)) => Norm(x, s)``: it computes in 32 bits by itself.

    Attributes:
        op_type: the normalization.
    """

    op_type: ClassVar[str]

    def before(self, op: Any, x: Any) -> Any:
        wide = op.Cast(x, _name="up", _shared=True)
        return op.Cast(getattr(op, self.op_type)(wide, ..., _name="norm"), _name="down")

    def after(self, op: Any, m: Match) -> Any:
        narrow = m.dtype("x")
        m.suppose(narrow in (DataType.FLOAT16, DataType.BFLOAT16))
        m.suppose(m.attr("up", "to") == DataType.FLOAT and m.attr("down", "to") == narrow)
        norm = m.node("norm")
        m.require(attribute(norm, "stash_type", 1) == 1, "it is not computed in 32 bits")
        affine = [self.narrowed(op, m, value, narrow) for value in norm.inputs[1:]]
        return getattr(op, self.op_type)(m["x"], *affine, _attributes=norm.attributes.values())

    def narrowed(self, op: Any, m: Match, value: Value | None, dtype: DataType) -> Value | None:
        """A scale or bias in 16 bits; declines when that would round it."""
        if value is None:
            return None
        widened = made_by(m, value, "Cast")
        source = None if widened is None else widened.inputs[0]
        if source is not None and m.ctx.shapes.dtype(source) == dtype:
            return source
        held = constant_array(value)
        if held is None:
            m.decline(f"{value.name} is computed in 32 bits")
        with np.errstate(over="ignore"):
            rounded = held.astype(dtype.numpy())
        same = bool((rounded.astype(held.dtype) == held).all())
        m.require(same, f"{value.name} would be rounded to 16 bits")
        made: Value = op.constant(rounded, dtype=dtype)
        return made
