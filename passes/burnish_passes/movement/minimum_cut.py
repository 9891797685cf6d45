"""The cheapest way to divide a small directed graph in two (Ford and Fulkerson; Edmonds and Karp)."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

__all__ = ["Budget", "Network"]


@dataclass
class Budget:
    """How much more work may be done, so that the whole stays linear."""

    left: int

    def spend(self, amount: int) -> bool:
        """Whether so much was left; it is gone either way."""
        self.left -= amount
        return self.left >= 0


class Network:
    """Vertices joined by arcs that each carry at most their capacity."""

    def __init__(self) -> None:
        self._residual: dict[Hashable, dict[Hashable, int]] = {}

    def join(self, tail: Hashable, head: Hashable, capacity: int) -> None:
        """Add an arc; arcs between the same vertices add up."""
        forward = self._residual.setdefault(tail, {})
        forward[head] = forward.get(head, 0) + capacity
        self._residual.setdefault(head, {}).setdefault(tail, 0)

    def near(self, source: Hashable, sink: Hashable, budget: Budget) -> set[Hashable] | None:
        """The fewest vertices on the side of ``source`` of a minimum cut; None: out of budget.

        There must be no path of unlimited arcs from ``source`` to ``sink``.
        """
        self._residual.setdefault(source, {})
        while True:
            came_from = self._search(source, sink)
            if not budget.spend(len(came_from)):
                return None
            if sink not in came_from:
                return set(came_from)
            self._augment(source, sink, came_from)

    def _search(self, source: Hashable, sink: Hashable) -> dict[Hashable, Hashable]:
        """The vertices that can be reached, each with the one before it on a shortest way."""
        came_from: dict[Hashable, Hashable] = {source: source}
        queue = deque([source])
        while queue:
            vertex = queue.popleft()
            for head, left in self._residual[vertex].items():
                if left > 0 and head not in came_from:
                    came_from[head] = vertex
                    if head == sink:
                        return came_from
                    queue.append(head)
        return came_from

    def _augment(
        self, source: Hashable, sink: Hashable, came_from: dict[Hashable, Hashable]
    ) -> None:
        way: list[tuple[Hashable, Hashable]] = []
        vertex = sink
        while vertex != source:
            way.append((came_from[vertex], vertex))
            vertex = came_from[vertex]
        amount = min(self._residual[tail][head] for tail, head in way)
        for tail, head in way:
            self._residual[tail][head] -= amount
            self._residual[head][tail] += amount
