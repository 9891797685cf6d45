"""Attention appends to the cache of keys and values itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import Node, attribute
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish.symbolic import known_equal


def _require_cache(m: Match, past: str, new: str, concat: Node) -> None:
    before, added = m.shape(past), m.shape(new)
    m.require(len(before) == 4 and len(added) == 4, f"{concat.name} does not join four axes")
    m.require(attribute(concat, "axis") in (2, -2), "the cache does not grow along its sequence")
    m.require(
        known_equal(before[0], added[0]) and known_equal(before[1], added[1]),
        "cache and new keys or values differ in batch or heads",
    )


@dataclass(frozen=True)
class FuseAttentionCache(Rule):
    """Let Attention join past and new keys and values.

    ``Attention(q, Concat(pk, k), Concat(pv, v)) => Attention(q, k, v, mask, pk, pv)``; the joined
    keys and values become its second and third result.

    Before::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[1,2,1,8] q, float[1,2,1,8] k, float[1,2,1,8] v, float[1,2,P,8] pk,
                float[1,2,P,8] pv) => (float[1,2,1,8] y, float[1,2,T,8] nk, float[1,2,T,8] nv) {
            nk = Concat <axis = -2>(pk, k)
            nv = Concat <axis = -2>(pv, v)
            y = Attention <scale = 0.5>(q, nk, nv)
        }

    After::

        <ir_version: 10, opset_import: ["": 23]>
        agraph (float[1,2,1,8] q, float[1,2,1,8] k, float[1,2,1,8] v, float[1,2,P,8] pk,
                float[1,2,P,8] pv) => (float[1,2,1,8] y, float[1,2,T,8] nk, float[1,2,T,8] nv) {
            y, nk, nv = Attention <scale = 0.5>(q, k, v, , pk, pv)
        }

    FLOAT: kernels may take another path. Not with ``is_causal`` or a window, whose meaning depends
    on where the cache ends. Catalogue rows F10, F12. Source: ONNX operator Attention-23.
    """

    name: ClassVar[str] = "fuse-attention-cache"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(
        self, op: Any, q: Any, k: Any, v: Any, past_keys: Any, past_values: Any, mask: Any
    ) -> Any:
        keys = op.Concat(past_keys, k, _name="keys")
        values = op.Concat(past_values, v, _name="values")
        return op.Attention(q, keys, values, mask.optional), keys, values

    def when(self, m: Match) -> None:
        m.suppose(len(m.root.outputs) == 1)
        _require_cache(m, "past_keys", "k", m.node("keys"))
        _require_cache(m, "past_values", "v", m.node("values"))
        m.require(
            known_equal(m.shape("past_keys")[2], m.shape("past_values")[2]),
            "the caches of keys and values may differ in length",
        )
        m.require(not m.attr("Attention", "is_causal", 0), "the attention is causal")
        sides = (m.attr("Attention", f"{side}_window_size", -1) for side in ("left", "right"))
        m.require(all(size < 0 for size in sides), "the attention has a window")

    def after(self, op: Any, m: Match) -> Any:
        return op.Attention(
            m["q"],
            m["k"],
            m["v"],
            m.get("mask"),
            m["past_keys"],
            m["past_values"],
            _attributes=m.root.attributes.values(),
            _outputs=3,
        )
