"""Where rules are tried: everywhere at first, later only where something is different.

Whether a pattern stands at a node depends on the nodes that lead there, as many deep as the
pattern is. When the same rules run again, a node can only have become a place for them if one of
those nodes came or changed since (the census knows them). Whether the rules' *conditions* hold may
depend on anything; so a node where a pattern stood and nothing was done is tried again each time,
unless the rule says that its conditions are local too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field

from burnish.census import Census, Kind, downstream
from burnish.ir import Model, Node, Scope
from burnish.passdef import Context

__all__ = ["Worklist"]


@dataclass
class _Visits:
    """What is remembered of one family of rules between its runs.

    Attributes:
        moment: how long the census's list of changed nodes was when it last ran.
        open: nodes where a pattern stood and a condition was in the way.
    """

    moment: int
    open: dict[Node, None] = field(default_factory=dict)


class _Memory:
    """The visits of all families, in one run of a pipeline."""

    def __init__(self) -> None:
        self.visits: dict[Hashable, _Visits] = {}


class Worklist:
    """Nodes to try, each queued once at a time.

    Args:
        model: the model.
        ctx: knows what changed, and keeps what is remembered.
        rules: what the nodes are tried with; the same object in each run of the same rules.
        kinds: the kinds of node, ``(domain, op_type)``, the rules start at.
        reach: how many nodes deep their patterns are.
        anywhere: whether to try all nodes each time, because patterns also lead downstream.
    """

    def __init__(
        self,
        model: Model,
        ctx: Context,
        rules: Hashable,
        kinds: Collection[Kind],
        *,
        reach: int,
        anywhere: bool = False,
    ) -> None:
        self._kinds = kinds
        self._reach = reach
        self._queue: deque[Node] = deque()
        self._queued: set[Node] = set()
        census = ctx.look(model)
        self._scopes = census.states
        visits = ctx.recall(_Memory).visits
        last = visits.get(rules)
        self._now = visits[rules] = _Visits(len(census.changed))
        if last is None or anywhere:
            for node, _ in census.nodes(kinds):
                self.push(node)
        else:
            self._push_open(last, census)

    def _push_open(self, last: _Visits, census: Census) -> None:
        """Queue the nodes left open, and those that a change may have made a place."""
        for node in last.open:
            self.push(node)
        near = census.near(last.moment, self._reach)
        for kind in self._kinds if near else ():
            for node in near.get(kind, ()):
                self.push(node)

    def __len__(self) -> int:
        return len(self._queue)

    def pop(self) -> tuple[Node, Scope] | None:
        """The next node that still stands in the model, with its scope; None when none is left."""
        while self._queue:
            node = self._queue.popleft()
            self._queued.discard(node)
            # A removed node is in no graph, and nothing is found for None.
            state = self._scopes.get(node.graph)  # type: ignore[arg-type]
            if state is not None:
                return node, state.scope
        return None

    def push(self, node: Node) -> None:
        """Queue ``node`` if any rule starts at its kind."""
        if (node.domain, node.op_type) in self._kinds and node not in self._queued:
            self._queued.add(node)
            self._queue.append(node)

    def push_readers(self, nodes: Iterable[Node], distance: int | None = None) -> None:
        """Queue ``nodes`` and what reads them, ``distance`` nodes downstream; None is the reach."""
        for node in downstream(nodes, self._reach if distance is None else distance):
            self.push(node)

    def leave_open(self, node: Node) -> None:
        """Try ``node`` again when the rules run again, whatever changes until then."""
        self._now.open[node] = None
