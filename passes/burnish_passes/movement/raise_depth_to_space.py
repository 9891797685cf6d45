"""Blocks of pixels moved between channels and space by other means become one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import schema
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish.symbolic import Dim, known_equal
from burnish_passes.movement.space_blocks import BLOCK_TYPES, blocks_of

_DEPTH_COLUMN_ROW = (0, 3, 4, 1, 5, 2)
_COLUMN_ROW_DEPTH = (0, 1, 4, 2, 5, 3)
_TO_DEPTH = (0, 3, 5, 1, 2, 4)
_TO_DEPTH_AFTER_CHANNEL = (0, 1, 3, 5, 2, 4)


class ReshapeTransposeReshape(Rule):
    """The definition of DepthToSpace and SpaceToDepth, spelled out."""

    def before(self, op: Any, x: Any) -> Any:
        parted = op.Reshape(x, ..., _name="parted")
        return op.Reshape(op.Transpose(parted, _name="moved"), ..., _name="joined")

    def when(self, m: Match) -> None:
        perm = m.attr("moved", "perm")
        m.suppose(perm is not None and len(perm) == 6 and perm[0] == 0)

    def after(self, op: Any, m: Match) -> Any:
        x = m.shape("x")
        parted = m.shape_of(m.node("parted").outputs[0])
        joined = m.shape_of(m.root.outputs[0])
        m.suppose(len(x) == 4 and len(joined) == 4)
        perm = m.attr("moved", "perm")
        if perm in (_TO_DEPTH, _TO_DEPTH_AFTER_CHANNEL):
            return self.to_depth(op, m, x, parted, joined)
        m.suppose(perm in (_DEPTH_COLUMN_ROW, _COLUMN_ROW_DEPTH))
        mode = "DCR" if perm == _DEPTH_COLUMN_ROW else "CRD"
        depth, block = (parted[3], parted[1]) if mode == "DCR" else (parted[1], parted[2])
        sides = parted[1:3] if mode == "DCR" else parted[2:4]
        _is_block(m, block)
        batch, _, height, width = x
        _equal(m, sides, (block, block))
        _equal(m, x, (parted[0], depth * block * block, parted[4], parted[5]))
        _equal(m, joined, (batch, depth, height * block, width * block))
        spelled = mode if m.opset >= 11 else None
        m.require(mode == "DCR" or spelled is not None, "DepthToSpace has no mode before opset 11")
        return op.DepthToSpace(m["x"], blocksize=block, mode=spelled)

    def to_depth(
        self,
        op: Any,
        m: Match,
        x: tuple[Dim, ...],
        parted: tuple[Dim, ...],
        joined: tuple[Dim, ...],
    ) -> Any:
        """Space to depth: block rows and columns go before or after the channels."""
        batch, channels, height, block, width, other = parted
        _is_block(m, block)
        _equal(m, (other,), (block,))
        _equal(m, x, (batch, channels, height * block, width * block))
        _equal(m, joined, (batch, channels * block * block, height, width))
        if m.attr("moved", "perm") == _TO_DEPTH:
            return op.SpaceToDepth(m["x"], blocksize=block)
        known = schema("SpaceToDepth", "", m.opset)
        modes = known is not None and "mode" in known.attributes
        m.require(modes, f"SpaceToDepth of opset {m.opset} puts no channel before its block")
        return op.SpaceToDepth(m["x"], blocksize=block, mode="CRD")


def _is_block(m: Match, block: Dim) -> None:
    m.require(isinstance(block, int) and block > 1, "the size of a block is not known")
    m.require(m.dtype("x") in BLOCK_TYPES, "runtimes move no blocks of this element type")


def _equal(m: Match, left: tuple[Dim, ...], right: tuple[Dim, ...]) -> None:
    m.require(
        all(known_equal(one, other) for one, other in zip(left, right, strict=True)),
        "the axes are not parted and joined by blocks",
    )


class ConcatOfBlocks(Rule):
    """Strided Slices joined along the channels, in the order of SpaceToDepth."""

    def before(self, op: Any) -> Any:
        return op.Concat(..., _name="concat")

    def after(self, op: Any, m: Match) -> Any:
        blocks = blocks_of(m, m.root)
        m.require(blocks.is_in_order, "SpaceToDepth orders the positions of a block otherwise")
        return op.SpaceToDepth(blocks.x, blocksize=blocks.size)


@dataclass(frozen=True)
class RaiseDepthToSpace(RuleSet):
    """Raise DepthToSpace and SpaceToDepth from what spells them out.

    ``Reshape(Transpose(Reshape(x)))`` of pixel shuffles, in the orders DCR and CRD:

    Before::

        agraph (float[N,8,3,5] x) => (float[N,2,6,10] y)
            <int64[6] parted = {-1, 2, 2, 2, 3, 5}, int64[4] joined = {-1, 2, 6, 10}> {
            a = Reshape(x, parted)
            b = Transpose <perm = [0, 1, 4, 2, 5, 3]> (a)
            y = Reshape(b, joined)
        }

    After::

        agraph (float[N,8,3,5] x) => (float[N,2,6,10] y) {
            y = DepthToSpace <blocksize = 2, mode = "CRD"> (x)
        }

    and the other way. Every second pixel of every second row, put behind each other as channels:

    Before::

        agraph (float[1,3,4,6] x) => (float[1,12,2,3] y)
            <int64[2] s = {0, 0}, int64[2] t = {0, 1}, int64[2] u = {1, 0}, int64[2] v = {1, 1},
             int64[2] end = {4, 6}, int64[2] axes = {2, 3}, int64[2] steps = {2, 2}> {
            a = Slice(x, s, end, axes, steps)
            b = Slice(x, t, end, axes, steps)
            c = Slice(x, u, end, axes, steps)
            d = Slice(x, v, end, axes, steps)
            y = Concat <axis = 1> (a, b, c, d)
        }

    After::

        agraph (float[1,3,4,6] x) => (float[1,12,2,3] y) {
            y = SpaceToDepth <blocksize = 2> (x)
        }

    BITWISE: elements only move. Catalogue row C14. Source: ONNX operator specifications.
    """

    name: ClassVar[str] = "raise-depth-to-space"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    rules: ClassVar[tuple[type[Rule], ...]] = (ReshapeTransposeReshape, ConcatOfBlocks)
