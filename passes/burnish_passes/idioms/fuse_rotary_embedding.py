"""Rotary position embedding becomes one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import DataType, Node, Value, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule, RuleSet
from burnish.symbolic import known_equal
from burnish_passes.idioms.attention_scores import made_by
from burnish_passes.idioms.rotated_operand import (
    is_last_axis,
    is_slice,
    rotated_halves,
    rotated_neighbours,
)
from burnish_passes.idioms.rotation import angles, heads_axis
from burnish_passes.proofs import same_shape

_TYPES = (DataType.FLOAT, DataType.FLOAT16, DataType.BFLOAT16)


def _joined_heads(op: Any, m: Match, x: Value) -> Value:
    """``x``, ``[batch, length, heads, size]``, as ``[batch, length, heads * size]``."""
    heads, size = m.shape_of(x)[2:]
    if not isinstance(heads, int) or not isinstance(size, int):
        m.decline(f"the heads of {x.name} vary in number or size")
    made: Value = op.Reshape(x, op.constant(np.array([0, 0, heads * size], dtype=np.int64)))
    return made


def _heads_apart(op: Any, m: Match, joined: Value, x: Value) -> Value:
    """``joined``, ``[batch, length, heads * size]``, with the shape of ``x``."""
    made: Value = op.Reshape(joined, op.constant(np.array([0, 0, *m.shape_of(x)[2:]], np.int64)))
    return made


def _rotated(op: Any, m: Match, nodes: list[Node] | None, *, in_a_row: bool) -> Any:
    """RotaryEmbedding of ``x``; ``nodes`` make the exchanged pairs, if they are pairs."""
    m.suppose(nodes is not None)
    m.require(m.dtype("x") in _TYPES, "RotaryEmbedding takes no such type")
    axis = heads_axis(m)
    cos, sin = (angles(op, m, name, axis, in_a_row=in_a_row) for name in ("cos", "sin"))
    for node in nodes or ():
        m.include(node)
    x, interleaved = m["x"], 1 if in_a_row else None
    if axis == 1:
        return op.RotaryEmbedding(x, cos, sin, interleaved=interleaved)
    joined = op.RotaryEmbedding(
        _joined_heads(op, m, x), cos, sin, interleaved=interleaved, num_heads=m.shape("x")[2]
    )
    return _heads_apart(op, m, joined, x)


class RotateHalves(Rule):
    """``x * cos + concat(-x2, x1) * sin => RotaryEmbedding(x, cos1, sin1)``."""

    def before(self, op: Any, x: Any, cos: Any, r: Any, sin: Any) -> Any:
        return op.Add(op.Mul(x, cos), op.Mul(r, sin))

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(made_by(m, m["r"], "Concat") is not None and len(m.shape("x")) == 4)
        return _rotated(op, m, rotated_halves(m), in_a_row=False)


class RotateNeighbours(Rule):
    """``x * cos + flatten(stack(-x2, x1)) * sin => RotaryEmbedding(x, cos1, sin1)``."""

    def before(self, op: Any, x: Any, cos: Any, r: Any, sin: Any) -> Any:
        return op.Add(op.Mul(x, cos), op.Mul(r, sin))

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(made_by(m, m["r"], "Reshape") is not None and len(m.shape("x")) == 4)
        return _rotated(op, m, rotated_neighbours(m), in_a_row=True)


class RotateFirstPart(Rule):
    """``concat(RotaryEmbedding(x[..., :n]), x[..., n:]) => RotaryEmbedding(x)``, told ``n``."""

    def before(self, op: Any, turned: Any, rest: Any) -> Any:
        return op.Concat(turned, rest)

    def after(self, op: Any, m: Match) -> Any:
        apart = made_by(m, m["turned"], "Reshape")
        rotary = made_by(m, m["turned"] if apart is None else apart.inputs[0], "RotaryEmbedding")
        m.suppose(rotary is not None and not attribute(rotary, "rotary_embedding_dim", 0))
        assert rotary is not None
        part = _first_part(m, rotary, apart)
        x, size = _whole(m, part)
        for node in (rotary, apart):
            alone = node is None or len(node.outputs[0].uses()) == 1
            alone = alone and (node is None or not node.outputs[0].is_graph_output())
            m.require(alone, "the rotated part has another reader")
            if node is not None:
                m.include(node)
        made = op.RotaryEmbedding(
            x if apart is None else _joined_heads(op, m, x),
            *rotary.inputs[1:],
            rotary_embedding_dim=size,
            _attributes=[
                item for item in rotary.attributes.values() if item.name != "rotary_embedding_dim"
            ],
        )
        return made if apart is None else _heads_apart(op, m, made, x)


def _first_part(m: Match, rotary: Node, apart: Node | None) -> Value:
    """What is rotated, with four axes."""
    part = rotary.inputs[0]
    if apart is not None:
        joined = made_by(m, part, "Reshape")
        part = None if joined is None else joined.inputs[0]
    m.suppose(part is not None and len(m.shape_of(part)) == 4)
    assert part is not None
    if apart is not None:
        shape, joined_shape = m.shape_of(part), m.shape_of(rotary.outputs[0])
        m.require(
            same_shape(m, part, m["turned"])
            and known_equal(shape[0], joined_shape[0])
            and known_equal(shape[1], joined_shape[1])
            and attribute(rotary, "num_heads", 0) == shape[2],
            f"the heads of {part.name} are not what is rotated",
        )
    return part


def _whole(m: Match, part: Value) -> tuple[Value, int]:
    """What ``part`` and ``rest`` are the two parts of, and the size of the first."""
    first, second = part.producer(), m["rest"].producer()
    m.suppose(first is not None and second is not None and first.op_type in ("Slice", "Split"))
    assert first is not None
    assert second is not None
    x, size = first.inputs[0], m.shape_of(part)[-1]
    m.suppose(x is not None and isinstance(size, int))
    assert x is not None
    assert isinstance(size, int)
    m.suppose(is_last_axis(attribute(m.root, "axis"), 4) and len(m.shape_of(x)) == 4)
    whole = m.shape_of(x)[-1]
    if first.op_type == "Split":
        fits = first is second and list(first.outputs) == [part, m["rest"]]
        fits = fits and is_last_axis(attribute(first, "axis", 0), 4)
    else:
        m.require(isinstance(whole, int), f"the size of {x.name} varies")
        assert isinstance(whole, int)
        fits = second.op_type == "Slice" and is_slice(m, first, x, 0, size)
        fits = fits and is_slice(m, second, x, size, whole)
    m.require(fits, f"{m['rest'].name} is not what is left of {x.name}")
    return x, size


@dataclass(frozen=True)
class FuseRotaryEmbedding(RuleSet):
    """Raise the rotation of pairs by position to RotaryEmbedding.

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

    ``x * cos + flatten(stack(-x2, x1)) * sin => RotaryEmbedding(x, cos1, sin1, interleaved=1)``
    where ``x1``, ``x2`` are the elements at even and odd places and neighbours in the tables are
    equal. Where heads come after the length, they are joined for the operator.

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[2,4,3,4] x, float[2,3,2] angle) => (float[2,4,3,4] y)
        <int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] last = {-1},
         int64[1] end = {4}, int64[1] three = {3}, int64[4] twice = {1, 1, 1, 2},
         int64[3] wide = {0, 0, 4}, int64[4] flat = {0, 0, 0, 4}> {
            a1 = Unsqueeze(angle, three)
            a2 = Expand(a1, twice)
            a = Reshape(a2, wide)
            c3 = Cos(a)
            s3 = Sin(a)
            c = Unsqueeze(c3, one)
            s = Unsqueeze(s3, one)
            x1 = Slice(x, zero, end, last, two)
            x2 = Slice(x, one, end, last, two)
            n = Neg(x2)
            n1 = Unsqueeze(n, last)
            x11 = Unsqueeze(x1, last)
            pairs = Concat <axis = -1>(n1, x11)
            r = Reshape(pairs, flat)
            xc = Mul(x, c)
            rs = Mul(r, s)
            y = Add(xc, rs)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[2,4,3,4] x, float[2,3,2] angle) => (float[2,4,3,4] y)
        {
            c = Cos(angle)
            s = Sin(angle)
            y = RotaryEmbedding <interleaved = 1>(x, c, s)
        }

    ``concat(RotaryEmbedding(x[..., :n]), x[..., n:]) => RotaryEmbedding(x)``, told ``n``.

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[2,4,3,8] x, float[2,3,2] c, float[2,3,2] s) => (float[2,4,3,8] y)
        {
            x1, x2 = Split <axis = -1, num_outputs = 2>(x)
            r = RotaryEmbedding(x1, c, s)
            y = Concat <axis = -1>(r, x2)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[2,4,3,8] x, float[2,3,2] c, float[2,3,2] s) => (float[2,4,3,8] y)
        {
            y = RotaryEmbedding <rotary_embedding_dim = 4>(x, c, s)
        }

    The tables are repeated for each batch where they have only one.

    FLOAT: the operator forms ``x1 c - x2 s``, rounding once less or more. Catalogue row F11.
    Source: Su et al., RoFormer, section 3.4.2; ONNX operator RotaryEmbedding-23.
    """

    name: ClassVar[str] = "fuse-rotary-embedding"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (RotateHalves, RotateNeighbours, RotateFirstPart)
