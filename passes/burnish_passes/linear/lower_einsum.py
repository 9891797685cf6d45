"""Einsum spelled as the product, the sum or the transposition that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import DataType, Node, Value, constant
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish.symbolic import known_equal
from burnish_passes.linear.einsum import Equation, Product, parse_equation, product_of

_TYPES = frozenset(
    {DataType.FLOAT, DataType.DOUBLE, DataType.FLOAT16, DataType.INT32, DataType.INT64}
    | {DataType.UINT32, DataType.UINT64}
)


@dataclass(frozen=True)
class LowerEinsum(Rule):
    """Spell an Einsum as MatMul, Mul, ReduceSum and Transpose.

    ``Einsum["bij,bjk->bik"](x, y) => MatMul(x, y)``,
    ``Einsum["bhid,bhjd->bhij"](x, y) => MatMul(x, Transpose(y))``,
    ``Einsum["ij,ij->i"](x, y) => ReduceSum(x * y)``, ``Einsum["ij->ji"](x) => Transpose(x)``.

    Before::

        agraph (float[B,2,Q,3] x, float[B,2,K,3] y, float[4,5] w)
            => (float[B,2,Q,K] p, float[5,4] q, float[4] r) {
            p = Einsum <equation = "bhid,bhjd->bhij"> (x, y)
            q = Einsum <equation = "ij -> ji"> (w)
            r = Einsum <equation = "ij->i"> (w)
        }

    After::

        agraph (float[B,2,Q,3] x, float[B,2,K,3] y, float[4,5] w)
            => (float[B,2,Q,K] p, float[5,4] q, float[4] r) {
            t = Transpose <perm = [0, 1, 3, 2]> (y)
            p = MatMul(x, t)
            q = Transpose <perm = [1, 0]> (w)
            axes = Constant <value = int64[1] {1}> ()
            r = ReduceSum <keepdims = 0> (w, axes)
        }

    FLOAT: sums are formed in another order. A letter that is summed over must be of one size in
    both operands, because Einsum stretches a size of 1 and MatMul does not. Diagonals, ellipses,
    three operands, and what would take more nodes than ``most`` stay. Catalogue row A22. Source:
    Einstein's summation convention; ONNX operator specification of Einsum.

    Attributes:
        most: how many nodes an Einsum may become; transposing a constant costs none.
    """

    name: ClassVar[str] = "lower-einsum"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    most: int = 3

    def before(self, op: Any) -> Any:
        return op.Einsum(..., _name="einsum")

    def after(self, op: Any, m: Match) -> Any:
        operands = [value for value in m.root.inputs if value is not None]
        equation = parse_equation(m.attr("einsum", "equation", ""))
        if equation is None:
            m.decline("the equation has an ellipsis or a diagonal")
        m.require(len(operands) == len(equation.terms) <= 2, "it has more than two operands")
        for value, term in zip(operands, equation.terms, strict=True):
            m.require(len(m.shape_of(value)) == len(term), "an operand does not fit its letters")
            dtype = m.ctx.shapes.dtype(value)
            supported = dtype in _TYPES or (dtype == DataType.BFLOAT16 and m.opset >= 13)
            m.require(supported, "the type is not one that all its parts have")
        if len(operands) == 1:
            made = self.reduced(op, m, operands[0], equation.terms[0], equation.result)
        else:
            made = self.product(op, m, operands, equation)
        costs = sum(not _is_free(node) for node in op.nodes)
        m.require(costs <= self.most, f"it would become {costs} nodes")
        return made

    def product(self, op: Any, m: Match, operands: Sequence[Value], equation: Equation) -> Value:
        """Two operands multiplied."""
        x, y = operands
        left, right = equation.terms
        if not set(left) & set(right) - set(equation.result):
            return self.elementwise(op, m, operands, equation)
        plan = product_of(equation)
        if plan is None:
            m.require(left == right, f"{left},{right}->{equation.result} is no product of matrices")
            return self.reduced(op, m, op.Mul(x, y), left, equation.result)
        _require_one_size(m, operands, equation, plan.summed)
        return _multiplied(op, m, operands, equation, plan)

    def reduced(self, op: Any, m: Match, x: Value, term: str, result: str) -> Value:
        """Sum over the letters that are not in the result, and order those that are."""
        gone = [axis for axis, letter in enumerate(term) if letter not in result]
        if gone:
            x = _summed(op, m, x, gone)
        left = "".join(letter for letter in term if letter in result)
        return _ordered(op, x, left, result)

    def elementwise(
        self, op: Any, m: Match, operands: Sequence[Value], equation: Equation
    ) -> Value:
        """Nothing is summed over: the operands are laid along the axes of the result."""
        result, laid = equation.result, []
        for value, term in zip(operands, equation.terms, strict=True):
            m.require(set(term) <= set(result), "a letter of one operand alone is summed over")
            order = "".join(letter for letter in result if letter in term)
            # Axes in front of the first are put in by broadcasting.
            tail = result[result.index(order[0]) :] if order else ""
            missing = [axis for axis, letter in enumerate(tail) if letter not in term]
            laid.append(_with_axes(op, m, _ordered(op, value, term, order), missing))
        made: Value = op.Mul(*laid)
        return made


def _is_free(node: Node) -> bool:
    """Whether folding constants will remove the node again."""
    turned = node.op_type == "Transpose" and constant(node.inputs[0]) is not None
    return turned or node.op_type == "Constant"


def _require_one_size(m: Match, operands: Sequence[Value], equation: Equation, letter: str) -> None:
    one, other = (
        m.shape_of(value)[term.index(letter)]
        for value, term in zip(operands, equation.terms, strict=True)
    )
    m.require(known_equal(one, other), f"{letter} may be stretched: {one} and {other}")


def _multiplied(
    op: Any, m: Match, operands: Sequence[Value], equation: Equation, plan: Product
) -> Value:
    first, second = (1, 0) if plan.exchanged else (0, 1)
    left = _ordered(op, operands[first], equation.terms[first], plan.left)
    right = _ordered(op, operands[second], equation.terms[second], plan.right)
    return _ordered(op, op.MatMul(left, right), plan.made, equation.result)


def _ordered(op: Any, x: Value, letters: str, wanted: str) -> Value:
    """``x`` with its axes ``letters`` in the order ``wanted``."""
    if letters == wanted:
        return x
    made: Value = op.Transpose(x, perm=[letters.index(letter) for letter in wanted])
    return made


def _summed(op: Any, m: Match, x: Value, axes: Sequence[int]) -> Value:
    if m.opset < 13:
        made: Value = op.ReduceSum(x, axes=list(axes), keepdims=0)
        return made
    made = op.ReduceSum(x, op.constant(np.array(axes, dtype=np.int64)), keepdims=0)
    return made


def _with_axes(op: Any, m: Match, x: Value, axes: Sequence[int]) -> Value:
    """``x`` with axes of size 1 put in at those places."""
    if not axes:
        return x
    if m.opset < 13:
        made: Value = op.Unsqueeze(x, axes=list(axes))
        return made
    made = op.Unsqueeze(x, op.constant(np.array(axes, dtype=np.int64)))
    return made
