"""Rotary position embedding becomes one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish.symbolic import known_equal
from burnish_passes.idioms.attention_scores import made_by
from burnish_passes.idioms.rotation import half_width
from burnish_passes.movement.views import emit_axes, known_axes
from burnish_passes.proofs import static_ints


def _rotated_halves(m: Match) -> list[Node] | None:
    """The nodes that make ``concat(-x[half:], x[:half])``, or None when ``r`` is not that."""
    concat = made_by(m, m["r"], "Concat")
    if concat is None or len(concat.inputs) != 2:
        return None
    if attribute(concat, "axis") not in (-1, len(m.shape("x")) - 1):
        return None
    negative = made_by(m, concat.inputs[0], "Neg")
    if negative is None:
        return None
    upper, lower = negative.inputs[0], concat.inputs[1]
    split = made_by(m, upper, "Split")
    if split is not None:
        if not _is_half_split(m, split) or list(split.outputs) != [lower, upper]:
            return None
        return [concat, negative, split]
    parts = [made_by(m, lower, "Slice"), made_by(m, upper, "Slice")]
    size = m.shape("x")[-1]
    if None in parts or not isinstance(size, int) or size % 2:
        return None
    wanted = ((0, size // 2), (size // 2, size))
    found = [node for node in parts if node is not None]
    if all(_is_slice(m, node, *bounds, size) for node, bounds in zip(found, wanted, strict=True)):
        return [concat, negative, *found]
    return None


def _is_half_split(m: Match, split: Node) -> bool:
    rank = len(m.shape("x"))
    if split.inputs[0] is not m["x"] or attribute(split, "axis", 0) not in (-1, rank - 1):
        return False
    halves = [m.shape_of(output)[-1] for output in split.outputs]
    return len(halves) == 2 and known_equal(halves[0], halves[1])


def _is_slice(m: Match, node: Node, start: int, end: int, size: int) -> bool:
    """Whether ``node`` is ``x[..., start:end]`` of an axis of ``size`` elements."""
    if node.inputs[0] is not m["x"]:
        return False
    steps = (1,) if len(node.inputs) < 5 or node.inputs[4] is None else None
    given = [static_ints(m, node, "", index) for index in (1, 2, 3)]
    steps = steps or static_ints(m, node, "", 4)
    if steps != (1,) or any(item is None or len(item) != 1 for item in given):
        return False
    first, last, axis = (item[0] for item in given if item is not None)
    whole = [min(place + size if place < 0 else place, size) for place in (first, last)]
    return whole == [start, end] and axis in (-1, len(m.shape("x")) - 1)


def _angles(op: Any, m: Match, name: str) -> Value:
    """The cosines or sines ``[batch, 1, length, size]`` as ``[batch, length, size / 2]``."""
    full = m[name]
    shape = m.shape(name)
    unsqueeze = made_by(m, full, "Unsqueeze")
    inner = full
    if unsqueeze is not None and unsqueeze.inputs[0] is not None:
        m.require(known_axes(m, unsqueeze) == (1,), f"{full.name} does not leave out the heads")
        inner = unsqueeze.inputs[0]
    half = half_width(op, m, inner)
    m.require(half is not None, f"the halves of {full.name} may differ")
    assert half is not None
    m.require(len(shape) == 4 and shape[1] == 1, f"{full.name} differs between heads")
    if inner is full:
        half = emit_axes(op, m, "Squeeze", half, (1,))
    return _for_every_batch(op, m, half, shape)


def _for_every_batch(op: Any, m: Match, half: Value, shape: tuple[Any, ...]) -> Value:
    """``half`` with as many batches as ``x``: the operator does not repeat it."""
    batch = m.shape("x")[0]
    if known_equal(shape[0], batch):
        return half
    m.require(shape[0] == 1, f"the batch of {half.name} may not be that of x")
    if isinstance(batch, int):
        count = op.constant(np.array([batch, 1, 1], dtype=np.int64))
    else:
        ones = op.constant(np.array([1, 1], dtype=np.int64))
        count = op.Concat(op.Shape(m["x"], start=0, end=1), ones, axis=0)
    made: Value = op.Expand(half, count)
    return made


@dataclass(frozen=True)
class FuseRotaryEmbedding(Rule):
    """Raise the rotation of two halves by position to RotaryEmbedding.

    ``x * cos + concat(-x2, x1) * sin => RotaryEmbedding(x, cos1, sin1)`` where ``x1``, ``x2`` are
    the halves of the last axis and ``cos1``, ``sin1`` one half of tables whose halves are equal.

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[2,4,3,8] x, float[2,3,4] angle) => (float[2,4,3,8] y)
        <int64[1] one = {1}> {
            angles = Concat <axis = -1>(angle, angle)
            c3 = Cos(angles)
            s3 = Sin(angles)
            c = Unsqueeze(c3, one)
            s = Unsqueeze(s3, one)
            x1, x2 = Split <axis = -1, num_outputs = 2>(x)
            n = Neg(x2)
            r = Concat <axis = -1>(n, x1)
            xc = Mul(x, c)
            rs = Mul(r, s)
            y = Add(xc, rs)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[2,4,3,8] x, float[2,3,4] angle) => (float[2,4,3,8] y)
        {
            c = Cos(angle)
            s = Sin(angle)
            y = RotaryEmbedding(x, c, s)
        }

    The tables are repeated for each batch where they have only one.

    FLOAT: the operator forms ``x1 c - x2 s``, rounding once less or more. Catalogue row F11.
    Source: Su et al., RoFormer, section 3.4.2; ONNX operator RotaryEmbedding-23.
    """

    name: ClassVar[str] = "fuse-rotary-embedding"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any, cos: Any, r: Any, sin: Any) -> Any:
        return op.Add(op.Mul(x, cos), op.Mul(r, sin))

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(made_by(m, m["r"], "Concat") is not None and len(m.shape("x")) == 4)
        nodes = _rotated_halves(m)
        m.suppose(nodes is not None)
        length = m.shape("x")[2]
        for name in ("cos", "sin"):
            m.require(
                known_equal(m.shape(name)[-2], length),
                f"{m[name].name} may not have the length of x",
            )
        cos, sin = _angles(op, m, "cos"), _angles(op, m, "sin")
        for node in nodes or ():
            m.include(node)
        return op.RotaryEmbedding(m["x"], cos, sin)
