"""Initializers with the same bytes become one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from burnish.ir import Graph, Model, TensorProtocol, Value, constant
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
        seen = ctx.recall(_Seen)
        for scope in ctx.scopes(model):
            if seen.anything_new(scope.graph):
                self._merge(scope.graph, seen, ctx)

    def _merge(self, graph: Graph, seen: _Seen, ctx: Context) -> None:
        alike: dict[tuple[object, ...], list[Value]] = defaultdict(list)
        for value in graph.initializers.data.values():
            held = constant(value)
            if held is not None and not value.is_graph_output():
                alike[seen.kind(held)].append(value)
        for group in alike.values():
            if len(group) > 1:
                self._merge_group(graph, group, seen, ctx)

    def _merge_group(self, graph: Graph, group: list[Value], seen: _Seen, ctx: Context) -> None:
        first: dict[str, Value] = {}
        for value in group:
            held = constant(value)
            assert held is not None
            kept = first.setdefault(seen.digest(held), value)
            if kept is value:
                continue
            other = constant(kept)
            if other is None or not same_bytes(held, other):
                continue
            if ctx.applies(self.name, value.name or "", f"equals {kept.name}"):
                value.replace_all_uses_with(kept)
                del graph.initializers[value.name or ""]


class _Seen:
    """What earlier runs found out about tensors, which never change."""

    def __init__(self) -> None:
        self._graphs: dict[Graph, dict[str, TensorProtocol | None]] = {}
        self._kinds: dict[TensorProtocol, tuple[object, ...]] = {}
        self._digests: dict[TensorProtocol, str] = {}

    def anything_new(self, graph: Graph) -> bool:
        """Whether ``graph`` holds an initializer that it did not hold when last asked."""
        before = self._graphs.get(graph, {})
        now = {name: value.const_value for name, value in graph.initializers.data.items()}
        self._graphs[graph] = now
        return not now.items() <= before.items()

    def kind(self, held: TensorProtocol) -> tuple[object, ...]:
        """Element type and shape."""
        kind = self._kinds.get(held)
        if kind is None:
            kind = self._kinds[held] = (held.dtype, tuple(held.shape))
        return kind

    def digest(self, held: TensorProtocol) -> str:
        """What stands for the bytes."""
        found = self._digests.get(held)
        if found is None:
            found = self._digests[held] = digest(held)
        return found
