"""Constants of two models: which is which, and what became of it.

Small ones are written out where they are read, and count as part of the node that reads them.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from burnish.ir import TensorProtocol, Value, constant
from burnish.modeldiff.distance import arrangement, distance, dtype_change, loose_print
from burnish.modeldiff.findings import WeightDiff, WeightSide
from burnish.modeldiff.fingerprint import Fingerprints, given
from burnish.modeldiff.quantized import dequantized, is_dequantized
from burnish.modeldiff.smallness import is_spelled_out
from burnish.text import tensor_text

__all__ = ["Constants", "alike", "weight_diffs"]


class Constants:
    """The constants that the nodes of one model read, small ones left out.

    Attributes:
        tokens: by constant, its content; in the order of the nodes that read them.
    """

    def __init__(self) -> None:
        self.tokens: dict[Value, str] = {}

    def read(self, prints: Fingerprints) -> None:
        """Note what the nodes of a graph read, and what the graph returns."""
        for node in prints.nodes:
            for value in given(node):
                self._note(prints, value)
        for value in prints.graph.outputs:
            self._note(prints, value)

    def _note(self, prints: Fingerprints, value: Value | None) -> None:
        if value is None or value in self.tokens:
            return
        held = constant(value)
        if held is not None and not is_spelled_out(held):
            self.tokens[value] = prints.token(value)


def alike(old: Mapping[Value, str], new: Mapping[Value, str]) -> dict[Value, Value]:
    """Constants that are surely the same ones: by content and name, or by a content held once."""
    rare = [_single(side.values()) for side in (old, new)]
    pairs: dict[Value, Value] = {}
    taken: set[Value] = set()
    keys: tuple[Callable[[Value, str], Hashable], ...] = (
        lambda value, token: (token, value.name),
        lambda value, token: token if token in rare[0] and token in rare[1] else None,
    )
    for key in keys:
        waiting = {key(value, token): value for value, token in new.items() if value not in taken}
        waiting.pop(None, None)
        for value, token in old.items():
            if value not in pairs:
                other = waiting.pop(key(value, token), None)
                if other is not None:
                    pairs[value] = other
                    taken.add(other)
    return pairs


def _single(tokens: Iterable[str]) -> set[str]:
    return {token for token, count in Counter(tokens).items() if count == 1}


def weight_diffs(
    old: Constants, new: Constants, placed: Iterable[tuple[Value, Value]]
) -> list[WeightDiff]:
    """List what became of the constants of two models.

    Args:
        old: constants of the old model.
        new: of the new model.
        placed: constants that differ and stand in the same place of nodes that are pairs.
    """
    found = [_changed(left, right) for left, right in dict.fromkeys(placed)]
    told = {value for pair in placed for value in pair}
    gone, came = _surplus(old, new, told), _surplus(new, old, told)
    for key in (_loose, lambda value: value.name):
        for left, right in _match(gone, came, key):
            found.append(_changed(left, right))
            gone.remove(left)
            came.remove(right)
    found.extend(WeightDiff("removed", _side(value), None) for value in gone)
    found.extend(WeightDiff("added", None, _side(value)) for value in came)
    return found


def _surplus(one: Constants, other: Constants, told: set[Value]) -> list[Value]:
    held = set(other.tokens.values())
    known: set[str] = set()
    found = []
    for value, token in one.tokens.items():
        if token not in held and value not in told and token not in known:
            known.add(token)
            found.append(value)
    return found


def _loose(value: Value) -> Hashable:
    return loose_print(_held(value))


def _match(
    gone: Sequence[Value], came: Sequence[Value], key: Callable[[Value], Hashable]
) -> list[tuple[Value, Value]]:
    if not gone or not came:
        return []
    waiting: dict[Hashable, deque[Value]] = defaultdict(deque)
    for value in came:
        waiting[key(value)].append(value)
    found = []
    for value in gone:
        queue = waiting.get(key(value))
        if queue:
            found.append((value, queue.popleft()))
    return found


def _held(value: Value) -> TensorProtocol:
    held = constant(value)
    if held is None:
        held = dequantized(value)
    if held is None:
        held = value.const_value  # What an input is when the caller gives nothing.
    assert held is not None
    return held


def _changed(left: Value, right: Value) -> WeightDiff:
    before, after = _held(left), _held(right)
    sides = _side(left), _side(right)
    moved = arrangement(before, after)
    if moved:
        return WeightDiff("changed", *sides, how="layout", note=f"{moved} {left.name}")
    if list(before.shape) != list(after.shape):
        return WeightDiff("changed", *sides, how="shape", note=dtype_change(before, after))
    apart = distance(before, after)
    types = dtype_change(before, after)
    how, note = ("dtype", f"{types}: {apart.text()}") if types else ("values", apart.text())
    integers = is_dequantized(left), is_dequantized(right)
    if integers[0] != integers[1]:
        how, note = "quantized", f"integers {'now' if integers[1] else 'before'}: {apart.text()}"
    return WeightDiff("changed", *sides, how=how, note=note, distance=apart)


def _side(value: Value) -> WeightSide:
    held = _held(value)
    stored = "Constant node" if value.producer() is not None else "initializer"
    if value.is_graph_input():
        stored = "default of an input"
    elif is_dequantized(value):
        stored = "integers and a scale"
    return WeightSide(str(value.name), tensor_text(held), held.nbytes, stored)
