"""What a spelled-out rotation multiplies by the sines: the operand with its pairs exchanged.

A pair lies half the width apart (``concat(-x[half:], x[:half])``) or in a row
(``flatten(stack(-x[1::2], x[::2]))``).
"""

from __future__ import annotations

from burnish.ir import Node, Value, attribute, constant_array
from burnish.match import Match
from burnish.symbolic import known_equal
from burnish_passes.idioms.attention_scores import made_by
from burnish_passes.idioms.rotation import is_flattened
from burnish_passes.movement.views import known_axes
from burnish_passes.proofs import operand, same_shape, static_ints

__all__ = ["is_last_axis", "is_slice", "rotated_halves", "rotated_neighbours"]


def is_last_axis(axis: int | None, rank: int) -> bool:
    """Whether ``axis`` names the last of ``rank`` axes."""
    return axis in (-1, rank - 1)


def is_slice(m: Match, node: Node, source: Value, start: int, end: int, step: int = 1) -> bool:
    """Whether ``node`` is ``source[..., start:end:step]``, of a last axis of known size."""
    size = m.shape_of(source)[-1]
    if node.inputs[0] is not source or not isinstance(size, int):
        return False
    steps = static_ints(m, node, "", 4) if operand(node, 4) is not None else (1,)
    given = [static_ints(m, node, "", index) for index in (1, 2, 3)]
    if steps != (step,) or any(item is None or len(item) != 1 for item in given):
        return False
    first, last, axis = (item[0] for item in given if item is not None)
    whole = [min(place + size if place < 0 else place, size) for place in (first, last)]
    return whole == [start, end] and is_last_axis(axis, len(m.shape_of(source)))


def rotated_halves(m: Match) -> list[Node] | None:
    """The nodes that make ``concat(-x[half:], x[:half])``, or None when ``r`` is not that."""
    concat = made_by(m, m["r"], "Concat")
    if concat is None or len(concat.inputs) != 2:
        return None
    if not is_last_axis(attribute(concat, "axis"), len(m.shape("x"))):
        return None
    negative = made_by(m, concat.inputs[0], "Neg")
    if negative is None:
        return None
    upper, lower = negative.inputs[0], concat.inputs[1]
    split = made_by(m, upper, "Split")
    if split is not None:
        if not _is_half_split(m, split) or list(split.outputs) != [lower, upper]:
            return None
        return [concat, negative, split]
    first, second = made_by(m, lower, "Slice"), made_by(m, upper, "Slice")
    size = m.shape("x")[-1]
    if first is None or second is None or not isinstance(size, int) or size % 2:
        return None
    half = size // 2
    if is_slice(m, first, m["x"], 0, half) and is_slice(m, second, m["x"], half, size):
        return [concat, negative, first, second]
    return None


def _is_half_split(m: Match, split: Node) -> bool:
    if split.inputs[0] is not m["x"]:
        return False
    if not is_last_axis(attribute(split, "axis", 0), len(m.shape("x"))):
        return False
    halves = [m.shape_of(output)[-1] for output in split.outputs]
    return len(halves) == 2 and known_equal(halves[0], halves[1])


def rotated_neighbours(m: Match) -> list[Node] | None:
    """The nodes that make ``flatten(stack(-x[1::2], x[::2], -1))``, or None otherwise."""
    reshape = made_by(m, m["r"], "Reshape")
    concat = made_by(m, reshape.inputs[0] if reshape is not None else None, "Concat")
    if reshape is None or concat is None or len(concat.inputs) != 2:
        return None
    rank = len(m.shape("x"))
    if not is_last_axis(attribute(concat, "axis"), rank + 1):
        return None
    nodes: list[Node] = [reshape, concat]
    odd, signs = _every_second(m, concat.inputs[0], 1, nodes)
    even, other_signs = _every_second(m, concat.inputs[1], 0, nodes)
    if not odd or not even or signs != 1 or other_signs != 0:
        return None
    if not same_shape(m, m["x"], m["r"]) or not is_flattened(m, concat.outputs[0], m["r"]):
        return None
    return nodes


def _every_second(m: Match, value: Value | None, index: int, nodes: list[Node]) -> tuple[bool, int]:
    """Whether ``value`` is ``x[..., index::2]`` with a last axis added, and how often negated."""
    rank, signs, added = len(m.shape("x")), 0, False
    while (node := made_by(m, value, "Neg", "Unsqueeze")) is not None:
        if node.op_type == "Neg":
            signs += 1
        else:
            if added or known_axes(m, node) != (rank,):
                return False, 0
            added = True
        nodes.append(node)
        value = node.inputs[0]
    size = m.shape("x")[-1]
    if value is None or not isinstance(size, int):
        return False, 0
    strided = made_by(m, value, "Slice")
    if added and strided is not None and is_slice(m, strided, m["x"], index, size, 2):
        nodes.append(strided)
        return True, signs
    return _is_of_pairs(m, value, index, added, nodes), signs


def _is_of_pairs(m: Match, value: Value, index: int, added: bool, nodes: list[Node]) -> bool:
    """Whether ``value`` is element ``index`` of each pair in ``x`` as ``[..., n, 2]``."""
    rank = len(m.shape("x"))
    squeeze = made_by(m, value, "Squeeze")
    if squeeze is not None:
        if not added or known_axes(m, squeeze) != (rank,):
            return False
        nodes.append(squeeze)
        value, added = squeeze.inputs[0] or value, False
    node = made_by(m, value, "Gather", "Split")
    if node is None or node.inputs[0] is None:
        return False
    if not is_last_axis(attribute(node, "axis", 0), rank + 1):
        return False
    if node.op_type == "Split":
        chosen = len(node.outputs) == 2 and node.outputs[index] is value and not added
    else:
        at = constant_array(operand(node, 1))
        chosen = at is not None and at.ndim == (0 if added else 1) and at.size == 1
        chosen = (
            chosen and int(at.reshape(-1)[0]) in (index, index - 2) if at is not None else False
        )
    pairs = made_by(m, node.inputs[0], "Reshape")
    if not chosen or pairs is None or pairs.inputs[0] is not m["x"]:
        return False
    nodes.extend((node, pairs))
    return is_flattened(m, pairs.outputs[0], m["x"])
