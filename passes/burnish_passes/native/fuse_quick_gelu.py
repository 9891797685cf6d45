"""A sigmoid gate on itself becomes one operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from burnish.ir import DataType
from burnish.match import Match
from burnish.passdef import Exactness
from burnish.rewrite import Rule
from burnish_passes.native.contrib import DOMAIN, ContribRuleSet


class _Gated(Rule):
    def factor(self, m: Match) -> float:
        """The factor inside the sigmoid."""
        return 1.0

    def after(self, op: Any, m: Match) -> Any:
        m.require(m.dtype("x") == DataType.FLOAT, "ONNX Runtime has no such kernel")
        return op.QuickGelu(m["x"], alpha=self.factor(m), _domain=DOMAIN)


class FuseSilu(_Gated):
    """``x * Sigmoid(x) => QuickGelu(x, 1)``."""

    def before(self, op: Any, x: Any) -> Any:
        return op.Mul(x, op.Sigmoid(x))


class FuseScaled(_Gated):
    """``x * Sigmoid(a * x) => QuickGelu(x, a)``."""

    def before(self, op: Any, x: Any, a: Any) -> Any:
        return op.Mul(x, op.Sigmoid(op.Mul(x, a.constant)))

    def factor(self, m: Match) -> float:
        array = m.const("a")
        m.require(array.size == 1 and array.ndim <= len(m.shape("x")), "the factor is no number")
        return float(np.float32(array.reshape(-1)[0]))


@dataclass(frozen=True)
class FuseQuickGelu(ContribRuleSet):
    """Let ONNX Runtime compute ``x * Sigmoid(a * x)`` in one go.

    ``x * Sigmoid(a * x) => QuickGelu(x, alpha=a)``, SiLU being ``a = 1``.

    Before::

        <ir_version: 10, opset_import: ["": 20, "com.microsoft": 1]>
        agraph (float[3] x) => (float[3] y, float[3] z) <float a = {2.0}> {
            s = Sigmoid(x)
            y = Mul(x, s)
            ax = Mul(x, a)
            t = Sigmoid(ax)
            z = Mul(t, x)
        }

    After::

        <ir_version: 10, opset_import: ["": 20, "com.microsoft": 1]>
        agraph (float[3] x) => (float[3] y, float[3] z) {
            y = com.microsoft.QuickGelu <alpha = 1.0>(x)
            z = com.microsoft.QuickGelu <alpha = 2.0>(x)
        }

    FLOAT: the kernel's sigmoid may round differently. Catalogue row F3. Source: ONNX Runtime's
    contrib operator QuickGelu.
    """

    name: ClassVar[str] = "fuse-quick-gelu"
    exactness: ClassVar[Exactness] = Exactness.FLOAT
    rules: ClassVar[tuple[type[Rule], ...]] = (FuseSilu, FuseScaled)
