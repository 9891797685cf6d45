"""How an operator looks when its tensors are stored with their axes in another order.

The *layout* of a value ``v`` is a permutation ``p``: in its place stands
``Transpose[p](v)``, whose axis ``i`` is axis ``p[i]`` of ``v``. A :class:`Relayout` says what
becomes of a node: in which layouts it then reads and writes, and which axes it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from burnish.ir import Array, DataType, Node, attribute, constant, constant_array
from burnish.shapes import Shapes
from burnish.symbolic import Dim
from burnish_passes.proofs import operand

__all__ = [
    "Anchor",
    "Perm",
    "Relayout",
    "View",
    "follows",
    "inverse",
    "is_identity",
    "permutation",
    "renumbered",
    "widened",
]

Perm: TypeAlias = tuple[int, ...]


def inverse(perm: Perm) -> Perm:
    """The permutation that undoes ``perm``."""
    undone = [0] * len(perm)
    for place, axis in enumerate(perm):
        undone[axis] = place
    return tuple(undone)


def follows(first: Perm, then: Perm) -> Perm:
    """One Transpose for Transpose ``first`` followed by Transpose ``then``."""
    return tuple(first[axis] for axis in then)


def is_identity(perm: Perm) -> bool:
    """Whether ``perm`` leaves every axis in its place."""
    return all(place == axis for place, axis in enumerate(perm))


def permutation(node: Node, rank: int | None) -> Perm | None:
    """The ``perm`` of a Transpose; absent, it reverses the axes."""
    perm: Perm | None = attribute(node, "perm")
    if perm is not None:
        return perm
    return None if rank is None else tuple(reversed(range(rank)))


def renumbered(perm: Perm, gone: Sequence[int]) -> Perm:
    """``perm`` without the axes in ``gone``, the others numbered anew."""
    kept = [axis for axis in range(len(perm)) if axis not in gone]
    return tuple(kept.index(axis) for axis in perm if axis not in gone)


def widened(perm: Perm, axes: Sequence[int], wanted: Perm | None = None) -> Perm:
    """A permutation that is ``perm`` when ``axes`` are left out.

    ``wanted`` if it is one; otherwise ``axes`` keep their places.
    """
    fits = wanted is not None and len(wanted) == len(perm) + len(axes)
    if wanted is not None and fits and renumbered(wanted, axes) == perm:
        return wanted
    others = [axis for axis in range(len(perm) + len(axes)) if axis not in axes]
    rest = iter(perm)
    return tuple(
        place if place in axes else others[next(rest)] for place in range(len(perm) + len(axes))
    )


@dataclass(frozen=True)
class Relayout:
    """A node in other layouts.

    Attributes:
        operands: the layout of each input; None where it is read as it is.
        results: the layout of each output; None where it is as before.
        attributes: attributes that change; None removes one.
        constants: inputs that become these arrays.
        shapes: constant inputs of lower rank: their shape at full rank.
        unsqueezed: computed inputs of lower rank: the axes that an Unsqueeze adds to them.
    """

    operands: tuple[Perm | None, ...]
    results: tuple[Perm | None, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[int, Array] = field(default_factory=dict)
    shapes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    unsqueezed: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Anchor:
    """The value through which a node is reached: one of its outputs, or one of its inputs.

    Attributes:
        index: which.
        upward: whether it is an output.
        perm: the layout of that value.
    """

    index: int
    upward: bool
    perm: Perm


@dataclass(frozen=True)
class View:
    """A node, and the questions its relayout asks."""

    node: Node
    opset: int
    shapes: Shapes

    def shape(self, index: int) -> tuple[Dim, ...] | None:
        """The shape of an input."""
        value = operand(self.node, index)
        return None if value is None else self.shapes.shape(value)

    def result_shape(self) -> tuple[Dim, ...] | None:
        """The shape of the first output."""
        return self.shapes.shape(self.node.outputs[0])

    def ints(self, name: str, index: int) -> tuple[int, ...] | None:
        """Integers given as attribute ``name`` or constant input ``index``."""
        held: Any = attribute(self.node, name)
        if held is not None:
            return (held,) if isinstance(held, int) else tuple(held)
        array = constant_array(operand(self.node, index))
        return None if array is None else tuple(int(item) for item in array.reshape(-1))

    def changed_ints(self, name: str, index: int, values: Sequence[int]) -> dict[str, Any]:
        """What a Relayout is given to write ``values`` where :meth:`ints` read them."""
        if name in self.node.attributes:
            single = isinstance(attribute(self.node, name), int)
            return {"attributes": {name: values[0] if single else list(values)}}
        dtype = constant(operand(self.node, index))
        kind = np.int64 if dtype is None else dtype.dtype.numpy()
        return {"constants": {index: np.array(values, dtype=kind)}}

    def same(self, anchor: Anchor, **changes: Any) -> Relayout:
        """Input 0 and every output in the anchor's layout, other inputs as they are."""
        others = len(self.node.inputs) - 1
        return Relayout(
            (anchor.perm, *[None] * others), (anchor.perm,) * len(self.node.outputs), **changes
        )

    def dtype(self, index: int) -> DataType | None:
        """The element type of an input."""
        value = operand(self.node, index)
        return None if value is None else self.shapes.dtype(value)
