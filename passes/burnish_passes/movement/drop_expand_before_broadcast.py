"""An operator that broadcasts needs no expanded operand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Model, Node, Value
from burnish.match import COMMUTATIVE, Match
from burnish.passdef import Context, Exactness
from burnish.rewrite import Rule, apply_rules
from burnish.symbolic import Dim, known_equal

_EXPANDS = (("", "Expand"), ("", "Tile"))

_BROADCASTS = tuple(
    sorted(
        COMMUTATIVE
        | {"BitShift", "Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mod", "Pow"}
        | {"Sub", "Where"}
    )
)


@dataclass(frozen=True)
class DropExpandBeforeBroadcast(Rule):
    """Let an operator that broadcasts read what was expanded for it.

    ``f(Expand(x, s), y) => f(x, y)`` when every size of the result is that of ``y``, or of ``x``
    along that axis; a Tile of axes of size 1 alike. An Expand with other readers stays for them.

    Before::

        agraph (float[N,4] y, float[4] x) => (float[N,4] z) {
            shape = Shape(y)
            t = Expand(x, shape)
            z = Add(t, y)
        }

    After::

        agraph (float[N,4] y, float[4] x) => (float[N,4] z) {
            z = Add(x, y)
        }

    An Expand that gives the result its size stays:

    Before::

        agraph (float[1,4] y, float[4] x) => (float[3,4] z) {
            shape = Constant <value = int64[2] {3, 4}> ()
            t = Expand(x, shape)
            z = Add(t, y)
        }

    After::

        agraph (float[1,4] y, float[4] x) => (float[3,4] z) {
            shape = Constant <value = int64[2] {3, 4}> ()
            t = Expand(x, shape)
            z = Add(t, y)
        }

    BITWISE: the same elements meet. Sizes that are known only when the model runs must be equal as
    expressions. Catalogue row C16. Source: ONNX broadcasting.
    """

    name: ClassVar[str] = "drop-expand-before-broadcast"
    exactness: ClassVar[Exactness] = Exactness.BITWISE

    def run(self, model: Model, ctx: Context) -> None:
        """Look at operators only where something is expanded for one of them."""
        expanded = (node.outputs[0] for node, _ in ctx.nodes(model, _EXPANDS))
        if any(reader.op_type in _BROADCASTS for value in expanded for reader in value.consumers()):
            apply_rules(model, [self], ctx)

    def before(self, op: Any) -> Any:
        return op.either(*_BROADCASTS)(..., _name="op")

    def when(self, m: Match) -> None:
        m.suppose(len(m.root.inputs) > 1 and any(map(_expanding, m.root.inputs)))
        m.require(m.opset >= 8, f"not every operator broadcasts at opset {m.opset}")

    def after(self, op: Any, m: Match) -> Any:
        operands = list(m.root.inputs)
        for place, value in enumerate(m.root.inputs):
            expand = _expanding(value)
            if expand is not None and self.is_needless(m, operands, place, expand):
                operands[place] = expand.inputs[0]
                m.include(expand)
        m.require(bool(m.included), "the result may have its size from the expanded operand")
        return getattr(op, m.root.op_type)(*operands, _attributes=m.root.attributes.values())

    def is_needless(
        self, m: Match, operands: Sequence[Value | None], place: int, expand: Node
    ) -> bool:
        """Whether the result has its shape also from what ``expand`` reads."""
        small = expand.inputs[0]
        shapes = [
            m.ctx.shapes.shape(value)
            for value in (small, *operands[:place], *operands[place + 1 :])
            if value is not None
        ]
        given, wanted = shapes[0], m.ctx.shapes.shape(m.root.outputs[0])
        large = m.ctx.shapes.shape(expand.outputs[0])
        if given is None or wanted is None or large is None:
            return False
        if expand.op_type == "Tile" and not _only_stretches(given, large):
            return False
        known = [shape for shape in shapes if shape is not None]
        return all(
            any(_has(shape, back, dim) for shape in known)
            for back, dim in enumerate(reversed(wanted), 1)
        )


def _expanding(value: Value | None) -> Node | None:
    """The Expand or Tile that makes ``value``, if one does."""
    node = None if value is None else value.producer()
    if node is None or (node.domain, node.op_type) not in _EXPANDS:
        return None
    return node


def _only_stretches(given: Sequence[Dim], large: Sequence[Dim]) -> bool:
    """Whether a Tile repeats single elements only, as Expand does."""
    pairs = zip(given, large, strict=True)
    return all(before == 1 or known_equal(before, after) for before, after in pairs)


def _has(shape: Sequence[Dim], back: int, dim: Dim) -> bool:
    """Whether the axis that many from the end is provably of size ``dim``."""
    return back <= len(shape) and known_equal(shape[-back], dim)
