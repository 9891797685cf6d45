"""Attention splits and joins heads itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Node, Value, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish.symbolic import Dim, known_equal
from burnish_passes.idioms.attention_scores import made_by
from burnish_passes.proofs import static_ints

_SWAP = (0, 2, 1, 3)


@dataclass
class _Operands:
    """Makes operands with joined heads, ``[batch, length, heads * size]``."""

    op: Any
    m: Match
    splits: dict[Value, tuple[Value, ...]] = field(default_factory=dict)

    def merged(self, value: Value) -> Value:
        """The operand of ``value``, ``[batch, heads, length, size]``; declines without one."""
        shape = self.m.shape_of(value)
        self.m.require(len(shape) == 4, f"{value.name} has not four axes")
        rotary = made_by(self.m, value, "RotaryEmbedding")
        if rotary is not None and rotary.inputs[0] is not None:
            return self._rotated(rotary, shape)
        part = _packed_part(self.m, value)
        if part is not None:
            return self._part(*part)
        swap = made_by(self.m, value, "Transpose")
        self.m.suppose(swap is None or made_by(self.m, swap.inputs[0], "Transpose") is None)
        fits = swap is not None and tuple(attribute(swap, "perm", ())) == _SWAP
        self.m.require(fits, f"{value.name} is not made by splitting heads")
        moved = self.op.Transpose(value, perm=list(_SWAP))
        made: Value = self.op.Reshape(moved, _sizes(self.op, 0, 0, _static(shape[1] * shape[3])))
        return made

    def _rotated(self, rotary: Node, shape: tuple[Dim, ...]) -> Value:
        attributes = [item for item in rotary.attributes.values() if item.name != "num_heads"]
        inner = rotary.inputs[0]
        assert inner is not None
        self.m.include(rotary)
        made: Value = self.op.RotaryEmbedding(
            self.merged(inner), *rotary.inputs[1:], num_heads=shape[1], _attributes=attributes
        )
        return made

    def _part(self, packed: Value, index: int, count: int, nodes: list[Node]) -> Value:
        for node in nodes:
            self.m.include(node)
        if packed not in self.splits:
            self.splits[packed] = self.op.Split(packed, axis=2, num_outputs=count, _outputs=count)
        return self.splits[packed][index]


def _static(dim: Dim) -> int:
    return dim if isinstance(dim, int) else -1


def _sizes(op: Any, *sizes: int) -> Value:
    made: Value = op.constant(np.array(sizes, dtype=np.int64))
    return made


def _unbound(m: Match, value: Value) -> tuple[Value, int, list[Node]] | None:
    """``x``, ``i`` and the nodes between, when ``value`` is ``x[i]`` by a constant ``i``."""
    first = made_by(m, value, "Gather", "Reshape", "Squeeze")
    if first is None or first.inputs[0] is None:
        return None
    if first.op_type == "Gather":
        at = constant_array(first.inputs[1]) if first.inputs[1] is not None else None
        if at is None or at.ndim or attribute(first, "axis", 0) != 0:
            return None
        return first.inputs[0], int(at), [first]
    part = first.inputs[0]
    before, after = m.ctx.shapes.shape(part), m.ctx.shapes.shape(value)
    if before is None or after is None or len(before) != len(after) + 1 or before[0] != 1:
        return None
    if not all(map(known_equal, before[1:], after)):
        return None
    node = made_by(m, part, "Slice", "Split")
    if node is None or node.inputs[0] is None:
        return None
    if node.op_type == "Split":
        if attribute(node, "axis", 0) != 0 or not _are_single(m, node.outputs):
            return None
        return node.inputs[0], node.outputs.index(part), [first, node]
    given = [static_ints(m, node, "", place) for place in (1, 3)]
    if given[0] is None or len(given[0]) != 1 or given[1] != (0,):
        return None
    start, count = given[0][0], m.shape_of(node.inputs[0])[0]
    # Elsewhere a Slice starts at one of the ends.
    inside = isinstance(count, int) and -count <= start < count
    return (node.inputs[0], start, [first, node]) if inside else None


def _are_single(m: Match, parts: Sequence[Value]) -> bool:
    """Whether each of the parts is one row, so that its place tells which."""
    shapes = [m.ctx.shapes.shape(part) for part in parts]
    return all(shape is not None and shape[0] == 1 for shape in shapes)


def _packed_part(m: Match, value: Value) -> tuple[Value, int, int, list[Node]] | None:
    """Where ``value`` lies in ``x`` of ``Transpose(Reshape(x, [B, S, n, H, D]), [2, 0, 3, 1, 4])``.

    Returns ``x``, the position among the ``n`` parts, ``n``, and the nodes in between; None when
    ``value`` is nothing like that.
    """
    found = _unbound(m, value)
    if found is None:
        return None
    source, index, nodes = found
    transpose = made_by(m, source, "Transpose")
    reshape = made_by(m, transpose.inputs[0] if transpose is not None else None, "Reshape")
    if transpose is None or reshape is None or reshape.inputs[0] is None:
        return None
    if tuple(attribute(transpose, "perm", ())) != (2, 0, 3, 1, 4):
        return None
    packed = reshape.inputs[0]
    joined, apart = m.ctx.shapes.shape(packed), m.ctx.shapes.shape(reshape.outputs[0])
    if joined is None or apart is None or len(joined) != 3 or not isinstance(apart[2], int):
        return None
    if not all(known_equal(joined[axis], apart[axis]) for axis in (0, 1)):
        return None
    if not isinstance(joined[2], int) or m.ctx.shapes.shape(value) is None:
        return None
    count = apart[2]
    return packed, index % count, count, [*nodes, transpose, reshape]


def _joins_heads(m: Match, value: Value) -> bool:
    """Whether all that becomes of ``value`` is ``Reshape(Transpose(value))`` of joined heads."""
    readers = value.consumers()
    if value.is_graph_output() or len(readers) != 1:
        return False
    swap = readers[0]
    if swap.op_type != "Transpose" or tuple(attribute(swap, "perm", ())) != _SWAP:
        return False
    after = swap.outputs[0].consumers()
    return len(after) == 1 and after[0].op_type == "Reshape"


@dataclass(frozen=True)
class MergeAttentionHeads(Rule):
    """Give Attention operands with joined heads, instead of splitting and moving heads around it.

    ``Attention(split(q), split(k), split(v)) => split(Attention(q, k, v, q_num_heads=h))`` where
    ``split(x)`` is ``Transpose(Reshape(x, [b, s, h, d]), [0, 2, 1, 3])``, or one part of queries,
    keys and values packed in one matrix. What is left of ``split`` on either side cancels.

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[1,3,8] a, float[1,5,8] b) => (float[1,3,8] y)
        <int64[4] split = {0, 0, 2, 4}, int64[3] join = {0, 0, 8}> {
            q4 = Reshape(a, split)
            q = Transpose <perm = [0, 2, 1, 3]>(q4)
            k4 = Reshape(b, split)
            k = Transpose <perm = [0, 2, 1, 3]>(k4)
            z = Attention <scale = 0.5>(q, k, k)
            z4 = Transpose <perm = [0, 2, 1, 3]>(z)
            y = Reshape(z4, join)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[1,3,8] a, float[1,5,8] b) => (float[1,3,8] y)
        <int64[4] split = {0, 0, 2, 4}, int64[3] join = {0, 0, 8}, int64[3] joinq = {0, 0, 8},
         int64[3] joink = {0, 0, 8}, int64[3] joinv = {0, 0, 8}, int64[4] splitz = {0, 0, 2, 4}> {
            q4 = Reshape(a, split)
            q = Transpose <perm = [0, 2, 1, 3]>(q4)
            k4 = Reshape(b, split)
            k = Transpose <perm = [0, 2, 1, 3]>(k4)
            qs = Transpose <perm = [0, 2, 1, 3]>(q)
            qm = Reshape(qs, joinq)
            ks = Transpose <perm = [0, 2, 1, 3]>(k)
            km = Reshape(ks, joink)
            vs = Transpose <perm = [0, 2, 1, 3]>(k)
            vm = Reshape(vs, joinv)
            zm = Attention <scale = 0.5, q_num_heads = 2, kv_num_heads = 2>(qm, km, vm)
            z3 = Reshape(zm, splitz)
            z = Transpose <perm = [0, 2, 1, 3]>(z3)
            z4 = Transpose <perm = [0, 2, 1, 3]>(z)
            y = Reshape(z4, join)
        }

    FLOAT: kernels may take another path. Only where every operand is made by splitting heads, so
    that nothing is added in the end. Catalogue row F10. Source: ONNX operator Attention-23, whose
    body splits the heads of operands of three axes in just this way.
    """

    name: ClassVar[str] = "merge-attention-heads"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, q: Any, k: Any, v: Any) -> Any:
        return op.Attention(q, k, v, ..., _outputs=...)

    def when(self, m: Match) -> None:
        m.suppose("q_num_heads" not in m.root.attributes)
        m.require(
            _joins_heads(m, m.root.outputs[0]), "the heads of the result are not joined again"
        )
        for name in ("q", "k"):
            m.require(isinstance(m.shape(name)[1], int), f"the number of heads of {name} varies")

    def after(self, op: Any, m: Match) -> Any:
        operands = _Operands(op, m)
        merged = [operands.merged(m[name]) for name in ("q", "k", "v")]
        heads, size = m.shape("q")[1], _static(m.shape("v")[3])
        results = op.Attention(
            *merged,
            *m.root.inputs[3:],
            q_num_heads=heads,
            kv_num_heads=m.shape("k")[1],
            _attributes=m.root.attributes.values(),
            _outputs=len(m.root.outputs),
        )
        joined, *rest = results if isinstance(results, tuple) else (results,)
        apart = op.Reshape(joined, _sizes(op, 0, 0, _static(heads), size))
        return op.Transpose(apart, perm=list(_SWAP)), *rest
