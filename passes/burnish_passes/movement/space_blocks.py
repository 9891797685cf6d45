"""Blocks of pixels taken apart by strided Slices, as YOLO's Focus layer does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from burnish.ir import DataType, Node, Value, attribute
from burnish.match import Match
from burnish_passes.movement.cuts import ENDLESS, Cut, cuts_of

__all__ = ["BLOCK_TYPES", "Blocks", "blocks_of"]

BLOCK_TYPES: Final = frozenset(
    {DataType.DOUBLE, DataType.FLOAT, DataType.FLOAT16, DataType.INT8, DataType.UINT8}
)
"""Element types ONNX Runtime's CPU provider moves between depth and space; others have no kernel."""


@dataclass(frozen=True)
class Blocks:
    """A Concat along the channels of every pixel position of a block.

    Attributes:
        x: what is taken apart, [N, C, H, W].
        size: the side of a block.
        order: for each operand of the Concat, which row and column of a block it takes.
    """

    x: Value
    size: int
    order: tuple[tuple[int, int], ...]

    @property
    def is_in_order(self) -> bool:
        """Whether the channels stand as SpaceToDepth puts them: row, column, channel."""
        return list(self.order) == sorted(self.order)


def blocks_of(m: Match, concat: Node) -> Blocks:
    """The blocks a Concat puts together; not about others."""
    size = math.isqrt(len(concat.inputs))
    m.suppose(size > 1 and size * size == len(concat.inputs))
    m.suppose(attribute(concat, "axis", 1) in (1, -3))
    taken = [_taken(m, value) for value in concat.inputs]
    x = taken[0].x
    m.suppose(all(item.x is x for item in taken))
    shape = m.shape_of(x)
    order = tuple(
        (_offset(m, item.rows, shape[2], size), _offset(m, item.columns, shape[3], size))
        for item in taken
    )
    m.require(len(set(order)) == len(order), "a position of the block is taken twice")
    dtype = m.ctx.shapes.dtype(x)
    m.require(dtype in BLOCK_TYPES, "runtimes move no blocks of this element type")
    for node in dict.fromkeys(node for item in taken for node in item.nodes):
        m.include(node)
    return Blocks(x, size, order)


@dataclass(frozen=True)
class _Taken:
    """What one operand takes of the rows and columns of ``x``, and the Slices that do."""

    x: Value
    rows: Cut
    columns: Cut
    nodes: tuple[Node, ...]


def _taken(m: Match, value: Value | None) -> _Taken:
    """One Slice of both axes, or two in a row, the first of which others may share."""
    cuts: dict[int, Cut] = {}
    nodes: list[Node] = []
    while set(cuts) != {2, 3}:
        node = None if value is None else value.producer()
        m.suppose(node is not None and node.op_type == "Slice" and node.domain == "")
        assert node is not None
        m.suppose(node.graph is m.root.graph and len(m.shape_of(node.outputs[0])) == 4)
        found = cuts_of(m, node, 4)
        m.suppose(bool(found) and set(found) <= {2, 3} - set(cuts))
        cuts.update(found)
        nodes.append(node)
        value = node.inputs[0]
    assert value is not None
    return _Taken(value, cuts[2], cuts[3], tuple(nodes))


def _offset(m: Match, cut: Cut, extent: object, size: int) -> int:
    """Where in each block of ``size`` the cut takes one element.

    The Concat holds only if the operands are of one size, so the axis divides into blocks.
    """
    m.suppose(cut.step == size and 0 <= cut.start < size)
    whole = cut.end >= ENDLESS or (isinstance(extent, int) and cut.end >= extent)
    m.require(whole, "a Slice may end before the axis does")
    return cut.start
