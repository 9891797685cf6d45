"""Initializers with the same bytes become one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Graph, Model, Value, constant
from burnish.passdef import Context, Pass
from burnish.text import digest, same_bytes


@dataclass(frozen=True)
class MergeInitializers(Pass):
    """Let readers of equal initializers share one.

    Equal means: same element type, same shape, same bytes, so +0.0 and -0.0 stay apart and NaN
    equals itself. Tied weights of any size are merged; only those that share type and shape with
    another are hashed. Initializers that a caller may override stay.

    Before::

        agraph (float[2] x) => (float[2] y) <float[2] v = {1, 2}, float[2] w = {1, 2}> {
            t = Add(x, v)
            y = Mul(t, w)
        }

    After::

        agraph (float[2] x) => (float[2] y) <float[2] v = {1, 2}> {
            t = Add(x, v)
            y = Mul(t, v)
        }

    Catalogue row D7. Source: hash consing.
    """

    name: ClassVar[str] = "merge-initializers"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        """Merge within each graph."""
        for scope in ctx.scopes(model):
            self._merge(scope.graph, ctx)

    def _merge(self, graph: Graph, ctx: Context) -> None:
        alike: dict[tuple[object, ...], list[Value]] = defaultdict(list)
        for value in graph.initializers.values():
            held = constant(value)
            if held is not None and not value.is_graph_output():
                alike[held.dtype, tuple(held.shape)].append(value)
        for group in alike.values():
            if len(group) > 1:
                self._merge_group(graph, group, ctx)

    def _merge_group(self, graph: Graph, group: list[Value], ctx: Context) -> None:
        first: dict[str, Value] = {}
        for value in group:
            held = constant(value)
            assert held is not None
            kept = first.setdefault(digest(held), value)
            if kept is value:
                continue
            other = constant(kept)
            if other is None or not same_bytes(held, other):
                continue
            if ctx.applies(self.name, value.name or "", f"equals {kept.name}"):
                value.replace_all_uses_with(kept)
                del graph.initializers[value.name or ""]
