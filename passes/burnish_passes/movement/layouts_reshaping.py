"""Other layouts of operators that remove, add, join or split axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from burnish.ir import Value, attribute
from burnish.shapes import REDUCTIONS
from burnish.symbolic import Dim, known_equal, product
from burnish_passes.movement.layouts import (
    Anchor,
    Perm,
    Relayout,
    View,
    inverse,
    permutation,
    renumbered,
    widened,
)
from burnish_passes.movement.layouts_elementwise import Handler
from burnish_passes.movement.views import expressible
from burnish_passes.proofs import has_static_contents, whole_axes

__all__ = ["RESHAPING"]


def _produced(value: Value | None) -> Perm | None:
    """The layout in which ``value`` needs no Transpose, if one makes it."""
    node = None if value is None else value.producer()
    if node is None or node.op_type != "Transpose" or node.domain:
        return None
    perm = permutation(node, None)
    return None if perm is None else inverse(perm)


def _asked(value: Value) -> Perm | None:
    """The layout a Transpose asks of ``value``, if one reads it."""
    for reader in value.consumers():
        if reader.op_type == "Transpose" and not reader.domain:
            return permutation(reader, None)
    return None


def _removal(
    view: View, anchor: Anchor, axes: Sequence[int], changes: dict[str, Any]
) -> Relayout | None:
    """A node whose result lacks ``axes`` of input 0; ``changes`` still name them as they were."""
    if anchor.upward:
        given = widened(anchor.perm, axes, _produced(view.node.inputs[0]))
        result = anchor.perm
    else:
        given, result = anchor.perm, renumbered(anchor.perm, axes)
    others = (None,) * (len(view.node.inputs) - 1)
    return Relayout((given, *others), (result,), **changes)


def _given_perm(view: View, anchor: Anchor, axes: Sequence[int]) -> Perm:
    if not anchor.upward:
        return anchor.perm
    return widened(anchor.perm, axes, _produced(view.node.inputs[0]))


def _reduce(view: View, anchor: Anchor) -> Relayout | None:
    """Reduce*, ArgMax and ArgMin."""
    node = view.node
    source = view.shape(0)
    if source is None or not (anchor.upward or anchor.index == 0):
        return None
    rank = len(source)
    name = "axis" if node.op_type in ("ArgMax", "ArgMin") else "axes"
    given = view.ints(name, 1)
    if name == "axis" and given is None:
        given = (0,)
    keeps = attribute(node, "keepdims", 1)
    changes: dict[str, Any] = {}
    if given is None:
        if has_static_contents(node, "axes", 1) or attribute(node, "noop_with_empty_axes", 0):
            return None
        axes: tuple[int, ...] = tuple(range(rank))
    else:
        found = whole_axes(given, rank)
        if not found:
            return None
        axes = found
    perm = anchor.perm if keeps else _given_perm(view, anchor, axes)
    if given is not None:
        places = sorted(perm.index(axis) for axis in axes)
        absent = name == "axis" and name not in node.attributes
        changes = (
            {"attributes": {"axis": places[0]}} if absent else view.changed_ints(name, 1, places)
        )
    if not keeps:
        return _removal(view, anchor, axes, changes)
    others = (None,) * (len(node.inputs) - 1)
    return Relayout((perm, *others), (perm,), **changes)


def _squeeze(view: View, anchor: Anchor) -> Relayout | None:
    source = view.shape(0)
    if source is None or not (anchor.upward or anchor.index == 0):
        return None
    given = view.ints("axes", 1)
    if given is None:
        known = all(isinstance(dim, int) for dim in source)
        if not known or has_static_contents(view.node, "axes", 1):
            return None
        axes = tuple(axis for axis, dim in enumerate(source) if dim == 1)
        return _removal(view, anchor, axes, {})
    found = whole_axes(given, len(source))
    if not found:
        return None
    perm = _given_perm(view, anchor, found)
    places = sorted(perm.index(axis) for axis in found)
    return _removal(view, anchor, found, view.changed_ints("axes", 1, places))


def _unsqueeze(view: View, anchor: Anchor) -> Relayout | None:
    result = view.result_shape()
    given = view.ints("axes", 1)
    if result is None or not given or not (anchor.upward or anchor.index == 0):
        return None
    axes = whole_axes(given, len(result))
    if not axes:
        return None
    if anchor.upward:
        perm, source = anchor.perm, renumbered(anchor.perm, axes)
    else:
        perm = widened(anchor.perm, axes, _asked(view.node.outputs[0]))
        source = anchor.perm
    places = sorted(perm.index(axis) for axis in axes)
    others = (None,) * (len(view.node.inputs) - 1)
    return Relayout((source, *others), (perm,), **view.changed_ints("axes", 1, places))


def _gather(view: View, anchor: Anchor) -> Relayout | None:
    """The axes of the indices stand where the gathered axis stood."""
    source, indices = view.shape(0), view.shape(1)
    if source is None or indices is None or not (anchor.upward or anchor.index == 0):
        return None
    axis = attribute(view.node, "axis", 0) % len(source)
    more = len(indices) - 1
    if anchor.upward:
        perm = _before_gather(anchor.perm, axis, more, _produced(view.node.inputs[0]))
        if perm is None:
            return None
    else:
        perm = anchor.perm
    result: list[int] = []
    for item in perm:
        if item == axis:
            result.extend(range(axis, axis + more + 1))
        else:
            result.append(item if item < axis else item + more)
    return Relayout((perm, None), (tuple(result),), attributes={"axis": perm.index(axis)})


def _before_gather(result: Perm, axis: int, more: int, wanted: Perm | None) -> Perm | None:
    """The layout of the data that gives the result the layout ``result``, or None."""
    if more < 0:
        return widened(result, (axis,), wanted)
    start = result.index(axis)
    run = range(axis, axis + more + 1)
    if result[start : start + more + 1] != tuple(run):
        return None
    kept = [item for item in result if item not in run or item == axis]
    return tuple(item if item <= axis else item - more for item in kept)


Group = tuple[tuple[int, ...], tuple[int, ...]]


def _groups(before: Sequence[Dim], after: Sequence[Dim]) -> list[Group] | None:
    """Runs of axes of ``before`` and of ``after`` that hold the same elements.

    An axis of size 1 that has no partner stands alone.
    """
    found: list[Group] = []
    i = j = 0
    while i < len(before) or j < len(after):
        left = before[i] if i < len(before) else 1
        right = after[j] if j < len(after) else 1
        if i < len(before) and j < len(after) and known_equal(left, right):
            group: Group = ((i,), (j,))
        elif i < len(before) and left == 1:
            group = ((i,), ())
        elif j < len(after) and right == 1:
            group = ((), (j,))
        else:
            run = _shortest_run(before[i:], after[j:])
            if run is None:
                return None
            group = (tuple(range(i, i + run[0])), tuple(range(j, j + run[1])))
        found.append(group)
        i, j = i + len(group[0]), j + len(group[1])
    return found


def _shortest_run(before: Sequence[Dim], after: Sequence[Dim]) -> tuple[int, int] | None:
    """How many axes of each side hold the same number of elements, as few as can be."""
    left = [product(before[: count + 1]) for count in range(len(before))]
    right = [product(after[: count + 1]) for count in range(len(after))]
    pairs = [(i, j) for i in range(len(left)) for j in range(len(right))]
    for i, j in sorted(pairs, key=sum):
        if known_equal(left[i], right[j]):
            return i + 1, j + 1
    return None


def _across(
    perm: Perm,
    groups: Sequence[Group],
    near: Sequence[Dim],
    far: Sequence[Dim],
    wanted: Perm | None,
) -> Perm | None:
    """The layout on the far side of a Reshape, or None when ``perm`` takes a group apart.

    ``groups`` name axes of the near side first.
    """
    if _in_order(axis for axis in perm if near[axis] != 1):
        return tuple(range(len(far)))
    alone = [axis for mine, others in groups if not mine for axis in others]
    placed: list[int] = []
    done: set[Group] = set()
    owner = {axis: group for group in groups for axis in group[0]}
    for place, axis in enumerate(perm):
        group = owner[axis]
        if group in done:
            continue
        mine = tuple(item for item in perm[place:] if item in group[0])
        if mine != perm[place : place + len(mine)] or list(mine) != list(group[0]):
            return None
        done.add(group)
        placed.extend(group[1])
    kept = tuple(axis for axis in range(len(far)) if axis not in alone)
    return widened(tuple(kept.index(axis) for axis in placed), alone, wanted)


def _in_order(axes: Iterable[int]) -> bool:
    found = list(axes)
    return found == sorted(found)


def _reshape(view: View, anchor: Anchor) -> Relayout | None:
    """Reshape: axes that it joins or splits move together."""
    before, after = view.shape(0), view.result_shape()
    if before is None or after is None or view.opset < 5:
        return None
    if not (anchor.upward or anchor.index == 0):
        return None
    groups = _groups(before, after)
    if groups is None:
        return None
    if anchor.upward:
        swapped = [(others, mine) for mine, others in groups]
        wanted = _produced(view.node.inputs[0])
        given, result = _across(anchor.perm, swapped, after, before, wanted), anchor.perm
        if given is None:
            return None
    else:
        given = anchor.perm
        across = _across(given, groups, before, after, _asked(view.node.outputs[0]))
        if across is None:
            return None
        result = across
    sizes = expressible([before[axis] for axis in given], [after[axis] for axis in result])
    if sizes is None:
        return None
    return Relayout(
        (given, None),
        (result,),
        attributes={"allowzero": None},
        constants={1: np.array(sizes, dtype=np.int64)},
    )


RESHAPING: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        **dict.fromkeys(("ArgMax", "ArgMin", *REDUCTIONS), _reduce),
        "Gather": _gather,
        "Reshape": _reshape,
        "Squeeze": _squeeze,
        "Unsqueeze": _unsqueeze,
    }
)
"""By operator type."""
