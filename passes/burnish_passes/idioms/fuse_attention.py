"""Scaled dot-product attention becomes one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import DataType, Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish.symbolic import Dim, known_equal
from burnish_passes.idioms.attention_scores import (
    Mask,
    Scores,
    made_by,
    read_scores,
    scalar_of,
)

_FAR = -1e30
"""Added to a score, it wins over any score, and unlike the lowest float is not read as -inf."""


def _require_rank_four(m: Match, scores: Scores) -> None:
    for value in (scores.queries, scores.keys_transposed, m["v"]):
        shape = m.shape_of(value)
        m.require(len(shape) == 4, f"{value.name} has {len(shape)} axes, not batch and heads too")
    queries, keys, values = map(m.shape_of, (scores.queries, scores.keys_transposed, m["v"]))
    for axis, what in ((0, "batch"), (1, "heads")):
        m.require(
            known_equal(queries[axis], keys[axis]) and known_equal(queries[axis], values[axis]),
            f"queries, keys and values may differ in {what}, so that one is broadcast",
        )


def _require_one_reader(m: Match, scores: Scores) -> None:
    """The scores and probabilities are for the attention alone (else they are made twice)."""
    members = {m.root, *scores.nodes}
    product = [node.op_type for node in scores.nodes].index("MatMul")
    # Behind it: what scales an operand may serve others, and then stays for them.
    for node in scores.nodes[: product + 1]:
        for output in node.outputs:
            m.require(not output.is_graph_output(), f"{output.name} is a graph output")
            free = all(use.node in members for use in output.uses())
            m.require(free, f"{output.name} has another reader")


def _added(op: Any, m: Match, mask: Mask) -> Value:
    """``mask`` as something to add to the scores, or as booleans."""
    dtype = m.dtype("v")
    if mask.chosen is not None:
        if mask.chosen == -np.inf:
            return mask.value
        made: Value = op.Where(mask.value, _number(op, 0.0, dtype), _far(op, m))
        return made
    where = made_by(m, mask.value, "Where")
    if where is not None and scalar_of(where.inputs[1]) == 0.0 and where.inputs[0] is not None:
        other = scalar_of(where.inputs[2])
        if other == -np.inf and m.ctx.shapes.dtype(where.inputs[0]) == DataType.BOOL:
            return where.inputs[0]
        if other is not None and other < _FAR and dtype == DataType.FLOAT:
            made = op.Where(where.inputs[0], where.inputs[1], _number(op, _FAR, dtype))
            return made
    return mask.value


def _far(op: Any, m: Match) -> Value:
    """What is added where a mask puts a finite number in place of the scores."""
    dtype = m.dtype("v")
    # With -6e4 a kernel that adds up in single precision would still tell scores apart.
    m.require(dtype != DataType.FLOAT16, "halves have no number that wins over any score")
    return _number(op, _FAR, dtype)


def _number(op: Any, number: float, dtype: DataType) -> Value:
    held = np.array(number).astype(dtype.numpy())
    made: Value = op.constant(held, "attention_mask", dtype)
    return made


def _combined(op: Any, m: Match, masks: list[Mask]) -> Value | None:
    """One mask for all: booleans joined by And, numbers by Add or, where chosen, by Where."""
    chosen = {mask.chosen for mask in masks} - {None, -np.inf}
    m.require(len(chosen) <= 1, "masks put different numbers in place of scores")
    total: Value | None = None
    for mask, before in zip(masks, (None, *masks), strict=False):
        total = _added(op, m, mask) if total is None else _joined(op, m, total, mask, before)
    return total


def _joined(op: Any, m: Match, total: Value, mask: Mask, before: Mask | None) -> Value:
    """``mask`` after the masks ``total``, the last of which is ``before``."""
    mixed = "one mask chooses and another is added"
    made: Value
    if mask.chosen is not None and mask.chosen != -np.inf:
        m.require(not _is_boolean(m, total), mixed)
        # Not added: what the masks before it did to an element counts no more.
        made = op.Where(mask.value, total, _far(op, m))
        return made
    added = _added(op, m, mask)
    kinds = {_is_boolean(m, total), _is_boolean(m, added)}
    m.require(len(kinds) == 1, mixed)
    if kinds == {True}:
        made = op.And(total, added)
        return made
    # What is added to a chosen number still counts; added to -1e30 it would not.
    m.require(before is None or before.chosen is None, mixed)
    made = op.Add(total, added)
    return made


def _is_boolean(m: Match, value: Value) -> bool:
    producer = value.producer()
    if producer is not None and producer.graph is None:  # made here, not analysed yet
        return producer.op_type == "And"
    return m.ctx.shapes.dtype(value) == DataType.BOOL


def _spread(op: Any, m: Match, mask: Value, scores: Scores) -> Value:
    """``mask`` with all its rows and columns.

    Kernels repeat a mask over batch and heads only, and fill missing columns up instead.
    """
    shapes = [m.shape_of(item.value) for item in scores.masks]
    batch, heads, rows, _ = m.shape_of(scores.queries)
    columns = m.shape_of(scores.keys_transposed)[3]
    for shape in shapes:
        m.require(len(shape) <= 4, "the mask has more than 4 axes")
        held = zip(reversed(shape[:-1]), (rows, heads, batch), strict=False)
        m.require(
            all(size == 1 or known_equal(size, whole) for size, whole in held),
            "the mask may be larger than the scores",
        )
    lacks_rows = not any(len(shape) > 1 and known_equal(shape[-2], rows) for shape in shapes)
    known = [
        place for place, shape in enumerate(shapes) if shape and known_equal(shape[-1], columns)
    ]
    # With as many keys as values, a mask with more columns would not have fitted the values.
    m.require(
        known_equal(columns, m.shape("v")[2])
        or all(place in known or shape[-1:] in ((), (1,)) for place, shape in enumerate(shapes)),
        "the mask may have more columns than there are keys",
    )
    if known and not lacks_rows:
        return mask
    # The columns of a shared mask count better than those of each layer's queries and keys.
    source = scores.masks[known[0]].value if known else None
    size = [
        _count(op, rows, source if known_equal(rows, columns) else None, scores.queries, 2)
        if lacks_rows
        else 1,
        1 if known else _count(op, columns, None, scores.keys_transposed, 3),
    ]
    if all(isinstance(item, int) for item in size):
        whole = op.constant(np.array(size, dtype=np.int64))
    else:
        one = [
            op.constant(np.array([item], dtype=np.int64)) if isinstance(item, int) else item
            for item in size
        ]
        whole = op.Concat(*one, axis=0)
    made: Value = op.Expand(mask, whole)
    return made


def _count(op: Any, size: Dim, shared: Value | None, own: Value, axis: int) -> int | Value:
    """``size`` as a number, or as read when the model runs: the last axis of ``shared``, or own."""
    if isinstance(size, int):
        return size
    if shared is not None:
        made: Value = op.Shape(shared, start=-1)
        return made
    made = op.Shape(own, start=axis, end=axis + 1)
    return made


@dataclass(frozen=True)
class FuseAttention(Rule):
    """Raise scaled dot-product attention to Attention.

    ``Softmax(q k^T * s + mask) v => Attention(q, k, v, mask, scale=s)``, the factor on queries,
    keys or scores, or on several; the scores capped by ``c * tanh(. / c)`` or not; the mask added,
    or chosen by Where; the softmax in a wider type or not.

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[1,2,3,4] q, float[1,2,4,5] k, float[1,2,5,4] v, float[3,5] mask)
            => (float[1,2,3,4] y)
        <float scale = {0.5}> {
            scores = MatMul(q, k)
            scaled = Mul(scores, scale)
            masked = Add(scaled, mask)
            p = Softmax <axis = -1>(masked)
            y = MatMul(p, v)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[1,2,3,4] q, float[1,2,4,5] k, float[1,2,5,4] v, float[3,5] mask)
            => (float[1,2,3,4] y)
        {
            kt = Transpose <perm = [0, 1, 3, 2]>(k)
            y = Attention <scale = 0.5>(q, kt, v, mask)
        }

    Keys are taken transposed back, which cancels the transpose that exporters write. A mask of one
    row is repeated for each query (kernels repeat masks over batch and heads only), and one that
    may have one column for each key. Queries, keys and values must have equal batch and heads,
    the factor must be positive (the operator takes its root), and nothing else may read scores or
    probabilities.

    FLOAT: sums in another order. A query that may look at no key gets 0 as the operator defines it,
    where the decomposed form without a guard has NaN; a mask that adds the lowest float adds -1e30
    instead, since kernels read the lowest float as "no key". A finite number that Where chooses
    becomes -1e30 too, which wins over any score; where it would not (in halves) or would hide what
    is added later, nothing is fused. Catalogue row F10. Source: Vaswani et
    al., Attention Is All You Need, section 3.2.1; ONNX operator Attention-23.
    """

    name: ClassVar[str] = "fuse-attention"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, p: Any, v: Any) -> Any:
        return op.MatMul(p, v)

    def after(self, op: Any, m: Match) -> Any:
        found = made_by(m, m["p"], "Softmax", "Where", "Cast")
        m.suppose(found is not None)
        scores = read_scores(m, m["p"])
        m.suppose(scores is not None)
        assert scores is not None
        _require_rank_four(m, scores)
        _require_one_reader(m, scores)
        # The operator multiplies queries and keys by its root.
        m.require(scores.scale > 0, "the factor of the scores is not positive")
        dtype = m.dtype("v")
        m.require(
            m.ctx.shapes.dtype(scores.queries) == dtype and m.dtype("p") == dtype,
            "queries, probabilities and values have different types",
        )
        mask = _combined(op, m, scores.masks)
        if mask is not None:
            mask = _spread(op, m, mask, scores)
            if not _is_boolean(m, mask) and mask.producer() not in op.nodes:
                m.require(m.ctx.shapes.dtype(mask) == dtype, "the mask has another type")
        for node in scores.nodes:
            m.include(node)
        precision = scores.softmax_precision
        return op.Attention(
            scores.queries,
            op.Transpose(scores.keys_transposed, perm=[0, 1, 3, 2]),
            m["v"],
            *([mask] if mask is not None else []),
            scale=scores.scale,
            softcap=scores.softcap or None,
            softmax_precision=None if precision in (None, dtype) else precision.value,
        )
