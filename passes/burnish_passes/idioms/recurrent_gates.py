"""Reading what feeds the gates of a recurrent cell: sums of projections, split into gates.

Exporters write a cell as products of the input and of the state with all gates' weights side by
side, biases, and a Split into the gates. ONNX wants the gates stacked in its own order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from burnish.ir import Array, DataType, Node, Value, attribute, constant, constant_array
from burnish.match import Match
from burnish.symbolic import known_equal
from burnish_passes.idioms.attention_scores import made_by
from burnish_passes.movement.views import VIEWS
from burnish_passes.proofs import operand

__all__ = [
    "Projections",
    "StepBuilder",
    "Term",
    "gates_of",
    "one_bias",
    "read_projections",
    "require_one_batch",
    "require_rows",
    "stacked",
]


_TAKES_ROWS = ("Gather", "Slice", "Split", *VIEWS)


@dataclass(frozen=True)
class Term:
    """``MatMul(x, weight)``, or ``MatMul(x, transpose(weight))``.

    Attributes:
        x: what is multiplied, ``[batch, features]``.
        weight: a constant.
        transposed: whether the weight has one row for each result.
    """

    x: Value
    weight: Value
    transposed: bool

    @property
    def array(self) -> Array:
        """The weight, one row for each result."""
        array = constant_array(self.weight)
        assert array is not None
        return array if self.transposed else array.T


@dataclass
class Projections:
    """The sum of terms and biases that a value is, and the nodes that form it."""

    terms: list[Term] = field(default_factory=list)
    biases: list[Value] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)


def read_projections(m: Match, value: Value, count: int) -> Projections | None:
    """``value`` as the sum of ``count`` projections and any biases, or None."""
    found = Projections()
    whole = _read(m, value, found, count)
    return found if whole and len(found.terms) == count else None


def _read(m: Match, value: Value | None, found: Projections, count: int) -> bool:
    held = constant(value)
    if value is not None and held is not None:
        found.biases.append(value)
        return True
    node = made_by(m, value, "Add", "Gemm", "MatMul")
    if node is None or value is None or len(value.uses()) != 1 or value.is_graph_output():
        return False
    found.nodes.append(node)
    if node.op_type == "Add":
        return all(_read(m, item, found, count) for item in node.inputs)
    transposed = node.op_type == "Gemm" and bool(attribute(node, "transB", 0))
    if node.op_type == "Gemm":
        factors = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
        if factors != (1.0, 1.0) or attribute(node, "transA", 0):
            return False
    x, weight = node.inputs[0], constant(node.inputs[1])
    if x is None or weight is None or len(weight.shape) != 2 or len(found.terms) == count:
        return False
    assert node.inputs[1] is not None
    found.terms.append(Term(x, node.inputs[1], transposed))
    bias = operand(node, 2)
    return bias is None or _read(m, bias, found, count)


def gates_of(m: Match, gates: Sequence[Value]) -> tuple[Node, list[int]] | None:
    """The Split that has all ``gates`` as its equal parts, and which part each is."""
    split = made_by(m, gates[0], "Split")
    if split is None or len(split.outputs) != len(gates) or split.inputs[0] is None:
        return None
    shape = m.shape_of(split.inputs[0])
    if len(shape) != 2 or attribute(split, "axis", 0) not in (-1, 1):
        return None
    parts = list(split.outputs)
    if any(gate not in parts for gate in gates) or len(set(gates)) != len(gates):
        return None
    if len({m.shape_of(part)[-1] for part in parts}) != 1:
        return None
    alone = all(len(part.uses()) == 1 and not part.is_graph_output() for part in parts)
    return (split, [parts.index(gate) for gate in gates]) if alone else None


def require_rows(m: Match, value: Value, size: int | None) -> None:
    """Decline unless ``value`` is a matrix of single precision, of ``size`` columns if given."""
    shape = m.shape_of(value)
    m.require(len(shape) == 2, f"{value.name} has {len(shape)} axes, not a batch of rows")
    m.require(size is None or shape[1] == size, f"{value.name} is not as wide as the state")
    m.require(
        m.ctx.shapes.dtype(value) == DataType.FLOAT, "recurrent kernels take single precision only"
    )


def require_one_batch(m: Match, values: Sequence[Value]) -> None:
    """Decline unless all ``values`` have as many rows: sums repeat a single row, steps do not."""
    batch = m.shape_of(values[0])[0]
    for value in values[1:]:
        m.require(
            known_equal(m.shape_of(value)[0], batch),
            f"{value.name} may not have as many rows as {values[0].name}",
        )


def stacked(array: Array, order: Sequence[int]) -> Array:
    """The gates of ``array`` (in its first axis) in another order."""
    gates = np.split(array, len(order))
    return np.concatenate([gates[index] for index in order])


@dataclass(frozen=True)
class StepBuilder:
    """Makes the parts of one step, ``[1, batch, size]``, for a state of ``[batch, size]``.

    Attributes:
        before: the step that made the state, if one did; equal weights are shared with it.
        zero: the axis of steps as an input, where the opset wants one.
    """

    op: Any
    m: Match
    before: Node | None
    zero: Value | None

    @classmethod
    def after(cls, op: Any, m: Match, state: Value, op_type: str) -> StepBuilder:
        """For a step of ``op_type`` from ``state``."""
        squeeze = made_by(m, state, "Squeeze")
        made = None if squeeze is None else made_by(m, squeeze.inputs[0], op_type)
        zero = op.constant(np.array([0], dtype=np.int64)) if m.opset >= 13 else None
        return cls(op, m, made, zero)

    def require_sequence(self, x: Term, state: Term) -> None:
        """Decline a step that is no part of an unrolled sequence.

        In one, the input is a row of a larger value, and other cells have the same weights.
        """
        row = made_by(self.m, x.x, *_TAKES_ROWS)
        while row is not None and row.op_type in VIEWS:
            row = made_by(self.m, row.inputs[0], *_TAKES_ROWS)
        shared = self.before is not None or len(state.weight.uses()) > 1
        fixed = row is not None and (
            row.op_type != "Gather" or constant(operand(row, 1)) is not None
        )
        self.m.require(fixed and shared, "a single step, not one of an unrolled sequence")

    def moved(self, op_type: str, value: Value) -> Value:
        """``value`` with an axis of steps added by Unsqueeze, or removed by Squeeze."""
        build = getattr(self.op, op_type)
        made: Value = build(value, axes=[0]) if self.zero is None else build(value, self.zero)
        return made

    def held(self, index: int, array: Array, hint: str | None) -> Value:
        """Input ``index`` of the step: a constant of one direction."""
        shared = None if self.before is None else operand(self.before, index)
        known = constant_array(shared)
        if shared is not None and known is not None and np.array_equal(known[0], array):
            return shared
        made: Value = self.op.constant(array[np.newaxis], hint)
        return made


def one_bias(values: Sequence[Value], width: int) -> Array | None:
    """The sum of ``values`` as one row, or None when one of them has several rows."""
    total = np.zeros(width, dtype=np.float64)
    for value in values:
        array = constant_array(value)
        if array is None or array.size not in (1, width) or array.ndim > 2:
            return None
        if array.size == width and array.shape[-1:] != (width,):
            return None
        total += array.reshape(-1)
    return total.astype(np.float32)
