"""Passes that do wrong in each of the ways a pass can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import burnish.pipeline
from burnish.graph import Placement, replace_value
from burnish.ir import Model, Node, Scope, Shape, Value, make_tensor
from burnish.passdef import Context, Exactness, Pass
from burnish.registry import pass_types

__all__ = ["Breaks", "Drifts", "Fails", "Misdeclares", "Overflows", "Quietly", "register"]


def multiply(value: Value, factor: float, model: Model, ctx: Context) -> None:
    """Let readers of ``value``, all but outputs, read it times ``factor``."""
    scope = Scope(model.graph, model.opset_imports, None, 0)
    producer = value.producer()
    assert producer is not None
    held = make_tensor(np.array(factor, dtype=np.float32))
    factor_value = Placement(scope).add_constant(held, ctx.names.fresh("factor"))
    product = Node("", "Mul", [None, factor_value])
    product.outputs[0].name = ctx.names.fresh(f"{value.name}_scaled")
    scope.graph.insert_after(producer, product)
    replace_value(value, product.outputs[0], fresh=True)
    value.name = ctx.names.fresh(f"{product.outputs[0].name}_plain")
    product.replace_input_with(0, value)


def middle(model: Model, op_type: str) -> list[Node]:
    """Nodes whose result is not an output."""
    nodes = [node for node in model.graph if node.op_type == op_type]
    return [node for node in nodes if not node.outputs[0].is_graph_output()]


@dataclass(frozen=True)
class Drifts(Pass):
    """Rounds a little at every node of a kind: no single one is to blame."""

    name: ClassVar[str] = "drifts"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True
    op: str = "Neg"

    def run(self, model: Model, ctx: Context) -> None:
        for node in middle(model, self.op):
            if ctx.applies(self.name, node):
                multiply(node.outputs[0], 1.00004, model, ctx)


@dataclass(frozen=True)
class Quietly(Pass):
    """Changes a weight without a word, and announces something harmless besides."""

    name: ClassVar[str] = "quietly"
    announces: bool = False

    def run(self, model: Model, ctx: Context) -> None:
        if self.announces:
            for node in middle(model, "Identity"):
                if ctx.applies(self.name, node):
                    node.name = f"{node.outputs[0].name}_told"
        for value in model.graph.initializers.values():
            assert value.const_value is not None
            value.const_value = make_tensor(value.const_value.numpy() + 1)


@dataclass(frozen=True)
class Fails(Pass):
    """Raises at the second Neg, right after it was allowed to change it."""

    name: ClassVar[str] = "fails"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        for number, node in enumerate(middle(model, "Neg")):
            if ctx.applies(self.name, node) and number == 1:
                raise ZeroDivisionError("by design")


@dataclass(frozen=True)
class Breaks(Pass):
    """Writes an operator that no runtime knows."""

    name: ClassVar[str] = "breaks"
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        for node in middle(model, "Sin"):
            if ctx.applies(self.name, node):
                node.op_type = "Sinus"


@dataclass(frozen=True)
class Misdeclares(Pass):
    """Declares another shape than a value has, which no line of text shows."""

    name: ClassVar[str] = "misdeclares"

    def run(self, model: Model, ctx: Context) -> None:
        for node in middle(model, "Sin"):
            node.outputs[0].shape = Shape([7])


@dataclass(frozen=True)
class Overflows(Pass):
    """Makes a number small and large again: wrong where it is small already."""

    name: ClassVar[str] = "overflows"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    counted: ClassVar[bool] = True

    def run(self, model: Model, ctx: Context) -> None:
        for node in middle(model, "Identity"):
            if ctx.applies(self.name, node):
                multiply(node.outputs[0], 2.0**120, model, ctx)  # stands after the next one
                multiply(node.outputs[0], 2.0**-120, model, ctx)


def register(patch: pytest.MonkeyPatch) -> None:
    """Make these passes known by name."""
    ours = (Breaks, Drifts, Fails, Misdeclares, Overflows, Quietly)
    known = {**pass_types(), **{item.name: item for item in ours}}
    patch.setattr(burnish.pipeline, "pass_types", lambda: known)
