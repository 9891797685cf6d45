"""What is multiplied or added after a normalization goes into its scale and bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import Array, DataType, Model, Node, Value, attribute, constant_array
from burnish.match import Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule
from burnish.symbolic import Dim
from burnish_passes.idioms.normalizations import spread
from burnish_passes.proofs import is_filled_with, operand

_LAST = ("LayerNormalization", "RMSNormalization")
_CHANNELS = ("InstanceNormalization", "GroupNormalization")
_KINDS = (*_LAST, *_CHANNELS)


@dataclass(frozen=True)
class _Affine:
    """How one normalization holds its scale and bias, and what can be put there."""

    m: Match
    node: Node
    shape: tuple[Dim, ...]
    dims: tuple[Dim, ...]

    @classmethod
    def of(cls, m: Match) -> _Affine:
        node = m.node("norm")
        shape = m.shape_of(node.outputs[0])
        if node.op_type in _LAST:
            axis = attribute(node, "axis", -1)
            return cls(m, node, shape, shape[axis % len(shape) :])
        m.require(node.op_type != _CHANNELS[1] or m.opset >= 21, "the scale is one for each group")
        return cls(m, node, shape, shape[1:2])

    def operand(self, c: Value) -> Array | Value:
        """``c`` as scale or bias; declines where it varies along other axes."""
        if self.node.op_type in _LAST and self.m.ctx.shapes.shape(c) == self.dims:
            return c
        held = constant_array(c)
        if held is None:
            self.m.decline(f"{c.name} may not have the shape of the normalized axes")
        sizes = tuple(size for size in self.dims if isinstance(size, int))
        self.m.require(len(sizes) == len(self.dims), "the size of a normalized axis is not known")
        if self.node.op_type in _LAST:
            return spread(self.m, held, sizes)
        after = (1,) * (len(self.shape) - 2)
        return spread(self.m, held, sizes + after).reshape(sizes)


def _neutral(value: Value | None, element: float) -> bool:
    held = None if value is None else constant_array(value)
    return held is not None and held.size > 0 and is_filled_with(held, element)


def _combined(
    op: Any, m: Match, kind: str, held: Value | None, c: Array | Value, dtype: DataType
) -> Value | None:
    """``held (+, -, *, /) c``, where an absent bias is 0."""
    adds = kind in ("Add", "Sub")
    if kind in ("Mul", "Add") and (_neutral(held, 0.0 if adds else 1.0) or held is None):
        return c if isinstance(c, Value) else _constant(op, c, dtype)
    left, right = constant_array(held), constant_array(c) if isinstance(c, Value) else c
    if right is None or (left is None and held is not None):
        m.decline("scale or bias are known only when the model runs")
    wide = right.astype(np.float64)
    base = np.zeros(wide.shape) if left is None else left.astype(np.float64)
    with np.errstate(all="ignore"):
        result = _FUNCTIONS[kind](base, wide).astype(dtype.numpy())
    m.require(bool(np.isfinite(result).all()), "a scale or bias would not be finite")
    return _constant(op, result, dtype)


_FUNCTIONS: dict[str, Any] = {
    "Add": np.add,
    "Div": np.divide,
    "Mul": np.multiply,
    "Sub": np.subtract,
}


def _constant(op: Any, array: Array, dtype: DataType) -> Value:
    made: Value = op.constant(np.ascontiguousarray(array.astype(dtype.numpy())), dtype=dtype)
    return made


@dataclass(frozen=True)
class FoldAffineIntoNormalization(Rule):
    """Fold a Mul, Div, Add or Sub into the normalization before it.

    ``Norm(x, s, b) * c => Norm(x, s * c, b * c)`` and ``Norm(x, s, b) + c => Norm(x, s, b + c)``
    for LayerNormalization, RMSNormalization (factors only), InstanceNormalization and
    GroupNormalization.

    Before::

        agraph (float[N,3,2] x) => (float[N,3,2] y)
            <float[2] one = {1.0, 1.0}, float[2] c = {2.0, 3.0}, float[2] d = {4.0, 5.0}> {
            a = LayerNormalization(x, one)
            b = Mul(c, a)
            y = Add(b, d)
        }

    After::

        agraph (float[N,3,2] x) => (float[N,3,2] y) {
            c = Constant <value = float[2] {2.0, 3.0}> ()
            d = Constant <value = float[2] {4.0, 5.0}> ()
            y = LayerNormalization(x, c, d)
        }

    Of an InstanceNormalization it must vary along the channels, not along the last axis:

    Before::

        agraph (float[N,2,4] x) => (float[N,2,4] y, float[N,2,4] z)
            <float[2] s = {1.0, 2.0}, float[2] b = {0.0, 1.0}, float[2,1] c = {2.0, 3.0},
             float[4] d = {1.0, 2.0, 3.0, 4.0}> {
            t = InstanceNormalization(x, s, b)
            y = Mul(t, c)
            u = InstanceNormalization(x, s, b)
            z = Mul(u, d)
        }

    After::

        agraph (float[N,2,4] x) => (float[N,2,4] y, float[N,2,4] z)
            <float[2] s = {1.0, 2.0}, float[2] b = {0.0, 1.0}, float[4] d = {1.0, 2.0, 3.0, 4.0}> {
            c = Constant <value = float[2] {2.0, 6.0}> ()
            e = Constant <value = float[2] {0.0, 3.0}> ()
            y = InstanceNormalization(x, c, e)
            u = InstanceNormalization(x, s, b)
            z = Mul(u, d)
        }

    A ``c`` that is no constant is taken where the scale is 1 or there is no bias, if it has the
    shape of the normalized axes. FLOAT: products are formed in float64 and rounded once.
    Catalogue rows F5, F6, F8. Source: ONNX operator specifications of the normalizations.
    """

    name: ClassVar[str] = "fold-affine-into-normalization"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def run(self, model: Model, ctx: Context) -> None:
        """Do nothing in a model without normalizations."""
        if ctx.nodes(model, tuple(("", kind) for kind in _KINDS)):
            super().run(model, ctx)

    def before(self, op: Any, c: Any) -> Any:
        norm = op.either(*_KINDS)(..., _name="norm", _shared=True)
        return op.either("Add", "Div", "Mul", "Sub")(norm, c, _name="op")

    def after(self, op: Any, m: Match) -> Any:
        node, kind = m.node("norm"), m.root.op_type
        m.suppose(node.op_type != "RMSNormalization" or kind in ("Div", "Mul"))
        m.suppose(constant_array(m["c"]) is not None or self.is_vector(m))
        for output in node.outputs:
            m.require(not output.is_graph_output(), f"{output.name} is a graph output")
            readers = {use.node for use in output.uses()}
            m.require(readers <= {m.root}, f"{output.name} has another reader")
        affine = _Affine.of(m)
        c, dtype = affine.operand(m["c"]), m.dtype("c")
        scale, bias = operand(node, 1), operand(node, 2)
        if kind in ("Add", "Sub"):
            bias = _combined(op, m, kind, bias, c, dtype)
        else:
            scale = _combined(op, m, kind, scale, c, dtype)
            if bias is not None and not _neutral(bias, 0.0):
                bias = _combined(op, m, kind, bias, c, dtype)
        given = (scale,) if bias is None else (scale, bias)
        return getattr(op, node.op_type)(
            node.inputs[0], *given, _attributes=node.attributes.values()
        )

    def is_vector(self, m: Match) -> bool:
        """Whether ``c`` has fewer axes than what is normalized: a scale, not a residual."""
        shape, whole = m.ctx.shapes.shape(m["c"]), m.ctx.shapes.shape(m.root.outputs[0])
        return shape is not None and whole is not None and len(shape) < len(whole)
