"""Attention repeats the heads of keys and values itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Node, Value
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish.symbolic import known_equal
from burnish_passes.idioms.attention_scores import made_by
from burnish_passes.movement.views import known_axes


def _before_repetition(m: Match, value: Value) -> tuple[Value, list[Node]] | None:
    """``x`` of ``Reshape(Expand(Unsqueeze(x, 2)))`` where each head is repeated in place."""
    reshape = made_by(m, value, "Reshape")
    expand = made_by(m, reshape.inputs[0] if reshape else None, "Expand")
    unsqueeze = made_by(m, expand.inputs[0] if expand else None, "Unsqueeze")
    if reshape is None or expand is None or unsqueeze is None or unsqueeze.inputs[0] is None:
        return None
    x = unsqueeze.inputs[0]
    before, between = m.shape_of(x), m.shape_of(expand.outputs[0])
    after = m.shape_of(value)
    m.require(known_axes(m, unsqueeze) == (2,), "the new axis does not follow the heads")
    m.require(len(before) == 4 and len(between) == 5, "keys or values have not four axes")
    kept = ((0, 0), (1, 1), (2, 3), (3, 4))
    m.require(
        all(known_equal(before[old], between[new]) for old, new in kept),
        "more than the heads is repeated",
    )
    m.require(
        len(after) == 4
        and known_equal(after[1], before[1] * between[2])
        and all(known_equal(after[axis], before[axis]) for axis in (0, 2, 3)),
        "the Reshape does not join each head with its copies",
    )
    return x, [reshape, expand, unsqueeze]


@dataclass(frozen=True)
class DropRepeatedHeads(Rule):
    """Let Attention share each head of keys and values among several heads of queries.

    ``Attention(q, repeat(k), repeat(v)) => Attention(q, k, v)`` where ``repeat`` writes every head
    ``r`` times in a row: ``Reshape(Expand(Unsqueeze(k, 2)))``.

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[1,4,3,8] q, float[1,2,5,8] k, float[1,2,5,8] v) => (float[1,4,3,8] y)
        <int64[1] two = {2}, int64[5] spread = {1, 2, 2, 5, 8}, int64[4] joined = {1, 4, 5, 8}> {
            k5 = Unsqueeze(k, two)
            kr = Expand(k5, spread)
            k4 = Reshape(kr, joined)
            v5 = Unsqueeze(v, two)
            vr = Expand(v5, spread)
            v4 = Reshape(vr, joined)
            y = Attention(q, k4, v4)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[1,4,3,8] q, float[1,2,5,8] k, float[1,2,5,8] v) => (float[1,4,3,8] y)
        {
            y = Attention(q, k, v)
        }

    FLOAT: kernels may take another path. Catalogue rows F10, F12. Source: Ainslie et al., GQA:
    Training Generalized Multi-Query Transformer Models; the body of ONNX operator Attention-23.
    """

    name: ClassVar[str] = "drop-repeated-heads"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, q: Any, k: Any, v: Any) -> Any:
        return op.Attention(q, k, v, ..., _outputs=...)

    def after(self, op: Any, m: Match) -> Any:
        m.suppose(made_by(m, m["k"], "Reshape") is not None)
        keys, values = _before_repetition(m, m["k"]), _before_repetition(m, m["v"])
        m.suppose(keys is not None and values is not None)
        assert keys is not None
        assert values is not None
        key_heads, value_heads = m.shape_of(keys[0])[1], m.shape_of(values[0])[1]
        m.require(known_equal(key_heads, value_heads), "keys and values differ in heads")
        handed_out = any(item.uses() or item.is_graph_output() for item in m.root.outputs[1:3])
        m.require(not handed_out, "the repeated keys or values are results, too")
        rest = m.root.inputs[3:]
        m.require(all(item is None for item in rest[1:]), "the heads of the cache are repeated")
        for node in (*keys[1], *values[1]):
            m.include(node)
        return op.Attention(
            m["q"],
            keys[0],
            values[0],
            *rest,
            _attributes=m.root.attributes.values(),
            _outputs=len(m.root.outputs),
        )
