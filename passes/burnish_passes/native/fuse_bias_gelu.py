"""A bias and the Gelu after it become one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from burnish.ir import DataType
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.symbolic import known_equal
from burnish_passes.native.contrib import DOMAIN, ContribRule


@dataclass(frozen=True)
class FuseBiasGelu(ContribRule):
    """Let ONNX Runtime add the bias within Gelu.

    ``Gelu(x + b) => BiasGelu(x, b)``, and ``FastGelu(x, b)`` for the approximation by tanh.

    Before::

        <ir_version: 10, opset_import: ["": 20, "com.microsoft": 1]>
        agraph (float[1,3,4] x) => (float[1,3,4] y) <float[4] b = {1, 2, 3, 4}> {
            s = Add(x, b)
            y = Gelu(s)
        }

    After::

        <ir_version: 10, opset_import: ["": 20, "com.microsoft": 1]>
        agraph (float[1,3,4] x) => (float[1,3,4] y) <float[4] b = {1, 2, 3, 4}> {
            y = com.microsoft.BiasGelu(x, b)
        }

    FLOAT: the kernels round differently. Catalogue row F7. Source: ONNX Runtime's contrib
    operators BiasGelu and FastGelu.
    """

    name: ClassVar[str] = "fuse-bias-gelu"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, x: Any, b: Any) -> Any:
        return op.Gelu(op.Add(x, b.constant))

    def when(self, m: Match) -> None:
        x, b = m.shape("x"), m.shape("b")
        m.require(m.dtype("x") == DataType.FLOAT, "ONNX Runtime has no such kernel")
        m.require(len(b) == 1 and bool(x) and known_equal(x[-1], b[0]), "the bias is no vector")

    def after(self, op: Any, m: Match) -> Any:
        build = op.FastGelu if m.attr("Gelu", "approximate", "none") == "tanh" else op.BiasGelu
        return build(m["x"], m["b"], _domain=DOMAIN)
