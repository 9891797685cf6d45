"""What is known about a value, and the view of one node that a shape rule works on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from burnish.ir import Array, DataType, Node, attribute
from burnish.symbolic import Dim, Expr, Unknowns, is_nonnegative, weight

__all__ = [
    "INTEGERS",
    "MAX_ELEMENTS",
    "NOTHING",
    "ContentsRule",
    "Element",
    "Facts",
    "NodeFacts",
    "Shape",
    "ShapeRule",
    "SymbolicTensor",
    "as_axis",
    "is_manageable",
]

MAX_ELEMENTS = 64
# Larger expressions say nothing a rewrite could use, and repeated products would grow for ever.
_MAX_WEIGHT = 64
_MAX_FACTOR = 2**63

INTEGERS = frozenset(
    {
        DataType.INT64,
        DataType.INT32,
        DataType.INT16,
        DataType.INT8,
        DataType.UINT64,
        DataType.UINT32,
        DataType.UINT16,
        DataType.UINT8,
        DataType.BOOL,
    }
)

Shape: TypeAlias = tuple[Dim, ...]
Element: TypeAlias = Dim | float


@dataclass(frozen=True, slots=True)
class SymbolicTensor:
    """The elements of a small tensor, as far as they are known.

    Attributes:
        dtype: element type. Floats are always numbers; integers and booleans (0 or 1) may be
            expressions, and an unknown element is an unknown (see ``symbolic.Unknowns``).
        shape: sizes, all static; ``()`` is a scalar.
        elements: row-major, as many as ``shape`` says.
    """

    dtype: DataType
    shape: tuple[int, ...]
    elements: tuple[Element, ...]

    @property
    def is_constant(self) -> bool:
        """Whether every element is a number."""
        return not any(isinstance(element, Expr) for element in self.elements)

    @property
    def rank(self) -> int:
        return len(self.shape)

    def dims(self) -> tuple[Dim, ...] | None:
        """The elements when they are integers, else None."""
        if self.dtype not in INTEGERS:
            return None
        return tuple(element for element in self.elements if not isinstance(element, float))

    def ints(self) -> tuple[int, ...] | None:
        """The elements when all are integer numbers, else None."""
        if self.dtype not in INTEGERS:
            return None
        found = tuple(element for element in self.elements if isinstance(element, int))
        return found if len(found) == len(self.elements) else None

    def floats(self) -> tuple[float, ...] | None:
        """The elements as floats when all are numbers, else None."""
        found = tuple(float(item) for item in self.elements if not isinstance(item, Expr))
        return found if len(found) == len(self.elements) else None

    def array(self) -> Array:
        """The elements as an object array of ``shape``."""
        cells = np.empty(len(self.elements), dtype=object)
        cells[:] = self.elements
        return cells.reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one value.

    Attributes:
        dtype: element type, or None.
        shape: sizes, or None when even the rank is unknown.
        contents: the elements of a small tensor, or None.
    """

    dtype: DataType | None = None
    shape: Shape | None = None
    contents: SymbolicTensor | None = None


NOTHING = Facts()


class NodeFacts:
    """One node with the facts of its inputs.

    Attributes:
        node: the node.
        version: the opset its operator is written in.
        inputs: facts per input; None for an omitted one.
        branches: facts of the outputs of its subgraphs, in attribute order.
    """

    __slots__ = ("_unknowns", "branches", "inputs", "node", "version")

    def __init__(
        self,
        node: Node,
        version: int,
        inputs: list[Facts | None],
        branches: list[list[Facts]],
        unknowns: Unknowns,
    ) -> None:
        self.node = node
        self.version = version
        self.inputs = inputs
        self.branches = branches
        self._unknowns = unknowns

    def has(self, index: int) -> bool:
        """Whether input ``index`` is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def facts(self, index: int) -> Facts:
        """The facts of input ``index``; nothing when omitted."""
        found = self.inputs[index] if index < len(self.inputs) else None
        return NOTHING if found is None else found

    def shape(self, index: int) -> Shape | None:
        return self.facts(index).shape

    def contents(self, index: int) -> SymbolicTensor | None:
        return self.facts(index).contents

    def attribute(self, name: str, default: Any = None) -> Any:
        return attribute(self.node, name, default)

    def size(self) -> Expr:
        """A fresh unknown size, >= 0."""
        return self._unknowns.size()

    def integer(self) -> Expr:
        """A fresh unknown integer."""
        return self._unknowns.integer()

    def sizes(self, count: int) -> Shape:
        """``count`` fresh unknown sizes."""
        return tuple(self.size() for _ in range(count))

    def as_size(self, dim: Dim) -> Dim:
        """``dim`` if it can be a size and is small enough to carry, else a fresh unknown."""
        if isinstance(dim, int):
            return dim if dim >= 0 else self.size()
        if is_nonnegative(dim) is False or not is_manageable(dim):
            return self.size()
        return dim

    def ints(self, index: int, name: str) -> tuple[int, ...] | None:
        """Integers given as attribute ``name`` (older opsets) or as constant input ``index``."""
        held: int | tuple[int, ...] | None = self.attribute(name)
        if held is not None:
            return (held,) if isinstance(held, int) else held
        contents = self.contents(index)
        return None if contents is None else contents.ints()

    def dims(self, index: int) -> tuple[Dim, ...] | None:
        """The elements of integer input ``index``, or None."""
        contents = self.contents(index)
        return None if contents is None else contents.dims()


def is_manageable(dim: Expr) -> bool:
    """Whether an expression is small enough to be worth carrying."""
    return weight(dim) <= _MAX_WEIGHT and all(abs(f) < _MAX_FACTOR for _, f in dim.terms)


ShapeRule: TypeAlias = Callable[[NodeFacts], Iterable[Shape | None] | None]
ContentsRule: TypeAlias = Callable[[NodeFacts], Iterable[Array | None] | None]


def as_axis(axis: int, rank: int) -> int | None:
    """``axis`` counted from the front, or None when out of range for ``rank``."""
    if axis < -rank or axis >= rank:
        return None
    return axis % rank if rank else 0
