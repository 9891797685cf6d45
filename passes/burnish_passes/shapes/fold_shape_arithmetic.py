"""Shape arithmetic whose result is known, or was computed before, is not computed again."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from burnish.graph import (
    SOURCES,
    Placement,
    remove_unread,
    replace_value,
    sources_of,
    why_not_replaceable,
)
from burnish.ir import (
    DataType,
    Model,
    Node,
    Scope,
    Value,
    constant,
    convert_attributes,
    make_tensor,
)
from burnish.passdef import Context, Pass
from burnish.shapes import SymbolicTensor
from burnish.symbolic import Dim, known_equal

_ASSEMBLING = frozenset({"Concat", "Unsqueeze"})
"""What exporters put vectors of sizes together with."""


@dataclass(frozen=True)
class FoldShapeArithmetic(Pass):
    """Evaluate integer arithmetic on shapes symbolically.

    A value whose elements are all known numbers becomes a constant. A value whose elements equal
    those of an earlier value, as expressions in the symbolic dimensions, becomes that value; one
    that is a run of sizes of a value whose Shape is read becomes a Shape with start and end.
    ``Shape(f(x)) => Shape(x)`` when ``f`` keeps the shape, which frees ``f`` from this reader.

    Before::

        agraph (float[N,3,4] x) => (int64[2] y) {
            s = Shape(x)
            i = Constant <value = int64[2] {1, 2}> ()
            t = Gather(s, i)
            y = Neg(t)
        }

    After::

        agraph (float[N,3,4] x) => (int64[2] y) <int64[2] t = {3, 4}> {
            y = Neg(t)
        }

    Catalogue rows D2, D3, D4, D5. Source: symbolic evaluation over polynomials in dimensions.
    """

    name: ClassVar[str] = "fold-shape-arithmetic"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Sweep every scope in order."""
        news = ctx.news(model, self.name)
        if news is not None and not ctx.nodes(model, [("", "Shape")]):
            # Sizes are read nowhere: only a new value with known elements is worth a look.
            made = (output for node in news for output in node.outputs)
            if all(ctx.shapes.contents(output) is None for output in made):
                return
        for scope in ctx.scopes(model):
            self._sweep(scope, ctx)

    def _sweep(self, scope: Scope, ctx: Context) -> None:
        first: dict[Hashable, Value] = {}
        shaped: dict[Dim, dict[Value, None]] = {}
        # Removed only at the end: until then any of them may be an earlier value for another.
        dead: list[Node] = []
        for node in scope.graph:
            if node.op_type == "Shape" and node.domain == "":
                dead.extend(self._read_earlier(node, ctx))
            if node.op_type == "Constant" or len(node.outputs) != 1:
                continue
            output = node.outputs[0]
            known = ctx.shapes.contents(output)
            if known is None:
                continue
            if self._becomes_constant(node, known, scope, ctx):
                dead.append(node)
            elif not known.is_constant:
                if node.op_type in _ASSEMBLING and node.domain == "":
                    dead.append(node)
                    node = self._becomes_shape(node, known, shaped, scope, ctx)
                    output = node.outputs[0]
                if node.op_type == "Shape" and node.inputs[0] is not None:
                    for dim in ctx.shapes.shape(node.inputs[0]) or ():
                        shaped.setdefault(dim, {})[node.inputs[0]] = None
                earlier = first.setdefault((known.dtype, known.shape, known.elements), output)
                if earlier is not output and self._becomes_earlier(node, earlier, ctx):
                    dead.append(node)
        remove_unread(reversed(dead))

    def _becomes_constant(
        self, node: Node, known: SymbolicTensor, scope: Scope, ctx: Context
    ) -> bool:
        values = known.ints()
        output = node.outputs[0]
        if values is None or output.is_graph_output() or constant(output) is not None:
            return False
        if not ctx.applies(self.name, node, f"is {list(values)}"):
            return False
        array = np.array(values, dtype=known.dtype.numpy()).reshape(known.shape)
        name = output.name or ctx.names.fresh("folded")
        output.name = None
        value = Placement(scope).add_constant(make_tensor(array), name, before=node)
        replace_value(output, value, fresh=False)
        return True

    def _becomes_shape(
        self,
        node: Node,
        known: SymbolicTensor,
        shaped: Mapping[Dim, Iterable[Value]],
        scope: Scope,
        ctx: Context,
    ) -> Node:
        """Put ``Shape(x, start, end)`` in place of a vector put together from sizes of x.

        ``shaped`` has the values whose Shape was read, in order, by each of their sizes.
        """
        if known.dtype != DataType.INT64 or known.rank != 1 or scope.opsets.get("", 0) < 15:
            return node
        if node.outputs[0].is_graph_output():
            return node
        # Only values that have the rarest of the sizes: all of them would take quadratic time.
        sizes = known.dims() or ()
        candidates = min((tuple(shaped.get(dim, ())) for dim in sizes), key=len, default=())
        for value in candidates:
            start = _position(known.elements, ctx.shapes.shape(value) or ())
            if start is None or not ctx.applies(
                self.name, node, f"is part of {value.name}'s shape"
            ):
                continue
            cut = {"start": start, "end": start + len(known.elements)}
            made = Node("", "Shape", [value], convert_attributes(cut))
            made.meta[SOURCES] = sources_of(node)
            made.outputs[0].name = ctx.names.fresh(f"{node.outputs[0].name}_Shape")
            scope.graph.insert_before(node, made)
            replace_value(node.outputs[0], made.outputs[0], fresh=True)
            return made
        return node

    def _becomes_earlier(self, node: Node, earlier: Value, ctx: Context) -> bool:
        output = node.outputs[0]
        if output.is_graph_output() or why_not_replaceable(output, earlier, ctx.shapes):
            return False
        if not ctx.applies(self.name, node, f"equals {earlier.name}"):
            return False
        replace_value(output, earlier, fresh=False)
        return True

    def _read_earlier(self, node: Node, ctx: Context) -> list[Node]:
        """Let Shape read the earliest value of the same shape upstream; return what it read."""
        value = node.inputs[0]
        shape = None if value is None else ctx.shapes.shape(value)
        if value is None or shape is None:
            return []
        source = at = value
        before_codes = False
        while True:
            producer = at.producer()
            if producer is None or producer.graph is not node.graph:
                break
            # Any operand: a scalar or a bias may well stand before what it is applied to.
            upstream = next((v for v in producer.inputs if _has_shape(v, shape, ctx)), None)
            if upstream is None:
                break
            at = upstream
            # What stands between codes and codes is one operator on integers to a runtime, if
            # nobody else reads its inner values.
            before_codes = _is_between_codes(producer, before_codes)
            if not before_codes or at.is_graph_input():
                source = at
        if source is value or not ctx.applies(self.name, node, f"reads {source.name}"):
            return []
        node.replace_input_with(0, source)
        producer = value.producer()
        return [] if producer is None else [producer]


def _is_between_codes(crossed: Node, so_far: bool) -> bool:
    """Whether the operand of ``crossed`` stands before a QuantizeLinear, with no codes before it."""
    if crossed.op_type == "QuantizeLinear":
        return True
    return so_far and crossed.op_type != "DequantizeLinear"


def _has_shape(value: Value | None, shape: Sequence[Dim], ctx: Context) -> bool:
    found = None if value is None else ctx.shapes.shape(value)
    return found is not None and len(found) == len(shape) and all(map(known_equal, found, shape))


def _position(part: Sequence[object], whole: Sequence[object]) -> int | None:
    """Where ``part`` stands in ``whole`` without a gap, or None."""
    for start in range(len(whole) - len(part) + 1):
        if tuple(whole[start : start + len(part)]) == tuple(part):
            return start
    return None
