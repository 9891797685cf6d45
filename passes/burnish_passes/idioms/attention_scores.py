"""Reading attention backwards: from the probabilities to the product of queries and keys.

Exporters put the same few things between ``MatMul(q, k^T)`` and ``Softmax``: factors on either
side, a cap, masks that are added or chosen, casts for a softmax in single precision.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from burnish.ir import DataType, Node, Value, attribute, constant_array
from burnish.match import Match
from burnish_passes.proofs import operand

__all__ = ["Mask", "Scores", "made_by", "read_scores", "scalar_of", "without_factors"]


@dataclass(frozen=True)
class Mask:
    """A mask of the scores.

    Attributes:
        value: what is added to the scores, or where they count.
        chosen: the number ``Where(value, scores, chosen)`` puts elsewhere; None when ``value`` is
            added.
    """

    value: Value
    chosen: float | None = None


@dataclass
class Scores:
    """``softcap(q k^T * scale) + masks`` as found.

    Attributes:
        nodes: the nodes that compute it, from the softmax backwards.
        softmax_precision: the type the softmax was computed in, when casts say so.
    """

    queries: Value
    keys_transposed: Value
    scale: float
    softcap: float = 0.0
    masks: list[Mask] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    softmax_precision: DataType | None = None


def made_by(m: Match, value: Value | None, *op_types: str) -> Node | None:
    """The node of one of these types that makes ``value``, in the graph of the match."""
    node = None if value is None else value.producer()
    if node is None or node.domain or node.op_type not in op_types:
        return None
    return node if node.graph is m.root.graph else None


def scalar_of(value: Value | None) -> float | None:
    """The number a constant of one element holds."""
    array = None if value is None else constant_array(value)
    if array is None or array.size != 1 or array.dtype.kind in "OSU":
        return None
    return float(array.reshape(-1)[0])


def _is_small(value: Value | None, rank: int) -> bool:
    """Whether a constant of one element cannot raise the rank of the other operand."""
    array = None if value is None else constant_array(value)
    return array is not None and array.ndim <= rank


def without_factors(m: Match, value: Value, nodes: list[Node]) -> tuple[Value, float]:
    """``value`` without constant factors, and their product."""
    factor = 1.0
    while True:
        node = made_by(m, value, "Mul", "Div")
        if node is None:
            return value, factor
        left, right = node.inputs
        number = scalar_of(right)
        if number is None and node.op_type == "Mul":
            left, right = right, left
            number = scalar_of(right)
        if number is None or left is None or not _is_small(right, 4) or number == 0.0:
            return value, factor
        factor = factor * number if node.op_type == "Mul" else factor / number
        nodes.append(node)
        value = left


def read_scores(m: Match, probabilities: Value) -> Scores | None:
    """What ``probabilities`` were computed from, or None when this is no attention."""
    nodes: list[Node] = []
    inner = _guarded(m, probabilities, nodes)
    cast = made_by(m, inner, "Cast")
    if cast is not None and cast.inputs[0] is not None:
        nodes.append(cast)
        inner = cast.inputs[0]
    softmax = made_by(m, inner, "Softmax")
    if softmax is None or softmax.inputs[0] is None:
        return None
    if attribute(softmax, "axis", -1) not in (-1, 3):
        return None
    nodes.append(softmax)
    value = softmax.inputs[0]
    precision = None
    before = made_by(m, value, "Cast")
    if before is not None and before.inputs[0] is not None:
        nodes.append(before)
        precision = m.ctx.shapes.dtype(value)
        value = before.inputs[0]
    scores = _read_masks(m, value, nodes)
    if scores is not None:
        scores.softmax_precision = precision
    return scores


def _guarded(m: Match, value: Value, nodes: list[Node]) -> Value:
    """``p`` of ``Where(IsNaN(p), 0, p)``: rows with no key give 0, as Attention defines it."""
    where = made_by(m, value, "Where")
    if where is None or scalar_of(where.inputs[1]) != 0.0:
        return value
    test = made_by(m, where.inputs[0], "IsNaN")
    if test is None or test.inputs[0] is not where.inputs[2] or test.inputs[0] is None:
        return value
    nodes.extend((where, test))
    return test.inputs[0]


def _read_masks(m: Match, value: Value, nodes: list[Node]) -> Scores | None:
    """Peel masks until the product appears; the longer chain of an Add leads to it."""
    product = _read_product(m, value)
    if product is not None:
        product.nodes[:0] = nodes
        return product
    add = made_by(m, value, "Add")
    if add is not None:
        for scores, mask in (tuple(add.inputs), tuple(reversed(add.inputs))):
            if scores is None or mask is None:
                continue
            found = _read_masks(m, scores, [*nodes, add])
            if found is not None:
                found.masks.append(Mask(mask))
                return found
    where = made_by(m, value, "Where")
    if where is not None:
        condition, scores = operand(where, 0), operand(where, 1)
        chosen = scalar_of(operand(where, 2))
        if condition is not None and scores is not None and chosen is not None and chosen <= -1e4:
            found = _read_masks(m, scores, [*nodes, where])
            if found is not None:
                found.masks.append(Mask(condition, chosen))
                return found
    return None


def _read_product(m: Match, value: Value) -> Scores | None:
    """``MatMul(q * a, k^T * b) * c``, capped or not."""
    nodes: list[Node] = []
    softcap = 0.0
    inner, factor = without_factors(m, value, nodes)
    tanh = made_by(m, inner, "Tanh")
    if tanh is not None and tanh.inputs[0] is not None:
        nodes.append(tanh)
        softcap = factor
        inner, factor = without_factors(m, tanh.inputs[0], nodes)
        factor *= softcap
    product = made_by(m, inner, "MatMul")
    if product is None:
        return None
    left, right = product.inputs
    if left is None or right is None or not np.isfinite(softcap) or softcap < 0:
        return None
    nodes.append(product)
    queries, of_queries = without_factors(m, left, nodes)
    keys, of_keys = without_factors(m, right, nodes)
    return Scores(queries, keys, factor * of_queries * of_keys, softcap, nodes=nodes)
