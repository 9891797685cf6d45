"""What stands of a form around a node, and the conditions that failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from burnish.ir import Node, Value
from burnish.nearmiss.forms import Form
from burnish.pattern import NodePattern, Variable

__all__ = ["Failure", "Partial"]


@dataclass(frozen=True)
class Failure:
    """A condition of a form that the graph does not meet.

    Attributes:
        kind: ``operator``, ``reader``, ``constant``, ``same``, ``attribute`` or ``inputs``.
        text: what was expected and what was found, for people.
        at: the node at which it shows.
        pattern: the operator of the form that is missing or differs.
        variable: the operand of the form that differs; None when it is an operator.
        found: the node that stands in place of the operator, if one does.
        value: the value at which it shows, if there is one.
    """

    kind: str
    text: str
    at: Node
    pattern: NodePattern
    variable: Variable | None = None
    found: Node | None = None
    value: Value | None = None


@dataclass
class Partial:
    """What stands of a form.

    Attributes:
        form: the form.
        nodes: the node for each operator that stands.
        values: the value for each operand, by name.
        failures: what is in the way, in the order it was met.
        skipped: a node that stands in place of an operator, and beyond which the form goes on.
        detours: how many operators were passed over: wrong, missing, or one too many.
    """

    form: Form
    nodes: dict[NodePattern, Node] = field(default_factory=dict)
    values: dict[str, Value | None] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    skipped: dict[NodePattern, Node] = field(default_factory=dict)
    detours: int = 0

    @property
    def score(self) -> float:
        """The part of the form's operators that stand."""
        return len(self.nodes) / len(self.form.nodes)

    @property
    def root(self) -> Node:
        """The node that stands for the last operator of the form that stands."""
        return next(
            self.nodes[pattern] for pattern in reversed(self.form.nodes) if pattern in self.nodes
        )

    def merit(self) -> tuple[int, int, int]:
        """More operators, then more in the place of one, then fewer failures."""
        return len(self.nodes), len(self.skipped), -len(self.failures)

    def copy(self) -> Partial:
        """Another of the same."""
        return Partial(
            self.form,
            dict(self.nodes),
            dict(self.values),
            list(self.failures),
            dict(self.skipped),
            self.detours,
        )

    def standing(self, pattern: NodePattern) -> Node | None:
        """The node in the place of an operator, the right one or not."""
        return self.nodes.get(pattern) or self.skipped.get(pattern)

    def holds(self, node: Node) -> bool:
        """Whether ``node`` has a place in the form already."""
        return node in self.nodes.values() or node in self.skipped.values()

    def speaks_of(self, node: Node) -> bool:
        """Whether ``node`` has a place, or stands where something else was expected.

        Short or plain forms nearly stand at many places; what is wrong there is not asked about.
        """
        if self.holds(node):
            return True
        return self.form.detours > 0 and any(each.found is node for each in self.failures)

    def may_hold(self, node: Node) -> bool:
        """Whether ``node`` stands in the same graph, and has no place yet."""
        return node.graph is next(iter(self.nodes.values())).graph and not self.holds(node)

    def fail(self, failure: Failure) -> None:
        """Note a failure, once for each operator and operand."""
        known = (
            (each.kind, each.pattern, each.variable and each.variable.name)
            for each in self.failures
        )
        key = (failure.kind, failure.pattern, failure.variable and failure.variable.name)
        if key not in known:
            self.failures.append(failure)
