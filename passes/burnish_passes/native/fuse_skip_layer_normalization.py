"""A residual sum and the normalization of it become one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import DataType
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.symbolic import known_equal
from burnish_passes.native.contrib import DOMAIN, ContribRule
from burnish_passes.proofs import require_same_shape

_EPSILON = float(np.float32(1e-5))
"""The default of LayerNormalization, as the file holds it."""


@dataclass(frozen=True)
class FuseSkipLayerNormalization(ContribRule):
    """Let ONNX Runtime add the residual while it normalizes.

    ``LayerNormalization(a + b) => SkipLayerNormalization(a, b)``.

    Before::

        <ir_version: 10, opset_import: ["": 20, "com.microsoft": 1]>
        agraph (float[1,3,4] a, float[1,3,4] b, float[4] g, float[4] c)
            => (float[1,3,4] y) {
            s = Add(a, b)
            y = LayerNormalization <axis = -1>(s, g, c)
        }

    After::

        <ir_version: 10, opset_import: ["": 20, "com.microsoft": 1]>
        agraph (float[1,3,4] a, float[1,3,4] b, float[4] g, float[4] c)
            => (float[1,3,4] y) {
            y = com.microsoft.SkipLayerNormalization <epsilon = 0.00001>(a, b, g, c)
        }

    The runtime does the same when it loads a model. Its kernel can also hand out the sum, as a
    block that normalizes first would need, but was then slower than Add and LayerNormalization.

    FLOAT: mean and variance may be summed in another order. Catalogue row F7. Source: ONNX
    Runtime's contrib operator SkipLayerNormalization.
    """

    name: ClassVar[str] = "fuse-skip-layer-normalization"
    exactness: ClassVar[Exactness] = Exactness.FLOAT

    def before(self, op: Any, a: Any, b: Any, scale: Any, bias: Any) -> Any:
        return op.LayerNormalization(op.Add(a, b), scale, bias.optional)

    def when(self, m: Match) -> None:
        shape = m.shape("a")
        m.suppose(len(m.root.outputs) == 1 and len(shape) == 3)
        m.require(m.attr("LayerNormalization", "axis", -1) in (-1, 2), "it is not the last axis")
        m.require(
            m.dtype("a") in (DataType.FLOAT, DataType.FLOAT16), "ONNX Runtime has no such kernel"
        )
        affine = [m.shape_of(value) for value in (m["scale"], m.get("bias")) if value is not None]
        m.require(
            all(len(item) == 1 and known_equal(item[0], shape[-1]) for item in affine),
            "scale or bias have not one number for each feature",
        )
        require_same_shape(m, m["a"], m["b"])

    def after(self, op: Any, m: Match) -> Any:
        bias = m.get("bias")
        return op.SkipLayerNormalization(
            m["a"],
            m["b"],
            m["scale"],
            *([bias] if bias is not None else []),
            epsilon=m.attr("LayerNormalization", "epsilon", _EPSILON),
            _domain=DOMAIN,
        )
