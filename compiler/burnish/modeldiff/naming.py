"""Lines for nodes of two models under the names of the first, so that they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from burnish.ir import Attr, Node, Value, constant, nested_graphs
from burnish.modeldiff.findings import NodeSide, Terms
from burnish.modeldiff.fingerprint import Fingerprints, given
from burnish.modeldiff.smallness import constant_text, is_spelled_out
from burnish.text import line_text

__all__ = ["Names", "node_side"]


class Names:
    """What values are called in a text.

    A value of the new model that has a counterpart is called like it. Another keeps its name, with
    a prime where the old model has a value of that name which is still there.

    Args:
        prints: fingerprints of the old and of the new graph.
        weights: constants of the new model, with the one of the old that each stands for.
        around: names of the values of the graph around, in the new model.
    """

    def __init__(
        self,
        prints: tuple[Fingerprints, Fingerprints],
        weights: Mapping[Value, Value],
        around: Names | None = None,
    ) -> None:
        self.prints = prints
        self._weights = weights
        self._given: dict[Value, str] = dict(around._given) if around is not None else {}
        self._kept: set[str] = set(around._kept) if around is not None else set()

    def settle(self, pairs: Iterable[tuple[Value, Value]]) -> None:
        """Call values of the new graph like their counterparts.

        Args:
            pairs: values of the two graphs that correspond.
        """
        for left, right in pairs:
            self._given[right] = str(left.name or "")
            self._kept.add(str(left.name or ""))

    def of(self, value: Value | None, side: int) -> str:
        """What ``value`` of the old (0) or new (1) model is called; small constants in full."""
        if value is None:
            return ""
        held = constant(value)
        if held is not None:
            if is_spelled_out(held):
                return constant_text(held)
            value = self._weights.get(value, value) if side else value
            return str(value.name)
        name = str(value.name or "")
        if side == 0 or not name:
            return name
        if value in self._given:
            return self._given[value]
        while name in self._kept:
            name += "'"
        return name

    def terms(self, node: Node, side: int) -> Terms:
        """What the values at ``node``, of the old (0) or new (1) model, are called in its line."""
        return Terms(
            tuple(self.of(value, side) for value in given(node)),
            tuple(self.of(value, side) for value in node.outputs),
        )

    def line(self, node: Node, side: int, *, listed: bool = False) -> str:
        """One node on one line.

        Args:
            node: the node; of its subgraphs only how much they hold is told.
            side: of which model it is.
            listed: whether it is listed, and so also what its results are really named.
        """
        terms = self.terms(node, side)
        attributes = self.prints[side].setting.attributes(node)
        text = line_text(
            node.op_type, node.domain, node.overload, terms.inputs, terms.outputs, attributes
        )
        notes = []
        if inside := sum(map(len, nested_graphs(node))):
            notes.append(f"{inside} nodes inside")
        own = tuple(value.name or "" for value in node.outputs)
        if listed and own != terms.outputs:
            notes.append(f"named {', '.join(own)}")
        return f"{text}  # {'; '.join(notes)}" if notes else text


def node_side(node: Node, prints: Fingerprints) -> NodeSide:
    """A node under its own names."""
    return NodeSide(
        name=node.name or "",
        op=node.op_type,
        domain=node.domain,
        inputs=tuple((value.name or "") if value is not None else "" for value in given(node)),
        outputs=tuple(value.name or "" for value in node.outputs),
        attributes=tuple(map(attribute_pair, prints.setting.attributes(node))),
    )


def attribute_pair(attr: Attr) -> tuple[str, str]:
    """Name and value of an attribute, as in a line."""
    # The line of a node that has no more than this attribute.
    text = line_text("", "", "", (), (), (attr,))
    name, _, value = text.partition("{")[2].removesuffix("}").partition("=")
    return name, value
