"""Inputs and outputs of two graphs, and the sizes they declare.

Names of symbolic dimensions say only which sizes are equal. Two models agree when one set of names
becomes the other by a renaming that is the same everywhere; a dimension without a name is one with
a name of its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from burnish.ir import Graph, Shape, ShapeProtocol, Value
from burnish.modeldiff.findings import Fact
from burnish.text import value_text

__all__ = ["Symbols", "by_name", "by_place", "contradict", "interface_facts"]

_NAME = re.compile(r"[^\W\d]\w*")
_Pairs = Sequence[tuple[Value, Value]]


def by_name(before: Sequence[Value], after: Sequence[Value]) -> list[tuple[Value, Value]]:
    """Pair values of two interfaces: by name, then the others in order."""
    named = {value.name: value for value in after}
    both = {value.name for value in before} & named.keys()
    found = [(value, named[value.name]) for value in before if value.name in both]
    left = [value for value in before if value.name not in both]
    right = [value for value in after if value.name not in both]
    return found + list(zip(left, right, strict=False))


def by_place(before: Sequence[Value], after: Sequence[Value]) -> list[tuple[Value, Value]]:
    """Pair values of two interfaces in order."""
    return list(zip(before, after, strict=False))


class Symbols:
    """Which dimension names of one model stand for which of the other.

    Args:
        pairs: values of the two interfaces that correspond.
    """

    def __init__(self, pairs: _Pairs) -> None:
        self._onto: dict[str, set[str]] = defaultdict(set)
        self._from: dict[str, set[str]] = defaultdict(set)
        self._unnamed = 0
        self._dims: dict[tuple[Value, int], tuple[str, str]] = {}
        for left, right in pairs:
            if left.shape is None or right.shape is None:
                continue
            for index, dims in enumerate(zip(left.shape, right.shape, strict=False)):
                self._dims[left, index] = (self._text(dims[0]), self._text(dims[1]))
                for was, now in zip(*map(_NAME.findall, self._dims[left, index]), strict=False):
                    self._onto[was].add(now)
                    self._from[now].add(was)

    def _text(self, dim: object) -> str:
        if isinstance(dim, int):
            return str(dim)
        name = getattr(dim, "value", None)
        if name:
            return str(name)
        self._unnamed += 1
        return f"unnamed_{self._unnamed}"

    def agree(self, left: Value, right: Value) -> bool:
        """Whether two values of the interfaces declare the same shape."""
        if left.shape is None or right.shape is None:
            return left.shape is right.shape
        return len(left.shape) == len(right.shape) and all(
            self._same(*self._dims[left, index]) for index in range(len(left.shape))
        )

    def _same(self, was: str, now: str) -> bool:
        names = _NAME.findall(was), _NAME.findall(now)
        if _NAME.sub("?", was) != _NAME.sub("?", now):
            return False
        return all(
            len(self._onto[one]) == 1 and len(self._from[other]) == 1
            for one, other in zip(*names, strict=True)
        )


def interface_facts(
    before: Graph, after: Graph, inputs: _Pairs, outputs: _Pairs, *, names: bool
) -> Iterator[Fact]:
    """What differs between two interfaces.

    Args:
        before: the old graph.
        after: the new graph.
        inputs: inputs that correspond.
        outputs: outputs that correspond.
        names: whether another name is a difference.
    """
    symbols = Symbols([*inputs, *outputs])
    for kind, old, new, pairs in (
        ("input", before.inputs, after.inputs, inputs),
        ("output", before.outputs, after.outputs, outputs),
    ):
        known = {value for pair in pairs for value in pair}
        for left, right in pairs:
            texts = _text(kind, left), _text(kind, right)
            other_name = names and left.name != right.name
            differ = _type(left) != _type(right) or not symbols.agree(left, right)
            # Where a name is another one only elsewhere, it is told there.
            if other_name or (differ and texts[0] != texts[1]):
                yield Fact.of("interface", *texts, (str(left.name), str(right.name)))
        for value in old:
            if value not in known:
                yield Fact.of("interface", _text(kind, value), None, (str(value.name),))
        for value in new:
            if value not in known:
                yield Fact.of("interface", None, _text(kind, value), (str(value.name),))
        yield from _order_fact(kind, old, new, pairs)


def _order_fact(
    kind: str, old: Sequence[Value], new: Sequence[Value], pairs: _Pairs
) -> Iterator[Fact]:
    twins = dict(pairs)
    was = [value for value in old if value in twins]
    came = {value: index for index, value in enumerate(new)}
    places = [came[twins[value]] for value in was]
    if places != sorted(places):
        now = sorted(was, key=lambda value: came[twins[value]])
        yield Fact.of("interface", _order_text(kind, was), _order_text(kind, now))


def _order_text(kind: str, values: Iterable[Value]) -> str:
    return f"{kind} order {', '.join(str(value.name) for value in values)}"


def _text(kind: str, value: Value) -> str:
    suffix = " with a default" if kind == "input" and value.const_value is not None else ""
    return f"{kind} {value_text(value)}{suffix}"


def _type(value: Value) -> object:
    has_default = value.is_graph_input() and value.const_value is not None
    kind = type(value.type).__name__ if value.type is not None else None
    return kind, value.dtype, has_default


def contradict(left: Value, right: Value) -> bool:
    """Whether two values declare types or shapes of which at most one can be true."""
    if left.dtype is not None and right.dtype is not None and left.dtype != right.dtype:
        return True
    one: Shape | ShapeProtocol | None = left.shape
    other: Shape | ShapeProtocol | None = right.shape
    if one is None or other is None:
        return False
    if len(one) != len(other):
        return True
    pairs = zip(one, other, strict=True)
    return any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in pairs)
