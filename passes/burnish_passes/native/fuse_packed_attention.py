"""The projection to queries, keys and values and the attention to them become one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import DataType
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.symbolic import known_equal
from burnish_passes.native.contrib import DOMAIN, ContribRule


@dataclass(frozen=True)
class FusePackedAttention(ContribRule):
    """Let ONNX Runtime project to queries, keys and values within its own Attention.

    ``Attention(*Split(x W + b)) => com.microsoft.Attention(x, W, b)``.

    Before::

        <ir_version: 10, opset_import: ["": 23, "com.microsoft": 1]>
        agraph (float[1,3,4] x) => (float[1,3,4] y)
        <float[4,12] w = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0,
                          0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},
         float[12] b = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}> {
            p = MatMul(x, w)
            s = Add(p, b)
            q, k, v = Split <axis = 2, num_outputs = 3>(s)
            y = Attention <scale = 0.5, q_num_heads = 2, kv_num_heads = 2>(q, k, v)
        }

    After::

        <ir_version: 10, opset_import: ["": 23, "com.microsoft": 1]>
        agraph (float[1,3,4] x) => (float[1,3,4] y)
        <float[4,12] w = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0,
                          0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1},
         float[12] b = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}> {
            y = com.microsoft.Attention <num_heads = 2, scale = 0.5>(x, w, b)
        }

    Without a mask only: a mask that leaves a query without keys means something else there.

    FLOAT: products are summed in another order. Catalogue rows F10, F12. Source: ONNX Runtime's
    contrib operator Attention.
    """

    name: ClassVar[str] = "fuse-packed-attention"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any, w: Any, b: Any) -> Any:
        packed = op.Add(op.MatMul(x, w.constant), b.constant)
        q, k, v = op.Split(packed, ..., _outputs=3)
        return op.Attention(q, k, v)

    def when(self, m: Match) -> None:
        m.suppose(len(m.root.outputs) == 1 and len(m.node("Split").outputs) == 3)
        heads = m.attr("Attention", "q_num_heads")
        m.require(
            heads is not None and heads == m.attr("Attention", "kv_num_heads"),
            "queries have more heads than keys",
        )
        for key in ("is_causal", "softcap", "softmax_precision"):
            m.require(not m.attr("Attention", key), f"ONNX Runtime's own operator has no {key}")
        m.require(
            m.dtype("x") in (DataType.FLOAT, DataType.FLOAT16), "ONNX Runtime has no such kernel"
        )
        weight, bias = m.shape("w"), m.shape("b")
        m.require(len(weight) == 2 and weight[1:] == bias, "it is no projection")
        m.require(len(m.shape("x")) == 3, "the projection has not three axes")
        sizes = [m.shape_of(part) for part in m.node("Split").outputs]
        m.require(
            m.attr("Split", "axis", 0) in (-1, 2)
            and all(known_equal(size[2], sizes[0][2]) for size in sizes),
            "the parts are not equal",
        )

    def after(self, op: Any, m: Match) -> Any:
        return op.Attention(
            m["x"],
            m["w"],
            m["b"],
            num_heads=m.attr("Attention", "q_num_heads"),
            scale=m.attr("Attention", "scale"),
            _domain=DOMAIN,
        )
