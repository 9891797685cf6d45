"""One scale and zero point for all values that share codes.

Where elements are only moved, what is before and after has the same codes. Operands of a Concat
share them with its result where that costs nothing, so that it only moves as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from burnish.ir import Node, Value, constant, constant_array
from burnish.quantization import Parameters, Scheme, parameters_for_range
from burnish_passes.quantize.placement import Placement, bounds_of

__all__ = ["region_parameters"]

Range = tuple[float, float]

_PINNED = frozenset({"HardSigmoid", "Sigmoid", "Softmax"})
"""Operators whose results lie between 0 and 1, whatever the data showed."""
_WIDER = 4.0
"""A value that others read as well does not share codes that are this much coarser than its own."""


@dataclass
class _Region:
    """Values with one range.

    Attributes:
        low: the lowest number that gets a code.
        high: the highest.
        floor: the range may not begin below; that of a Relu that went into the codes.
        ceiling: the range may not end above.
    """

    low: float
    high: float
    floor: float = -np.inf
    ceiling: float = np.inf

    def joined(self, other: _Region) -> _Region:
        return _Region(
            min(self.low, other.low),
            max(self.high, other.high),
            max(self.floor, other.floor),
            min(self.ceiling, other.ceiling),
        )

    @property
    def is_kept(self) -> bool:
        """Whether the codes bound as the Relu or Clip did that went into them."""
        return min(self.low, 0.0) >= self.floor and self.high <= self.ceiling

    @property
    def span(self) -> float:
        return max(self.high, 0.0) - min(self.low, 0.0)


def region_parameters(
    placed: Placement,
    moves: Callable[[Node], bool],
    range_of: Callable[[Value], Range],
    scheme: Scheme,
) -> dict[Value, Parameters]:
    """Scale and zero point of each value that becomes codes; those of a region are one object.

    Args:
        placed: which values become codes.
        moves: whether an operator only moves elements.
        range_of: the range of a value.
        scheme: the codes.
    """
    joining = _Joining(placed, range_of)
    for node in placed.others:
        if moves(node):
            for output in node.outputs:
                if output in placed.codes:
                    joining.join(node.inputs[0], output)
    for node in placed.others:
        if node.op_type == "Concat":
            for value in node.inputs:
                joining.join_if_cheap(value, node.outputs[0])
    made: dict[Value, Parameters] = {}
    found: dict[Value, Parameters] = {}
    for value in placed.codes:
        root = joining.root(value)
        if root not in made:
            made[root] = _parameters(joining.regions[root], scheme)
        found[value] = made[root]
    return found


class _Joining:
    """Sets of values, each with its range (union-find)."""

    def __init__(self, placed: Placement, range_of: Callable[[Value], Range]) -> None:
        self.parents: dict[Value, Value] = {value: value for value in placed.codes}
        self.regions = {value: _region(value, placed.absorbed, range_of) for value in placed.codes}

    def root(self, value: Value) -> Value:
        while self.parents[value] is not value:
            self.parents[value] = self.parents[self.parents[value]]
            value = self.parents[value]
        return value

    def join(self, one: Value | None, other: Value) -> None:
        if one is None or one not in self.parents:
            return
        left, right = self.root(one), self.root(other)
        if left is not right:
            self.regions[left] = self.regions[left].joined(self.regions[right])
            self.parents[right] = left

    def join_if_cheap(self, one: Value | None, other: Value) -> None:
        """Join where every Relu stays within its codes, and no other reader gets coarser codes."""
        if one is None or one not in self.parents or other not in self.parents:
            return
        left, right = self.regions[self.root(one)], self.regions[self.root(other)]
        both = left.joined(right)
        read_elsewhere = len(one.uses()) > 1
        if both.is_kept and not (read_elsewhere and both.span > _WIDER * left.span):
            self.join(one, other)


def _region(
    value: Value, absorbed: Mapping[Value, Node], range_of: Callable[[Value], Range]
) -> _Region:
    producer = value.producer()
    held = constant_array(value) if constant(value) is not None else None
    if held is not None:
        low, high = (float(held.min()), float(held.max())) if held.size else (0.0, 0.0)
    elif producer is not None and producer.op_type in _PINNED and producer.domain == "":
        low, high = 0.0, 1.0
    else:
        low, high = range_of(value)
    bounds = bounds_of(absorbed.get(value))
    if bounds is None:
        return _Region(low, high)
    return _Region(max(low, bounds[0]), min(high, bounds[1]), *bounds)


def _parameters(region: _Region, scheme: Scheme) -> Parameters:
    parameters = parameters_for_range(region.low, region.high, scheme)
    # The greatest code must not stand for more than a Clip lets pass, or it would be needed still.
    scale = parameters.scale
    while region.ceiling < np.inf and _greatest(replace(parameters, scale=scale)) > region.ceiling:
        scale = np.asarray(np.nextafter(scale, np.float32(0)))
    return replace(parameters, scale=scale)


def _greatest(parameters: Parameters) -> float:
    steps = np.float32(parameters.scheme.highest - int(parameters.zero_point))
    return float(steps * np.float32(parameters.scale))
