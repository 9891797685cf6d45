"""Operators that happen to give back their input vanish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from burnish.ir import DataType, Node, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.proofs import (
    has_static_contents,
    is_filled_with,
    operand,
    require_same_shape,
    same_shape,
    static_ints,
)

_TO_THE_END = 2**31 - 1
"""Ends from here on mean "to the end" (ONNX: INT_MAX for a size that is not known)."""


def _same_shape(m: Match, node: Node) -> None:
    require_same_shape(m, m["x"], node.outputs[0])


def _silently_same_shape(m: Match, node: Node) -> None:
    """Most of these change the shape, which is their purpose and needs no remark."""
    m.suppose(same_shape(m, m["x"], node.outputs[0]))


def _squeeze(m: Match, node: Node) -> None:
    axes = static_ints(m, node, "axes", 1)
    if axes == ():  # runtimes disagree whether this means every axis of size 1
        m.require(1 not in m.shape("x") and m.ctx.shapes.is_static(m["x"]), "axes is empty")
    _silently_same_shape(m, node)


def _transpose(m: Match, node: Node) -> None:
    """The axes that are not of size 1 keep their order, and the shape is the same."""
    perm: tuple[int, ...] | None = attribute(node, "perm")
    if perm is not None and perm == tuple(sorted(perm)):
        return
    shape = m.ctx.shapes.shape(m["x"])
    m.suppose(shape is not None)
    assert shape is not None
    order = tuple(reversed(range(len(shape)))) if perm is None else perm
    moved = [axis for axis in order if shape[axis] != 1]
    m.suppose(moved == sorted(moved) and same_shape(m, m["x"], node.outputs[0]))


def _pad(m: Match, node: Node) -> None:
    name = "paddings" if m.opset < 2 else "pads"
    pads = static_ints(m, node, name, 1)
    m.suppose(pads is not None and not any(pads))


def _slice(m: Match, node: Node) -> None:
    """All of every axis, forwards."""
    steps = static_ints(m, node, "steps", 4)
    m.suppose(steps is not None or not has_static_contents(node, "steps", 4))
    m.suppose(steps is None or all(step > 0 for step in steps))
    starts, ends = static_ints(m, node, "starts", 1), static_ints(m, node, "ends", 2)
    forwards = starts is not None and not any(starts) and (steps is None or set(steps) == {1})
    if not (forwards and ends is not None and all(end >= _TO_THE_END for end in ends)):
        m.suppose(_may_be_whole(m, node))
        _same_shape(m, node)


def _may_be_whole(m: Match, node: Node) -> bool:
    """Whether no size differs as numbers: else the Slice obviously cuts something off."""
    before, after = m.ctx.shapes.shape(m["x"]), m.ctx.shapes.shape(node.outputs[0])
    if before is None or after is None:
        return False
    pairs = zip(before, after, strict=True)
    return all(not isinstance(a, int) or not isinstance(b, int) or a == b for a, b in pairs)


def _resize(m: Match, node: Node) -> None:
    """Scale 1 everywhere, and coordinates that then fall on the samples themselves."""
    scales = operand(node, 1 if m.opset < 11 else 2)
    array = constant_array(scales)
    if array is not None and array.size:
        m.suppose(is_filled_with(array, 1.0))
    else:
        m.suppose(operand(node, 3) is not None and m.opset >= 11)
        _silently_same_shape(m, node)
    mode = attribute(node, "coordinate_transformation_mode", "half_pixel")
    if isinstance(mode, bytes):
        mode = mode.decode()
    m.require(
        mode not in ("tf_crop_and_resize", "tf_half_pixel_for_nn"),
        f"{mode} shifts the samples even at scale 1",
    )


def _upsample(m: Match, node: Node) -> None:
    array = constant_array(operand(node, 1))
    scales = attribute(node, "scales")
    if scales is None and "height_scale" in node.attributes:
        scales = (attribute(node, "height_scale"), attribute(node, "width_scale"))
    if scales is None and array is not None:
        scales = tuple(float(scale) for scale in array.reshape(-1))
    m.suppose(bool(scales) and set(scales or ()) == {1.0})


def _single(m: Match, node: Node) -> None:
    """One part is the whole, and one operand is the result."""
    m.suppose(node.op_type == "Split" or len(node.inputs) == 1)


def _cast(m: Match, node: Node) -> None:
    m.suppose(m.opset >= 6)  # before, `to` is a string
    m.suppose(m.ctx.shapes.dtype(m["x"]) == DataType(attribute(node, "to")))


def _cast_like(m: Match, node: Node) -> None:
    like = operand(node, 1)
    m.suppose(like is not None and m.ctx.shapes.dtype(like) == m.dtype("x"))


def _reduce(m: Match, node: Node) -> None:
    """Over no axes at all: only where an empty list does not mean all of them."""
    m.suppose(attribute(node, "noop_with_empty_axes", 0) == 1)
    given = has_static_contents(node, "axes", 1)
    m.suppose(not given or static_ints(m, node, "axes", 1) == ())


def _blocks(m: Match, node: Node) -> None:
    m.suppose(attribute(node, "blocksize", 0) == 1)


_CONDITIONS: Mapping[str, Callable[[Match, Node], None]] = MappingProxyType(
    {
        "Cast": _cast,
        "CastLike": _cast_like,
        "Concat": _single,
        "DepthToSpace": _blocks,
        "Expand": _silently_same_shape,
        "Flatten": _silently_same_shape,
        "Pad": _pad,
        # The other reductions compute something of each element even over no axes.
        "ReduceMax": _reduce,
        "ReduceMean": _reduce,
        "ReduceMin": _reduce,
        "ReduceProd": _reduce,
        "ReduceSum": _reduce,
        "Reshape": _silently_same_shape,
        "Resize": _resize,
        "Slice": _slice,
        "SpaceToDepth": _blocks,
        "Split": _single,
        "Squeeze": _squeeze,
        "Tile": _silently_same_shape,
        "Transpose": _transpose,
        "Unsqueeze": _silently_same_shape,
        "Upsample": _upsample,
    }
)


class EliminateNoOpMovement(Rule):
    """Remove operators that move nothing.

    ``f(x) => x`` where shape, element type and order are provably those of ``x``: a Reshape,
    Flatten, Squeeze, Expand or Tile to the shape of ``x``; a Transpose of axes of size 1 only; a
    Pad by 0; a Slice of everything; a Resize by 1; a Split into one, a Concat of one; a Cast to
    the type of ``x``; a reduction over no axes; blocks of size 1.

    Before::

        agraph (float[N,4] x) => (float[N,4] y) {
            zero = Constant <value = int64[1] {0}> ()
            end = Constant <value = int64[1] {9223372036854775807}> ()
            same = Constant <value = int64[2] {0, 4}> ()
            a = Slice(x, zero, end)
            b = Reshape(a, same)
            c = Cast <to = 1> (b)
            d = Concat <axis = 0> (c)
            y = Relu(d)
        }

    After::

        agraph (float[N,4] x) => (float[N,4] y) {
            y = Relu(x)
        }

    BITWISE. Equal means equal in every run: ``x[0:4]`` of ``N`` rows stays. Catalogue row C17.
    Source: ONNX operator specifications.
    """

    name: ClassVar[str] = "eliminate-no-op-movement"
    exactness: ClassVar[Exactness] = Exactness.BITWISE
    local: ClassVar[bool] = True

    def before(self, op: Any, x: Any) -> Any:
        # Every result, so that a Split into several is not taken for one with a second reader.
        return op.either(*_CONDITIONS)(x, ..., _name="op", _outputs=...)

    def when(self, m: Match) -> None:
        m.suppose(len(m.root.outputs) == 1)
        _CONDITIONS[m.root.op_type](m, m.root)

    def after(self, op: Any, m: Match) -> Any:
        return m["x"]
