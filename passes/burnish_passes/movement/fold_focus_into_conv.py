"""The order in which a convolution meets its channels is the business of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.movement.space_blocks import blocks_of


@dataclass(frozen=True)
class FoldFocusIntoConv(Rule):
    """Raise SpaceToDepth before a Conv, whatever the order of the pixels in a block.

    ``Conv(Concat(four strided Slices), W) => Conv(SpaceToDepth(x), W[:, order])``: YOLO's Focus
    goes down the columns of a block first, SpaceToDepth along its rows.

    Before::

        agraph (float[1,1,4,6] x) => (float[1,1,2,3] y)
            <int64[2] s = {0, 0}, int64[2] t = {1, 0}, int64[2] u = {0, 1}, int64[2] v = {1, 1},
             int64[2] end = {4, 6}, int64[2] axes = {2, 3}, int64[2] steps = {2, 2}> {
            w = Constant <value = float[1,4,1,1] {1.0, 2.0, 3.0, 4.0}> ()
            a = Slice(x, s, end, axes, steps)
            b = Slice(x, t, end, axes, steps)
            c = Slice(x, u, end, axes, steps)
            d = Slice(x, v, end, axes, steps)
            f = Concat <axis = 1> (a, b, c, d)
            y = Conv(f, w)
        }

    After::

        agraph (float[1,1,4,6] x) => (float[1,1,2,3] y) {
            w = Constant <value = float[1,4,1,1] {1.0, 3.0, 2.0, 4.0}> ()
            f = SpaceToDepth <blocksize = 2> (x)
            y = Conv(f, w)
        }

    FLOAT: the sum over the channels is formed in another order. Catalogue row C14. Source: a sum
    does not depend on the order of its terms.
    """

    name: ClassVar[str] = "fold-focus-into-conv"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, w: Any, b: Any) -> Any:
        return op.Conv(op.Concat(..., _name="concat"), w.constant, b.optional, _name="conv")

    def after(self, op: Any, m: Match) -> Any:
        blocks = blocks_of(m, m.node("concat"))
        m.suppose(not blocks.is_in_order)
        m.require(m.attr("conv", "group", 1) == 1, "each group has channels of its own")
        channels = m.shape_of(blocks.x)[1]
        if not isinstance(channels, int):
            m.decline("the number of channels is not known")
        kernel, held = m.const("w"), constant(m["w"])
        m.require(kernel.shape[1] == channels * len(blocks.order), "the weights do not fit")
        order = np.argsort([row * blocks.size + column for row, column in blocks.order])
        places = (order[:, None] * channels + np.arange(channels)).reshape(-1)
        moved = np.ascontiguousarray(kernel[:, places])
        weights = op.constant(moved, m["w"].name, held.dtype if held is not None else None)
        packed = op.SpaceToDepth(blocks.x, blocksize=blocks.size)
        bias = [value for value in (m.get("b"),) if value is not None]
        return op.Conv(packed, weights, *bias, _attributes=m.node("conv").attributes.values())
