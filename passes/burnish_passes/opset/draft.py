"""A node on paper: how it will be written at a later opset, before anything is changed.

Raising must not stop half-way, so every node is first rewritten as a :class:`Draft`. Only when all
of them succeeded does the pass change the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from burnish.ir import Array, Attr, DataType, Node, Value, convert_attributes
from burnish.shapes import Shapes

__all__ = ["RAW", "CannotRaise", "Draft", "Made", "New", "Operand", "Place"]


class CannotRaise(Exception):
    """A node has no equal at the next opset; the message says why."""


@dataclass(frozen=True, eq=False)
class New:
    """A constant to be made; ``hint`` ends its name."""

    array: Array
    hint: str


@dataclass(frozen=True, eq=False)
class Made:
    """A node with one result to be made, written in the opset aimed at."""

    op_type: str
    inputs: tuple[Operand, ...]
    attributes: Mapping[str, int] = field(default_factory=dict)


class _Raw:
    """Stands for the first result of the raised node in :attr:`Draft.after`."""


RAW = _Raw()

Operand: TypeAlias = "Value | New | Made | _Raw | None"


@dataclass(frozen=True)
class Place:
    """What adapters may ask.

    Attributes:
        to: the opset aimed at.
        shapes: shapes and types of the values of the model.
    """

    to: int
    shapes: Shapes

    def dtype(self, value: Operand) -> DataType:
        """The element type of ``value``.

        Raises:
            CannotRaise: it is not known.
        """
        dtype = self.shapes.dtype(value) if isinstance(value, Value) else None
        if dtype is None:
            raise CannotRaise("the type of its input is not known")
        return dtype

    def float_dtype(self, value: Operand) -> np.dtype[Any]:
        """The numpy type of ``value``, which the operator says is a float type."""
        return np.dtype(self.dtype(value).numpy())


class Draft:
    """How a node will be written.

    Attributes:
        node: the node as it stands.
        op_type: its operator.
        inputs: what it reads.
        attributes: its attributes.
        outputs: how many of its results it keeps; the others have no reader.
        after: what stands for its first result, or None for that result itself.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.op_type = node.op_type
        self.inputs: list[Operand] = list(node.inputs)
        self.attributes: dict[str, Attr] = dict(node.attributes.items())
        self.outputs = len(node.outputs)
        self.after: Made | None = None

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of attribute ``name``.

        Raises:
            CannotRaise: it is a parameter of the surrounding function.
        """
        attr = self.attributes.get(name)
        if attr is None:
            return default
        if attr.is_ref():
            raise CannotRaise(f"its attribute {name} is a function parameter")
        return tuple(attr.value) if isinstance(attr.value, (list, tuple)) else attr.value

    def take(self, name: str, default: Any = None) -> Any:
        """The value of attribute ``name``, which it has no more from now on."""
        value = self.attribute(name, default)
        self.attributes.pop(name, None)
        return value

    def set(self, name: str, value: int | str) -> None:
        """Give it attribute ``name``."""
        self.attributes[name] = convert_attributes({name: value})[0]

    def operand(self, index: int) -> Operand:
        """Input ``index``, or None when it is absent."""
        return self.inputs[index] if index < len(self.inputs) else None

    def set_input(self, index: int, operand: Operand) -> None:
        """Make ``operand`` its input ``index``."""
        self.inputs.extend([None] * (index + 1 - len(self.inputs)))
        self.inputs[index] = operand

    def ints_to_input(self, name: str, index: int) -> None:
        """Make the integers of attribute ``name``, if there are any, its input ``index``."""
        held = self.take(name)
        if held is not None and held != ():
            self.set_input(index, New(np.array(held, dtype=np.int64), name))

    def keep_outputs(self, count: int, why: str) -> None:
        """Drop all but the first ``count`` results.

        Raises:
            CannotRaise: one of the others has a reader.
        """
        for output in self.node.outputs[count : self.outputs]:
            if output.uses() or output.is_graph_output():
                raise CannotRaise(why)
        self.outputs = min(self.outputs, count)

    @property
    def is_changed(self) -> bool:
        """Whether the node will be written otherwise than it is."""
        node = self.node
        return (
            self.op_type != node.op_type
            or self.after is not None
            or self.outputs != len(node.outputs)
            or self.inputs != list(node.inputs)
            or self.attributes != dict(node.attributes.items())
        )
