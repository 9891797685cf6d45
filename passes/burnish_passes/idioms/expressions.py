"""Reading an idiom: what is computed from what, in whatever order it was written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from burnish.ir import DataType, Node, Value, constant
from burnish.match import Match
from burnish_passes.proofs import operand

__all__ = [
    "Polynomial",
    "claim",
    "close",
    "found_upstream",
    "is_near",
    "made_by",
    "number",
    "operands",
    "polynomial",
    "power_of",
    "precision",
]

Polynomial: TypeAlias = dict[tuple[int, ...], float]
"""Coefficients by the exponents of the symbols: ``{(1, 0): 2.0}`` is two times the first."""

_PRECISION: Mapping[DataType, float] = {
    DataType.FLOAT: 2.0**-23,
    DataType.FLOAT16: 2.0**-10,
    DataType.BFLOAT16: 2.0**-7,
    DataType.DOUBLE: 2.0**-52,
}
_MAX_DEPTH = 7
_MAX_DEGREE = 4


def made_by(m: Match, value: Value | None, *op_types: str) -> Node | None:
    """The node that makes ``value`` if it is one of these ONNX operators, in the same graph."""
    node = None if value is None else value.producer()
    if node is None or node.op_type not in op_types or node.domain:
        return None
    return node if node.graph is m.root.graph else None


def operands(node: Node) -> tuple[Value, Value] | None:
    """The two inputs of a binary operator."""
    if len(node.inputs) != 2:
        return None
    left, right = node.inputs
    return None if left is None or right is None else (left, right)


def number(value: Value | None) -> float | None:
    """The one number a constant tensor of a single element holds."""
    held = constant(value)
    if held is None or held.size != 1 or held.dtype == DataType.STRING:
        return None
    array = held.numpy()
    return None if array.dtype.kind == "c" else float(array.reshape(-1)[0])


def precision(m: Match, value: Value) -> float:
    """The distance from 1 to the next number of the element type, which must be floating point."""
    dtype = m.ctx.shapes.dtype(value)
    known = None if dtype is None else _PRECISION.get(dtype)
    if known is None:
        m.decline("it is not computed in floating point of 16, 32 or 64 bits")
    return known


def is_near(held: float, wanted: float, unit: float) -> bool:
    """Whether a constant is the wanted one, rounded (twice at most) to that precision."""
    return abs(held - wanted) <= 4 * unit * abs(wanted)


def close(held: Polynomial | None, wanted: Polynomial, unit: float) -> bool:
    """Whether a polynomial has the wanted terms, and no other."""
    if held is None or held.keys() != wanted.keys():
        return False
    return all(is_near(held[key], wanted[key], unit) for key in wanted)


def power_of(m: Match, value: Value | None) -> tuple[Value, float] | None:
    """``(x, n)`` where ``value`` is ``Pow(x, n)``, or a Sqrt, Reciprocal, or product with itself."""
    node = made_by(m, value, "Pow", "Sqrt", "Reciprocal", "Mul")
    if node is None or not node.inputs or node.inputs[0] is None:
        return None
    base = node.inputs[0]
    if node.op_type == "Sqrt":
        return base, 0.5
    if node.op_type == "Reciprocal":
        return base, -1.0
    if node.op_type == "Mul":
        return (base, 2.0) if base is operand(node, 1) else None
    exponent = number(operand(node, 1))
    return None if exponent is None else (base, exponent)


def found_upstream(m: Match, through: Sequence[str], wanted: Sequence[str]) -> Iterator[Node]:
    """The nodes of the wanted types that feed the root through the given ones, nearest first."""
    level = [m.root]
    for _ in range(_MAX_DEPTH):
        following: dict[Node, None] = {}
        for node in level:
            for value in node.inputs:
                producer = None if value is None else value.producer()
                if producer is None or producer.domain or producer.graph is not m.root.graph:
                    continue
                if producer.op_type in wanted:
                    yield producer
                elif producer.op_type in through and len(following) < _MAX_DEPTH:
                    following[producer] = None
        level = list(following)


def polynomial(m: Match, value: Value | None, symbols: Sequence[Value]) -> Polynomial | None:
    """``value`` as a polynomial in ``symbols``, or None when it is none (or of high degree)."""
    return None if value is None else _polynomial(m, value, tuple(symbols), _MAX_DEPTH)


def _polynomial(
    m: Match, value: Value, symbols: tuple[Value, ...], depth: int
) -> Polynomial | None:
    for place, symbol in enumerate(symbols):
        if value is symbol:
            return {tuple(int(place == other) for other in range(len(symbols))): 1.0}
    held = number(value)
    if held is not None:
        return {(0,) * len(symbols): held} if held else {}
    node = made_by(m, value, "Add", "Sub", "Mul", "Div", "Neg", "Pow")
    if node is None or not depth or node.inputs[0] is None:
        return None
    left = _polynomial(m, node.inputs[0], symbols, depth - 1)
    if left is None or node.op_type == "Neg":
        return None if left is None else _scaled(left, -1.0)
    second = operand(node, 1)
    if second is None:
        return None
    if node.op_type == "Pow":
        return _power(left, number(second), len(symbols))
    right = _polynomial(m, second, symbols, depth - 1)
    if right is None:
        return None
    if node.op_type in ("Add", "Sub"):
        return _sum(left, right if node.op_type == "Add" else _scaled(right, -1.0))
    if node.op_type == "Mul":
        return _product(left, right)
    divisor = right.get((0,) * len(symbols))
    return None if divisor is None or len(right) != 1 else _scaled(left, 1.0 / divisor)


def _scaled(terms: Polynomial, factor: float) -> Polynomial:
    return {key: factor * held for key, held in terms.items()}


def _sum(left: Polynomial, right: Polynomial) -> Polynomial:
    total = dict(left)
    for key, held in right.items():
        total[key] = total.get(key, 0.0) + held
    return {key: held for key, held in total.items() if held}


def _product(left: Polynomial, right: Polynomial) -> Polynomial | None:
    total: Polynomial = {}
    for one, held in left.items():
        for other, factor in right.items():
            key = tuple(map(sum, zip(one, other, strict=True)))
            if sum(key) > _MAX_DEGREE:
                return None
            total = _sum(total, {key: held * factor})
    return total


def _power(base: Polynomial, exponent: float | None, symbols: int) -> Polynomial | None:
    if exponent not in (1.0, 2.0, 3.0):
        return None
    total: Polynomial | None = {(0,) * symbols: 1.0}
    for _ in range(int(exponent)):
        total = None if total is None else _product(total, base)
    return total


def claim(m: Match, *leaves: Value) -> None:
    """Take over every node between ``leaves`` and the result.

    Raises:
        Declined: when something else reads what one of them makes.
    """
    inner: dict[Node, None] = {}
    pending = [value for value in m.root.inputs if value is not None]
    while pending:
        value = pending.pop()
        node = None if value in leaves or constant(value) is not None else value.producer()
        if node is None or node in inner or node.graph is not m.root.graph:
            continue
        inner[node] = None
        pending.extend(value for value in node.inputs if value is not None)
    matched = set(m.nodes.values())
    for node in inner:
        for output in node.outputs:
            if output.is_graph_output():
                m.decline(f"{output.name} is a graph output")
            if any(use.node not in inner and use.node is not m.root for use in output.uses()):
                m.decline(f"{output.name} has another reader")
        if node not in matched:
            m.include(node)
