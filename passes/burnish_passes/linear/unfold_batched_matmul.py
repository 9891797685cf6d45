"""Products of matrices whose leading axes were folded into one are taken unfolded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from burnish.ir import Node, Value, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish.symbolic import Dim, known_equal

_SCALED = ("Add", "Div", "Mul", "Sub")
_KINDS = ("Cast", "MatMul", "Softmax", "Transpose", *_SCALED)


def _made_by(m: Match, value: Value | None, *op_types: str) -> Node | None:
    node = None if value is None else value.producer()
    if node is None or node.domain or node.op_type not in op_types:
        return None
    return node if node.graph is m.root.graph else None


def _equal(left: tuple[Dim, ...], right: tuple[Dim, ...]) -> bool:
    pairs = zip(left, right, strict=False)
    return len(left) == len(right) and all(known_equal(*dims) for dims in pairs)


@dataclass
class _Unfolding:
    """Makes ``[*leading, rows, columns]`` of what is ``[folded, rows, columns]``.

    Attributes:
        leading: the axes that were folded into one.
        nodes: the nodes read so far that the result stands for.
    """

    op: Any
    m: Match
    leading: tuple[Dim, ...]
    nodes: list[Node] = field(default_factory=list)

    def unfolded(self, value: Value) -> Value | None:
        """``value`` with its leading axes, or None when they are not to be had for nothing."""
        shape = self.m.ctx.shapes.shape(value)
        node = _made_by(self.m, value, "Reshape", *_KINDS)
        if shape is None or len(shape) != 3 or node is None or node.inputs[0] is None:
            return None
        if node.op_type == "Reshape":
            source = node.inputs[0]
            before = self.m.ctx.shapes.shape(source)
            fits = before is not None and _equal(before, (*self.leading, *shape[1:]))
            return source if fits else None
        if len(value.uses()) != 1 or value.is_graph_output():
            return None
        self.nodes.append(node)
        if node.op_type == "MatMul":
            return self.product(node, shape[0])
        if node.op_type in _SCALED:
            return self.scaled(node)
        if node.op_type == "Transpose":
            return self.transposed(node)
        if node.op_type == "Softmax" and attribute(node, "axis", self.last_axis()) not in (-1, 2):
            return None
        return self.again(node, node.inputs[0])

    def last_axis(self) -> int:
        """The axis of a Softmax that names none."""
        return -1 if self.m.opset >= 13 else 1

    def again(self, node: Node, source: Value) -> Value | None:
        """``node`` over what ``source`` was folded from."""
        inner = self.unfolded(source)
        if inner is None:
            return None
        attributes = [item for item in node.attributes.values() if item.name != "axis"]
        axis = len(self.leading) + 1 if node.op_type == "Softmax" else None
        build = getattr(self.op, node.op_type)
        made: Value = build(inner, axis=axis, _attributes=attributes)
        return made

    def product(self, node: Node, folded: Dim) -> Value | None:
        parts = []
        for value in node.inputs:
            shape = None if value is None else self.m.ctx.shapes.shape(value)
            if value is None or shape is None or len(shape) != 3:
                return None
            part = self.unfolded(value) if known_equal(shape[0], folded) else None
            if part is None:
                return None
            parts.append(part)
        made: Value = self.op.MatMul(*parts)
        return made

    def scaled(self, node: Node) -> Value | None:
        """``node`` that combines the folded value with one number."""
        for index, other in enumerate(node.inputs):
            source = node.inputs[1 - index]
            number = None if other is None else constant_array(other)
            if source is None or other is None or number is None:
                continue
            if number.size != 1 or number.ndim > 3:
                continue
            inner = self.unfolded(source)
            if inner is None:
                return None
            build = getattr(self.op, node.op_type)
            made: Value = build(*((other, inner) if index == 0 else (inner, other)))
            return made
        return None

    def transposed(self, node: Node) -> Value | None:
        if tuple(attribute(node, "perm", ())) != (0, 2, 1) or node.inputs[0] is None:
            return None
        inner = self.unfolded(node.inputs[0])
        if inner is None:
            return None
        count = len(self.leading)
        made: Value = self.op.Transpose(inner, perm=[*range(count), count + 1, count])
        return made


@dataclass(frozen=True)
class UnfoldBatchedMatmul(Rule):
    """Take products of matrices with their leading axes as they were before folding.

    ``unfold(MatMul(fold(a), fold(b))) => MatMul(a, b)`` where ``fold`` is a Reshape of
    ``[batch, heads, rows, columns]`` to ``[batch * heads, rows, columns]``; softmax over columns,
    numbers and a transpose of the matrices may stand in between.

    Before::

        agraph (float[B,2,3,4] q, float[B,2,5,4] k, float[B,2,5,6] v) => (float[B,2,3,6] y)
        <int64[3] fold3 = {-1, 3, 4}, int64[3] fold5 = {-1, 5, 4}, int64[3] foldv = {-1, 5, 6},
         int64[4] apart = {-1, 2, 3, 6}, float half = {0.5}> {
            q3 = Reshape(q, fold3)
            k3 = Reshape(k, fold5)
            v3 = Reshape(v, foldv)
            kt = Transpose <perm = [0, 2, 1]>(k3)
            a = MatMul(q3, kt)
            b = Mul(a, half)
            p = Softmax <axis = 2>(b)
            z = MatMul(p, v3)
            y = Reshape(z, apart)
        }

    After::

        agraph (float[B,2,3,4] q, float[B,2,5,4] k, float[B,2,5,6] v) => (float[B,2,3,6] y)
        <float half = {0.5}> {
            kt = Transpose <perm = [0, 1, 3, 2]>(k)
            a = MatMul(q, kt)
            b = Mul(a, half)
            p = Softmax <axis = 3>(b)
            y = MatMul(p, v)
        }

    Only where every operand was folded from the same axes, so that nothing is added, and nothing
    else reads what is in between. FLOAT: the same products of the same matrices, but a runtime may
    batch them in another way. Catalogue row F10 (attention of older exports). Source: ONNX
    operator MatMul, which treats leading axes as a stack of matrices.
    """

    name: ClassVar[str] = "unfold-batched-matmul"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, folded: Any) -> Any:
        return op.Reshape(folded, ...)

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(_made_by(m, m["folded"], *_KINDS) is not None)
        shape = m.ctx.shapes.shape(m.root.outputs[0])
        inner = m.ctx.shapes.shape(m["folded"])
        m.suppose(shape is not None and inner is not None)
        assert shape is not None
        assert inner is not None
        m.suppose(len(inner) == 3 and len(shape) == 4 and _equal(inner[1:], shape[2:]))
        unfolding = _Unfolding(op, m, shape[:2])
        made = unfolding.unfolded(m["folded"])
        m.suppose(made is not None)
        for node in unfolding.nodes:
            m.include(node)
        return made
